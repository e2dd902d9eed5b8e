"""The contract of every family of teachers: attacked, distilled, cut, encoded and exported, whatever its parts are.

A family is a kind of model with a tokenizer of its own kind (`families`). What one cannot do is one clear line.
"""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from families import FAMILIES, LABELS, write_family
from resources.tiny_wordnet import write_wndb
from small_run import WORDS, write_experiment
from training.tiny_models import make_task, make_tokenizer
from transformers import (
    AutoModel,
    AutoModelForSequenceClassification,
    FunnelConfig,
    FunnelForSequenceClassification,
    FunnelModel,
)

from rosearch.attack import attack
from rosearch.attack.inputs import find_classifier
from rosearch.config.distillation import DistillationConfig
from rosearch.config.file import load_experiment
from rosearch.data.loading import load_task, task_seed
from rosearch.data.tokens import tokenise
from rosearch.distil.student import Options, distil_student
from rosearch.encodings.tokenizer import student_tokenizer
from rosearch.errors import BadInput
from rosearch.export.formats import FORMATS
from rosearch.models.lengths import longest_input, table_rows
from rosearch.models.saved import load_classifier, load_tokenizer
from rosearch.resources.resources import Resources
from rosearch.space.genotype import Genotype
from rosearch.space.node import Node
from rosearch.student.build import build_student, inherit_embeddings
from rosearch.training.cutting import cut_student
from rosearch.training.encoder import check_objective, make_objective
from rosearch.training.outputs import teacher_outputs

# transformers 4.57 compiles parts of DeBERTa when it is imported.
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script:DeprecationWarning")

CPU = torch.device("cpu")
TEXTS = ["the film was good", "a bad slow plot and the story was never very bright", "quite clever", "dull music"]
LONG = " ".join(WORDS * 8)
NODES = (
    Node.of("attention", (0,), heads=2, conv=False),
    Node.of("ffn", (1,), ratio=2.0, activation="gelu"),
)
GENOTYPE = Genotype(16, 8, "first", NODES)
FEW = ("roberta", "deberta-v2", "modernbert")  # between them, what makes a family different


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An experiment, a genotype, and a classifier of each family."""
    folder = tmp_path_factory.mktemp("families")
    write_experiment(folder, "classification", distillation={"max_steps": 2})
    (folder / "genotype.json").write_text(GENOTYPE.to_json())
    for name in FAMILIES:
        write_family(folder / name, name)
    return folder


@pytest.fixture(params=FAMILIES)
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def answers(folder: Path, texts: list[str]) -> torch.Tensor:
    """What plain transformers answers, one text at a time: nothing is padded, and long texts are cut."""
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = load_tokenizer(folder)
    longest = longest_input(model.config, tokenizer)
    with torch.no_grad():
        made = [tokenizer(text, truncation=True, max_length=longest, return_tensors="pt") for text in texts]
        return torch.cat([model(**one).logits for one in made])


def same(found: Any, expected: torch.Tensor) -> None:
    torch.testing.assert_close(torch.as_tensor(found, dtype=torch.float32), expected, rtol=1e-4, atol=1e-4)


def test_a_classifier_is_attacked_and_what_broke_it_breaks_it(family: str, home: Path, tmp_path: Path) -> None:
    found = find_classifier(str(home / family))
    assert found.labels == LABELS
    texts = [*TEXTS, LONG]
    clean = answers(home / family, texts)
    rows = list(zip(texts, clean.argmax(1).tolist()))  # each is answered rightly, so that each is attacked
    result = attack(found.load(), found.tokenizer, rows, ["deepwordbug"], cache=tmp_path)
    outcomes = result.details["deepwordbug"]
    assert result.rows == tuple(range(len(rows)))
    assert [row.outcome for row in outcomes].count("misclassified") == 0
    same([row.score for row in outcomes], 1 - _chance(home / family, outcomes, clean.argmax(1)))


def _chance(folder: Path, outcomes: Any, labels: torch.Tensor) -> torch.Tensor:
    """The probability that plain transformers gives each label on the text that the attack ended with."""
    return answers(folder, [row.texts[0] for row in outcomes]).softmax(1).gather(1, labels[:, None])[:, 0]


def test_students_learn_the_answers_that_plain_transformers_gives(family: str, home: Path, tmp_path: Path) -> None:
    task = _task(home)
    tokenizer = load_tokenizer(home / family)
    tokens = tokenise(task.validation, tokenizer, 16, tmp_path)
    outputs = teacher_outputs(home / family, tokens, (0, -1), tmp_path, CPU)
    short = [row for row in range(len(tokens)) if tokens.lengths[row] < 16][:6]
    expected = answers(home / family, [task.validation.texts[row][0] for row in short])
    torch.testing.assert_close(torch.tensor(outputs.logits[short]), expected, rtol=0.1, atol=0.1)  # in bfloat16
    assert outputs.hidden is not None and outputs.hidden.shape == (int(tokens.offsets[-1]), 2, 16)


def test_a_student_of_ours_has_its_words_positions_and_token_types(family: str, home: Path) -> None:
    model, tokenizer = load_classifier(home / family)
    positions, types = table_rows(model.config)
    longest = longest_input(model.config, tokenizer)
    assert positions >= longest
    student = build_student(
        GENOTYPE, labels=LABELS, problem="classification", vocabulary=len(tokenizer), positions=positions,
        token_types=types, pad_token_id=tokenizer.pad_token_id, dropout=0.0, seed=1,
    ).eval()  # fmt: skip
    assert inherit_embeddings(student, model) == 1
    made = tokenizer([LONG, TEXTS[0]], truncation=True, max_length=longest, padding=True, return_tensors="pt")
    together = student(**made).logits
    assert torch.isfinite(together).all()
    alone = student(**tokenizer(TEXTS[0], return_tensors="pt")).logits
    torch.testing.assert_close(together[1:], alone, rtol=1e-4, atol=1e-4)
    words = model.get_input_embeddings().weight.detach()[: len(tokenizer)]
    ours = student.student.embeddings.word.weight.detach()
    assert torch.linalg.matrix_rank(torch.cat([words, ours], dim=1)) == torch.linalg.matrix_rank(words)


@pytest.mark.parametrize("objective", ["hidden_states", "relations"])
def test_it_teaches_encoders_or_is_refused_in_one_line(objective: str, family: str, home: Path) -> None:
    model = AutoModel.from_pretrained(home / family).eval().requires_grad_(False)
    settings = {"objective": objective, "relation_heads": 2}
    config = DistillationConfig.model_validate({"target": "encoder", "encoder": settings})
    if objective == "relations" and not FAMILIES[family].relations:
        with pytest.raises(BadInput, match=f"for relations, got {family}. hidden states work with any model") as caught:
            check_objective(config, model)
        assert "\n" not in str(caught.value)
        return
    check_objective(config, model)
    student = build_student(
        GENOTYPE, labels=LABELS, problem="classification", vocabulary=model.config.vocab_size, positions=32,
        token_types=1, pad_token_id=0, dropout=0.0, seed=1,
    ).student  # fmt: skip
    inputs: Any = SimpleNamespace(config=config, device=CPU, seed=1)
    learnt = make_objective(inputs, student, model)
    loss = learnt(torch.arange(5, 25).view(2, 10))
    loss.backward()
    assert torch.isfinite(loss) and student.embeddings.word.weight.grad.any()
    learnt.close()


@pytest.mark.filterwarnings("ignore:Using a non-tuple sequence:UserWarning")  # in transformers' own Funnel
def test_hidden_states_of_unequal_lengths_are_one_clear_line(tmp_path: Path) -> None:
    """Funnel pools its tokens on the way."""
    config = FunnelConfig(
        vocab_size=30, d_model=16, n_head=2, d_head=8, d_inner=24, block_sizes=[1, 1], num_decoder_layers=1
    )
    model = FunnelModel(config).eval()
    taught = DistillationConfig.model_validate({"target": "encoder"})
    expected = (
        r"one width, one for each token, got states of 8 tokens of the shapes 4 x 16, 8 x 16 \(funnel\)\. relations"
    )
    with pytest.raises(BadInput, match=expected):
        check_objective(taught, model)
    FunnelForSequenceClassification(config).save_pretrained(tmp_path / "funnel")
    tokens = tokenise(make_task(train=8).train, make_tokenizer(), 16, tmp_path)
    with pytest.raises(BadInput, match=r"distillation.hidden_layers: expected none: .* how many layers it has"):
        teacher_outputs(tmp_path / "funnel", tokens, (-1,), tmp_path, CPU)


def test_its_layers_make_a_student_that_its_folder_makes_again(family: str, home: Path, tmp_path: Path) -> None:
    model, tokenizer = load_classifier(home / family)
    made = tokenizer(TEXTS, padding=True, return_tensors="pt")
    for layers in FAMILIES[family].cut:
        student = cut_student(model, [int(layer) for layer in layers.split(",")], None, tokenizer.pad_token_id)
        student.eval().save_pretrained(tmp_path / layers)
        tokenizer.save_pretrained(tmp_path / layers)
        assert sum(p.numel() for p in student.parameters()) < sum(p.numel() for p in model.parameters())
        same(student(**made).logits.detach(), answers(tmp_path / layers, TEXTS))
    whole = answers(home / family, TEXTS)
    same(model(**made).logits, whole)  # the teacher is as it was
    for layers in FAMILIES[family].uncut:
        with pytest.raises(BadInput, match=r"student: layers: expected .*, got .*, or take an architecture") as caught:
            cut_student(model, [int(layer) for layer in layers.split(",")], None, tokenizer.pad_token_id)
        assert "\n" not in str(caught.value)


@pytest.fixture(scope="module")
def resources(tmp_path_factory: pytest.TempPathFactory) -> Resources:
    folder = tmp_path_factory.mktemp("resources")
    lists = {"film": ["movie"], "movie": ["film"], "good": ["great"], "great": ["good"]}
    (folder / "counterfitted_neighbors.json").write_text(json.dumps(lists))
    write_wndb(folder / "corpora" / "wordnet")
    return Resources(folder)


def test_a_robust_encoding_reads_a_typo_as_the_word_on_its_own_vocabulary(
    family: str, home: Path, resources: Resources, tmp_path: Path
) -> None:
    plain = load_tokenizer(home / family)
    texts = tuple((text,) for text in TEXTS) * 50
    encoded = student_tokenizer(plain, "typos+synonyms", texts, resources, tmp_path / "cache")
    right, wrong = (encoded([f"the story was {word}"])["input_ids"][0] for word in ("bright", "brihgt"))
    assert right == wrong and plain(["brihgt"])["input_ids"] != plain(["bright"])["input_ids"]
    assert encoded.pad_token_id is not None and max(right) < len(encoded)
    assert encoded.model_input_names == plain.model_input_names
    kept = encoded.source_ids or range(len(encoded))
    assert [plain.convert_ids_to_tokens(kept[index]) for index in right] == plain.convert_ids_to_tokens(
        plain(["the story was bright"])["input_ids"][0]
    )
    encoded.save_pretrained(tmp_path / "saved")
    assert load_tokenizer(tmp_path / "saved")(["a brihgt film"])["input_ids"] == encoded(["a brihgt film"])["input_ids"]


def test_a_student_of_its_layers_reads_by_a_robust_encoding(
    family: str, home: Path, resources: Resources, tmp_path: Path
) -> None:
    model, plain = load_classifier(home / family)
    encoded = student_tokenizer(plain, "typos", tuple((text,) for text in TEXTS), resources, tmp_path)
    for layers in FAMILIES[family].cut[:1]:
        student = cut_student(model, [int(layers)], encoded.source_ids, encoded.pad_token_id).eval()
        whole = cut_student(model, [int(layers)], None, plain.pad_token_id).eval()
        ours = student(**encoded(TEXTS, padding=True, return_tensors="pt")).logits
        theirs = whole(**plain(TEXTS, padding=True, return_tensors="pt")).logits
        same(ours.detach(), theirs.detach())  # no word of the texts is changed
        assert student.get_input_embeddings().num_embeddings <= whole.get_input_embeddings().num_embeddings


def _task(home: Path) -> Any:
    experiment = load_experiment(home / "experiment.yaml")
    return load_task(experiment.require_task(), task_seed(experiment))


def _distil(home: Path, family: str, student: str, to: Path, *more: str) -> Any:
    settings = [f"teacher.model={home / family}", *more]
    experiment = load_experiment(home / "experiment.yaml", settings)
    return distil_student(experiment, student, to, Options(cache=to.parent / "cache"))


@pytest.mark.parametrize("family", FEW)
def test_a_student_is_distilled_from_it_and_leaves_as_a_folder(family: str, home: Path, tmp_path: Path) -> None:
    _distilled(family, home, tmp_path)


def _distilled(family: str, home: Path, tmp_path: Path) -> None:
    distilled = _distil(home, family, str(home / "genotype.json"), tmp_path / "out")
    quality = distilled.record["quality"]["validation"]
    task = _task(home)
    texts = [row[0] for row in task.validation.texts]
    right = answers(home / family, texts).argmax(1).numpy() == task.validation.labels
    assert quality["teacher"]["value"] == pytest.approx(right.mean(), abs=1e-6)
    ours = answers(tmp_path / "out", texts).argmax(1).numpy() == task.validation.labels
    assert quality["student"]["value"] == pytest.approx(ours.mean(), abs=1e-6)


@pytest.mark.slow
class TestAsAUser:
    """The same through `rosearch distil` and its exports, for every family."""

    def test_a_student_is_distilled_from_it(self, family: str, home: Path, tmp_path: Path) -> None:
        _distilled(family, home, tmp_path)

    def test_hidden_states_are_learnt(self, family: str, home: Path, tmp_path: Path) -> None:
        more = ("distillation.method=hidden_states", "distillation.hidden_layers=[0,-1]")
        distilled = _distil(home, family, str(home / "genotype.json"), tmp_path / "out", *more)
        assert distilled.record["method"] == "hidden_states"

    def test_a_student_of_its_layers_is_exported_to_onnx(self, family: str, home: Path, tmp_path: Path) -> None:
        for layers in FAMILIES[family].cut[:1]:
            distilled = _distil(home, family, f"layers:{layers}", tmp_path / "out")
            FORMATS["onnx"].export(distilled.folder)
            assert (distilled.folder / "onnx" / "model.onnx").is_file()

    def test_a_student_of_ours_is_exported_to_onnx(self, family: str, home: Path, tmp_path: Path) -> None:
        distilled = _distil(home, family, str(home / "genotype.json"), tmp_path / "out")
        FORMATS["onnx"].export(distilled.folder)
        assert (distilled.folder / "onnx" / "model.onnx").is_file()
