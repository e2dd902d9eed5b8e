import errno
import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from evaluation.attacks.attacked_case import Case, Cases
from evaluation.attacks.attacked_texts import pair_rows, single_rows
from evaluation.attacks.oracle import differences

from rosearch.evaluation.attacks.engine import lockstep, searches
from rosearch.evaluation.attacks.engine.lockstep import run_engine, token_types
from rosearch.evaluation.attacks.engine.tokens import Tokens
from rosearch.evaluation.attacks.engine.walk import Walk
from rosearch.evaluation.attacks.result import Limits


@pytest.fixture
def made(case: Cases) -> Case:
    return case("textbugger-minilm", single_rows(50)[24:])


@pytest.mark.parametrize("name", ["textbugger-minilm", "pwws", "pruthi"])
def test_results_do_not_depend_on_how_many_rows_are_in_flight(name: str, case: Cases) -> None:
    made = case(name, single_rows(50)[30:])
    whole = made.engine()
    for width in (1, 7, 512):
        assert made.engine(in_flight=width) == whole


def test_nor_on_the_rows_beside(made: Case) -> None:
    whole = made.engine()
    with torch.inference_mode():
        for place, row in enumerate(made.rows):
            assert run_engine([row], made.form, made.tokens, made.victim, [made.labels[place]]) == [whole[place]]


def test_nor_on_whether_ids_are_put_together_from_pieces(case: Cases) -> None:
    for rows in (single_rows(45)[20:], pair_rows(12)):
        made = case("textbugger-lite", rows)
        whole = made.engine()
        made.tokens.exact = False
        assert made.engine() == whole


def test_the_model_is_asked_each_text_of_a_row_once(case: Cases) -> None:
    made = case("pwws", single_rows(44)[32:])
    asked: list[int] = []
    stock = made.victim.score
    made.victim.score = lambda ids, types, lengths: asked.append(len(lengths)) or stock(ids, types, lengths)  # type: ignore[method-assign,func-returns-value,assignment]
    try:
        rows = made.engine()
    finally:
        made.victim.score = stock  # type: ignore[method-assign]
    assert sum(asked) <= sum(row.distinct for row in rows) < sum(row.queries for row in rows)
    assert len(asked) < max(len(row.order) for row in made.rows) + 4  # in lockstep


@pytest.mark.parametrize("error", [RuntimeError("no way on"), KeyError("word"), ValueError("empty")])
def test_an_error_of_a_search_is_its_rows_error(error: Exception, made: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = made.engine()
    hit = next(place for place, row in enumerate(whole) if row.swaps)
    take = Walk.take

    def failing(walk: Walk, slot: int, candidate: str) -> None:
        if walk.row is made.rows[hit]:
            raise error
        take(walk, slot, candidate)

    monkeypatch.setattr(Walk, "take", failing)
    rows = made.engine()
    assert rows[:hit] + rows[hit + 1 :] == whole[:hit] + whole[hit + 1 :]
    told = rows[hit]
    assert (told.outcome, told.texts, told.changed, told.swaps) == ("error", made.rows[hit].texts, 0, ())
    assert told.complaint == f"{type(error).__name__}: {error}"
    assert told.queries > 1


def test_a_row_that_cannot_even_begin_is_an_error(made: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: Any) -> Any:
        raise RuntimeError("no walk")

    monkeypatch.setattr(searches, "Walk", failing)
    assert {(row.outcome, row.complaint) for row in made.engine()} == {("error", "RuntimeError: no walk")}


def test_a_text_that_the_tokenizer_or_the_encoder_raises_on_is_its_rows_error(
    made: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = made.engine()
    hit = next(place for place, row in enumerate(whole) if row.swaps)
    ours = made.rows[hit].texts[0][-12:]  # the end of the text, which its first swap elsewhere does not change

    def breaking(stock: Any) -> Any:
        def call(self: Any, texts: Any, *rest: Any, **named: Any) -> Any:
            if any(ours in text for text in texts):
                raise RuntimeError("no such text")
            return stock(self, texts, *rest, **named)

        return call

    with monkeypatch.context() as patch:
        patch.setattr(type(made.form.encoder), "encode", breaking(type(made.form.encoder).encode))
        rows = made.engine()
    assert rows[:hit] + rows[hit + 1 :] == whole[:hit] + whole[hit + 1 :]
    assert (rows[hit].outcome, rows[hit].complaint) == ("error", "RuntimeError: no such text")
    with monkeypatch.context() as patch:
        made.tokens.exact = False
        patch.setattr(
            made.tokens, "whole", lambda texts: breaking(lambda _, texts: Tokens.whole(made.tokens, texts))(0, texts)
        )
        rows = made.engine()
    assert rows[:hit] + rows[hit + 1 :] == whole[:hit] + whole[hit + 1 :]
    assert (rows[hit].outcome, rows[hit].complaint) == ("error", "RuntimeError: no such text")


def test_an_error_of_the_model_goes_through(made: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: Any) -> Any:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(made.victim, "score", failing)
    with pytest.raises(RuntimeError, match="out of memory"):
        made.engine()


@pytest.mark.parametrize("error", [MemoryError(), OSError(errno.EMFILE, "Too many open files"), KeyboardInterrupt()])
def test_a_fault_of_the_machine_and_an_interrupt_go_through(
    error: BaseException, made: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: Any) -> Any:
        raise error

    monkeypatch.setattr(Walk, "take", failing)
    with pytest.raises(type(error)):
        made.engine()


def test_a_row_over_its_time_is_given_up_and_the_others_are_not(made: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that a slow model moves: its batches are shared by their rows."""
    whole = made.engine()
    clock = [0.0]
    monkeypatch.setattr(lockstep.time, "perf_counter", lambda: clock[0])
    score = made.victim.score

    def slow(ids: Any, types: Any, lengths: Any) -> Any:
        clock[0] += float(len(lengths))  # a second for each text
        return score(ids, types, lengths)

    monkeypatch.setattr(made.victim, "score", slow)
    needed = sorted(row.distinct for row in whole if row.outcome == "broken")
    seconds = float(needed[len(needed) // 2])  # half of those that break have the time to
    rows = made.engine(Limits(seconds=seconds))
    outcomes = {row.outcome for row in rows}
    assert {"out_of_time", "broken", "misclassified"} <= outcomes
    for row, expected in zip(rows, whole, strict=True):
        if row.outcome == "out_of_time":
            assert (row.texts, row.changed, row.swaps) == (made.rows[rows.index(row)].texts, 0, ())
            assert row.distinct > seconds
        else:
            assert row == expected
    assert time.perf_counter is not None


def test_misclassified_rows_stay_so_whatever_the_limits(made: Case) -> None:
    whole = made.engine()
    for limits in (Limits(queries=1), Limits(seconds=0.0)):
        for row, expected in zip(made.engine(limits), whole, strict=True):
            assert (row.outcome == "misclassified") == (expected.outcome == "misclassified")
            if row.outcome == "misclassified":
                assert (row.queries, row.distinct, row.score) == (1, 1, expected.score)


def test_progress_counts_rows_up_to_all(made: Case) -> None:
    seen: list[tuple[str, int, int]] = []
    with torch.inference_mode():
        run_engine(
            made.rows, made.form, made.tokens, made.victim, made.labels, progress=lambda *step: seen.append(step)
        )
    counts = [count for _, count, _ in seen]
    assert counts == sorted(set(counts))
    assert seen[-1] == ("attack", len(made.rows), len(made.rows))


def test_token_types_are_ones_at_the_end() -> None:
    assert token_types(np.array([3, 1, 4]), [1, 0, 4]).tolist() == [0, 0, 1, 0, 1, 1, 1, 1]


def test_the_oracle_notices_what_differs(made: Case) -> None:
    """The contract would be worth nothing if it could not fail."""
    mine = made.engine()
    assert not differences(mine, mine, made.rows)
    place = next(place for place, row in enumerate(mine) if len(row.swaps) > 1)
    for change in (
        {"queries": mine[place].queries + 1},
        {"distinct": mine[place].distinct + 1},
        {"changed": 0},
        {"score": mine[place].score + 1e-4},
        {"swaps": mine[place].swaps[::-1]},
        {"texts": ("other",)},
        {"outcome": "error"},
    ):
        changed = [*mine]
        changed[place] = replace(mine[place], **change)  # type: ignore[arg-type]
        assert len(differences(changed, mine, made.rows)) == 1
