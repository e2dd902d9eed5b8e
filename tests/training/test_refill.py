"""Words that a masked LM fills in: where, from what, and how often it is asked."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from families import FAMILIES
from training.tiny_models import config_of, make_tokenizer, save_masked_lm
from transformers import AutoConfig, AutoModelForMaskedLM

from rosearch.models.saved import load_tokenizer
from rosearch.training.method import TrainingInputs
from rosearch.training.refill import Refill, whole_words
from rosearch.training.text_sources import Listed, words_of

TEXT = "the good film, and a very dull plot (of the actor)"
FREE = {"good", "film", "dull", "plot", "actor"}  # no stop words


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_masked_lm(tmp_path_factory.mktemp("lm"), make_tokenizer())


def opened(inputs: TrainingInputs, folder: Path, synonyms: Any = (), **settings: Any) -> Refill:
    config = config_of("robust_kd", robust_kd={"sources": ["refill"], **settings})
    return Refill.open(replace(inputs, config=config), folder, synonyms)


def read_by(source: Refill) -> list[torch.Tensor]:
    """The ids of each pass of the masked LM from now on."""
    seen: list[torch.Tensor] = []
    at = source.lm.generator.at

    def watched(inputs: Any, positions: torch.Tensor) -> torch.Tensor:
        seen.append(inputs["input_ids"])
        return at(inputs, positions)

    source.lm.generator.at = watched  # type: ignore[method-assign]
    return seen


@pytest.fixture(autouse=True)
def _unwatched(inputs: TrainingInputs, folder: Path) -> Any:
    """The masked LM is one for all trainings of a process."""
    yield
    opened(inputs, folder).lm.generator.__dict__.pop("at", None)


def test_words_that_are_no_stop_words_are_refilled_where_they_stand(inputs: TrainingInputs, folder: Path) -> None:
    source = opened(inputs, folder)
    made = [source.perturb([(TEXT,)], 1.0, np.random.default_rng(seed))[0][0] for seed in range(30)]
    words = [[word.word for word in words_of(text)] for text in made]
    clean = [word.word for word in words_of(TEXT)]
    changed = {clean[at] for found in words for at, word in enumerate(found) if word != clean[at]}
    assert all(len(found) == len(clean) for found in words) and changed == FREE
    assert all(text.startswith("the ") and text.endswith(")") and ", and a very " in text for text in made)
    assert {word for found in words for word in found} - set(clean) <= {*source.words}


def test_a_share_of_the_words_is_refilled_and_at_least_one_is_drawn(inputs: TrainingInputs, folder: Path) -> None:
    source = opened(inputs, folder)
    rows = [("film plot scene story music actor",)] * 200
    _, positions = source._inputs(source._corrupted(rows, 0.25, np.random.default_rng(1)))
    assert 0.2 < positions.sum().item() / (200 * 6) < 0.32 and positions.any(1).all()


def test_the_masked_lm_reads_five_kinds_of_corruption(inputs: TrainingInputs, folder: Path) -> None:
    """Of a word with synonyms; what is no single piece of its vocabulary is masked."""
    tokenizer = make_tokenizer()
    texts = tuple(("music",) for _ in inputs.texts)
    source = opened(replace(inputs, texts=texts), folder, [Listed(lambda word: ["fine", "unheard"])])
    (ids, positions) = source._inputs(source._corrupted([("good",)] * 3000, 1.0, np.random.default_rng(1)))
    read = Counter(tokenizer.convert_ids_to_tokens(ids["input_ids"][positions].tolist()))
    expected = {"fine": 0.1, "[MASK]": 0.3, "[UNK]": 0.2, "music": 0.2, "good": 0.2}  # half of the synonyms is masked
    assert read.keys() == expected.keys()
    assert all(abs(read[word] / 3000 - share) < 0.03 for word, share in expected.items())


def test_a_batch_is_one_pass_and_equal_seeds_give_equal_texts(inputs: TrainingInputs, folder: Path) -> None:
    source = opened(inputs, folder)
    seen = read_by(source)
    rows = [(TEXT,), ("it is not",), ("",), ("a bright scene",)]
    first, again, other = (source.perturb(rows, 0.5, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert len(seen) == 3 and [len(ids) for ids in seen] == [2, 2, 2]  # two rows have nothing to corrupt
    assert first == again != other and first[1:3] == [("it is not",), ("",)]
    seen.clear()
    assert source.perturb([("it is not",)], 1.0, np.random.default_rng(1)) == [("it is not",)] and not seen


def test_a_word_is_drawn_from_the_likeliest_with_their_probabilities(inputs: TrainingInputs, folder: Path) -> None:
    source = opened(inputs, folder, refill_words=3)
    rows = source._corrupted([("plot",)] * 4000, 1.0, np.random.default_rng(1))
    model_inputs, positions = source._inputs(rows)
    logits = source.lm.generator.at(model_inputs, positions)[:, source.ids]
    drawn = np.array(source._drawn(rows, np.random.default_rng(2)))
    masked = (model_inputs["input_ids"][positions] == source.mask).numpy()
    best = logits[masked.argmax()].topk(3)
    found = Counter(drawn[masked].tolist())
    assert set(found) == {source.words[at] for at in best.indices.tolist()}
    for at, share in zip(best.indices.tolist(), best.values.softmax(-1).tolist(), strict=True):
        assert abs(found[source.words[at]] / masked.sum() - share) < 0.05


def test_pairs_are_read_together_and_what_is_cut_off_stays(inputs: TrainingInputs, folder: Path) -> None:
    source = opened(inputs, folder)
    seen = read_by(source)
    (made,) = source.perturb([("film plot", "scene story")], 1.0, np.random.default_rng(1))
    assert [len(words_of(text)) for text in made] == [2, 2]
    assert seen[0].shape == (1, 7) and (seen[0][0] == make_tokenizer().sep_token_id).sum() == 2
    long = " ".join(["film"] * 30)
    ((cut,),) = source.perturb([(long,)], 1.0, np.random.default_rng(1))
    assert cut.split()[14:] == ["film"] * 16  # 16 tokens, two of which are special
    assert cut.split()[:14] != ["film"] * 14


@pytest.mark.parametrize("name", ["bert", "electra", "mpnet", "albert", "roberta", "xlm-roberta"])
def test_words_of_every_kind_of_vocabulary_are_filled_in(name: str, inputs: TrainingInputs, tmp_path: Path) -> None:
    """WordPiece, byte-level BPE and SentencePiece write the piece of a word behind a space in their own ways."""
    family = FAMILIES[name]
    tokenizer = family.tokenizer()
    config = AutoConfig.for_model(name, vocab_size=len(tokenizer), **dict(family.sizes), **family.settings)
    AutoModelForMaskedLM.from_config(config).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    assert {"film", "good", "music"} <= whole_words(load_tokenizer(tmp_path)).keys()
    text = "the good film was a slow, clever story"
    source = opened(inputs, tmp_path)
    (row,) = source._corrupted([(text,)], 1.0, np.random.default_rng(1))
    assert [word.word for _, word in row.swaps] == ["good", "film", "slow", "clever", "story"]
    read = tokenizer(text)["input_ids"]
    assert len(row.ids) == len(read) - sum(len(ids) - 1 for ids in _pieces(tokenizer, text))
    ((made,),) = source.perturb([(text,)], 1.0, np.random.default_rng(1))
    assert len(words_of(made)) == 8 and made.startswith("the ") and " was a " in made and made != text


def _pieces(tokenizer: Any, text: str) -> list[list[int]]:
    """The ids of each word of the text that is no stop word."""
    words = [word.word for word in words_of(text) if word.word not in ("the", "was", "a")]
    (lead,) = tokenizer(["a"], add_special_tokens=False)["input_ids"]
    return [tokenizer(f"a {word}", add_special_tokens=False)["input_ids"][len(lead) :] for word in words]
