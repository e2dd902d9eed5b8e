"""All that may be wrong with an experiment, several faults to a file: one run tells each, and where it is."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from small_run import write_experiment

from rosearch.errors import BadInput, MissingResource, RosearchError
from rosearch.run.check import check_all, look_at

# Words of pydantic, of Python and of regular expressions, which no user has to know.
FOREIGN = re.compile(
    r"Input should|valid (string|integer|number|dictionary|list)|Field required|Extra inputs|instance of"
    r"|[A-Za-z]+Config\b|NoneType|<class|\bdict\b|\bNone\b|\^\[|pattern|type=|pydantic|Traceback"
)
SEARCH, REPORT = "evaluation.robustness.search", "evaluation.robustness.report"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("original")
    write_experiment(folder, "classification")
    return folder


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    shutil.copytree(original, tmp_path / "run")
    text = (original / "experiment.yaml").read_text().replace(str(original), str(tmp_path / "run"))
    (tmp_path / "run/experiment.yaml").write_text(text)
    return tmp_path / "run"


def change(folder: Path, changes: dict[str, Any]) -> Path:
    """The experiment in a folder with dotted keys set, or taken out where they are None."""
    path = folder / "experiment.yaml"
    data = yaml.safe_load(path.read_text())
    for key, value in changes.items():
        *parents, last = key.split(".")
        at = data
        for parent in parents:
            at = at.setdefault(parent, {})
        if value is None:
            at.pop(last, None)
        else:
            at[last] = value
    path.write_text(yaml.safe_dump(data, sort_keys=False))
    return path


@pytest.fixture(autouse=True)
def _no_resources(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ROSEARCH_RESOURCES", str(tmp_path / "none"))


def told(path: Path, *overrides: str) -> list[str]:
    """The lines of all that is wrong."""
    with pytest.raises(RosearchError) as caught:
        look_at(path, overrides)
    assert isinstance(caught.value, BadInput | MissingResource)
    return list(caught.value.lines)


# The changes of a file, and a part of a line for each thing that is wrong with it.
BROKEN: list[tuple[dict[str, Any], list[str]]] = [
    (
        {"evolution.populaton": 3, "seed": -1},
        ["got 'populaton'. Did you mean evolution.population?", "seed: expected a whole number of at least 0, got -1"],
    ),
    (
        {"populatoin": 3, "sed": 1},
        ["got 'populatoin'. Did you mean evolution.population?", "got 'sed'. Did you mean seed?"],
    ),
    ({"task.lable": "label", "task.metrik": "accuracy"}, ["Did you mean task.label?", "Did you mean task.metric?"]),
    (
        {"name": "a/b", "seed": "one"},
        ["name: expected a text of letters, digits, dots", "seed: expected a whole number of at least 0, got 'one'"],
    ),
    (
        {"teacher": None, "search_space": None},
        [
            "teacher: expected a section (model, outputs, tokenizer, fine_tune), got nothing",
            "search_space: expected a path, got nothing",
        ],
    ),
    (
        {"task": 3, "teacher": [1]},
        [
            "task: expected a section (name, problem, text",
            "teacher: expected a section (model, outputs, tokenizer, fine_tune), got [1]",
        ],
    ),
    (
        {"evolution.strategy": "nsga", "distillation.method": "robustkd"},
        ["got 'nsga'. Did you mean nsga2?", "got 'robustkd'. Did you mean robust_kd?"],
    ),
    (
        {f"{SEARCH}.attacks": ["depwordbug"], f"{REPORT}.attacks": ["prutti"]},
        ["got 'depwordbug'. Did you mean deepwordbug?", "got 'prutti'. Did you mean pruthi?"],
    ),
    ({f"{SEARCH}.single_swaps": ["DeepWordBug "], "seed": "x"}, ["Did you mean deepwordbug?", "seed: expected"]),
    (
        {"baselines": ["tinybert"], "evolution.warm_start": ["adabrt"]},
        ["baselines.0: expected one of", "Did you mean tinybert4?", "evolution.warm_start.0", "Did you mean adabert?"],
    ),
    (
        {"search_space": "robust_dg", "seed": -1},
        ["search_space: expected a file, or a name", "Did you mean robust_dag", "seed: expected"],
    ),
    (
        {"search_space": "gone.yaml", "teacher.model": "./gone"},
        ["search_space: expected a file", "teacher.model: there is no folder"],
    ),
    ({"task.path": "./gone", "teacher.model": "./gone"}, ["the data folder", "teacher.model: there is no folder"]),
    ({"task.local.train": "gone.tsv", "teacher.model": "./gone"}, ["gone.tsv: expected a file", "there is no folder"]),
    ({"task.text": ["txt"], "task.label": "lbl"}, ["txt", "lbl"]),
    (
        {"task.text": "text", "task.labels": [True, False]},
        ["Put it in brackets: [text].", "task.labels.0: expected a text, got true. Put it in quotes."],
    ),
    (
        {"task.path": None, "task.local": None, "task.files": {"train": "data/train.tsv", "test_share": 2}}
        | {"task.label": "lbl", "task.validation_rows": "x"},
        ["test_share: expected a number", "task.validation_rows: expected a whole number", "a column 'lbl'"],
    ),
    ({"task.labels": ["sad", "happy"]}, ["id2label: expected sad, happy, got negative, positive"]),
    (
        {"execution.device": "gpu", "execution.workers": -1},
        [
            "execution.device: expected auto, cpu, cuda or cuda:N, got 'gpu'",
            "execution.workers: expected a whole number of at least 0",
        ],
    ),
    ({"evolution.elite": 9, "evolution.population": 4}, ["evolution.elite: expected fewer than population (4), got 9"]),
    (
        {"finalists.cuont": 1, "finalists.epochs": 0},
        ["Did you mean finalists.count?", "finalists.epochs: expected a number above 0, or none, got 0"],
    ),
    (
        {"fitness.weights": {"robustnes": 1}, "fitness.efficiency": "flop"},
        ["Did you mean fitness.weights.robustness?", "Did you mean flops?"],
    ),
    (
        {"distillation.robust_kd.sources": ["character"], "distillation.epochs": "many"},
        ["Did you mean characters?", "distillation.epochs: expected a number above 0, got 'many'"],
    ),
    (
        {"distillation.class_weights": {"postive": 5, "spam": 2}, "seed": "x"},
        [
            "expected a label (negative, positive), got 'postive'. Did you mean positive?",
            "got 'spam'",
            "seed: expected",
        ],
    ),
    ({"distillation.class_weights": "balance", "seed": "x"}, ["Did you mean balanced?", "seed: expected"]),
    (
        {"evaluation.efficiency.batch_sizes": [0, "x"]},
        [
            "batch_sizes.0: expected a whole number of at least 1, got 0",
            "batch_sizes.1: expected a whole number of at least 1, got 'x'",
        ],
    ),
    (
        {"task.max_length": 3, "task.problem": "classify"},
        ["task.max_length: expected a whole number of at least 8", "Did you mean classification?"],
    ),
    (
        {f"{SEARCH}.attacks": ["bae"], f"{SEARCH}.rows": 0},
        ["rows: expected a whole number of at least 1, got 0", "attack bae needs"],
    ),
    (
        {"distillation": ["kd"], "evaluation": "all"},
        ["distillation: expected a section", "evaluation: expected a section"],
    ),
    (
        {"evolution.strategy": "nsga2", "evolution.population": 6, "evolution.elite": 9},
        ["population: expected a multiple of 4 for nsga2, got 6", "elite: expected fewer than population (6), got 9"],
    ),
    (
        {"evolution.population": 4, "evolution.elite": 9, "evolution.mutations": "many"},
        ["mutations: expected a whole number", "elite: expected fewer than population (4), got 9"],
    ),
    (
        {"evolution.tournamnet": "two", "evolution.mutations": 0},
        ["Did you mean evolution.tournament?", "evolution.tournament: expected a whole number", "mutations: expected"],
    ),
    (
        {"task.labels": ["sad", "sad"], "task.metric": "pearson", "fitness.robustness": "single_swap_worst"},
        ["got sad more than once", "expected a metric of classification", "single_swaps: expected at least one attack"],
    ),
    (
        {"evolution.warm_start": ["run:./gone"], f"{SEARCH}.attacks": ["gone:attack"], "teacher.model": "./gone"},
        ["evolution.warm_start.0: expected run:FOLDER of a run", "gone:attack", "teacher.model: there is no folder"],
    ),
    (
        {"execution.backend": "ray", "execution.device": "cuda:1", "execution.workers": 0},
        ["device: expected auto, cpu or cuda", "workers: expected at least 1"],
    ),
    (
        {"execution.timeout_minutes": True, "fitness.min_quality": "high"},
        ["timeout_minutes: expected a number, got true", "min_quality: expected a number of at least 0, got 'high'"],
    ),
]


@pytest.mark.parametrize(("changes", "parts"), BROKEN, ids=[" ".join(changes) for changes, _ in BROKEN])
def test_one_run_tells_all_that_is_wrong(changes: dict[str, Any], parts: list[str], folder: Path) -> None:
    lines = told(change(folder, changes))
    assert [part for part in parts if not any(part in line for line in lines)] == [], "\n".join(lines)
    assert [line for line in lines if FOREIGN.search(line)] == []
    assert len(set(lines)) == len(lines)


def test_a_rule_that_only_what_stands_for_a_wrong_value_breaks_is_not_told(folder: Path) -> None:
    (line,) = told(change(folder, {"evolution.population": "ten", "evolution.elite": 9}))
    assert "evolution.population: expected a whole number" in line


def test_rows_too_few_for_what_stands_for_a_wrong_share_are_not_blamed(folder: Path) -> None:
    rows = ["text\tlabel", *["a good day\tpositive", "a sad day\tnegative"] * 2]  # none is without a double
    (folder / "few.tsv").write_text("\n".join(rows) + "\n")
    files = {"train": "few.tsv", "validation": "data/test.tsv", "test_share": 2}
    (line,) = told(change(folder, {"task.path": None, "task.local": None, "task.files": files}))
    assert "task.files.test_share: expected a number" in line


def test_each_key_is_told_with_its_line(folder: Path) -> None:
    path = change(folder, {"evolution.populaton": 3, "teacher.model": "./gone", "baselines": ["adabrt"]})
    text = path.read_text().splitlines()
    numbered = [int(found[1]) for line in told(path) if (found := re.match(rf"{path}:(\d+): ", line))]
    assert [text[number - 1].split(":")[0].strip(" -") for number in numbered] == ["populaton", "adabrt", "model"]


def test_an_override_is_told_as_such_and_what_it_replaces_is_not_blamed(folder: Path) -> None:
    lines = told(folder / "experiment.yaml", "evolution.populaton=3", "evolution.candidates=none", "teacher.model=./no")
    assert all(line.startswith("command line: -o ") for line in lines) and len(lines) == 3


def test_a_space_that_is_wrong_is_told_with_all_else_by_its_own_lines(folder: Path) -> None:
    space = yaml.safe_load((folder / "space.yaml").read_text())
    space["operations"]["attenton"] = space["operations"].pop("attention")
    space["widhts"] = space.pop("widths")
    (folder / "space.yaml").write_text(yaml.safe_dump(space, sort_keys=False))
    lines = told(change(folder, {"seed": -1}))
    for part in ("Did you mean attention?", "got 'widhts'. Did you mean widths?", "seed: expected"):
        assert any(part in line for line in lines)
    assert any(re.search(r"space\.yaml:\d+: ", line) for line in lines)


def test_test_rows_that_are_training_rows_are_refused_until_they_are_accepted(folder: Path) -> None:
    train, test = folder / "data/train.tsv", folder / "data/test.tsv"
    test.write_text(test.read_text() + "\n".join(train.read_text().splitlines()[1:4]) + "\n")
    (line,) = told(folder / "experiment.yaml")
    assert "task.on_shared_rows: expected test rows that are no training rows, got " in line and re.search(
        r"got \d+ of \d+ ", line
    )
    validation = folder / "data/validation.tsv"
    validation.write_text(train.read_text())
    (line,) = told(folder / "experiment.yaml", "task.local.validation=validation.tsv")
    assert re.search(r"got \d+ of \d+ \(\d+\.\d%\); besides, \d+ of \d+ validation rows are train rows too", line)
    looked = look_at(folder / "experiment.yaml", ["task.on_shared_rows=keep"])
    assert looked.task is not None and len(looked.task.test) > 3


def test_finalists_are_announced_only_where_there_will_be_some(folder: Path) -> None:
    path = folder / "experiment.yaml"
    found = {count: check_all(look_at(path, [f"finalists.count={count}"]), path)[1]["attacks"] for count in (0, 1)}
    assert found[0] == "search: deepwordbug on 4 rows"
    assert found[1] == "search: deepwordbug on 4 rows; finalists: deepwordbug, pruthi on 4 rows"


def test_weights_of_classes_are_told_and_that_they_have_no_effect_is_a_doubt(folder: Path) -> None:
    path, balanced = folder / "experiment.yaml", "distillation.class_weights=balanced"

    def checked(*overrides: str) -> dict[str, str]:
        return check_all(look_at(path, overrides), path)[1]

    assert "classes" not in checked()
    assert re.match(r"weighed from \S+ \(\w+\) to \S+ \(\w+\), balanced$", checked(balanced)["classes"])
    found = checked(balanced, "distillation.hard_weight=0")
    assert "distillation.class_weights has no effect" in found["doubts"] and "classes" not in found


def test_badly_skewed_classes_are_told_with_the_key_that_weighs_them(folder: Path) -> None:
    train, path = folder / "data/train.tsv", folder / "experiment.yaml"
    head, *rows = train.read_text().splitlines()
    label = head.split("\t").index("label")
    rare = [row for row in rows if row.split("\t")[label] == "positive"][:2]
    train.write_text("\n".join([head, *(row for row in rows if row.split("\t")[label] == "negative"), *rare]) + "\n")
    told = check_all(look_at(path, ["task.validation_rows=8"]), path)[1]["classes"]
    assert "; distillation.class_weights: balanced makes the rare ones count as much" in told


def test_what_is_wrong_is_told_without_torch(folder: Path) -> None:
    code = (
        "import sys\n"
        "from rosearch.errors import RosearchError\n"
        "from rosearch.run.check import look_at\n"
        "try:\n    look_at(sys.argv[1], sys.argv[2:])\nexcept RosearchError as error:\n    print(len(error.lines))\n"
        "print(*sorted({'torch', 'transformers', 'textattack', 'deap', 'sqlalchemy'} & set(sys.modules)))\n"
    )
    wrong = ["evolution.populaton=3", f"{SEARCH}.attacks=[depwordbug]", "baselines=[x]", "teacher.model=./gone"]
    wrong += ["distillation.class_weights={spam: 2}"]
    command = [sys.executable, "-c", code, str(folder / "experiment.yaml"), *wrong]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["5"]
