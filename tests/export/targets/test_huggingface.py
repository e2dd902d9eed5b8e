from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from rosearch.errors import RunError
from rosearch.export.card import CardFacts, render_card
from rosearch.export.targets.huggingface import AUTO_MAP, CODE, TOKENIZER_CODE, export_student
from rosearch.measurements import (
    Efficiency,
    Estimate,
    Latency,
    Measurements,
    Quality,
    Robustness,
    SingleSwaps,
    Stopped,
    Training,
)
from rosearch.space.genotype import Genotype
from rosearch.space.node import Node
from rosearch.student.build import build_student
from rosearch.student.configuration_rosearch import StudentConfig
from rosearch.student.modeling_rosearch import StudentForSequenceClassification
from rosearch.student.tokenization_rosearch import EncodedTokenizer

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "very", "good", "bad", "film", "text"]
TEXTS = ["a very good film", "bad film"]

# Every operation, merge and a second sink, so that what travels is all that a student can need.
GENOTYPE = Genotype(
    16,
    8,
    "attention",
    (
        Node.of("attention", heads=2, conv=True),
        Node.of("ffn", (1,), ratio=2, activation="relu2"),
        Node.of("conv", (0, 1), "gate", kernel=3),
        Node.of("separable_conv", (2, 3), "concat", kernel=3),
        Node.of("dilated_conv", (3,), kernel=3),
        Node.of("glu", (4, 5), "add"),
        Node.of("light_conv", (6,), kernel=3),
        Node.of("max_pool", (7,), kernel=3),
        Node.of("avg_pool", (7,), kernel=3),
        Node.of("identity", (8, 9), "add"),
        Node.of("glu", (0,)),
    ),
)


def share(value: float) -> Estimate:
    return Estimate(value, value - 0.05, value + 0.05, 200)


MEASUREMENTS = Measurements(
    Quality("accuracy", 0.83, 1000, share(0.83), macro_f1=0.82, largest_class_share=0.55),
    Efficiency(
        1_234_567, 345_678, 17.7, 31.2, 9_876_543, 12.3, 32, 4.9, (Latency(1, 2.5, 2.4, 2.9),), threads=2
    ),
    Training(100, 3200, 0.4, "float32"),
    Robustness(
        "deepwordbug", 3, 200, share(0.82), share(0.21), share(0.75), Estimate(31.4, 29.0, 33.8, 164),
        share(0.18), share(0.22), errors=2, seconds=9.0,
    ),
)  # fmt: skip

FACTS = CardFacts(
    name="sst2 best",
    task="sst2",
    problem="classification",
    labels=("negative", "positive"),
    texts=1,
    max_length=24,
    genotype=GENOTYPE,
    measurements=MEASUREMENTS,
    teacher="bert-base-uncased",
    run="sst2-0001",
    date="2024-01-31",
    candidates=24,
)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved student, as a run keeps it."""
    folder = tmp_path_factory.mktemp("student")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = StudentForSequenceClassification(
            StudentConfig(
                GENOTYPE.to_dict(), len(WORDS), 32, 2, 0, id2label={0: "negative", 1: "positive"},
                label2id={"negative": 0, "positive": 1}, problem_type="single_label_classification",
            )
        )  # fmt: skip
    model.save_pretrained(folder)
    return folder


def make_tokenizer(words: list[str]) -> PreTrainedTokenizerFast:
    core = Tokenizer(models.WordLevel({word: index for index, word in enumerate(words)}, unk_token="[UNK]"))
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    core.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return PreTrainedTokenizerFast(
        tokenizer_object=core, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    )


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A teacher's folder: its tokenizer, and weights and a card that must not travel."""
    folder = tmp_path_factory.mktemp("teacher")
    make_tokenizer(WORDS).save_pretrained(folder)
    (folder / "model.safetensors").write_bytes(b"the teacher's")
    (folder / "vocab_of_another.bin").write_bytes(b"no")
    return folder


@pytest.fixture
def export(student: Path, tokenizer: Path, tmp_path: Path) -> Callable[..., Path]:
    """`export_student` with everything given but the destination `tmp_path / "out"`; keywords replace."""

    def run(**changes: object) -> Path:
        given = {"student": student, "tokenizer": tokenizer, "destination": tmp_path / "out", "facts": FACTS}
        return export_student(**{**given, **changes})  # type: ignore[arg-type]

    return run


ENCODING = {
    "encoding": "typos",
    "ratio": 20.0,
    "weights": {"good": 9.0, "film": 9.0, "text": 9.0},
    "codes": {"text": "film"},
}


@pytest.fixture
def encoded_tokenizer(tmp_path: Path) -> Path:
    """The tokenizer of a student with a robust encoding, saved with its weights."""
    plain = make_tokenizer(WORDS)
    special = {name: str(token) for name, token in plain.special_tokens_map.items()}
    encoded = EncodedTokenizer(tokenizer_object=plain.backend_tokenizer, **special)
    encoded.set_encoding(ENCODING)
    encoded.save_pretrained(tmp_path / "encoded")
    return tmp_path / "encoded"


STRANGER = """
import json, os, sys
sys.modules["rosearch"] = None  # any import of it now fails
import torch
torch.set_num_threads(1)
os.chdir(sys.argv[1])
from transformers import AutoConfig, pipeline
source = open("out/README.md", encoding="utf-8").read().split("```python\\n")[1].split("```")[0]
scope = {}
exec(source, scope)
texts = json.loads(sys.argv[2])
model, tokenizer = scope["model"], scope["tokenizer"]
with torch.no_grad():
    logits = model(**tokenizer(texts, padding=True, return_tensors="pt")).logits
told = pipeline("text-classification", model="out", trust_remote_code=True, device="cpu")(texts)
print(json.dumps({
    "logits": logits.tolist(),
    "snippet": scope["label"],
    "pipeline": [one["label"] for one in told],
    "config": type(AutoConfig.from_pretrained("out", trust_remote_code=True)).__name__,
    "cut": len(tokenizer("a " * 99, truncation=True)["input_ids"]),
    "ours": sorted(name for name, module in sys.modules.items() if name.startswith("rosearch") and module),
}))
"""


@pytest.mark.parametrize("encoded", [False, True])
def test_a_process_without_rosearch_loads_the_export_and_gets_equal_logits(
    encoded: bool, export: Callable[..., Path], student: Path, encoded_tokenizer: Path, tmp_path: Path
) -> None:
    """With a robust encoding users pass what they have, and it is read as what it is encoded to."""
    folder = export(tokenizer=encoded_tokenizer) if encoded else export()
    assert (folder / TOKENIZER_CODE).is_file() == encoded
    texts = ["a very godo txet", "bad flim"] if encoded else TEXTS
    if encoded:
        assert make_tokenizer(WORDS).tokenize(texts[0])[2] == "[UNK]"
    caches = {
        "HF_HOME": str(tmp_path / "hf"),
        "HF_MODULES_CACHE": str(tmp_path / "modules"),
        "HF_HUB_OFFLINE": "1",
    }
    done = subprocess.run(
        [sys.executable, "-I", "-c", STRANGER, str(folder.parent), json.dumps(texts)],
        env={**os.environ, **caches, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])

    model = StudentForSequenceClassification.from_pretrained(student).eval()
    with torch.no_grad():
        read = ["a very good film", "bad film"] if encoded else TEXTS
        inputs = make_tokenizer(WORDS)(read, padding=True, return_tensors="pt")
        logits = model(**inputs).logits.numpy()
    np.testing.assert_array_equal(np.array(told["logits"], dtype=np.float32), logits)
    expected = [FACTS.labels[index] for index in logits.argmax(axis=1)]
    assert told["pipeline"] == expected
    assert told["snippet"] in FACTS.labels
    assert told["config"] == "StudentConfig"
    assert told["cut"] == FACTS.max_length
    assert told["ours"] == []


LOADER = """
import json, os, sys
sys.modules["rosearch"] = None
import torch
torch.set_num_threads(1)
os.chdir(sys.argv[1])
from transformers import AutoModelForSequenceClassification, AutoTokenizer
told = {}
for name in sys.argv[3:]:
    model = AutoModelForSequenceClassification.from_pretrained(name, trust_remote_code=True).eval()
    tokenizer = AutoTokenizer.from_pretrained(name, trust_remote_code=True)
    with torch.no_grad():
        told[name] = model(**tokenizer(json.loads(sys.argv[2]), padding=True, return_tensors="pt")).logits.tolist()
print(json.dumps(told))
"""


def test_students_that_read_characters_load_without_rosearch_and_without_their_pieces(
    export: Callable[..., Path], tmp_path: Path
) -> None:
    expected = {}
    for characters in ("cnn", "ngrams"):
        genotype = GENOTYPE.with_(source=(("characters", characters), ("token_dropout", 0.2)))
        model = build_student(
            genotype, labels=("negative", "positive"), problem="classification", vocabulary=len(WORDS), positions=32,
            token_types=2, pad_token_id=0, dropout=0.1, seed=1, pieces=WORDS,
        ).eval()  # fmt: skip
        for parameter in model.get_input_embeddings().parameters():
            torch.nn.init.normal_(parameter)  # as trained: a fresh network over characters is silent
        model.save_pretrained(tmp_path / f"saved {characters}")
        export(
            student=tmp_path / f"saved {characters}",
            destination=tmp_path / "exports" / characters,
            facts=replace(FACTS, genotype=genotype),
        )
        with torch.no_grad():
            expected[characters] = model(
                **make_tokenizer(WORDS)(TEXTS, padding=True, return_tensors="pt")
            ).logits.tolist()
    caches = {"HF_HOME": str(tmp_path / "hf"), "HF_MODULES_CACHE": str(tmp_path / "modules"), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-I", "-c", LOADER, str(tmp_path / "exports"), json.dumps(TEXTS), *expected],
        env={**os.environ, **caches, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == expected


def test_an_export_holds_the_model_its_code_its_tokenizer_its_card_and_nothing_else(
    export: Callable[..., Path], student: Path
) -> None:
    folder = export()
    names = {path.name for path in folder.iterdir()}
    assert {"config.json", "model.safetensors", "README.md", "tokenizer.json", *CODE} <= names
    assert all(name.startswith(("tokenizer", "special_tokens")) for name in names - {
        "config.json", "model.safetensors", "README.md", *CODE,
    })  # fmt: skip
    assert (folder / "model.safetensors").read_bytes() == (student / "model.safetensors").read_bytes()
    config = json.loads((folder / "config.json").read_text())
    assert config["auto_map"] == AUTO_MAP
    assert config["architectures"] == ["StudentForSequenceClassification"]
    assert Genotype.from_dict(config["genotype"]) == GENOTYPE
    assert [path.name for path in folder.parent.iterdir()] == ["out"]


def test_exported_files_have_the_mode_of_the_umask(export: Callable[..., Path]) -> None:
    old = os.umask(0o022)
    try:
        folder = export()
    finally:
        os.umask(old)
    assert folder.stat().st_mode & 0o777 == 0o755
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o644}


def test_the_code_that_travels_imports_nothing_of_rosearch(export: Callable[..., Path]) -> None:
    folder = export()
    for name in CODE:
        lines = (folder / name).read_text().splitlines()
        assert not [line for line in lines if line.strip().startswith(("from rosearch", "import rosearch"))]


def test_an_existing_destination_is_refused_and_left_as_it_is(export: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(RunError, match="exists already"):
        export()
    with pytest.raises(RunError, match="is no earlier export"):
        export(overwrite=True)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine.txt"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_an_earlier_export_is_replaced_as_a_whole_when_asked_to(export: Callable[..., Path], tmp_path: Path) -> None:
    (export() / "old.txt").write_text("of the first export")
    with pytest.raises(RunError, match="exists already"):
        export()
    folder = export(overwrite=True, facts=replace(FACTS, run="sst2-0002"))
    assert "sst2-0002" in (folder / "README.md").read_text()
    assert not (folder / "old.txt").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_missing_parents_of_the_destination_are_made(export: Callable[..., Path], tmp_path: Path) -> None:
    assert export(destination=tmp_path / "a" / "b" / "out").is_dir()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"student": Path("nowhere")}, "nowhere: expected the config.json and model.safetensors"),
        ({"tokenizer": Path("nowhere")}, "nowhere: expected the folder of a saved tokenizer"),
        ({"facts": replace(FACTS, labels=("positive", "negative"))}, "labels positive, negative, got neg"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_one_clear_line_and_nothing_is_written(
    export: Callable[..., Path], tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(RunError, match=message) as caught:
        export(**changes)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_holds_another_model_is_refused(export: Callable[..., Path], tmp_path: Path) -> None:
    other = tmp_path / "bert"
    other.mkdir()
    (other / "config.json").write_text(json.dumps({"model_type": "bert"}))
    (other / "model.safetensors").write_bytes(b"")
    with pytest.raises(RunError, match="expected model_type rosearch_student, got bert"):
        export(student=other)
    (other / "config.json").write_text("{torn")
    with pytest.raises(RunError, match="cannot be read"):
        export(student=other)


def test_a_damaged_tokenizer_is_one_clear_line(export: Callable[..., Path], tokenizer: Path, tmp_path: Path) -> None:
    damaged = shutil.copytree(tokenizer, tmp_path / "damaged")
    (damaged / "tokenizer.json").write_text("{torn")
    with pytest.raises(RunError, match="damaged: expected a saved tokenizer, got: ") as caught:
        export(tokenizer=damaged)
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["damaged"]


def test_a_tokenizer_with_more_words_than_the_student_is_refused(export: Callable[..., Path], tmp_path: Path) -> None:
    make_tokenizer([*WORDS, "more"]).save_pretrained(tmp_path / "larger")
    with pytest.raises(RunError, match="the student has 10 words, this tokenizer 11"):
        export(tokenizer=tmp_path / "larger")
    assert not (tmp_path / "out").exists()


def test_a_destination_that_cannot_be_written_is_one_clear_line(export: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="out: cannot be written: Not a directory"):
        export(destination=tmp_path / "file" / "out")


def test_a_card_states_measurements_with_intervals_and_the_limits() -> None:
    card = render_card(FACTS, "out", CODE)
    for line in (
        "| accuracy (the task's metric) | 83.0 % [78.0, 88.0; n = 200] |",
        "| accuracy under deepwordbug | 21.0 % [16.0, 26.0; n = 200] |",
        "| queries per attacked row | 31.4 [29.0, 33.8; n = 164] |",
        "| parameters | 1,234,567 | 17.7x fewer |",
        "| median latency (quartiles), batch 1, 32 tokens, cpu, threads: 2 | 2.5 ms (2.4 to 2.9) |  |",
        "| 3 | conv | kernel 3 | 0, 1 | gate |",
        "On 1000 rows of the validation split",
        "best of 24 candidates",
        "one attack, deepwordbug, on 200 rows",
        "cut after 24 tokens",
    ):
        assert line in card
    _, header, _ = card.split("---\n", 2)
    assert yaml.safe_load(header)["tags"][-1] == "sst2"


def test_a_card_tells_the_settings_of_the_source_where_there_are_some() -> None:
    assert "| 0 | source" not in render_card(FACTS, "out", CODE)
    robust = GENOTYPE.with_(source=(("characters", "cnn"), ("token_dropout", 0.1)))
    card = render_card(replace(FACTS, genotype=robust), "out", CODE)
    assert "| 0 | source | characters cnn, token_dropout 0.1 |  |  |" in card


def test_a_card_of_what_was_not_attacked_says_so() -> None:
    measured = replace(MEASUREMENTS, robustness=None, quality=Quality("pearson", 0.8, 500, pearson=0.8, spearman=0.79))
    facts = replace(FACTS, problem="regression", labels=(), texts=2, measurements=measured, candidates=0)
    card = render_card(facts, "out", CODE)
    assert "nothing is known of its robustness" in card
    assert "best of" not in card and "deepwordbug" not in card and "knows the labels" not in card
    assert 'tokenizer(["a first text"], ["a second text"]' in card
    assert "score = logits[0, 0].item()" in card
    assert "| pearson (the task's metric) | 0.800 |" in card and "| Spearman | 0.790 |" in card


def test_a_card_names_every_attack_what_differs_and_what_went_wrong() -> None:
    worst = MEASUREMENTS.robustness
    assert worst is not None
    variant = replace(
        worst, attack="pwws-oewn", differs="another WordNet than pwws", stopped=Stopped(50, 200, 0.3, 0.05)
    )
    swaps = SingleSwaps("deepwordbug", 200, 900, share(0.4), share(0.5), 1.0)
    quality = replace(MEASUREMENTS.quality, collapse="never predicts negative")
    measured = replace(MEASUREMENTS, quality=quality, attacks=(worst, variant), single_swaps=(swaps,))
    card = render_card(replace(FACTS, measurements=measured), "out", CODE)
    for line in (
        "| accuracy under the worst of deepwordbug, pwws-oewn | 21.0 % [16.0, 26.0; n = 200] |",
        "| accuracy under pwws-oewn alone | 21.0 % [16.0, 26.0; n = 200] |",
        "| accuracy under every single swap of deepwordbug | 40.0 % [35.0, 45.0; n = 200] |",
        "- Robustness was measured with 2 attacks, deepwordbug, pwws-oewn, on 200 rows",
        "- pwws-oewn is no stock recipe: another WordNet than pwws",
        "- Of deepwordbug: rows whose attack raised, counted as broken: 2.",
        "- Of pwws-oewn: stopped after 50 of 200 rows: below 30 %, error rate 5 %.",
        "- Collapsed: it never predicts negative.",
    ):
        assert line in card


def test_a_card_shows_accuracy_beside_another_metric() -> None:
    quality = Quality("matthews", 0.61, 1000, share(0.83), matthews=0.61)
    card = render_card(replace(FACTS, measurements=replace(MEASUREMENTS, quality=quality)), "out", CODE)
    assert "| matthews (the task's metric) | 0.610 |" in card
    assert "| accuracy | 83.0 % [78.0, 88.0; n = 200] |" in card
