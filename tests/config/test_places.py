from __future__ import annotations

from pathlib import Path

import pytest

from rosearch.config.places import Written, placed
from rosearch.errors import BadInput, MissingResource, Problem

TEXT = "name: one\nevolution:\n  population: 3\n  warm_start: [a,\n    b]\nteacher: ./my-bert\n"


@pytest.fixture
def written(tmp_path: Path) -> Written:
    (tmp_path / "one.yaml").write_text(TEXT)
    return Written(tmp_path / "one.yaml", "one.yaml", ("evolution.elite=9", "finalists.count=0"))


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("name", "one.yaml:1: name"),
        ("evolution.population", "one.yaml:3: evolution.population"),
        ("evolution.warm_start.1", "one.yaml:5: evolution.warm_start.1"),
        ("evolution.mutations", "one.yaml:2: evolution.mutations"),  # not there: the line of its section
        ("teacher.model", "one.yaml:6: teacher.model"),
        ("teacher.model: ./my-bert", "one.yaml:6: teacher.model: ./my-bert"),
        ("fitness", "one.yaml: fitness"),
        ("evolution.elite", "command line: -o evolution.elite"),
        ("finalists", "command line: -o finalists"),  # only the option made this section
    ],
)
def test_a_key_is_told_with_its_line_or_its_option(key: str, told: str, written: Written) -> None:
    assert ": ".join(written.place(key)) == told


def test_problems_of_the_experiment_are_placed_and_those_of_other_files_stay(written: Written) -> None:
    others = Problem("data.csv", "name", "x", "y")
    with pytest.raises(BadInput) as caught, placed(written):
        raise BadInput(
            [Problem("experiment", "name", "x", "y"), Problem("one.yaml", "seed", "x", "y"), others],
            [MissingResource("no model", "get one", "teacher.model")],
        )
    assert [problem.where for problem in caught.value.problems] == ["one.yaml:1", "one.yaml", "data.csv"]
    assert caught.value.lines[-1] == "one.yaml:6: teacher.model: no model; get one"


def test_problems_are_told_in_the_order_of_the_lines_of_their_file(written: Written) -> None:
    keys = ("fitness", "teacher.model", "evolution.elite", "evolution.warm_start.1", "name", "evolution.population")
    with pytest.raises(BadInput) as caught, placed(written):
        raise BadInput([Problem("data.csv", "", "x", "y"), *(Problem("one.yaml", key, "x", "y") for key in keys)])
    places = [problem.where for problem in caught.value.problems]
    lines = [f"one.yaml:{line}" for line in (1, 3, 5, 6)]
    assert places == ["data.csv", *lines, "one.yaml", "command line"]


def test_all_that_is_missing_is_placed(written: Written) -> None:
    with pytest.raises(MissingResource) as caught, placed(written):
        raise MissingResource("a", "b", "execution.device", [MissingResource("c", "d", "teacher.model")])
    assert caught.value.lines == ("one.yaml: execution.device: a; b", "one.yaml:6: teacher.model: c; d")


@pytest.mark.parametrize("text", ["a: [", "\t", "- 1", ""])
def test_a_file_that_is_no_mapping_has_no_lines(text: str, tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text(text)
    assert Written(tmp_path / "one.yaml", "one.yaml").place("name") == ("one.yaml", "name")
    assert Written(tmp_path / "gone.yaml", "gone.yaml").place("name") == ("gone.yaml", "name")
