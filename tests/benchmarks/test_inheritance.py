from __future__ import annotations

from typing import Any

import pytest

from tests.benchmarks.inheritance import FRESH, INHERITED, LONG, STEPS, Curves, places, summary


def row(lineage: int, depth: int, arm: str, steps: int, loss: float) -> dict[str, Any]:
    told = {"share": 0.9, "start_loss": 1.0, "accuracy": 1 - loss / 2, "made": "insert_node" if depth else "sample"}
    return {"lineage": lineage, "depth": depth, "arm": arm, "steps": steps, "loss": loss, **told}


def rows(head_start: float) -> list[dict[str, Any]]:
    """Losses 1 / log of the steps, from a parent as after `head_start` times as many; architectures differ a little."""
    found = []
    for lineage in range(3):
        for depth in range(3):
            for place in places(lineage, depth):
                steps = place.steps * (head_start if place.arm == "parent" else 1.0)
                worth = 1 + 0.1 * lineage + 0.01 * depth
                found.append(row(lineage, depth, place.arm, place.steps, worth / steps**0.5))
    return found


def test_a_parents_trainings_stand_before_its_childs_and_each_once() -> None:
    every = [place for depth in range(3) for place in places(1, depth)]
    assert len(set(every)) == len(every) == 3 * (len(FRESH) + 2) + 2 * len(INHERITED)
    assert {place.steps for place in every if place.arm == "long"} == {LONG}


def test_steps_that_are_saved_are_read_off_the_curves() -> None:
    found = summary(rows(head_start=2.0))
    assert found["children"] == 6 and found["gain_better"] == 1.0
    assert found["steps_of_fresh_for_inherited"]["median"] == pytest.approx(2 * STEPS, rel=0.05)
    assert found["steps_of_inherited_for_fresh"]["median"] == pytest.approx(STEPS / 2, rel=0.05)
    assert found["spearman_inherited_to_long"] == found["spearman_fresh_to_long"] == pytest.approx(1.0)
    assert found["by_mutation"]["insert_node"]["children"] == 6


def test_where_nothing_is_saved_there_is_no_gain() -> None:
    found = summary(rows(head_start=1.0))
    assert found["gain"]["median"] == 0 and found["gain_better"] == 0 and found["gain_p_value"] is None
    assert found["gain_over_all_steps_of_the_lineage"]["high"] < 0


def test_a_loss_beyond_a_curve_is_told_by_its_end() -> None:
    curves = Curves(rows(head_start=9.0))
    assert set(curves.steps_to("fresh", curves.losses("parent", STEPS)).round()) == {LONG}
    assert set(curves.steps_to("parent", curves.losses("fresh", FRESH[0])).round()) == {min(INHERITED)}
