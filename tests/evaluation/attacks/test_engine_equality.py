"""The contract: whatever the engine says of a row, stock TextAttack says, driven by the same plan or by none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from evaluation.attacks.attacked_case import Cases, Victims
from evaluation.attacks.attacked_texts import Rows, pair_rows, single_rows
from evaluation.attacks.oracle import differences
from evaluation.attacks.tiny_tokenizers import TOKENIZERS

from rosearch.evaluation.attacks.recipes import RECIPES, build
from rosearch.evaluation.attacks.result import AttackedRow, Limits
from rosearch.evaluation.attacks.stock import adaptive
from rosearch.evaluation.attacks.stock.forms import form_of
from rosearch.resources.resources import Resources

RUNNABLE = [name for name, recipe in RECIPES.items() if not recipe.asks]
# Those that no plan can hold: their candidates depend on the context, or their search is another.
POOLED = {
    "bae-minilm",
    "bert-attack-minilm",
    "a2t-minilm",
    "checklist-lite",
    "input-reduction",
    "genetic-lite",
    "leap",
    "leap-oewn",
    "adaptive-words",
    "adaptive-words-strict",
}
ADAPTIVE = ["adaptive-characters", "adaptive-characters-strict"]  # so many candidates that they are tried with fewer
PLANNED = [name for name in RUNNABLE if name not in (*POOLED, *ADAPTIVE)]
DRAWS_NOTHING = ["pwws", "pwws-oewn", "synonym-swap", "textfooler-minilm", "textfooler-vectors-minilm"]


def kinds(rows: Sequence[AttackedRow]) -> set[str]:
    return {row.outcome for row in rows}


@pytest.mark.parametrize("name", RUNNABLE)
def test_every_recipe_that_runs_here_either_has_a_form_or_is_listed_as_one_for_the_pool(
    name: str, attack_resources: Resources, victims: Victims, cache: Path
) -> None:
    if "masked_lm" in RECIPES[name].needs:
        assert name in POOLED  # its candidates come from the context
        return
    attack = build(RECIPES[name], victims("wordpiece"), attack_resources, cache)
    assert (form_of(attack) is None) == (name in POOLED)


@pytest.mark.parametrize("name", PLANNED)
def test_single_texts_are_attacked_as_textattack_attacks_them(name: str, case: Cases) -> None:
    made = case(name, single_rows(60))
    assert len(made.rows) > 45
    assert made.tokens.exact
    assert not made.unequal()
    assert kinds(made.engine()) == {"misclassified", "broken", "survived"}


@pytest.mark.parametrize("rows", [single_rows, pair_rows])
@pytest.mark.parametrize("name", ADAPTIVE)
def test_attacks_that_adapt_are_walked_as_textattack_walks_them(
    name: str, rows: Callable[[int], Rows], case: Cases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adaptive, "TRIES", 3)
    made = case(name, rows(8))
    assert len(made.rows) > 4
    assert not made.unequal()
    assert "broken" in kinds(made.engine())


@pytest.mark.parametrize("name", PLANNED)
def test_pairs_are_attacked_as_textattack_attacks_them(name: str, case: Cases) -> None:
    made = case(name, pair_rows(60))
    assert len(made.rows) > 45
    assert not made.unequal()
    assert kinds(made.engine()) >= {"misclassified", "broken"}


@pytest.mark.slow
@pytest.mark.parametrize("rows", [single_rows, pair_rows])
@pytest.mark.parametrize("name", PLANNED)
def test_hundreds_of_rows_are_attacked_as_textattack_attacks_them(
    name: str, rows: Callable[[int], Rows], case: Cases
) -> None:
    made = case(name, rows(680))
    assert len(made.rows) >= 500
    assert not made.unequal()


@pytest.mark.parametrize("rows", [single_rows, pair_rows])
@pytest.mark.parametrize("name", ["textbugger-lite", "synonym-swap"])
@pytest.mark.parametrize("tokenizer", [name for name in TOKENIZERS if name != "wordpiece"])
def test_any_tokenizer_will_do(tokenizer: str, name: str, rows: Callable[[int], Rows], case: Cases) -> None:
    made = case(name, rows(12 if rows is pair_rows else 36), tokenizer)
    assert made.tokens.exact == (tokenizer != "boundless")
    assert not made.unequal()


@pytest.mark.parametrize("name", DRAWS_NOTHING)
@pytest.mark.parametrize("rows", [single_rows, pair_rows])
def test_a_recipe_that_draws_nothing_gives_what_it_gives_without_a_plan(
    rows: Callable[[int], Rows], name: str, case: Cases
) -> None:
    made = case(name, rows(15 if rows is pair_rows else 40))
    assert not differences(made.engine(), made.untouched(), made.rows)


# Attacks that no recipe of ours is, but a user may put together from parts that have a form.
Change = Callable[[ModuleType, Any], Any]


def search(method: str) -> Change:
    def change(textattack: ModuleType, attack: Any) -> Any:
        constraints = [*attack.constraints, *attack.pre_transformation_constraints]
        found = textattack.search_methods.GreedyWordSwapWIR(wir_method=method)
        return textattack.Attack(attack.goal_function, constraints, attack.transformation, found)

    return change


def also(make: Callable[[ModuleType], Any]) -> Change:
    def change(textattack: ModuleType, attack: Any) -> Any:
        constraints = [*attack.constraints, *attack.pre_transformation_constraints, make(textattack)]
        return textattack.Attack(attack.goal_function, constraints, attack.transformation, attack.search_method)

    return change


def one_word(textattack: ModuleType, attack: Any) -> Any:
    """A greedy search over all words that may change one."""
    constraints = [*attack.pre_transformation_constraints, textattack.constraints.overlap.MaxWordsPerturbed(1)]
    found = textattack.search_methods.GreedySearch()
    return textattack.Attack(attack.goal_function, constraints, attack.transformation, found)


def encoder(**settings: Any) -> Change:
    def change(textattack: ModuleType, attack: Any) -> Any:
        for constraint in attack.constraints:
            if hasattr(constraint, "sim_metric"):
                made = type(constraint)(**settings)
        others = [other for other in attack.constraints if not hasattr(other, "sim_metric")]
        constraints = [*others, made, *attack.pre_transformation_constraints]
        return textattack.Attack(attack.goal_function, constraints, attack.transformation, attack.search_method)

    return change


CHANGES: dict[str, tuple[str, Change]] = {
    "most words": ("textbugger-lite", also(lambda ta: ta.constraints.overlap.MaxWordsPerturbed(max_num_words=2))),
    "most share": ("textbugger-lite", also(lambda ta: ta.constraints.overlap.MaxWordsPerturbed(max_percent=0.2))),
    "both": ("synonym-swap", also(lambda ta: ta.constraints.overlap.MaxWordsPerturbed(3, 0.3))),
    "few edits": ("textbugger-lite", also(lambda ta: ta.constraints.overlap.LevenshteinEditDistance(4))),
    "synonyms by edits": ("synonym-swap", also(lambda ta: ta.constraints.overlap.LevenshteinEditDistance(9))),
    "long words": ("deepwordbug", also(lambda ta: ta.constraints.pre_transformation.MinWordLength(5))),
    "second text": (
        "deepwordbug",
        also(
            lambda ta: ta.constraints.pre_transformation.InputColumnModification(["premise", "hypothesis"], {"premise"})
        ),
    ),
    "first text": (
        "textbugger-lite",
        also(
            lambda ta: ta.constraints.pre_transformation.InputColumnModification(
                ["premise", "hypothesis"], {"hypothesis"}
            )
        ),
    ),
    "by saliency": ("synonym-swap", search("weighted-saliency")),
    "by unknown": ("textbugger-lite", search("unk")),
    "by saliency, encoded": ("textfooler-minilm", search("weighted-saliency")),
    "one word": ("deepwordbug", one_word),
    "one synonym": ("synonym-swap", one_word),
    "encoded whole": ("textbugger-minilm", encoder(threshold=0.9, metric="cosine")),
    "encoded in windows": ("textbugger-minilm", encoder(threshold=0.9, metric="angular", window_size=5)),
    "encoded where long": (
        "textfooler-minilm",
        encoder(threshold=0.9, window_size=15, skip_text_shorter_than_window=True, compare_against_original=False),
    ),
    "encoded by distance": ("textbugger-minilm", encoder(threshold=0.5, metric="max_euclidean", window_size=4)),
}


@pytest.mark.parametrize("rows", [single_rows, pair_rows])
@pytest.mark.parametrize("changed", CHANGES)
def test_attacks_put_together_otherwise_are_walked_as_exactly(
    changed: str, rows: Callable[[int], Rows], case: Cases
) -> None:
    name, change = CHANGES[changed]
    made = case(name, rows(12 if rows is pair_rows else 36), change=change, changed=changed)
    assert not made.unequal()
    assert "broken" in kinds(made.engine())


@pytest.mark.parametrize("name", ["deepwordbug", "pwws", "synonym-swap", "textbugger-minilm", "pruthi"])
def test_every_query_budget_ends_the_search_where_textattack_ends_it(name: str, case: Cases) -> None:
    made = case(name, single_rows(44)[32:])
    ended = set()
    for queries in range(1, 31):
        assert not made.unequal(Limits(queries=queries)), queries
        ended |= kinds(made.engine(Limits(queries=queries)))
    assert ended == {"misclassified", "broken", "out_of_queries"} or "survived" in ended
