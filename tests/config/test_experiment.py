from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from rosearch.config.experiment import Experiment
from rosearch.config.file import experiment_of, load_experiment, load_snapshot
from rosearch.errors import BadInput
from rosearch.space.known import known_architecture
from rosearch.space.loading import load_space

ROOT = Path(__file__).resolve().parents[2]
# A file that no test sees is a file that breaks unseen: whoever adds one changes the number.
EXPERIMENT_FILES = 15
SEARCH_SPACE_FILES = 12
LABELS = {
    "sst2": ["negative", "positive"],
    "agnews": ["World", "Sports", "Business", "Sci/Tech"],
    "mrpc": ["not_equivalent", "equivalent"],
    "rte": ["entailment", "not_entailment"],
    "cola": ["unacceptable", "acceptable"],
    "sib200": ["science/technology", "travel", "politics", "sports", "health", "entertainment", "geography"],
}


def yaml_files(folder: str) -> list[Path]:
    return sorted(path for path in (ROOT / folder).rglob("*") if path.suffix in (".yaml", ".yml"))


def write(folder: Path, **changes: Any) -> Path:
    """A minimal experiment file; a change to None leaves the key out."""
    data: dict[str, Any] = {
        "name": "small",
        "search_space": "space.yaml",
        "task": {"name": "t", "text": ["text"], "labels": ["no", "yes"], "generated": {"train": 100}},
        "teacher": {"model": "somewhere"},
        **changes,
    }
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump({key: value for key, value in data.items() if value is not None}))
    return path


def problems_of(path: Path, *overrides: str, data_root: Path | None = None) -> list[str]:
    with pytest.raises(BadInput) as caught:
        load_experiment(path, overrides, data_root)
    assert str(caught.value).splitlines() == [str(problem) for problem in caught.value.problems]
    return [
        re.sub(r"(?<=yaml):\d+: ", ": ", line) for line in str(caught.value).splitlines()
    ]  # test_places.py has them


def test_every_experiment_file_loads_with_its_space_and_its_architectures() -> None:
    files = yaml_files("experiments")
    assert len(files) == EXPERIMENT_FILES
    for path in files:
        experiment = load_experiment(path)
        assert experiment.name in (
            path.stem,
            f"robust_{path.stem}",
        )  # a run is named by it, in whatever folder it stands
        load_space(experiment.search_space)
        for name in (*experiment.baselines, *experiment.evolution.warm_start):
            known_architecture(name)


def test_every_search_space_file_loads() -> None:
    files = yaml_files("search_spaces")
    assert len(files) == SEARCH_SPACE_FILES
    assert all(load_space(path).name == path.stem for path in files)


@pytest.mark.parametrize("name", LABELS)
def test_the_main_experiments_name_a_hub_and_a_layout_of_files(name: str, tmp_path: Path) -> None:
    path = ROOT / "experiments" / f"{name}.yaml"
    task = load_experiment(path).task
    assert task.labels == LABELS[name]
    assert task.hub is not None and task.path is None
    assert load_experiment(path, data_root=tmp_path).task.path == tmp_path / task.local.folder


def test_a_search_space_is_found_beside_its_experiment_wherever_one_stands(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    path = write(tmp_path / "deep", search_space="../space.yaml")
    assert load_experiment(path).search_space == tmp_path / "space.yaml"
    absolute = write(tmp_path, search_space="/elsewhere/space.yaml")
    assert load_experiment(absolute).search_space == Path("/elsewhere/space.yaml")


def test_an_experiment_survives_json(tmp_path: Path) -> None:
    experiment = load_experiment(write(tmp_path))
    assert Experiment.model_validate_json(experiment.model_dump_json()) == experiment


def test_all_problems_of_a_file_are_reported_at_once(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        name="no/slash",
        teacher=None,
        evolution={"populaton": 8, "candidates": "many"},
        distillation={"epochs": -1, "method": "magic"},
        fitness={"weights": {"robustness": 0, "accuracy": 0, "efficiency": 0}},
    )
    found = problems_of(path)
    assert all(line.startswith(f"{path}: ") for line in found)
    keys = {line.removeprefix(f"{path}: ").split(": expected")[0] for line in found}
    assert keys == {
        "name",
        "teacher",
        "evolution.populaton",
        "evolution.candidates",
        "distillation.epochs",
        "distillation.method",
        "fitness.weights",
    }
    assert f"{path}: teacher: expected a section (model, outputs, tokenizer, fine_tune), got nothing" in found
    (unknown,) = (line for line in found if "populaton" in line)
    assert "expected a key of evolution (strategy, candidates, " in unknown
    assert unknown.endswith("got 'populaton'. Did you mean evolution.population?")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"generated": None}, "one of files, hub and generated (or path), which say where the data are, got none"),
        ({"hub": {"dataset": "d"}}, "one of files, hub and generated (or path)"),
        ({"files": {"train": "a.csv"}}, "got files and generated"),
        ({"generated": None, "files": {"train": "a.csv"}, "path": "b"}, "got files and path"),
        (
            {"generated": None, "files": {"train": "a.csv", "test_share": 0.6}},
            "expected a number above 0 and below 0.5",
        ),
        ({"generated": None, "files": {"train": "a.csv", "label_values": ["1"]}}, "one spelling for each of 2 labels"),
        ({"labels": ["one"]}, "at least two names"),
        ({"labels": ["a", "a"]}, "names that differ"),
        ({"labels": [True, False]}, "expected a text, got true. Put it in quotes."),
        ({"problem": "regression", "metric": "pearson"}, "expected none for regression"),
        ({"problem": "regression", "labels": []}, "task.metric: expected a metric of regression, got accuracy"),
        ({"metric": "spearman"}, "task.metric: expected a metric of classification, got spearman"),
        ({"text": []}, "expected a list of 1 to 2, each a text, got []"),
        ({"text": ["a", "b", "c"]}, "expected a list of 1 to 2, each a text, got ["),
        ({"text": ["a", "b"], "phrases": True}, "task.phrases: expected false for a task of two texts"),
        ({"local": {"text": ["a", "b"]}}, "as many columns as text (1)"),
        ({"local": {"label_values": ["1"]}}, "one spelling for each of 2 labels"),
        ({"local": {"label_values": ["1", "1"]}}, "one spelling for each of 2 labels"),
    ],
)
def test_a_task_that_contradicts_itself_is_refused(changes: dict[str, Any], expected: str, tmp_path: Path) -> None:
    task = {"name": "t", "text": ["text"], "labels": ["no", "yes"], "generated": {"train": 100}}
    task = {key: value for key, value in {**task, **changes}.items() if value is not None}
    found = problems_of(write(tmp_path, task=task))
    assert any(expected in line for line in found)
    assert all(line.startswith(f"{tmp_path}/small.yaml: task") for line in found)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "expected a mapping of keys, got nothing"),
        (b"[1, 2]", "expected a mapping of keys, got a list"),
        (b"name: [", "expected valid YAML, got "),
        (b"name: \xff\xfe", "expected a readable YAML file, got "),
    ],
)
def test_a_file_that_is_no_mapping_is_one_clear_line(content: bytes, expected: str, tmp_path: Path) -> None:
    path = tmp_path / "broken.yaml"
    path.write_bytes(content)
    (found,) = problems_of(path)
    assert found.startswith(f"{path}: {expected}")


def test_a_missing_file_and_a_folder_are_one_clear_line(tmp_path: Path) -> None:
    assert problems_of(tmp_path / "gone.yaml") == [f"{tmp_path}/gone.yaml: expected a YAML file, got no such file"]
    assert problems_of(tmp_path) == [f"{tmp_path}: expected a YAML file, got a folder"]


def test_overrides_are_read_as_yaml_and_the_last_one_counts(tmp_path: Path) -> None:
    overrides = (
        "seed=7",
        "evolution.candidates=10",
        "evolution.candidates=12",
        "evolution.warm_start=[tinybert4, bert_mini]",
        "distillation.learning_rate=1e-4",
        "distillation.inherit_embeddings=false",
        "task.generated.train=64",
        "task.max_length= 32",
        "teacher.model=package:a=b",
        "distillation.max_steps=null",
    )
    experiment = load_experiment(write(tmp_path, seed=3), overrides)
    assert experiment.seed == 7
    assert experiment.evolution.candidates == 12
    assert experiment.evolution.warm_start == ["tinybert4", "bert_mini"]
    assert experiment.distillation.learning_rate == pytest.approx(1e-4)
    assert experiment.distillation.inherit_embeddings is False
    assert experiment.task.generated is not None and experiment.task.generated.train == 64
    assert experiment.task.max_length == 32
    assert experiment.teacher.model == "package:a=b"


def test_all_bad_overrides_are_reported_with_the_problems_of_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, seed=-1)
    found = problems_of(
        path,
        "seed",
        "=3",
        "evolution.candidates=[",
        "teacher.model.name=x",
        "evolution.nonsense=1",
        "task.max_length=x",
    )
    assert found[:4] == [
        "command line: -o seed: expected key.path=value, got 'seed'",
        "command line: -o =3: expected key.path=value, got '=3'",
        "command line: -o evolution.candidates: expected a YAML value, got '['",
        "command line: -o teacher.model.name: expected a section, got model holds 'somewhere'",
    ]
    keys = {line.split(": expected")[0] for line in found[4:]}
    assert keys == {
        f"{path}: seed",
        "command line: -o evolution.nonsense",
        "command line: -o task.max_length",
    }


@pytest.mark.parametrize(
    "value",
    [
        "0x_",
        "!!bool maybe",
        "!!int ''",
        "&a [*a]",
        "[" * 3000,
        '"\\ud800"',
        '"\\0"',
        "{1: 2}",
        str(2**70),
        "!!timestamp x",
    ],
)
def test_an_override_that_yaml_cannot_read_is_one_line(value: str, tmp_path: Path) -> None:
    (line,) = problems_of(write(tmp_path), f"name={value}")
    assert line.startswith("command line: -o name: expected a YAML value, got ") and len(line) < 500


def test_an_override_that_looks_like_a_date_is_a_text(tmp_path: Path) -> None:
    assert load_experiment(write(tmp_path), ["name=2026-30-11"]).name == "2026-30-11"


def test_a_problem_does_not_repeat_all_that_it_was_given(tmp_path: Path) -> None:
    long = "x" * 20_000
    path = write(tmp_path, **{long: 1, "seed": long, "name": [long] * 2, "task": {"name": {"a": long}}})
    lines = problems_of(path)
    assert len(lines) > 3 and max(map(len, lines)) < 1000
    assert any("letters)" in line for line in lines)


@pytest.mark.parametrize("section", ["evaluation", "finalists", "distillation"])
@pytest.mark.parametrize("value", [1, "a", [1], {"robustness": 1}, {"robustness": {"attack": 1}}, {"mate_kd": 1}])
def test_a_section_of_a_snapshot_that_holds_something_else_is_bad_input(
    section: str, value: object, tmp_path: Path
) -> None:
    with pytest.raises(BadInput):
        load_snapshot(write(tmp_path, **{section: value}))


def test_a_path_turns_a_hub_task_into_a_local_one(tmp_path: Path) -> None:
    task = {
        "name": "t",
        "text": ["a"],
        "labels": ["no", "yes"],
        "hub": {"dataset": "d"},
        "local": {"folder": "below"},
    }
    path = write(tmp_path, task=task)
    assert load_experiment(path).task.path is None
    assert load_experiment(path, ("task.path=here",)).task.path == Path("here").resolve()
    assert load_experiment(path, data_root=Path("/data")).task.path == Path("/data/below")
    assert load_experiment(path, ("task.local.folder=other",), Path("/data")).task.path == Path("/data/other")
    assert load_experiment(path, ("task.path=here",), Path("/data")).task.path == Path("here").resolve()


def test_a_data_root_does_not_touch_a_generated_task(tmp_path: Path) -> None:
    assert load_experiment(write(tmp_path), data_root=Path("/data")).task.path is None


def test_a_data_root_without_a_layout_says_which_key_is_missing(tmp_path: Path) -> None:
    task = {"name": "t", "text": ["a"], "labels": ["no", "yes"], "hub": {"dataset": "d"}}
    path = write(tmp_path, task=task)
    assert problems_of(path, data_root=Path("/data")) == [
        f"{path}: task.local.folder: expected a folder below --data-root, got none"
    ]


def test_a_key_that_stands_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "twice.yaml"
    path.write_text("name: one\nseed: 1\nname: two\n")
    (found,) = problems_of(path)
    assert "the key 'name' stands twice" in found


def test_a_data_root_leaves_a_malformed_layout_to_the_checks(tmp_path: Path) -> None:
    task = {"name": "t", "text": ["a"], "labels": ["no", "yes"], "hub": {"dataset": "d"}, "local": 3}
    found = problems_of(write(tmp_path, task=task), data_root=Path("/data"))
    assert any("task.local: expected" in line for line in found)
    generated = write(tmp_path, task={"name": "t", "text": ["a"], "labels": ["no", "yes"], "generated": {}})
    assert load_experiment(generated, data_root=Path("/data")).task.path is None


def test_a_rule_between_keys_names_the_key_and_what_it_holds(tmp_path: Path) -> None:
    path = write(tmp_path, evolution={"strategy": "nsga2", "population": 10})
    assert problems_of(path) == [f"{path}: evolution.population: expected a multiple of 4 for nsga2, got 10"]


@pytest.mark.parametrize(
    ("evolution", "expected"),
    [
        (
            {"rungs": [0.5, 0.5]},
            "rungs: expected shares between 0 and 1, each larger than the one before, got [0.5, 0.5]",
        ),
        ({"rungs": [0.0]}, "rungs: expected shares between 0 and 1, each larger than the one before, got [0.0]"),
        (
            {"rungs": [0.5, 1]},
            "rungs: expected shares between 0 and 1, each larger than the one before, got [0.5, 1.0]",
        ),
        (
            {"rungs": [0.5], "mode": "steady"},
            "mode: expected generational for rungs, at which a generation is compared, got steady",
        ),
        (
            {"rungs": [0.5], "strategy": "kd_nas"},
            "rungs: expected none for kd_nas, whose predictor learns from students that are trained to the end, "
            "got [0.5]",
        ),
    ],
)
def test_rungs_that_no_search_can_climb_are_one_line(
    tmp_path: Path, evolution: dict[str, object], expected: str
) -> None:
    path = write(tmp_path, evolution=evolution)
    assert problems_of(path) == [f"{path}: evolution.{expected}"]


def test_a_fitness_must_only_weigh_what_is_measured(tmp_path: Path) -> None:
    path = write(tmp_path, fitness={"efficiency": "latency"}, evaluation={"efficiency": {"repeats": 0}})
    (found,) = problems_of(path)
    assert found.startswith(f"{path}: evaluation.efficiency.repeats: expected above 0")
    task = {"name": "t", "text": ["text"], "problem": "regression", "metric": "pearson", "generated": {}}
    only = {"weights": {"robustness": 1, "accuracy": 0, "efficiency": 0}}
    (found,) = problems_of(write(tmp_path, task=task, fitness=only))
    assert found.startswith(f"{path}: fitness.weights: expected accuracy or efficiency above 0")


ATTACKED = "evaluation.robustness"


def test_suites_have_defaults_that_need_no_resources_and_can_be_changed_key_by_key(tmp_path: Path) -> None:
    robustness = load_experiment(write(tmp_path)).evaluation.robustness
    assert (robustness.search.attacks, robustness.search.rows) == (["deepwordbug"], 100)
    assert (robustness.report.attacks, robustness.report.rows) == (["deepwordbug", "pruthi"], 200)
    overrides = (f"{ATTACKED}.search.rows=7", f"{ATTACKED}.report.rows=9", f"{ATTACKED}.search.hopeless.below=0.1")
    changed = load_experiment(write(tmp_path), overrides).evaluation.robustness
    assert (changed.search.rows, changed.report.rows) == (7, 9)
    assert changed.search.attacks == ["deepwordbug"] and changed.report.attacks == ["deepwordbug", "pruthi"]
    assert changed.search.hopeless is not None and changed.search.hopeless.error_rate == 0.05


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("search.attacks=[a, a]", "search.attacks: expected each attack once, got ['a', 'a']"),
        ("search.single_swaps=[a, a]", "search.single_swaps: expected each attack once"),
        ("search.attacks=[]", "search.attacks: expected"),
        ("search.attacks=[pruthi, deepwordbug]", "report.attacks: expected at least one attack that search has not"),
        ("report.attacks=[deepwordbug]", "report.attacks: expected at least one attack that search has not"),
        ("search.hopeless={below: 0.1, looks: 101}", "search.hopeless.looks: expected at most rows (100), got 101"),
        ("search.hopeless={below: 1}", "search.hopeless.below: expected"),
        ("search.hopeless={}", "search.hopeless.below: expected a number above 0 and below 1, got nothing"),
        ("search.queries=0", "search.queries: expected"),
    ],
)
def test_suites_that_contradict_themselves_are_refused(override: str, expected: str, tmp_path: Path) -> None:
    path = write(tmp_path)
    (found,) = problems_of(path, f"{ATTACKED}.{override}")
    assert f": {ATTACKED}.{expected}" in found.replace("-o ", "")


def test_keys_of_older_files_name_the_new_ones_all_at_once(tmp_path: Path) -> None:
    old = {"robustness": {"attack": "deepwordbug", "rows": 50}}
    path = write(tmp_path, evaluation=old, finalists={"count": 1, "rows": 80})
    assert problems_of(path) == [
        f"{path}: {ATTACKED}.attack: expected {ATTACKED}.search.attacks in its place, got deepwordbug",
        f"{path}: {ATTACKED}.rows: expected {ATTACKED}.search.rows in its place, got 50",
        f"{path}: finalists.rows: expected {ATTACKED}.report.rows in its place, got 80",
    ]
    kept = load_experiment(write(tmp_path)).model_dump(mode="json")
    assert set(kept["evaluation"]["robustness"]) == {"search", "report", "resources"}
    assert "rows" not in kept["finalists"]


@pytest.mark.parametrize("measure", ["single_swap_worst", "single_swap_margin"])
def test_a_fitness_of_single_swaps_needs_a_recipe_whose_swaps_are_scored(measure: str, tmp_path: Path) -> None:
    path = write(tmp_path, fitness={"robustness": measure})
    (found,) = problems_of(path)
    assert found.startswith(f"{path}: {ATTACKED}.search.single_swaps: expected at least one attack")
    assert load_experiment(path, (f"{ATTACKED}.search.single_swaps=[deepwordbug]",)).fitness.robustness == measure


def test_the_snapshot_of_an_older_version_is_read(tmp_path: Path) -> None:
    old = {"robustness": {"attack": "deepwordbug", "rows": 50}}
    path = write(tmp_path, evaluation=old, finalists={"count": 1, "rows": 80})
    robustness = load_snapshot(path).evaluation.robustness
    assert (robustness.search.attacks, robustness.search.rows, robustness.report.rows) == (["deepwordbug"], 50, 80)
    by_rows = write(tmp_path, distillation={"mate_kd": {"rows_at_once": 4}})
    assert load_snapshot(by_rows).distillation.mate_kd.tokens_at_once == 512
    assert load_snapshot(write(tmp_path)) == load_experiment(write(tmp_path))
    before_surrogates = write(tmp_path, evolution={"strategy": "rosearch"})  # its other keys are all there
    assert load_snapshot(before_surrogates).evolution.surrogate == "none"  # it goes on as it began
    assert load_experiment(before_surrogates).evolution.surrogate == "gaussian_process"
    since = write(tmp_path, evolution={"surrogate": "gaussian_process"})
    assert load_snapshot(since) == load_experiment(since)
    damaged = write(tmp_path, seed=-1)
    with pytest.raises(BadInput, match="seed"):
        load_snapshot(damaged)


def test_resources_are_found_wherever_a_run_is_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = load_experiment(write(tmp_path), (f"{ATTACKED}.resources=lists",)).evaluation.robustness.resources
    assert found == tmp_path / "lists"


BOOLEANS = (
    "seed",
    "distillation.learning_rate",
    "distillation.max_steps",
    "fitness.weights.accuracy",
    "evaluation.efficiency.batch_sizes",
)


@pytest.mark.parametrize("key", BOOLEANS)
@pytest.mark.parametrize("word", ["yes", "true", "off"])
def test_true_or_false_for_a_number_is_refused_in_file_and_override(key: str, word: str, tmp_path: Path) -> None:
    value = f"[{word}]" if key.endswith("sizes") else word
    (line,) = problems_of(write(tmp_path), f"{key}={value}")
    assert f"expected a number, got {'false' if word == 'off' else 'true'}" in line


def test_an_integer_that_begins_with_0_is_read_as_it_is_written(tmp_path: Path) -> None:
    assert load_experiment(write(tmp_path), ["seed=010", "name=010"]).seed == 10
    (line,) = problems_of(write(tmp_path), "seed=1:30")
    assert "seed" in line and "1:30" in line


def test_a_teacher_may_be_named_alone_and_its_keys_still_take_overrides(tmp_path: Path) -> None:
    short, whole = write(tmp_path, teacher="somewhere"), {"model": "somewhere"}
    assert load_experiment(short).teacher == load_experiment(write(tmp_path, teacher=whole)).teacher
    tuned = load_experiment(write(tmp_path, teacher="somewhere"), ["teacher.fine_tune.epochs=1"])
    assert (tuned.teacher.model, tuned.teacher.fine_tune.epochs) == ("somewhere", 1)
    assert load_experiment(short, ["teacher=elsewhere"]).teacher.model == "elsewhere"
    data = yaml.safe_load(short.read_text())
    assert Experiment.model_validate(data).teacher.model == "somewhere"
    assert experiment_of(data, "memory", tmp_path, ["teacher.fine_tune.epochs=1"]).teacher == tuned.teacher


def test_a_limit_must_be_one_of_what_is_measured(tmp_path: Path) -> None:
    path = write(tmp_path, fitness={"max_latency_ms": 5}, evaluation={"efficiency": {"repeats": 0}})
    (found,) = problems_of(path)
    assert found.startswith(f"{path}: evaluation.efficiency.repeats: expected above 0")
    assert found.endswith("for fitness.max_latency_ms, got 0")
    task = {"name": "t", "text": ["text"], "problem": "regression", "metric": "pearson", "generated": {}}
    (found,) = problems_of(write(tmp_path, task=task, fitness={"min_under_attack": 0.5}))
    assert found.startswith(f"{path}: fitness.min_under_attack: expected 0: neither regression nor an encoder")
