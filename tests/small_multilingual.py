"""A multilingual search in miniature: text of four languages and scripts, and a teacher shaped as XLM-R, trained on it.

SentencePiece's Unigram with XLM-R's special tokens (padding is 1), positions from behind the padding's, no token types.
"""

from __future__ import annotations

import io
import random
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import yaml
from small_run import write_encoder_experiment
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import XLMRobertaConfig, XLMRobertaForMaskedLM, XLMRobertaTokenizerFast

# Of each language the words of two topics, then words of none; Chinese is written without spaces.
LANGUAGES: dict[str, tuple[list[str], list[str], list[str]]] = {
    "eng_Latn": (
        ["match", "goal", "player", "team"],
        ["river", "mountain", "island", "desert"],
        ["the", "was", "very", "near", "and"],
    ),
    "deu_Latn": (
        ["Spiel", "Tor", "Spieler", "Mannschaft"],
        ["Fluss", "Gebirge", "Insel", "Wüste"],
        ["die", "war", "sehr", "nahe", "und"],
    ),
    "ell_Grek": (
        ["αγώνας", "γκολ", "παίκτης", "ομάδα"],
        ["ποτάμι", "βουνό", "νησί", "έρημος"],
        ["το", "ήταν", "πολύ", "κοντά", "και"],
    ),
    "zho_Hans": (["比赛", "进球", "球员", "球队"], ["河流", "山脉", "岛屿", "沙漠"], ["这", "是", "很", "近", "和"]),
}
TOPICS = ("sports", "geography")
SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]


def sentence(language: str, rng: random.Random, topic: int | None = None) -> str:
    """Words of a language, some of a topic: of the given one, else of either."""
    *topics, others = LANGUAGES[language]
    words = topics[rng.randrange(2) if topic is None else topic]
    chosen = [*rng.choices(words, k=3), *rng.choices(others, k=rng.randint(3, 6))]
    rng.shuffle(chosen)
    return ("" if language == "zho_Hans" else " ").join(chosen)


def text_of_languages(seed: int = 1, documents: int = 40) -> dict[str, str]:
    """Of each language as many documents, a paragraph each, blank lines between."""
    rng = random.Random(seed)
    return {
        language: "\n\n".join(" ".join(sentence(language, rng) for _ in range(5)) for _ in range(documents))
        for language in LANGUAGES
    }


def write_multilingual_experiment(folder: Path, **changes: Any) -> Path:
    """A corpus file for each language, the teacher, a space of four encoders, and an experiment without a task."""
    folder.mkdir(parents=True, exist_ok=True)
    written = text_of_languages()
    for language, content in written.items():
        (folder / f"{language}.txt").write_text(content, encoding="utf-8")
    sources = [{"path": str(folder / f"{language}.txt")} for language in written]
    write_xlmr(folder / "xlmr", list(written.values()))
    update = {
        "teacher": {"model": str(folder / "xlmr")},
        "evolution": {"strategy": "kd_nas", "candidates": 4, "population": 2, "kd_nas": {"predictor": "boosting"}},
        **changes,
    }
    update["corpus"] = {"sources": sources, **changes.get("corpus", {})}
    path = write_encoder_experiment(folder, **update)
    space = yaml.safe_load((folder / "space.yaml").read_text())
    space["encoder"]["layers"] = [1, 2]
    space["encoder"]["ffn"] = [16]
    (folder / "space.yaml").write_text(yaml.safe_dump(space))
    return path


def write_topics(folder: Path) -> Path:
    """A task in each language, laid out as SIB-200 is, and an experiment that learns it in English from the teacher."""
    folder.mkdir(parents=True)
    with tarfile.open(folder / "topics.tar.xz", "w:xz") as archive:
        for number, language in enumerate(LANGUAGES):
            rng = random.Random(number)
            for split, rows in (("train", 80), ("dev", 16), ("test", 40)):
                lines = [(row, TOPICS[row % 2], sentence(language, rng, row % 2)) for row in range(rows)]
                cells = "".join(f"{row}\t{topic}\t{words}\n" for row, topic, words in lines)
                content = f"index_id\tcategory\ttext\n{cells}".encode()
                member = tarfile.TarInfo(f"{language}/{split}.tsv")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    write_xlmr(folder / "xlmr", list(text_of_languages().values()))
    local = {split: f"eng_Latn/{file}.tsv" for split, file in (("train", "train"), ("validation", "dev"))}
    task = {
        "name": "topics",
        "text": ["text"],
        "label": "category",
        "labels": list(TOPICS),
        "max_length": 32,
        "hub": {"dataset": "nobody/topics"},
        "local": {"folder": "topics.tar.xz", **local, "test": "eng_Latn/test.tsv"},
    }
    experiment = {
        "name": "topics",
        "search_space": "space.yaml",
        "task": task,
        "teacher": {
            "model": str(folder / "xlmr"),
            "fine_tune": {"epochs": 8, "batch_size": 16, "learning_rate": 5e-3},
        },
        "distillation": {"epochs": 10, "batch_size": 16, "learning_rate": 5e-3, "precision": "float32"},
        "evaluation": {"efficiency": {"tokens": 16, "repeats": 0}},
        "execution": {"device": "cpu"},
    }
    path = folder / "topics.yaml"
    path.write_text(yaml.safe_dump(experiment, sort_keys=False))
    return path


def write_xlmr(folder: Path, corpus: Sequence[str], steps: int = 40) -> None:
    """Train the tokenizer on the corpus, then a masked LM of two layers for a few steps, and save both."""
    tokenizer = _tokenizer(corpus)
    config = XLMRobertaConfig(
        vocab_size=len(tokenizer),
        hidden_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=34,  # of texts of 32 tokens, as XLM-R's 514 are of 512
        type_vocab_size=1,
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=2,
    )
    lines = [line for one in corpus for line in one.split("\n\n")]
    encoded = tokenizer(lines, truncation=True, max_length=24, padding=True, return_tensors="pt")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        model = XLMRobertaForMaskedLM(config).train()
        optimiser = torch.optim.AdamW(model.parameters(), lr=5e-3)
        for _ in range(steps):
            rows = torch.randint(len(lines), (16,))
            ids, mask = encoded["input_ids"][rows], encoded["attention_mask"][rows]
            hidden = (torch.rand(ids.shape) < 0.15) & (ids > 3)
            labels = ids.masked_fill(~hidden, -100)
            masked = ids.masked_fill(hidden, tokenizer.mask_token_id)
            model(input_ids=masked, attention_mask=mask, labels=labels).loss.backward()
            optimiser.step()
            optimiser.zero_grad()
    model.eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _tokenizer(corpus: Sequence[str]) -> XLMRobertaTokenizerFast:
    backend = Tokenizer(models.Unigram())
    backend.normalizer = normalizers.NFKC()
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=160, special_tokens=SPECIAL, unk_token="<unk>", show_progress=False, max_piece_length=12
    )
    backend.train_from_iterator(list(corpus), trainer)
    backend.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return XLMRobertaTokenizerFast(tokenizer_object=backend)  # which adds <mask>, the last word as in XLM-R
