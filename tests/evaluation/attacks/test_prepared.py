from pathlib import Path
from typing import Any

import pytest
import torch
from evaluation.attacks.attacked_case import Victims
from evaluation.attacks.attacked_texts import NASTY, pair_rows, single_rows
from evaluation.attacks.oracle import SteadyVictim

from rosearch.errors import BadInput, MissingResource
from rosearch.evaluation.attacks import prepared as attacks
from rosearch.evaluation.attacks.engine.tokens import Tokens
from rosearch.evaluation.attacks.prepared import PreparedAttack, prepare_attack
from rosearch.evaluation.attacks.recipes import build
from rosearch.evaluation.attacks.result import AttackedRow, Limits
from rosearch.evaluation.attacks.stock.pool import RowJob, run_pool
from rosearch.resources.resources import Resources

Texts = list[tuple[str, ...]]
ODD: Texts = [("İstanbul is a good film",), ("电影 is a good film",), ("good <SPLIT> film",)]
TEXTS: Texts = [*ODD, *single_rows(42)[32:]]


@pytest.fixture
def victim(victims: Victims) -> SteadyVictim:
    return victims("wordpiece")


class Prepare:
    """`prepare_attack` with everything filled in."""

    def __init__(self, victim: SteadyVictim, resources: Resources, cache: Path) -> None:
        self.victim, self.resources, self.cache = victim, resources, cache

    def __call__(self, name: str = "synonym-swap", texts: Texts = TEXTS, seed: int = 1) -> PreparedAttack:
        return prepare_attack(name, texts, seed, self.victim, self.resources, self.cache)

    def labels(self, texts: Texts = TEXTS) -> list[int]:
        with torch.inference_mode():
            said = self.victim([row[0] if len(row) == 1 else row for row in texts]).argmax(dim=1).tolist()
        return [(label + (place % 9 == 8)) % 3 for place, label in enumerate(said)]

    def run(self, attack: PreparedAttack, *arguments: Any, **settings: Any) -> list[AttackedRow]:
        with torch.inference_mode():
            return attack.run(self.victim, self.labels(list(attack.texts)), *arguments, **settings)


@pytest.fixture
def prepare(victim: SteadyVictim, attack_resources: Resources, cache: Path) -> Prepare:
    return Prepare(victim, attack_resources, cache)


def alone(prepare: Prepare, attack: PreparedAttack, limits: Limits = Limits()) -> list[AttackedRow]:  # noqa: B008
    """The unmodified recipe, one row after the other."""
    rows = zip(attack.texts, prepare.labels(list(attack.texts)), strict=True)
    jobs = [RowJob(texts, label, attack._row_seed(place)) for place, (texts, label) in enumerate(rows)]
    with torch.inference_mode():
        return run_pool(
            lambda model: build(attack.recipe, model, attack.resources, attack.cache), prepare.victim, jobs, limits, 1
        )


def same(one: AttackedRow, other: AttackedRow) -> bool:
    left, right = vars(one) | {"score": 0}, vars(other) | {"score": 0}
    return left == right and abs(one.score - other.score) < 2e-5


@pytest.mark.parametrize("name", ["synonym-swap", "pwws", "deepwordbug"])
def test_odd_rows_get_textattacks_own_result_beside_rows_of_the_plan(name: str, prepare: Prepare) -> None:
    attack = prepare(name)
    assert attack.plan is not None
    assert [bool(row.odd) for row in attack.plan.rows] == [place < len(ODD) for place in range(len(TEXTS))]
    mine, stock = prepare.run(attack), alone(prepare, attack)
    assert mine[: len(ODD)] == stock[: len(ODD)]
    assert mine[2].outcome == "error" and "<SPLIT>" in mine[2].complaint
    if name != "deepwordbug":  # which draws other letters without a plan
        assert all(map(same, mine, stock))


def test_a_recipe_without_a_form_runs_in_the_pool(prepare: Prepare) -> None:
    attack = prepare("checklist-lite", TEXTS[3:8])
    assert attack.plan is None
    assert prepare.run(attack) == alone(prepare, attack)


def test_some_rows_are_as_among_all_in_the_order_asked_for(prepare: Prepare) -> None:
    attack = prepare()
    whole = prepare.run(attack)
    places = [7, 0, 3, 1]
    assert prepare.run(attack, places) == [whole[place] for place in places]
    assert prepare.run(attack, []) == []


def test_limits_hold_for_both_ways(prepare: Prepare) -> None:
    attack = prepare()
    for queries in (1, 2, 9):
        mine, stock = prepare.run(attack, limits=Limits(queries=queries)), alone(prepare, attack, Limits(queries))
        assert all(map(same, mine, stock))
        assert "out_of_queries" in {row.outcome for row in mine}


def test_progress_counts_over_both_ways(prepare: Prepare) -> None:
    seen: list[tuple[str, int, int]] = []
    prepare.run(prepare(), progress=lambda *step: seen.append(step))
    assert seen[-1] == ("attack", len(TEXTS), len(TEXTS))
    assert [count for _, count, _ in seen] == sorted({count for _, count, _ in seen})


def test_a_prepared_attack_is_kept_and_its_plan_compiled_once(
    prepare: Prepare, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = prepare()
    monkeypatch.setattr(attacks, "compile_plan", None)
    assert prepare() is first
    monkeypatch.undo()
    others = [prepare(seed=2), prepare("deepwordbug"), prepare(texts=TEXTS[1:])]
    assert len({attack.key for attack in [first, *others]}) == 4
    assert first.plan is not None and first.plan.key == first.key


def test_names_are_resolved_and_what_is_missing_is_said(prepare: Prepare, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="one of deepwordbug"):
        prepare("deepwordbugs")
    prepare.resources = Resources(tmp_path)
    with pytest.raises(MissingResource, match="neighbours"):
        prepare("synonym-swap")


@pytest.mark.parametrize("rows", [TEXTS[3:], pair_rows(8)])
def test_a_vocabulary_that_pieces_do_not_hold_for_gets_the_same_results_more_slowly(
    rows: Texts, victims: Victims, prepare: Prepare
) -> None:
    prepare.victim = victims("boundless")
    attack = prepare("synonym-swap", rows)
    assert all(map(same, prepare.run(attack), alone(prepare, attack)))
    assert attack.plan is not None
    tokens = Tokens(prepare.victim.tokenizer, prepare.victim.max_length)
    attacks.learn_plan(tokens, attack.plan)
    assert not tokens.exact


def test_every_row_of_a_plan_is_compared_not_a_sample(victims: Victims, prepare: Prepare) -> None:
    """The one text with a space that spans a token comes last."""
    attack = prepare("synonym-swap", [("a",)] * 80 + [(NASTY[17],)])
    assert attack.plan is not None
    tokens = Tokens(victims("boundless").tokenizer, 40)
    attacks.learn_plan(tokens, attack.plan)
    assert not tokens.exact
