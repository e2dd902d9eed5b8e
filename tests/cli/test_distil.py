from __future__ import annotations

import io
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
import yaml
from command_line import Printed, rosearch
from filelock import FileLock
from rich.console import Console
from small_run import SPACE, WORDS, write_experiment
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    BertForSequenceClassification,
    BertModel,
    DistilBertConfig,
    DistilBertModel,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaModel,
)

from rosearch.config.file import load_experiment
from rosearch.distil.student import Options, Watcher, distil_student
from rosearch.distil.workplace import unfinished
from rosearch.models.saved import load_tokenizer
from rosearch.records.record import Record
from rosearch.records.run_directory import RunDirectory
from rosearch.records.store import Store
from rosearch.space.genotype import Genotype
from rosearch.space.node import Node
from rosearch.student.build import build_student
from rosearch.terminal.progress import SearchDisplay

SCRIPT = Path(__file__).with_name("killed_distil.py")
GENOTYPE = Genotype(
    16, 8, "mean", (Node.of("attention", heads=2, conv=False), Node.of("ffn", (1,), ratio=1.0, activation="gelu"))
)
STEPS = 4


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An experiment with its data and its teacher; students of every kind."""
    folder = tmp_path_factory.mktemp("made")
    write_experiment(folder, "classification")
    (folder / "genotype.json").write_text(GENOTYPE.to_json())
    (folder / "genotype.yaml").write_text(yaml.safe_dump({"genotype": GENOTYPE.to_dict()}))
    _save_students(folder)
    _save_run(folder)
    return folder


def _save_students(folder: Path) -> None:
    theirs, own = AutoTokenizer.from_pretrained(folder / "teacher"), _other_tokenizer()
    small = {"num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24, "max_position_embeddings": 32}
    bert = BertConfig(vocab_size=len(theirs), hidden_size=16, **small)
    named = BertConfig(vocab_size=len(theirs), hidden_size=16, **small)
    named.id2label, named.label2id = {0: "Positive", 1: "Negative"}, {"Positive": 0, "Negative": 1}
    distil = DistilBertConfig(
        vocab_size=len(own), dim=16, n_layers=2, n_heads=2, hidden_dim=24, max_position_embeddings=32
    )
    small["max_position_embeddings"] = 40
    roberta = RobertaConfig(vocab_size=len(own), hidden_size=16, type_vocab_size=1, pad_token_id=1, **small)
    models = {
        "bert": (lambda: BertModel(bert), theirs),
        "turned": (lambda: BertForSequenceClassification(named), theirs),
        "distilbert": (lambda: DistilBertModel(distil), own),
        "roberta": (lambda: RobertaModel(roberta), own),
    }
    with torch.random.fork_rng():
        for seed, (name, (make, tokenizer)) in enumerate(models.items()):
            torch.manual_seed(seed)
            make().save_pretrained(folder / name)
            tokenizer.save_pretrained(folder / name)


def _other_tokenizer() -> PreTrainedTokenizerFast:
    """A token a word, with ids of its own; says that it knows token types, as many a saved tokenizer does."""
    words = ["<s>", "<pad>", "</s>", "<unk>", *reversed(WORDS)]
    backend = Tokenizer(models.WordLevel({word: index for index, word in enumerate(words)}, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    names = {"pad_token": "<pad>", "unk_token": "<unk>", "cls_token": "<s>", "sep_token": "</s>"}
    inputs = ["input_ids", "token_type_ids", "attention_mask"]
    return PreTrainedTokenizerFast(tokenizer_object=backend, model_input_names=inputs, **names)


def _save_run(folder: Path) -> None:
    """A run of one candidate, with its trained weights and without a tokenizer of their own."""
    run = RunDirectory.create(folder / "runs", load_experiment(folder / "experiment.yaml"))
    record = Record(1, "candidate", 0, 0, GENOTYPE, "sample", (), 1, "pending")
    with Store.open(run.store) as store:
        store.propose([record])
    tokenizer = AutoTokenizer.from_pretrained(folder / "teacher")
    tokenizer.save_pretrained(run.tokenizer)
    student = build_student(
        GENOTYPE,
        labels=("negative", "positive"),
        problem="classification",
        vocabulary=len(tokenizer),
        positions=32,
        token_types=2,
        pad_token_id=0,
        dropout=0.1,
        seed=7,
    )
    student.save_pretrained(run.student_folder(record))


@pytest.fixture
def distil(made: Path, tmp_path: Path) -> Callable[..., Printed]:
    """`rosearch distil` of the genotype into `tmp_path/out`; what is given comes besides."""

    def run(*arguments: str | Path, student: str | Path = "genotype.json", expect: int = 0) -> Printed:
        known = ("--student", student, "--task", "experiment.yaml", "--to", tmp_path / "out")
        return rosearch("distil", *known, *arguments, cwd=made, expect=expect)

    return run


def weights(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


KINDS = {
    "bert_mini": "StudentForSequenceClassification",
    "genotype.json": "StudentForSequenceClassification",
    "genotype.yaml": "StudentForSequenceClassification",
    f"runs/small-0001:{GENOTYPE.id[:6]}": "StudentForSequenceClassification",
    f"runs/small-0001/students/{GENOTYPE.id}": "StudentForSequenceClassification",
    "bert": "BertForSequenceClassification",
    "turned": "BertForSequenceClassification",
    "distilbert": "DistilBertForSequenceClassification",
    "roberta": "RobertaForSequenceClassification",
    "layers:0": "BertForSequenceClassification",
}


@pytest.mark.parametrize("student", KINDS)
def test_every_kind_of_student_becomes_a_folder_that_transformers_loads(
    student: str, distil: Callable[..., Printed], made: Path, tmp_path: Path
) -> None:
    found = distil("--json", student=student).data
    folder = tmp_path / "out"
    assert found["folder"] == str(folder) and found["student"]["architecture"] == KINDS[student]
    assert found["training"]["steps"] == STEPS and set(found["quality"]) == {"validation"}
    model, tokenizer = AutoModelForSequenceClassification.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    assert type(model).__name__ == KINDS[student] and model.config.id2label == {0: "negative", 1: "positive"}
    own = student in ("distilbert", "roberta")
    assert len(tokenizer) == len(_other_tokenizer() if own else AutoTokenizer.from_pretrained(made / "teacher"))
    inputs = tokenizer(["the film was good", "a dull plot"], padding=True, return_tensors="pt")
    with torch.no_grad():
        assert model.eval()(**inputs).logits.isfinite().all()
    assert tokenizer.model_max_length == 16
    record = json.loads((folder / "distillation.json").read_text())
    assert {"folder": str(folder), **record} == found
    assert {"config.json", "model.safetensors", "README.md"} <= {path.name for path in folder.iterdir()}
    assert not unfinished(folder).exists() and not any(str(made) in path.read_text() for path in folder.glob("*.json"))


STRANGER = """
import json, os, sys
sys.modules["rosearch"] = None
import torch
torch.set_num_threads(1)
os.chdir(sys.argv[1])
labels = []
for folder in sys.argv[2:]:
    source = open(f"{folder}/README.md", encoding="utf-8").read().split("```python\\n")[1].split("```")[0]
    scope = {}
    exec(source, scope)
    labels.append(scope["label"])
print(json.dumps(labels))
"""


def test_a_process_without_rosearch_runs_the_examples_of_the_cards(made: Path, tmp_path: Path) -> None:
    known = ("--task", "experiment.yaml", "-o", "distillation.max_steps=1")
    kinds = {
        "ours": ("genotype.json",),
        "theirs": ("distilbert",),
        "cut": ("layers:0", "--encoding", "typos"),
        "encoded": ("genotype.json", "--encoding", "typos"),
    }
    for to, student in kinds.items():
        rosearch("distil", "--student", *student, "--to", tmp_path / to, *known, cwd=made)
    caches = {"HF_HOME": str(tmp_path / "hf"), "HF_MODULES_CACHE": str(tmp_path / "modules"), "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-I", "-c", STRANGER, str(tmp_path), *kinds]
    done = subprocess.run(
        command, env={**os.environ, **caches}, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stdout.splitlines()[-1])) <= {"negative", "positive"}


def test_a_person_reads_figures_of_both_models_and_what_to_type_next(
    distil: Callable[..., Printed], tmp_path: Path
) -> None:
    printed = distil("--test", "--method", "ad2")
    words = " ".join(printed.stdout.split())
    for expected in ("24 validation rows", "24 test rows", "teacher", "109.48 M", "85.05 M", "steps of ad2"):
        assert expected in words
    assert f"rosearch attack {tmp_path / 'out'} --attack deepwordbug --task experiment.yaml" in words
    assert "distil: step 4 of 4, loss" in printed.stderr
    card = (tmp_path / "out" / "README.md").read_text()
    assert "method `ad2`" in card and "test split" in card and "of the teacher, accuracy" in card


def test_the_record_says_all_that_it_takes_to_do_it_again(distil: Callable[..., Printed], tmp_path: Path) -> None:
    found = distil("--json", "--seed", "5", "-o", "distillation.temperature=3", student="roberta").data
    assert found["seeds"] == {"experiment": 3, "student": 5} and found["config"]["temperature"] == 3
    assert (
        found["task"]["rows"] == {"train": 96, "validation": 24, "test": 24} and len(found["task"]["fingerprint"]) == 32
    )
    assert found["teacher"]["model"] == "teacher" and found["student"]["from"] == "roberta"
    assert set(found["versions"]) == {"python", "rosearch", "torch", "transformers", "tokenizers"}
    size, times = found["efficiency"], found["compression"]
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path / "out")
    assert size["parameters"] == sum(parameter.numel() for parameter in model.parameters())
    assert times["bert_base"] == pytest.approx(109_482_240 / size["parameters"])
    assert times["bert_base_encoder"] == pytest.approx(85_054_464 / size["encoder_parameters"])
    assert times["teacher"] == pytest.approx(found["teacher"]["cost"]["parameters"] / size["parameters"])
    assert set(found["seconds"]) == {"prepare", "distil", "measure"}


def test_equal_commands_give_equal_weights_and_other_seeds_others(made: Path, tmp_path: Path) -> None:
    for to, seed in (("first", "1"), ("second", "1"), ("third", "2")):
        known = ("--student", "bert", "--task", "experiment.yaml", "--seed", seed)
        rosearch("distil", *known, "--to", tmp_path / to, cwd=made)
    first, second, third = (weights(tmp_path / name) for name in ("first", "second", "third"))
    assert first == second != third


def test_outputs_of_a_students_head_are_turned_to_the_tasks_order(made: Path, tmp_path: Path) -> None:
    """With a learning rate of next to nothing the student answers as before, label by label."""
    still = ("-o", "distillation.learning_rate=1e-12", "-o", "distillation.weight_decay=0")
    known = ("--student", "turned", "--task", "experiment.yaml", *still)
    rosearch("distil", *known, "--to", tmp_path / "out", cwd=made)
    before, after = (
        AutoModelForSequenceClassification.from_pretrained(at) for at in (made / "turned", tmp_path / "out")
    )
    inputs = AutoTokenizer.from_pretrained(made / "turned")(["the film was good"], return_tensors="pt")
    with torch.no_grad():
        torch.testing.assert_close(after(**inputs).logits, before(**inputs).logits.flip(1), rtol=1e-4, atol=1e-5)


def test_method_teacher_and_overrides_win_over_the_experiment(
    distil: Callable[..., Printed], made: Path, tmp_path: Path
) -> None:
    other = tmp_path / "pretrained"
    shutil.copytree(made / "bert", other)  # without a head: it is fine-tuned first
    tuning = ("-o", "teacher.fine_tune.max_steps=2", "--cache", tmp_path / "cache")
    printed = distil("--json", "--method", "hidden_states", "--teacher", other, *tuning)
    assert printed.data["method"] == "hidden_states" and printed.data["teacher"]["model"] == "pretrained"
    assert len(list((tmp_path / "cache" / "teachers").glob("*/teacher.json"))) == 1


def test_hidden_states_are_learnt_by_a_model_of_transformers_too(distil: Callable[..., Printed]) -> None:
    plain = distil("--json", student="bert").data
    probed = distil("--json", "--overwrite", "--method", "hidden_states", student="bert").data
    assert probed["training"]["final_loss"] > plain["training"]["final_loss"]


def test_the_python_api_gives_the_same_weights_as_the_command(
    distil: Callable[..., Printed], made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    distil()
    monkeypatch.chdir(made)
    seen: list[str] = []
    watcher = Watcher(progress=lambda stage, done, total: seen.append(stage))
    experiment = load_experiment(made / "experiment.yaml")
    found = distil_student(experiment, "genotype.json", tmp_path / "api", Options(every=0), watcher)
    assert weights(found.folder) == weights(tmp_path / "out") and "distil" in seen


BAD: dict[str, tuple[tuple[str, ...], int, tuple[str, ...]]] = {
    "an unknown student": (("--student", "nobody"), 4, ("student: 'nobody'", "bert_mini", "RUN:ID")),
    "a run that is none": (("--student", "teacher:abc"), 5, ("teacher: expected the folder of a run",)),
    "an id that is none": (("--student", "runs/small-0001:zz"), 5, ("6 letters of an id at least, got 'zz'",)),
    "a cache that is a file": (
        ("--student", "bert_mini", "--cache", "experiment.yaml"),
        3,
        ("--cache: expected a folder, got a file experiment.yaml",),
    ),
    "layers that are none": (("--student", "layers:one"), 3, ("student: layers:one: expected numbers", "got one")),
    "an unknown encoding": (
        ("--student", "bert_mini", "--encoding", "morse"),
        3,
        ("student: encoding: expected one of wordpiece, typos", "got 'morse'"),
    ),
    "an encoding of loaded weights": (("--student", "bert", "--encoding", "typos"), 3, ("own tokenizer",)),
    "no such file": (("--student", "none.json"), 3, ("none.json: expected a JSON file, got no such file",)),
    "a genotype that cannot be built": (
        ("--student", "bad.yaml"),
        3,
        ("heads must divide", "unknown operation 'wish'"),
    ),
    "not a genotype": (("--student", "space.yaml"), 3, ("space.yaml: expected a genotype", "got no 'nodes'")),
    "a folder of no model": (("--student", "data"), 3, ("student: data: expected", "config.json")),
    "other labels": (
        ("--student", "three"),
        3,
        ("three: id2label: expected 2 outputs", "3 (LABEL_0", "get a fresh one"),
    ),
    "too long": (
        ("--student", "bert", "-o", "task.max_length=33", "--teacher", "long"),
        3,
        ("task.max_length: expected at most 32, the longest text that bert reads, got 33",),
    ),
    "tokens that must be one": (
        ("--student", "roberta", "--method", "hidden_states"),
        3,
        ("student: roberta: expected a student that reads the teacher's tokens, as hidden_states compares",),
    ),
    "an unknown method": (
        ("--student", "bert", "--method", "magic"),
        3,
        ("distillation.method: expected one of kd", "'magic'"),
    ),
    "no teacher": (
        ("--student", "bert", "--teacher", "./nowhere"),
        4,
        ("teacher.model: there is no folder ./nowhere",),
    ),
    "weights of what is no label": (
        ("--student", "bert_mini", "-o", "distillation.class_weights={postive: 2}"),
        3,
        ("distillation.class_weights.postive: expected a label (negative, positive), got", "mean positive?"),
    ),
    "a source that is not there": (
        ("--student", "bert_mini", "--method", "robust_kd", "-o", "distillation.robust_kd.sources=[no_edits:edit]"),
        3,
        ("distillation.robust_kd.sources.0: no_edits:edit: expected a module no_edits, got no such module",),
    ),
    "no such device": (("--student", "bert", "--device", "tpu"), 3, ("execution.device: expected auto, cpu",)),
    "everything at once": (
        ("--student", "bad.yaml", "--method", "magic", "-o", "distillation.epoch=3"),
        3,
        ("heads must divide", "'magic'", "got 'epoch'. Did you mean distillation.epochs?"),
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_told_before_anything_is_trained(name: str, made: Path, tmp_path: Path) -> None:
    bad = {**GENOTYPE.to_dict(), "nodes": [*GENOTYPE.to_dict()["nodes"], {"op": "wish"}]}
    bad["nodes"][0] = {"op": "attention", "settings": {"heads": 3, "conv": False}}
    (made / "bad.yaml").write_text(yaml.safe_dump(bad))
    _save_misfits(made)
    arguments, code, expected = BAD[name]
    to = ("--task", "experiment.yaml", "--to", tmp_path / "out")
    printed = rosearch("distil", *arguments, *to, cwd=made, expect=code)
    said = " ".join(printed.stderr.split())
    for part in expected:
        assert part in said
    assert "distil ..." not in said and list(tmp_path.iterdir()) == []


def _save_misfits(folder: Path) -> None:
    if (folder / "long").exists():
        return
    for name, changes in (("three", {"num_labels": 3}), ("long", {"max_position_embeddings": 64})):
        config = BertConfig.from_pretrained(folder / "bert", **changes)
        BertForSequenceClassification(config).save_pretrained(folder / name)
        AutoTokenizer.from_pretrained(folder / "bert").save_pretrained(folder / name)


def test_what_lies_at_the_destination_is_replaced_only_if_it_is_an_export_and_asked(
    distil: Callable[..., Printed], made: Path, tmp_path: Path
) -> None:
    distil(student="bert")
    first = weights(tmp_path / "out")
    assert "exists already" in distil(student="bert", expect=5).stderr
    assert weights(tmp_path / "out") == first
    distil("--overwrite", "--seed", "9", student="bert")
    assert weights(tmp_path / "out") != first
    (tmp_path / "out" / "distillation.json").unlink()
    assert "no earlier export" in distil("--overwrite", student="bert", expect=5).stderr


def test_two_processes_do_not_write_one_folder(distil: Callable[..., Printed], tmp_path: Path) -> None:
    place = unfinished(tmp_path / "out")
    place.mkdir()
    with FileLock(place / "lock"):
        assert "another process" in distil(expect=5).stderr


def test_a_training_that_diverges_says_so_and_leaves_nothing(distil: Callable[..., Printed], tmp_path: Path) -> None:
    absurd = (
        "-o",
        "distillation.learning_rate=1e9",
        "-o",
        "distillation.max_steps=200",
        "-o",
        "distillation.epochs=50",
    )
    assert "try a lower learning rate" in distil(*absurd, "--every", "0", expect=1).stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("signal", "student"), [pytest.param("SIGKILL", "genotype.json", marks=pytest.mark.slow), ("SIGINT", "roberta")]
)
def test_a_killed_command_goes_on_to_the_same_weights(signal: str, student: str, made: Path, tmp_path: Path) -> None:
    known = ["distil", "--student", student, "--task", "experiment.yaml", "--every", "0"]
    command = [*known, "--to", str(tmp_path / "out")]
    killed = subprocess.run(
        [sys.executable, str(SCRIPT), signal, "2", *command],
        cwd=made, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert killed.returncode == (130 if signal == "SIGINT" else -9), killed.stderr
    assert not (tmp_path / "out").exists() and any(unfinished(tmp_path / "out").iterdir())
    if signal == "SIGINT":
        assert f"Go on with:\n  {shlex.join(['rosearch', *command])}" in killed.stderr
    resumed = rosearch(*command, cwd=made)
    assert f"goes on at step {2 + (signal == 'SIGINT')} of 4" in resumed.stderr
    rosearch(*known, "--to", tmp_path / "whole", cwd=made)
    assert weights(tmp_path / "out") == weights(tmp_path / "whole")
    assert not unfinished(tmp_path / "out").exists()


def test_what_another_command_has_begun_is_refused_unless_told_to_start_over(made: Path, tmp_path: Path) -> None:
    command = ["distil", "--student", "genotype.json", "--task", "experiment.yaml", "--to", str(tmp_path / "out")]
    subprocess.run(
        [sys.executable, str(SCRIPT), "SIGKILL", "2", *command, "--every", "0"],
        cwd=made, capture_output=True, timeout=120, check=False,
    )  # fmt: skip
    refused = rosearch(*command, "--seed", "4", cwd=made, expect=5)
    said = " ".join(refused.stderr.split())
    assert "of another training" in said and "student's seed (3 there, 4 here)" in said and "--fresh" in said
    rosearch(*command, "--seed", "4", "--fresh", cwd=made)
    assert weights(tmp_path / "out")


def test_weights_of_classes_change_what_is_learnt_or_are_said_to_have_no_effect(
    distil: Callable[..., Printed],
) -> None:
    weighed = ("-o", "distillation.class_weights={positive: 5}")
    plain, heavy = (distil("--json", "--overwrite", *given).data for given in ((), weighed))
    assert plain["config"]["class_weights"] == "none" and heavy["config"]["class_weights"] == {"positive": 5.0}
    assert heavy["training"]["final_loss"] > plain["training"]["final_loss"] and heavy["notes"] == plain["notes"]
    soft = ("-o", "distillation.hard_weight=0")
    alone, both = (distil("--json", "--overwrite", *soft, *given).data for given in ((), weighed))
    assert alone["training"] == both["training"]
    assert [note for note in both["notes"] if "distillation.class_weights has no effect" in note]


def test_an_attack_to_train_on_whose_source_changed_is_another_training(made: Path, tmp_path: Path) -> None:
    (made / "edits_of_distil.py").write_text("def build(model):\n    raise NotImplementedError\n")
    own = ("distillation.robust_kd.attacks=[edits_of_distil:build]", "distillation.robust_kd.sources=[characters]")
    command = ["distil", "--student", "genotype.json", "--task", "experiment.yaml", "--method", "robust_kd"]
    command += [*(word for one in own for word in ("-o", one)), "--to", str(tmp_path / "out")]
    subprocess.run(
        [sys.executable, str(SCRIPT), "SIGKILL", "2", *command, "--every", "0"],
        cwd=made, capture_output=True, timeout=120, check=False,
    )  # fmt: skip
    (made / "edits_of_distil.py").write_text("def build(model):\n    return None\n")
    said = " ".join(rosearch(*command, cwd=made, expect=5).stderr.split())
    assert "of another training, which differs in function edits_of_distil:build (" in said
    found = rosearch(*command, "--fresh", "--json", cwd=made).data
    assert found["functions"].keys() == {"edits_of_distil:build"}


def test_regression_is_distilled_and_not_offered_an_attack(tmp_path: Path) -> None:
    write_experiment(tmp_path, "regression")
    known = ("--student", "bert_mini", "--task", "experiment.yaml", "--to", "out")
    printed = rosearch("distil", *known, cwd=tmp_path)
    assert "pearson" in printed.stdout and "rosearch attack" not in printed.stdout
    assert AutoModelForSequenceClassification.from_pretrained(tmp_path / "out").config.problem_type == "regression"


def test_the_generated_task_of_the_quickstart_can_be_distilled(made: Path, tmp_path: Path) -> None:
    """The grammar's own texts, which the small teacher reads letter by letter."""
    experiment = yaml.safe_load((made / "experiment.yaml").read_text())
    task = {key: experiment["task"][key] for key in ("name", "text", "labels", "metric", "max_length")}
    experiment["task"] = {**task, "generated": {"train": 64, "validation": 16, "test": 16}}
    (tmp_path / "generated.yaml").write_text(yaml.safe_dump(experiment))
    (tmp_path / "space.yaml").write_text(yaml.safe_dump(SPACE))
    known = ("--student", "bert", "--task", tmp_path / "generated.yaml", "--to", tmp_path / "out")
    assert rosearch("distil", *known, "--json", cwd=made).data["task"]["rows"]["train"] == 64


def test_a_students_own_encoding_of_words_travels_with_it(made: Path, tmp_path: Path) -> None:
    data = {**GENOTYPE.to_dict(), "source": {"encoding": "typos", "characters": "cnn"}}
    (tmp_path / "robust.json").write_text(json.dumps(data))
    known = ("--student", tmp_path / "robust.json", "--task", "experiment.yaml", "--to", tmp_path / "out")
    found = rosearch("distil", *known, "--json", cwd=made).data
    assert found["student"]["genotype"]["source"] == data["source"]
    plain, own = (load_tokenizer(folder) for folder in (made / "teacher", tmp_path / "out"))
    assert own("the flim was good")["input_ids"] == own("the film was good")["input_ids"]
    assert plain("the flim was good")["input_ids"] != plain("the film was good")["input_ids"]
    refused = rosearch("distil", *known, "--overwrite", "--method", "mate_kd", cwd=made, expect=3)
    assert "reads the teacher's tokens, as mate_kd" in " ".join(refused.stderr.split())


def test_a_cut_student_has_layers_of_the_teacher_and_the_words_that_its_encoding_needs(
    made: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    known = ("--student", "layers:0", "--encoding", "typos", "--task", "experiment.yaml", "--to", out)
    found = rosearch(
        "distil", *known, "-o", "distillation.max_steps=1", "-o", "distillation.learning_rate=1e-9", cwd=made
    )
    assert found
    teacher, student = (AutoModelForSequenceClassification.from_pretrained(one) for one in (made / "teacher", out))
    assert student.config.num_hidden_layers == 1 and student.config.vocab_size <= teacher.config.vocab_size
    name = "encoder.layer.{}.attention.self.query.weight"
    ours, theirs = (model.bert.get_parameter(name.format(0)) for model in (student, teacher))
    torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=0)
    assert (out / "tokenization_rosearch.py").is_file()
    tokenizer = load_tokenizer(out)
    assert tokenizer("the flim was good")["input_ids"] == tokenizer("the film was good")["input_ids"]


def test_on_a_terminal_the_loss_stands_beside_the_bar() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=120)
    with SearchDisplay(console) as display:
        display.progress("distil", 20, 100)
        assert display.detail("distil", "loss 0.5")
    assert "distilling, loss 0.5" in console.file.getvalue()


def test_the_help_has_examples(made: Path) -> None:
    printed = " ".join(rosearch("distil", "--help", cwd=made).stdout.split())
    assert "Examples" in printed and "--student" in printed and "--task sst2" in printed
