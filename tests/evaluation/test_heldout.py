from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rosearch.data.columns import USUAL_COLUMNS, Columns
from rosearch.errors import BadInput
from rosearch.evaluation.heldout import HeldOut, score
from rosearch.evaluation.heldout_files import ADVGLUE, Wanted, read_held_out
from rosearch.evaluation.intervals import wilson

SENTIMENT = ("negative", "positive")
NLI = ("entailment", "neutral", "contradiction")


def written(path: Path, content: str) -> Path:
    path.write_text(content, encoding="utf-8")
    return path


def lines(path: Path, *rows: dict[str, Any]) -> Path:
    return written(path, "".join(json.dumps(row) + "\n" for row in rows))


def problems(path: Path, labels: tuple[str, ...] = SENTIMENT, task: str = "") -> list[str]:
    with pytest.raises(BadInput) as caught:
        read_held_out(path, Wanted(labels, task))
    assert all(problem.where == str(path) for problem in caught.value.problems)
    return [str(problem).removeprefix(f"{path}: ") for problem in caught.value.problems]


def held(labels: list[int | None], groups: list[str], pairs: list[str] | None = None) -> HeldOut:
    texts = tuple((f"row {row}",) for row in range(len(labels)))
    return HeldOut("made", "", texts, tuple(labels), tuple(groups), tuple(groups if pairs is None else pairs))


ADVERSARIAL = {
    "sst2": [{"idx": 0, "label": 1, "sentence": "an exhilaratting film"}, {"idx": 1, "label": 0, "sentence": "dul"}],
    "qqp": [{"idx": 0, "label": 1, "question1": "Why ?", "question2": "How come ?"}],
    "mnli": [
        {"idx": 0, "label": 0, "premise": "p", "hypothesis": "h"},
        {"idx": 1, "label": 2, "premise": "q", "hypothesis": "i"},
    ],
    "mnli-mm": [{"idx": 0, "label": 1, "premise": "p", "hypothesis": "h"}],
    "qnli": [{"idx": 0, "label": 1, "question": "Who ?", "sentence": "He ."}],
    "rte": [{"idx": 0, "label": 0, "sentence1": "a", "sentence2": "b"}],
}


@pytest.fixture
def dev(tmp_path: Path) -> Path:
    return written(tmp_path / "dev.json", json.dumps(ADVERSARIAL))


@pytest.mark.parametrize("task", ADVGLUE)
def test_every_task_of_advglue_is_read(dev: Path, task: str) -> None:
    columns, names = ADVGLUE[task]
    found = read_held_out(dev, Wanted(names, task))
    rows: list[dict[str, Any]] = ADVERSARIAL[task]  # type: ignore[assignment]
    assert (found.name, found.task, len(found)) == ("dev", task, len(rows))
    assert found.texts == tuple(tuple(row[column] for column in columns) for row in rows)
    assert found.labels == tuple(row["label"] for row in rows)
    assert set(found.groups) == set(found.pairs) == {""}


@pytest.mark.parametrize(
    ("task", "meant"), [("SST-2", "sst2"), ("adv_sst2", "sst2"), ("adv_mnli_mismatched", "mnli-mm"), ("MNLI", "mnli")]
)
def test_a_task_is_known_by_its_other_spellings(dev: Path, task: str, meant: str) -> None:
    assert read_held_out(dev, Wanted(ADVGLUE[meant][1], task)).task == meant


def test_a_file_of_one_task_needs_no_name_and_one_of_several_does(dev: Path, tmp_path: Path) -> None:
    one = written(tmp_path / "rte.json", json.dumps({"rte": ADVERSARIAL["rte"]}))
    assert read_held_out(one, Wanted(("entailment", "not_entailment"))).task == "rte"
    assert problems(dev) == [
        "expected one task, or the name of the one that is meant (--suite-task), "
        "got sst2, qqp, mnli, mnli-mm, qnli and 1 more"
    ]
    assert problems(one, task="sst2") == ["expected the task 'sst2', got rte"]


def test_advglues_integers_are_taken_by_name_where_the_classifier_orders_its_classes_otherwise(dev: Path) -> None:
    assert read_held_out(dev, Wanted(("Contradiction", "ENTAILMENT", "neutral"), "mnli")).labels == (1, 0)
    assert read_held_out(dev, Wanted(("LABEL_0", "LABEL_1", "LABEL_2"), "mnli")).labels == (0, 2)


def test_a_classifier_of_other_classes_is_refused(dev: Path) -> None:
    for labels in (("entailment", "other", "neither"), ("entailment", "contradiction"), ("a", "b"), ("a", "b", "c")):
        (problem,) = problems(dev, labels, "mnli")
        assert problem.startswith("mnli: expected a classifier of entailment, neutral, contradiction, got")


def test_the_method_of_an_annotated_row_is_its_group(tmp_path: Path) -> None:
    rows = [{"label": 1, "sentence": "good", "method": "textbugger"}, {"label": 0, "sentence": "bad", "method": "glue"}]
    path = written(tmp_path / "test_ann.json", json.dumps({"sst2": rows}))
    assert read_held_out(path, Wanted(SENTIMENT)).groups == ("textbugger", "glue")


def test_all_that_is_wrong_with_the_rows_of_advglue_is_said_at_once(tmp_path: Path) -> None:
    rows = [{"label": 1, "sentence": "good"}, {"label": -1, "sentence": ""}, {"label": 0}, {"sentence": 3}, 7]
    found = problems(written(tmp_path / "dev.json", json.dumps({"sst2": rows})))
    assert found == [
        "sst2 column 'label': expected negative, positive, or their integers, got -1, nothing in rows 2, 4, 5",
        "sst2 column 'sentence': expected text in every row, got nothing, 3 in rows 2, 3, 4, 5. "
        "--drop-bad-rows leaves such rows out",
    ]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"sst2": 3}', '{"sst2": {"0": {}}}'])
def test_json_of_another_shape_is_refused(tmp_path: Path, content: str) -> None:
    (problem,) = problems(written(tmp_path / "dev.json", content))
    assert problem.startswith("expected an object of lists of rows by task, as AdvGLUE's dev.json, got ")


def test_an_empty_task_and_an_unknown_one_are_refused(tmp_path: Path) -> None:
    assert problems(written(tmp_path / "a.json", '{"sst2": []}')) == ["sst2: expected at least one row, got none"]
    (problem,) = problems(written(tmp_path / "b.json", '{"cola": [{"label": 1}]}'))
    assert problem.startswith("cola: expected a task of AdvGLUE (sst2, qqp")
    assert problems(written(tmp_path / "c.json", "{}"))[0].endswith("got none")


@pytest.mark.parametrize("spelling", [("0", "1"), ("negative", "positive"), ("Negative", " POSITIVE"), ("0.0", "1.0")])
def test_a_contrast_set_is_read_from_csv(tmp_path: Path, spelling: tuple[str, str]) -> None:
    no, yes = spelling
    content = f'text,label,group,pair\n"Good, really",{yes},original,1\nBad,{no},contrast,1\nFine,{yes},original,2\n'
    found = read_held_out(written(tmp_path / "contrast.csv", content), Wanted(SENTIMENT))
    assert found.name == "contrast" and found.task == ""
    assert found.texts == (("Good, really",), ("Bad",), ("Fine",))
    assert found.labels == (1, 0, 1)
    assert found.groups == ("original", "contrast", "original")
    assert found.pairs == ("1", "1", "2")


def test_json_lines_with_two_texts_and_no_groups_are_read(tmp_path: Path) -> None:
    path = lines(
        tmp_path / "a.jsonl", {"text": "p", "text2": "h", "label": 2}, {"text": "q", "text2": "i", "label": 0.0}
    )
    found = read_held_out(path, Wanted(NLI))
    assert found.texts == (("p", "h"), ("q", "i"))
    assert (found.labels, found.groups, found.pairs) == ((2, 0), ("", ""), ("", ""))


def test_a_compressed_file_and_names_that_are_digits_are_read(tmp_path: Path) -> None:
    path = tmp_path / "suite.csv.gz"
    path.write_bytes(gzip.compress(b"text,label\na,1\nb,0\n"))
    found = read_held_out(path, Wanted(("1", "0")))
    assert (found.name, found.labels) == ("suite", (0, 1))


def test_files_of_a_pattern_are_one_set_in_which_the_gap_is_the_group(tmp_path: Path) -> None:
    for language, text in (("deu", "Gut"), ("eng", "Good")):
        (tmp_path / "films" / language).mkdir(parents=True)
        content = f"category\ttext\tpair\nPositive\t{text}\t1\nnegative\tnot {text}\t2\n"
        written(tmp_path / "films" / language / "test.tsv", content)
    found = read_held_out(
        tmp_path / "films" / "{eng,deu}" / "test.tsv", Wanted(SENTIMENT, columns=Columns(label="category"))
    )
    assert (found.name, found.labels) == ("films", (1, 0, 1, 0))
    assert found.texts == (("Good",), ("not Good",), ("Gut",), ("not Gut",))
    assert found.groups == ("eng", "eng", "deu", "deu")
    scored = score(found, [1, 0, 1, 1])
    assert scored.overall.consistency == wilson(1, 2)  # a sentence is right in both languages
    assert scored.groups["deu"].accuracy == wilson(1, 2) and scored.worst_group == "deu"


def test_groups_within_the_files_of_a_pattern_are_kept_apart(tmp_path: Path) -> None:
    for name in ("a", "b"):
        written(tmp_path / f"{name}.csv", "text,label,group\ngood,1,short\nvery good,1,\n")
    found = read_held_out(tmp_path / "*.csv", Wanted(SENTIMENT))
    assert found.groups == ("a/short", "a", "b/short", "b")


def test_problems_of_all_files_of_a_pattern_are_said_at_once_by_the_files_own_columns(tmp_path: Path) -> None:
    written(tmp_path / "a.csv", "sentence,category\ngood,great\n")
    written(tmp_path / "b.csv", "sentence,category\n,positive\n")
    written(tmp_path / "c.csv", "sentence,label\ngood,1\n")
    written(tmp_path / "d.csv", "sentence\ngood\n")
    with pytest.raises(BadInput) as caught:
        read_held_out(tmp_path / "*.csv", Wanted(SENTIMENT, columns=Columns("sentence", None, "category")))
    assert [str(problem).removeprefix(f"{tmp_path}/") for problem in caught.value.problems] == [
        "a.csv: column 'category': expected negative, positive, or their integers 0 to 1, got 'great' in row 1",
        "b.csv: column 'sentence': expected text in every row, got nothing in row 1. "
        "--drop-bad-rows leaves such rows out",
        "d.csv: expected a column 'category', got only 'sentence'. "
        "Name it with --label; in a set that only expects invariance, add one whose cells are empty",
    ]


def test_the_rows_of_a_group_belong_together_where_no_pairs_are_given(tmp_path: Path) -> None:
    path = lines(
        tmp_path / "a.jsonl",
        {"text": "good", "label": "positive", "group": "vocabulary"},
        {"text": "Ann is here", "label": None, "group": "names"},
        {"text": "Eve is here", "group": "names"},
    )
    found = read_held_out(path, Wanted(SENTIMENT))
    assert found.labels == (1, None, None)
    assert found.pairs == found.groups == ("vocabulary", "names", "names")


def test_expected_invariance_goes_before_a_label(tmp_path: Path) -> None:
    content = "text,label,group,pair,expect\na,1,typos,7,INV\nb,,typos,7,inv\nc,0,typos,,mft\n"
    found = read_held_out(written(tmp_path / "a.csv", content), Wanted(SENTIMENT))
    assert found.labels == (None, None, 0)


def test_a_tests_expectations_must_be_clear_and_all_problems_are_said_at_once(tmp_path: Path) -> None:
    content = (
        "text,label,group,expect\n"
        "a,great,one,\n"  # no such class
        ",positive,one,dir\n"  # no text, an expectation that predictions cannot answer
        "b,,two,mft\n"  # no label where one is needed
        "c,,three,\n"  # alone
        "d,,four,\n"
        "e,positive,four,\n"  # half labelled
    )
    assert problems(written(tmp_path / "a.csv", content)) == [
        "column 'expect': expected mft or inv, got 'dir' in row 2",
        "column 'label': expected negative, positive, or their integers 0 to 1, got 'great', nothing in rows 1, 3",
        "column 'group': expected the same value in another row where there is no label, got 'three' in row 4. "
        "Give a label or its pair; --drop-bad-rows leaves such rows out",
        "column 'group': expected labels in all rows of a value or in none, got both in four. "
        "Tell them apart in a column 'pair'",
        "column 'text': expected text in every row, got nothing in row 2. --drop-bad-rows leaves such rows out",
    ]


def test_missing_columns_are_all_named(tmp_path: Path) -> None:
    assert problems(written(tmp_path / "a.csv", "sentence,gold\na,1\n")) == [
        "expected a column 'label', got only 'sentence', 'gold'. "
        "Name it with --label; in a set that only expects invariance, add one whose cells are empty",
    ]


def test_files_without_rows_or_that_are_not_there_are_refused(tmp_path: Path) -> None:
    assert problems(written(tmp_path / "a.csv", "text,label\n")) == ["expected at least one row, got none"]
    assert problems(written(tmp_path / "b.csv", ""))[0].startswith("expected columns of texts ('sentence1' and")
    assert problems(tmp_path / "absent.jsonl") == ["expected a file, got no such file"]
    assert problems(written(tmp_path / "a.txt", "x"))[0].startswith("expected a file of .tsv, .csv, .jsonl")


def test_long_lists_of_wrong_rows_and_long_values_are_cut(tmp_path: Path) -> None:
    path = lines(tmp_path / "a.jsonl", *({"text": "a", "label": "x" * 100} for _ in range(9)))
    (problem,) = problems(path)
    assert problem.endswith("xxx ... in rows 1, 2, 3, 4, 5 and 4 more") and len(problem) < 200


def test_a_contrast_set_is_scored_by_row_and_by_pair() -> None:
    found = score(
        held([1, 0, 1, 0, 1], ["a", "b", "a", "b", "a"], ["1", "1", "2", "2", "3"]), np.array([1, 0, 1, 1, 0])
    )
    assert found.overall.accuracy == wilson(3, 5)
    assert found.overall.consistency == wilson(1, 2)  # a pair of one row is none
    assert found.overall.invariance is None
    assert {name: group.accuracy for name, group in found.groups.items()} == {"a": wilson(2, 3), "b": wilson(1, 2)}
    assert found.worst_group == "b"


def test_rows_without_labels_are_scored_by_invariance_alone() -> None:
    found = score(held([None] * 5, ["names", "names", "typos", "typos", "typos"]), np.array([1, 1, 0, 0, 1]))
    assert (found.overall.accuracy, found.overall.consistency) == (None, None)
    assert found.overall.invariance == wilson(1, 2)
    assert found.groups["names"].invariance == wilson(1, 1)
    assert found.worst_group == "typos"


def test_both_kinds_of_test_may_stand_in_one_suite() -> None:
    found = score(held([1, 1, None, None], ["v", "v", "v", "v"], ["", "", "1", "1"]), np.array([1, 0, 0, 0]))
    assert (found.overall.accuracy, found.overall.invariance) == (wilson(1, 2), wilson(1, 1))
    assert found.overall.consistency is None
    assert found.groups["v"] == found.overall


def test_a_set_without_groups_has_no_worst_one() -> None:
    found = score(held([1, 0], ["", ""]), np.array([1, 1]))
    assert (found.groups, found.worst_group, found.overall.consistency) == ({}, "", None)


@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from("abc"), st.integers(0, 2)), min_size=1, max_size=30))
def test_groups_add_up_to_the_whole_and_none_is_worse_than_the_worst(rows: list[tuple[int, str, int]]) -> None:
    labels, groups, predicted = zip(*rows, strict=True)
    found = score(held(list(labels), list(groups)), np.array(predicted))
    accuracies = {name: group.accuracy for name, group in found.groups.items()}
    assert found.overall.accuracy is not None
    right = sum(accuracy.value * accuracy.n for accuracy in accuracies.values() if accuracy)
    assert right == pytest.approx(found.overall.accuracy.value * found.overall.n)
    assert sum(group.n for group in found.groups.values()) == found.overall.n == len(rows)
    worst = accuracies[found.worst_group]
    assert worst is not None and all(worst.value <= accuracy.value for accuracy in accuracies.values() if accuracy)


def meant(task: str) -> Wanted:
    return Wanted(SENTIMENT, task, meant=True)


SETS = {
    "dev.json": (json.dumps({"rte": ADVERSARIAL["rte"] * 2}), "rte"),
    "names.csv": ("sentence1,sentence2,label\na,b,entailment\nc,d,entailment\n", "rte"),
    "integers.csv": ("question,sentence,label\na,b,0\nc,d,0\n", "qnli"),
}


@pytest.mark.parametrize("name", SETS)
def test_a_set_whose_labels_mean_something_else_is_refused_unless_its_task_is_named(name: str, tmp_path: Path) -> None:
    content, task = SETS[name]
    path = written(tmp_path / name, content)
    (problem,) = problems(path)
    assert f"give --suite-task {task} if they are meant as the model's classes" in problem.replace("Give", "give")
    assert problems(path, task=task)  # the name of the experiment's task is not the user's word
    assert read_held_out(path, meant(task)).labels == (0, 0)
    if name != "names.csv":
        assert read_held_out(path, Wanted(("LABEL_0", "LABEL_1"))).labels == (0, 0)


def test_integers_beside_premise_and_hypothesis_are_read_for_a_model_that_has_one_of_their_classes(
    tmp_path: Path,
) -> None:
    path = written(tmp_path / "hans.csv", "premise,hypothesis,label\na,b,0\nc,d,1\n")
    assert read_held_out(path, Wanted(("entailment", "non-entailment"))).labels == (0, 1)


@pytest.mark.parametrize("columns", USUAL_COLUMNS)
def test_the_usual_columns_are_found_and_told(columns: tuple[str, ...], tmp_path: Path) -> None:
    texts = ",".join("good" for _ in columns)
    content = f"{','.join(columns)},label\n{texts},positive\n"
    found = read_held_out(written(tmp_path / "a.csv", content), Wanted(SENTIMENT))
    assert found.columns == (*columns, "label") and score(found, [1]).columns == found.columns
    assert found.texts == (("good",) * len(columns),)


def test_names_and_integers_in_one_column_of_labels_are_called_that(tmp_path: Path) -> None:
    (problem,) = problems(written(tmp_path / "a.csv", "text,label\na,positive\nb,0\nc,positive\n"))
    assert "got names and integers mixed in one column ('positive' in 2 rows and '0' in 1 row)" in problem
    (problem,) = problems(written(tmp_path / "b.csv", "text,label\na,1\nb,2\n"))
    assert problem.endswith("got '2' in row 2. The integers start at 1, those of the classes at 0: subtract 1")


def test_deep_json_and_half_a_surrogate_pair_are_one_line(tmp_path: Path) -> None:
    (problem,) = problems(written(tmp_path / "a.json", '{"sst2": ' + "[" * 100_000))
    assert problem.endswith("got nested too deeply")
    (problem,) = problems(written(tmp_path / "b.json", '{"sst2": [{"sentence": "\\ud800", "label": 1}]}'))
    assert "half a surrogate pair" in problem


BAD = {
    "pairs.tsv": "text\ttext2\tlabel\na\tb\t1\na\t\t0\nc\td\t\n",
    "free.csv": "text,label,pair,expect\na,1,,\nb,,x,inv\nc,,x,inv\nd,,y,\n,1,,\ne,,x,mft\n",
    "dev.json": json.dumps({"sst2": [{"label": 1, "sentence": "a"}, {"label": 1}, {"sentence": "b"}, 7]}),
    "all/*.csv": "text,label\na,1\n,0\n",
}


@pytest.mark.parametrize(("name", "kept", "dropped"), [*zip(BAD, (1, 3, 1, 1), (2, 3, 3, 1), strict=True)])
def test_rows_without_a_text_or_a_label_are_refused_or_left_out_and_counted(
    name: str, kept: int, dropped: int, tmp_path: Path
) -> None:
    (tmp_path / "all").mkdir()
    written(tmp_path / name.replace("*", "one"), BAD[name])
    with pytest.raises(BadInput, match="--drop-bad-rows leaves such rows out"):
        read_held_out(tmp_path / name, Wanted(SENTIMENT))
    found = read_held_out(tmp_path / name, Wanted(SENTIMENT, drop=True))
    assert (len(found), found.dropped) == (kept, dropped)
    assert score(found, [0] * kept).dropped == dropped


@pytest.mark.parametrize(
    ("labels", "numbered"),
    [(("1", "0"), True), (("1.0", "0.0"), True), (("True", "False"), True), (("positive", "negative"), False)],
)
def test_labels_that_say_nothing_of_the_order_of_classes_are_known(
    labels: tuple[str, str], numbered: bool, tmp_path: Path
) -> None:
    content = f"text,label\na,{labels[0]}\nb,{labels[1]}\n"
    found = read_held_out(written(tmp_path / "a.csv", content), Wanted(SENTIMENT))
    assert found.labels == (1, 0) and found.numbered == score(found, [1, 0]).numbered == numbered


def test_a_score_is_one_line_of_json() -> None:
    found = score(held([1, 0, None, None], ["a", "a", "b", "b"]), np.array([1, 0, 0, 1]))
    line = found.to_json()
    data = json.loads(line)
    assert "\n" not in line
    assert (data["name"], data["worst_group"], data["overall"]["n"]) == ("made", "a", 4)
    assert data["overall"]["accuracy"]["value"] == 1.0
    assert data["groups"]["b"]["invariance"]["n"] == 1 and data["groups"]["b"]["accuracy"] is None


@pytest.mark.parametrize("predictions", [[1], [0.2, 0.8], [[0, 1], [1, 0]]])
def test_predictions_that_are_not_one_class_a_row_are_refused(predictions: list[Any]) -> None:
    with pytest.raises(ValueError, match="predicted classes"):
        score(held([1, 0], ["", ""]), np.array(predictions))


def test_a_column_of_integers_is_not_read_by_names_of_which_one_is_a_digit(tmp_path: Path) -> None:
    assert read_held_out(written(tmp_path / "a.csv", "text,label\na,0\nb,1\nc,0\n"), Wanted(("1", "many"))).labels == (
        0,
        1,
        0,
    )
