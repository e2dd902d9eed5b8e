from __future__ import annotations

from dataclasses import replace

import numpy as np

from rosearch.data.shared_rows import contradictions_in_words, leak_problems, shared_in_words, shared_rows
from rosearch.data.tasks import Split, Task


def split(*texts: str) -> Split:
    return Split(tuple((text,) for text in texts), np.zeros(len(texts), np.int64))


def task(train: Split, validation: Split, test: Split) -> Task:
    return Task("t", "classification", "accuracy", ("no", "yes"), train, validation, test)


def test_rows_are_the_same_whatever_their_case_blanks_and_labels() -> None:
    found = shared_rows(task(split("A  film", "b"), split("b", "c"), split(" a film ", "c", "d", "d")))
    assert found == {("test", "train"): 1, ("validation", "train"): 1, ("test", "validation"): 1}


def test_test_rows_that_are_training_rows_are_a_problem_that_says_how_to_go_on() -> None:
    leaky = task(split("a", "b"), split("c"), split("a", "a", "d", "e"))
    (problem,) = leak_problems(leaky, shared_rows(leaky), "experiment")
    assert (problem.key, problem.got) == ("task.on_shared_rows", "2 of 4 (50.0%)")
    assert problem.fix.endswith("task.on_shared_rows: keep")
    assert shared_in_words(leaky, shared_rows(leaky)) == "2 of 4 test rows are train rows too"


def test_rows_that_only_validation_shares_are_counted_and_no_problem() -> None:
    mild = task(split("a", "b"), split("a", "c"), split("c", "d", "e"))
    found = shared_rows(mild)
    assert leak_problems(mild, found, "experiment") == []
    assert (
        shared_in_words(mild, found)
        == "1 of 2 validation rows are train rows too; 1 of 3 test rows are validation rows too"
    )


def test_splits_that_share_nothing_are_not_spoken_of() -> None:
    clean = task(split("a"), split("b"), split("c"))
    assert shared_in_words(clean, shared_rows(clean)) == ""


def test_test_rows_among_the_unlabelled_ones_are_counted() -> None:
    more = replace(task(split("a"), split("b"), split("c", "d")), unlabelled=split("C", "e"))
    assert shared_in_words(more, shared_rows(more)) == "1 of 2 test rows are unlabelled rows too"


def test_texts_with_two_labels_are_counted_with_an_example() -> None:
    train = Split((("A film",), ("a  film",), ("b",), ("b",), ("c",), ("c",)), np.array([0, 1, 1, 0, 1, 1]))
    told = contradictions_in_words(task(train, split("b", "b"), split("d")))
    assert told == "2 texts stand in the rows of train with more than one label, such as 'a film' (no, yes)"
    assert contradictions_in_words(task(split("a", "a"), split("b"), split("c"))) == ""
