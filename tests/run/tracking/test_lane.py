from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from attacked_results import attacked, measured, record
from run.tracking.fakes import Failing, Hanging, Kept, opening

from rosearch.config.fitness import FitnessConfig
from rosearch.evolution.fitness import Yardstick
from rosearch.run.tracking import lane as lanes
from rosearch.run.tracking.lane import Lane
from rosearch.run.tracking.row import Rows

DONE = [record(number, measured(attacked("deepwordbug", "ssbb"))) for number in range(1, 6)]
LONG_S = 60.0


def lane_of(tracker: Callable[[], Kept]) -> Lane:
    return Lane("fake", tracker, Rows(Yardstick(FitnessConfig(min_quality=0), 0.9)))


def end(lane: Lane, ended: bool = True) -> None:
    lane.close(ended)
    lane.wait(LONG_S)


def test_a_tracker_gets_each_record_once_in_a_thread_of_its_own() -> None:
    tracker = Kept(had=[1, 3])
    lane = lane_of(lambda: tracker)
    lane.begin(DONE[:3])
    lane.put(DONE[3])
    lane.put(DONE[4])
    end(lane)
    assert (tracker.numbers, tracker.threads, tracker.closed) == ([2, 4, 5], {"track-fake"}, [True])
    assert lane.left_out == ""


def test_the_best_so_far_counts_what_a_tracker_had_before() -> None:
    good, poor = DONE[0], replace(DONE[1], measurements=measured(attacked("deepwordbug", "bbbb")))
    tracker = Kept(had=[1])
    lane = lane_of(lambda: tracker)
    lane.begin([good, poor])
    end(lane, ended=False)
    (row,) = tracker.rows
    assert row.figures["candidate/best_fitness"] > row.figures["candidate/fitness"]
    assert tracker.closed == [False]


@pytest.mark.parametrize(
    "error", [OSError("disk full"), SystemExit(1), KeyboardInterrupt(), MemoryError("none")], ids=repr
)
@pytest.mark.parametrize("method", ["opening", "known", "write", "close"])
def test_whatever_a_tracker_raises_ends_its_thread_and_is_said(method: str, error: BaseException) -> None:
    lane = lane_of(opening(error) if method == "opening" else lambda: Failing(method, error))
    lane.begin(DONE[:1])
    lane.put(DONE[1])
    end(lane)
    assert lane.left_out.startswith(type(error).__name__)
    lane.put(DONE[2])  # nothing happens


def test_a_tracker_that_is_too_far_behind_is_left_out_and_never_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "MOST_WAITING", 2)
    tracker = Hanging()
    lane = lane_of(lambda: tracker)
    lane.begin(DONE[:1])
    assert tracker.begun.wait(LONG_S)
    lane.put(DONE[1])
    lane.put(DONE[2])
    assert lane.left_out == ""
    lane.put(DONE[3])
    assert lane.left_out == "it is too slow: 2 candidates wait for it"
    end(lane)  # returns at once
    tracker.let_go.set()


def test_a_tracker_that_is_not_ready_at_the_end_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    tracker = Hanging()
    lane = lane_of(lambda: tracker)
    lane.begin(DONE[:1])
    assert tracker.begun.wait(LONG_S)
    lane.close(ended=True)
    lane.wait(0.0)
    assert lane.left_out == "it was not ready at the end of the search"
    tracker.let_go.set()


def test_a_system_without_a_thread_left_costs_the_tracker_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(lanes.threading.Thread, "start", refuse)
    lane = lane_of(Kept)
    lane.begin(DONE)
    end(lane)
    assert lane.left_out == "can't start new thread"
