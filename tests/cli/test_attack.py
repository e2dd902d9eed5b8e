from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from command_line import rosearch
from small_run import write_experiment
from transformers import AutoTokenizer, BertForSequenceClassification, BertModel

from rosearch.attack import attack
from rosearch.attack.tables import short_names
from rosearch.errors import BadInput
from rosearch.evaluation.robustness import Suite
from rosearch.space.genotype import Genotype
from rosearch.space.node import Node
from rosearch.student.build import build_student
from rosearch.terminal.attack import marked

SCRIPT = Path(__file__).with_name("killed_attack.py")
SMALL = ("--attack", "deepwordbug", "--task", "data/test.tsv", "--n", "8")


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Any:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An experiment and its data, and two classifiers in `first` and `second` that have learnt it."""
    folder = tmp_path_factory.mktemp("made")
    write_experiment(folder, "classification")
    train = pd.read_csv(folder / "data/train.tsv", sep="\t")
    for name, seed, steps in (("first", 1, 80), ("second", 2, 25)):
        _train(folder / "teacher", folder / name, list(train["text"]), list(train["label"]), seed, steps)
    return folder


def _train(weights: Path, folder: Path, texts: list[str], names: list[str], seed: int, steps: int) -> None:
    tokenizer = AutoTokenizer.from_pretrained(weights)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = BertForSequenceClassification.from_pretrained(weights)
        labels = torch.tensor([model.config.label2id[name] for name in names])
        optimiser = torch.optim.AdamW(model.parameters(), lr=0.01)
        batch = tokenizer(texts, padding=True, return_tensors="pt")
        for _ in range(steps):
            model(**batch, labels=labels).loss.backward()
            optimiser.step()
            optimiser.zero_grad()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def changed(source: Path, folder: Path, change: Callable[[Any], None]) -> Path:
    """A copy of a classifier after `change(model)`."""
    model = BertForSequenceClassification.from_pretrained(source)
    with torch.no_grad():
        change(model)
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(source).save_pretrained(folder)
    return folder


def _name_classes(*names: str) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        model.config.id2label = dict(enumerate(names))
        model.config.label2id = {name: index for index, name in enumerate(names)}

    return change


def test_one_model_gets_a_table_footnotes_and_what_fooled_it(made: Path) -> None:
    printed = rosearch("attack", "first", *SMALL, "--per-class", "--single-swaps", "deepwordbug", cwd=made)
    for expected in ("data/test.tsv: 8 of 24 rows", "deepwordbug", "under", "by class", "single swaps of deepwordbug"):
        assert expected in printed.stdout
    assert "What fooled it" in printed.stdout and "[[" in printed.stdout and " -> " in printed.stdout
    assert "worst case" not in printed.stdout and "attack deepwordbug: done" in printed.stderr
    assert (made / ".rosearch/.gitignore").read_text() == "*\n" and any((made / ".rosearch").rglob("plans/*"))


def test_several_models_are_attacked_on_the_same_rows_and_compared(made: Path) -> None:
    command = ("attack", "first", "second", "--attack", "deepwordbug,pruthi", "--task", "data/test.tsv", "--n", "8")
    found = rosearch(*command, "--json", cwd=made).data
    first, second = found["models"]
    assert first["rows"] == second["rows"] and len(first["rows"]) == 8 and found["available"] == 24
    assert [one["attack"] for one in first["attacks"]] == ["deepwordbug", "pruthi"]
    assert [one["plan"] for one in first["attacks"]] == [one["plan"] for one in second["attacks"]]
    assert first["worst"]["attack"] == "worst of deepwordbug, pruthi" and len(first["worst"]["outcomes"]) == 8
    assert [one["attack"] for one in found["comparisons"]] == ["worst of deepwordbug, pruthi", "deepwordbug", "pruthi"]
    assert all((one["first"], one["second"], one["n"]) == ("second", "first", 8) for one in found["comparisons"])
    assert any("the 8 rows cannot separate second from first" in warning for warning in found["warnings"])
    for one in first["fooled"]:
        assert one["label"] != one["predicted"] and one["original"] != one["perturbed"] and one["changed"] > 0
    printed = rosearch(*command, cwd=made)
    assert "second against first, same rows and plans" in printed.stdout and "worst case" in printed.stdout
    assert "cannot separate" in printed.stderr and "cannot separate" not in printed.stdout


def test_three_models_are_compared_with_the_first_and_adjusted_for_their_number(made: Path) -> None:
    found = rosearch("attack", "first", "second", "first", *SMALL, "--json", cwd=made).data
    assert [one["first"] for one in found["comparisons"]] == ["second", "first"]
    itself = found["comparisons"][1]
    assert itself["survival"]["difference"]["value"] == 0 and itself["p_holm"] == 1 and not itself["separated"]


def test_an_experiments_task_and_a_file_of_its_rows_give_the_same(made: Path) -> None:
    file = rosearch("attack", "first", *SMALL, "--max-length", "16", "--json", cwd=made).data
    task = rosearch("attack", "first", *SMALL[:3], "experiment.yaml", "--n", "8", "--json", cwd=made).data
    assert task["data"] == "small (test)" and task["models"][0]["max_length"] == 16
    assert task["models"][0]["worst"]["outcomes"] == file["models"][0]["worst"]["outcomes"]


def test_labels_are_matched_by_name_whatever_the_order_of_the_outputs(made: Path, tmp_path: Path) -> None:
    def turn(model: Any) -> None:
        _name_classes("Positive", "Negative")(model)
        model.classifier.weight.copy_(model.classifier.weight.flip(0).clone())
        model.classifier.bias.copy_(model.classifier.bias.flip(0).clone())

    turned = changed(made / "first", tmp_path / "turned", turn)
    unnamed = changed(made / "first", tmp_path / "unnamed", _name_classes("LABEL_0", "LABEL_1"))
    found = rosearch("attack", "first", turned, unnamed, *SMALL, "--json", cwd=made).data
    outcomes = {model["worst"]["outcomes"] for model in found["models"]}
    assert len(outcomes) == 1 and "b" in outcomes.pop()


def test_integers_columns_of_other_names_and_pairs_are_read(made: Path, tmp_path: Path) -> None:
    rows = [{"a": "the good film", "b": "a dull plot", "y": 1}, {"a": "the slow plot", "b": "a film", "y": 0}] * 3
    file = tmp_path / "rows.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)))
    columns = ("--text", "a", "--text-pair", "b", "--label", "y")
    found = rosearch("attack", "first", *SMALL[:3], file, *columns, "--json", cwd=made).data["models"][0]
    assert found["worst"]["n"] == 6 and all(len(one["original"]) == 2 for one in found["fooled"])


def test_a_query_budget_is_counted_and_shown(made: Path) -> None:
    printed = rosearch("attack", "first", *SMALL, "--queries", "2", cwd=made)
    assert "rows out of queries, counted as survived" in printed.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "expected"),
    [
        (
            ("first", *SMALL[:3], "gone.tsv"),
            3,
            "gone.tsv: expected a file, or the name of an experiment, got no such file",
        ),
        (("first", *SMALL[:3], "first/config.json"), 3, "expected a file of .tsv"),
        (("first", *SMALL, "--text", "words"), 3, "expected a column 'words', got only 'text', 'label'. Give --text"),
        (("first", *SMALL, "--label", "class"), 3, "expected a column 'class', got only 'text', 'label'. Give --label"),
        (("first", *SMALL, "--text-pair", "text"), 3, "expected --text besides"),
        (("first", "--attack", "deepwordbux,pwvs", *SMALL[2:]), 3, "attack: pwvs: expected one of deepwordbug"),
        (("first", "--attack", "synonym-swap", *SMALL[2:]), 4, "needs local files that are not there: neighbours"),
        (("first", "--attack", "textfooler", *SMALL[2:]), 4, "cannot be supplied; there is textfooler-vectors-minilm"),
        (("some/model", *SMALL), 4, "model: 'some/model' is not in the hub's cache and the hub cannot be reached"),
        (("./gone", *SMALL), 4, "model: there is no folder ./gone; give the folder of a classifier"),
        (("data", *SMALL), 3, "model: data: expected a folder with a transformers model, got data without config"),
        (("first", *SMALL, "--max-length", "5000"), 3, "--max-length: expected 8 to 32 tokens, what first reads"),
        (("first", *SMALL, "--device", "tpu"), 3, "tpu"),
        (("first", *SMALL[:3], "experiment.yaml", "--split", "dev"), 3, "--split: expected one of train, validation"),
        (("first", *SMALL[:3], "experiment.yaml", "--text", "t"), 3, "An experiment names its own columns"),
        (("first", "--attack", "deepwordbug"), 2, "--attack NAMES with --task"),
        (("first", "--task", "data/test.tsv"), 2, "--attack NAMES with --task"),
        (
            ("first", "--suite", "data/test.tsv", "--suite-task", "nonsense"),
            3,
            "--suite-task: expected a task of AdvGLUE",
        ),
        (("first", *SMALL, "--cache", "data/test.tsv"), 3, "--cache: expected a folder, got a file data/test.tsv"),
        (
            ("first", *SMALL, "--suite", "gone.csv"),
            3,
            "gone.csv: expected a file, or the name of an experiment, got no such file",
        ),
    ],
)
def test_what_is_missing_or_does_not_fit_is_one_clear_line(
    arguments: tuple[str, ...], code: int, expected: str, made: Path
) -> None:
    failed = rosearch("attack", *arguments, cwd=made, expect=code)
    assert expected in " ".join(failed.stderr.replace("│", " ").split()) and "Traceback" not in failed.stderr
    assert failed.stdout == ""


def test_wrong_names_are_told_at_once_and_before_torch_is_there(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from rosearch.cli.app import app\n"
        "try:\n    app(sys.argv[1:], standalone_mode=False)\n"
        "except Exception as error:\n    print(*error.lines, sep='\\n')\n"
        "print(*sorted({'torch', 'transformers', 'pandas'} & set(sys.modules)))\n"
    )
    names = ("./gone", "--attack", "deepwordbgu", "--single-swaps", "pwvs", "--task", "quickstrat", "--suite", "a.csv")
    command = [sys.executable, "-c", code, "attack", *names]
    printed = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    *lines, heavy = printed.split("\n")[:-1]
    for part in ("Did you mean deepwordbug?", "pwvs", "Did you mean quickstart", "a.csv: expected a file", "./gone"):
        assert any(part in line for line in lines), printed
    assert len(lines) == 5 and heavy == ""


def test_all_problems_of_attacks_models_and_rows_are_told_at_once(made: Path, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("text,label\na good film,fine\na bad film,poor\n,negative\n")
    bad = ("--attack", "synonym-swap", "--task")
    command = ("attack", "first", "data", *bad, tmp_path / "rows.csv")
    failed = rosearch(*command, cwd=made, expect=3)
    for expected in (
        "attack synonym-swap needs",
        "data without",
        "column 'text': expected text in every row, got none in row 3",
    ):
        assert expected in failed.stderr
    (tmp_path / "rows.csv").write_text("text,label\na good film,fine\na bad film,poor\n")
    failed = rosearch("attack", "first", *bad, tmp_path / "rows.csv", cwd=made, expect=3)
    assert "expected negative, positive, or their integers 0 to 1, got 'fine', 'poor' in 2 of 2 rows" in failed.stderr
    assert "label2id of first" in failed.stderr and "attack synonym-swap needs" in failed.stderr


def test_a_model_with_other_classes_than_the_task_is_refused(made: Path, tmp_path: Path) -> None:
    other = changed(made / "first", tmp_path / "other", _name_classes("ham", "spam"))
    failed = rosearch("attack", "first", other, *SMALL[:3], "experiment.yaml", cwd=made, expect=3)
    assert "expected the classes of small (test): negative, positive, got ham, spam" in failed.stderr


def test_what_is_no_trained_classifier_is_refused(made: Path, tmp_path: Path) -> None:
    headless = tmp_path / "headless"
    shutil.copytree(made / "first", headless)
    BertModel.from_pretrained(headless).save_pretrained(headless)
    failed = rosearch("attack", headless, *SMALL, cwd=made, expect=3)
    assert "none for classifier.bias" in failed.stderr and "Fine-tune the model first" in failed.stderr
    pickled = tmp_path / "pickled"
    shutil.copytree(made / "first", pickled)
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    assert "never read" in rosearch("attack", pickled, *SMALL, cwd=made, expect=3).stderr
    score = tmp_path / "score"
    write_experiment(tmp_path)
    shutil.copytree(tmp_path / "teacher", score)
    assert "an attack flips its class" in rosearch("attack", score, *SMALL, cwd=made, expect=3).stderr


def test_our_own_students_need_no_remote_code(made: Path, tmp_path: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(made / "first")
    genotype = Genotype(16, 8, "mean", (Node.of("ffn", (0,), ratio=2.0, activation="gelu"),))
    student = build_student(
        genotype,
        labels=("negative", "positive"),
        problem="classification",
        vocabulary=len(tokenizer),
        positions=32,
        token_types=2,
        pad_token_id=0,
        dropout=0.1,
        seed=1,
    )
    student.save_pretrained(tmp_path / "student")
    tokenizer.save_pretrained(tmp_path / "student")
    config = json.loads((tmp_path / "student/config.json").read_text())
    code = {"AutoConfig": "gone.Config", "AutoModelForSequenceClassification": "gone.Model"}
    (tmp_path / "student/config.json").write_text(json.dumps(config | {"auto_map": code}))
    for flags in ((), ("--trust-remote-code",)):
        found = rosearch("attack", tmp_path / "student", *SMALL, *flags, "--json", cwd=made).data
        assert found["models"][0]["worst"]["n"] == 8


def test_a_models_own_code_runs_only_where_it_is_trusted(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules"))
    monkeypatch.setattr(sys, "path", list(sys.path))
    alien = tmp_path / "alien"
    shutil.copytree(made / "first", alien)
    (alien / "alien.py").write_text(
        "from transformers import BertConfig, BertForSequenceClassification\n\n\n"
        "class AlienConfig(BertConfig):\n    model_type = 'alien'\n\n\n"
        "class Alien(BertForSequenceClassification):\n    config_class = AlienConfig\n"
    )
    config = json.loads((alien / "config.json").read_text()) | {"model_type": "alien"}
    code = {"AutoConfig": "alien.AlienConfig", "AutoModelForSequenceClassification": "alien.Alien"}
    (alien / "config.json").write_text(json.dumps(config | {"auto_map": code}))
    failed = rosearch("attack", alien, *SMALL, cwd=made, expect=3)
    assert "alien, which brings its own code. Read its code, then give --trust-remote-code" in failed.stderr
    found = rosearch("attack", "first", alien, *SMALL, "--trust-remote-code", "--json", cwd=made).data
    assert found["models"][0]["worst"]["outcomes"] == found["models"][1]["worst"]["outcomes"]


def test_a_model_that_fails_is_reported_and_the_others_go_on(made: Path, tmp_path: Path) -> None:
    huge = 3e38  # finite, and infinite once it is multiplied
    broken = changed(made / "first", tmp_path / "broken", lambda m: m.bert.embeddings.LayerNorm.weight.fill_(huge))
    alone = rosearch("attack", broken, *SMALL, cwd=made, expect=1)
    assert "broken: logits under attack are not finite" in alone.stderr and "Traceback" not in alone.stderr
    found = rosearch("attack", broken, "first", *SMALL, "--json", cwd=made, expect=1).data
    assert "not finite" in found["models"][0]["failure"] and found["models"][1]["worst"]["n"] == 8
    assert found["comparisons"] == []


def test_a_constant_predictor_and_labels_in_another_order_are_flagged(made: Path, tmp_path: Path) -> None:
    constant = changed(made / "first", tmp_path / "constant", lambda model: model.classifier.bias[1].fill_(1000.0))
    warned = rosearch("attack", constant, *SMALL[:3], "data/test.tsv", cwd=made).stderr
    assert "constant predicts positive for all 24 rows" in warned
    wrong = changed(made / "first", tmp_path / "wrong", _name_classes("positive", "negative"))
    warned = rosearch("attack", wrong, *SMALL[:3], "data/test.tsv", cwd=made).stderr
    assert "right on fewer rows than chance" in warned


@pytest.mark.parametrize("labels", [("1", "0"), ("1.0", "0.0"), ("True", "False")])
@pytest.mark.parametrize("names", [("positive", "negative"), ("1", "0")])
def test_a_held_out_set_whose_integers_mean_another_order_is_flagged(
    names: tuple[str, str], labels: tuple[str, str], made: Path, tmp_path: Path
) -> None:
    wrong = changed(made / "first", tmp_path / "wrong", _name_classes(*names))
    rows = pd.read_csv(made / "data/test.tsv", sep="\t")
    meant = "negative" if "1" in names else "positive"
    rows["label"] = [labels[name == meant] for name in rows["label"]]
    rows.to_csv(tmp_path / "rows.csv", index=False)
    found = rosearch("attack", wrong, "--suite", tmp_path / "rows.csv", "--json", cwd=made).data
    told = f"right on fewer rows of rows than chance: do its integers stand for {', '.join(names)}, in this order?"
    assert told in found["warnings"][0] and found["models"][0]["held_out"][0]["numbered"]


def test_held_out_sets_are_scored_with_groups_and_consistency(made: Path, tmp_path: Path) -> None:
    (tmp_path / "contrast.csv").write_text(
        "text,label,group,pair\na good film,positive,swap,1\na bad film,negative,swap,1\n"
        "the clever plot,positive,other,2\nthe dull plot,negative,other,2\n"
    )
    rows = [{"idx": 0, "label": 1, "sentence": "a good film"}, {"idx": 1, "label": 0, "sentence": "a dull film"}]
    (tmp_path / "dev.json").write_text(json.dumps({"sst2": rows, "rte": []}))
    suites = ("--suite", tmp_path / "contrast.csv", "--suite", tmp_path / "dev.json", "--suite-task", "sst2")
    found = rosearch("attack", "first", "second", *suites, "--json", cwd=made).data
    contrast, advglue = found["models"][0]["held_out"]
    assert contrast["overall"]["n"] == 4 and set(contrast["groups"]) == {"swap", "other"}
    assert contrast["overall"]["consistency"]["n"] == 2 and advglue["task"] == "sst2"
    assert found["models"][0].get("worst") is None and found["comparisons"] == []
    printed = rosearch("attack", "first", *suites, cwd=made).stdout
    for expected in ("contrast: 4 rows", "consistency", "swap", "dev (sst2): 2 rows"):
        assert expected in printed
    failed = rosearch("attack", "first", *suites[:-2], cwd=made, expect=3)
    assert "expected one task, or the name of the one that is meant" in failed.stderr


def test_beside_an_experiment_the_columns_are_those_of_the_held_out_sets(made: Path, tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text("sentence,mood\na good film,positive\na bad film,negative\n")
    own = ("--suite", tmp_path / "own.csv", "--text", "sentence", "--label", "mood")
    found = rosearch("attack", "first", *SMALL[:3], "experiment.yaml", *SMALL[4:], *own, "--json", cwd=made).data
    assert found["models"][0]["held_out"][0]["overall"]["n"] == 2 and found["models"][0]["attacks"]


def test_a_victim_whose_unnamed_classes_stand_in_another_order_is_refused(made: Path, tmp_path: Path) -> None:
    def turn(model: Any) -> None:
        _name_classes("LABEL_0", "LABEL_1")(model)
        model.classifier.weight.copy_(model.classifier.weight.flip(0).clone())
        model.classifier.bias.copy_(model.classifier.bias.flip(0).clone())

    turned = changed(made / "first", tmp_path / "turned", turn)
    command = ("attack", turned, *SMALL[:3], "experiment.yaml", "--n", "24")
    failed = rosearch(*command, cwd=made, expect=3)
    assert (
        "expected classes in the order of the labels (negative, positive), got classes without names" in failed.stderr
    )
    assert "in the order of its outputs: positive, negative fit best" in failed.stderr and failed.stdout == ""
    suite = tmp_path / "rows.csv"
    frame = pd.read_csv(made / "data/test.tsv", sep="\t")
    frame.assign(label=(frame["label"] == "positive").astype(int)).to_csv(suite, index=False)
    warned = rosearch("attack", turned, "--suite", suite, cwd=made)  # adversarial rows may be this hard: no error
    assert "whose classes have no names, is right on fewer rows of rows than chance" in warned.stderr


def test_names_of_classes_that_contradict_are_refused(made: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(made / "first", tmp_path / "twice")
    config = json.loads((folder / "config.json").read_text())
    config["label2id"] = {"negative": 1, "positive": 0}
    (folder / "config.json").write_text(json.dumps(config))
    failed = rosearch("attack", folder, *SMALL, cwd=made, expect=3)
    assert (
        "label2id: expected the inverse of id2label (negative, positive), got negative: 1, positive: 0" in failed.stderr
    )


def test_models_of_different_lengths_are_cut_to_the_shortest_and_rows_that_were_cut_are_counted(
    made: Path, tmp_path: Path
) -> None:
    short = shutil.copytree(made / "first", tmp_path / "short")
    tokenizer = AutoTokenizer.from_pretrained(short)
    tokenizer.model_max_length = 10
    tokenizer.save_pretrained(short)
    text = "the good film was very bright and the plot was clever"
    (tmp_path / "long.csv").write_text(f"sentence,label\n{text},positive\nbad film,negative\n")
    suite = ("--suite", tmp_path / "long.csv")
    found = rosearch("attack", "first", short, *suite, "--json", cwd=made).data["models"]
    assert [model["max_length"] for model in found] == [10, 10]
    assert [model["held_out"][0]["cut"] for model in found] == [1, 1]
    assert found[0]["held_out"][0]["columns"] == ["sentence", "label"]
    alone = rosearch("attack", "first", *suite, cwd=made)
    assert "were cut" not in alone.stdout
    assert "read from the columns sentence, label" in " ".join(alone.stdout.split())
    assert "held-out set long: done" in alone.stderr
    asked = rosearch("attack", "first", *suite, "--max-length", "8", cwd=made).stdout
    assert "1 of 2 rows are longer than the model reads, or --max-length: they were cut" in " ".join(asked.split())
    attacked = rosearch("attack", "first", *SMALL, "--max-length", "8", "--json", cwd=made).data["models"][0]
    assert 0 < attacked["cut"] <= 8


def test_rows_without_a_text_or_a_label_are_refused_or_left_out_and_counted(made: Path, tmp_path: Path) -> None:
    file = tmp_path / "pairs.csv"
    file.write_text("text,text2,label\na good film,a plot,positive\na bad film,,negative\na dull film,a plot,\n")
    command = ("attack", "first", *SMALL[:3], file)
    failed = rosearch(*command, cwd=made, expect=3)
    assert "got none in row 2. --drop-bad-rows leaves such rows out" in failed.stderr
    found = rosearch(*command, "--drop-bad-rows", "--json", cwd=made).data
    assert (found["available"], found["dropped"], found["columns"]) == (1, 2, ["text", "text2", "label"])
    printed = " ".join(rosearch(*command, "--drop-bad-rows", cwd=made).stdout.split())
    assert "rows without a text or a label, left out: 2" in printed


def test_the_rows_of_an_experiment_are_a_held_out_set(made: Path) -> None:
    found = rosearch("attack", "first", "--suite", "experiment.yaml", "--json", cwd=made).data["models"][0]
    (held,) = found["held_out"]
    assert held["name"] == "small (test)" and held["overall"]["accuracy"]["n"] == 24


def test_a_killed_attack_goes_on_where_it_was_to_the_equal_end(made: Path, tmp_path: Path) -> None:
    command = ("first", "second", "--attack", "deepwordbug,pruthi", *SMALL[2:], "--json")
    whole = rosearch("attack", *command, "--cache", tmp_path / "whole", cwd=made).data
    cache = ("--cache", str(tmp_path / "killed"))
    killed = subprocess.run(
        [sys.executable, SCRIPT, "13", *command, *cache], cwd=made, capture_output=True, check=False
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    resumed = rosearch("attack", *command, *cache, cwd=made).data
    assert [model["known"] for model in resumed["models"]] == [13, 0]
    for before, after in zip(whole["models"], resumed["models"], strict=True):
        assert [_untimed(one) for one in before["attacks"]] == [_untimed(one) for one in after["attacks"]]
        assert before["fooled"] == after["fooled"] and before["rows"] == after["rows"]
    again = rosearch("attack", *command, *cache, cwd=made).data  # a finished attack leaves nothing to go on from
    assert [model["known"] for model in again["models"]] == [0, 0]
    assert not list((tmp_path / "killed").rglob("*.jsonl"))


def _untimed(attack: dict[str, Any]) -> dict[str, Any]:
    return attack | {"seconds": 0}


def test_the_listing_of_resources_says_what_runs_and_what_is_missing(made: Path, tmp_path: Path) -> None:
    found = rosearch("attack", "resources", "--check", "--json", "--resources", tmp_path, cwd=made).data
    assert found["folder"] == str(tmp_path)
    states = {one["name"]: one for one in found["attacks"]}
    assert states["deepwordbug"]["runs"] and not states["synonym-swap"]["runs"]
    assert states["synonym-swap"]["missing"] == "neighbours" and "Universal" in states["textfooler"]["missing"]
    assert {one["name"] for one in found["resources"]} >= {"neighbours", "tagger", "masked_lm"}
    printed = rosearch("attack", "resources", cwd=made).stdout
    assert "ROSEARCH_RESOURCES" in printed and "deepwordbug" in printed and "needs neighbours" in printed


def test_a_resource_that_cannot_be_read_is_told_by_the_check(made: Path, tmp_path: Path) -> None:
    (tmp_path / "counterfitted_neighbors.json").write_text("{")
    rosearch("attack", "resources", "--resources", tmp_path, cwd=made)
    failed = rosearch("attack", "resources", "--check", "--resources", tmp_path, cwd=made, expect=3)
    assert "counterfitted_neighbors.json" in failed.stderr and "neighbours" in failed.stdout


def test_vectors_are_made_from_plain_text_and_lie_where_attacks_find_them(made: Path, tmp_path: Path) -> None:
    words = [f"{first}{second}{third}" for first in "bcdfgk" for second in "aeiou" for third in "lmnprstv"]
    text = random.Random(1).sample(words * 30, k=len(words) * 30)
    (tmp_path / "text.txt").write_text(
        "\n".join(" ".join(text[start : start + 20]) for start in range(0, len(text), 20))
    )
    command = ("attack", "resources", "--make", "vectors", "--corpus", tmp_path / "text.txt")
    there = ("--resources", tmp_path / "resources", "--cache", tmp_path / "cache")
    found = rosearch(*command, *there, "--json", cwd=made).data
    place = tmp_path / "resources" / "corpus-vectors.txt"
    assert found == {"made": "vectors", "place": str(place), "words": len(words), "width": 200, "corpus": ["text.txt"]}
    assert len(place.read_text().splitlines()) == len(words)
    listed = rosearch("attack", "resources", "--check", "--json", *there[:2], cwd=made).data
    state = next(one for one in listed["attacks"] if one["name"] == "textfooler-corpus")
    assert state["missing"].startswith("antonyms, tagger") and state["reads"] == ["corpus vectors"]
    printed = rosearch(*command, *there, cwd=made)
    assert f"Saved to {place}" in printed.stdout and "vectors of 240 words" in printed.stdout
    failed = rosearch("attack", "resources", "--make", "vector", *there, cwd=made, expect=3)
    assert "--make: expected one of masked-lm, vectors, got 'vector'" in failed.stderr
    assert "--from, --corpus, --layers" in rosearch("attack", "resources", "--steps", "5", cwd=made, expect=2).stderr


def test_ctrl_c_is_one_line_and_its_own_exit_code(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("rosearch.attack.report.measure_robustness", interrupted)
    stopped = rosearch("attack", "first", *SMALL, cwd=made, expect=130)
    assert "the same command goes on where it was" in stopped.stderr and "Traceback" not in stopped.stderr


def test_help_shows_examples_and_where_plans_go(made: Path) -> None:
    printed = " ".join(rosearch("attack", "--help", cwd=made).stdout.replace("│", " ").split())
    assert "rosearch attack ./model --attack deepwordbug,pruthi" in printed and ".rosearch" in printed
    assert "--check" in rosearch("attack", "resources", "--help", cwd=made).stdout


def test_python_attacks_a_model_in_memory_and_leaves_it_as_it_was(made: Path, tmp_path: Path) -> None:
    model = BertForSequenceClassification.from_pretrained(made / "first")
    tokenizer = AutoTokenizer.from_pretrained(made / "first")
    test = pd.read_csv(made / "data/test.tsv", sep="\t")
    rows = list(zip(test["text"], test["label"], strict=True))
    by_name = attack(model, tokenizer, rows, ["deepwordbug"], cache=tmp_path)
    integers = [(text, model.config.label2id[label]) for text, label in rows]
    suite = Suite(("deepwordbug", "pruthi"), 24)
    by_integer = attack(model, tokenizer, integers, suite, cache=tmp_path, device="cpu")
    assert by_name.attacks[0].outcomes == by_integer.attacks[0].outcomes and len(by_integer.attacks) == 2
    half = BertForSequenceClassification.from_pretrained(made / "first", dtype=torch.bfloat16)
    attack(half, tokenizer, integers[:4], ["deepwordbug"], cache=tmp_path)
    assert half.dtype == torch.bfloat16 and model.training is False
    pairs = [((text, "a film"), label) for text, label in integers[:4]]
    assert attack(model, tokenizer, pairs, ["deepwordbug"], cache=tmp_path).worst.n == 4


def test_python_tells_all_that_is_wrong_with_rows(made: Path, tmp_path: Path) -> None:
    model = BertForSequenceClassification.from_pretrained(made / "first")
    tokenizer = AutoTokenizer.from_pretrained(made / "first")
    with pytest.raises(BadInput, match="0 to 1, or one of negative, positive, got 7, 'fine'") as raised:
        attack(model, tokenizer, [("a film", 7), (("a", "b"), "fine")], ["deepwordbug"], cache=tmp_path)
    assert len(raised.value.problems) == 2
    with pytest.raises(BadInput, match="at least one row"):
        attack(model, tokenizer, [], ["deepwordbug"], cache=tmp_path)
    with pytest.raises(BadInput, match="deepwordbux"):
        attack(model, tokenizer, [("a film", 1)], ["deepwordbux"], cache=tmp_path)


def test_changed_words_are_marked_in_both_texts() -> None:
    original, perturbed = marked("a good [film]", "a goood [film] .", plain=True)
    assert (original.plain, perturbed.plain) == ("a [[good]] [film]", "a [[goood]] [film][[ .]]")
    coloured = marked("a good film", "a bad film", plain=False)
    assert [text.plain for text in coloured] == ["a good film", "a bad film"] and coloured[1].spans


def test_models_are_told_apart_by_the_ends_of_their_paths() -> None:
    assert short_names(["runs/a/student", "runs/b/student"]) == ["a/student", "b/student"]
    assert short_names(["x/teacher", "student/"]) == ["teacher", "student"]
    assert short_names(["a", "a"]) == ["a", "a"] and len(short_names(["x" * 50])[0]) == 24
    assert np.unique(short_names(["/", "b"])).size == 2
