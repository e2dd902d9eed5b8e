from __future__ import annotations

import builtins
from collections.abc import Callable
from pathlib import Path

import pytest
from own_data import write_own_data

from rosearch.errors import BadInput, Problem
from rosearch.run.own_data import OwnData
from rosearch.terminal import questions
from rosearch.terminal.questions import ask, ask_place

Answer = Callable[..., list[str]]


@pytest.fixture
def answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Answer:
    """Gives these answers in a user's folder, and returns the list of the questions, which fills as they are asked."""
    monkeypatch.chdir(write_own_data(tmp_path))

    def with_answers(*given: str) -> list[str]:
        asked: list[str] = []
        waiting = list(given)

        def read(question: str) -> str:
            asked.append(question)
            if not waiting:
                raise EOFError
            return waiting.pop(0)

        monkeypatch.setattr(builtins, "input", read)
        return asked

    return with_answers


def test_enter_takes_what_the_file_suggests(answer: Answer, capsys: pytest.CaptureFixture[str]) -> None:
    asked = answer("tickets.csv", "", "", "", "", "my-bert", "")
    own = ask(OwnData())
    assert own == OwnData(Path("tickets.csv"), None, None, ("message",), "queue", "my-bert")
    assert ask_place(own, Path) == Path("tickets.yaml")
    assert [question.partition("[")[2] for question in asked[1:3]] == ["message]: ", "queue]: "]
    printed = capsys.readouterr().out
    assert "160 rows" in printed and "3 classes: billing, returns, shipping" in printed
    assert all(column in printed for column in ("id", "message", "queue", "first row", "second row"))


def test_what_cannot_be_meant_is_told_and_asked_again(answer: Answer, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = ["no.csv", "tickets.csv", "mesage", "message", "quue", "queue", "no.csv", "-", "-", "./nobody", "my-bert"]
    asked = answer(*wrong)
    own = ask(OwnData())
    assert (own.text, own.label, own.test, own.teacher) == (("message",), "queue", None, "my-bert")
    assert len(asked) == len(wrong)
    printed = capsys.readouterr().err
    for told in (
        "no.csv: expected a file",
        "one of its columns (id, message, queue), got mesage",
        "./nobody: expected",
    ):
        assert told in printed


def test_a_place_that_is_taken_is_told_and_asked_again(answer: Answer, capsys: pytest.CaptureFixture[str]) -> None:
    def free(place: Path) -> None:
        if place.name == "tickets.yaml":
            raise BadInput(Problem(str(place), "", "another file", "one that exists"))

    asked = answer("", "other.yaml")
    assert ask_place(OwnData(Path("tickets.csv")), free) == Path("other.yaml")
    assert len(asked) == 2
    assert "tickets.yaml: expected another file" in capsys.readouterr().err


def test_flags_are_not_asked_for_again(answer: Answer) -> None:
    asked = answer("id,message", "tickets.csv", "-")
    own = ask(OwnData(Path("tickets.csv"), label="queue", teacher="./my-bert"))
    assert (own.text, own.validation, own.test) == (("id", "message"), Path("tickets.csv"), None)
    assert [question.split(" ")[0] for question in asked] == ["Column", "Validation", "Test"]


def test_answers_that_end_are_one_line(answer: Answer) -> None:
    answer("tickets.csv")
    with pytest.raises(
        BadInput, match=r"^terminal: Column of the text .*: expected an answer, got the end of the input$"
    ):
        ask(OwnData())


def test_nobody_is_asked_where_nobody_can_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stdout.isatty", lambda: False, raising=False)
    assert not questions.can_ask()
