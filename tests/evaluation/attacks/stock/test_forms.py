from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from evaluation.attacks.attacked_case import Victims

from rosearch.evaluation.attacks.recipes import RECIPES, build
from rosearch.evaluation.attacks.stock.forms import Form, form_of, frozen_constraints
from rosearch.resources.resources import Resources

Make = Callable[[str], Any]


@pytest.fixture
def attack(attack_resources: Resources, victims: Victims, cache: Path) -> Make:
    return lambda name: build(RECIPES[name], victims("wordpiece"), attack_resources, cache)


def test_the_stock_recipes_are_read_as_their_papers_have_them(attack: Make) -> None:
    assert form_of(attack("deepwordbug")) == Form("unk", edits=30)
    assert form_of(attack("pwws")) == Form("weighted-saliency")
    assert form_of(attack("synonym-swap")) == Form("delete")
    assert form_of(attack("pruthi")) == Form("single", most_words=1)
    textbugger, textfooler = form_of(attack("textbugger-minilm")), form_of(attack("textfooler-minilm"))
    assert textbugger is not None and textfooler is not None
    assert (textbugger.search, textbugger.encoder.threshold, textbugger.by_index) == ("delete", 0.8, False)
    assert (textfooler.search, textfooler.encoder.window_size, textfooler.by_index) == ("delete", 15, True)


def changed(textattack: ModuleType, attack: Any, **parts: Any) -> Any:
    constraints = [*attack.constraints, *attack.pre_transformation_constraints]
    goal = parts.get("goal", attack.goal_function)
    constraints = parts.get("constraints", constraints) + parts.get("more", [])
    return textattack.Attack(
        goal, constraints, parts.get("transformation", attack.transformation), parts.get("search", attack.search_method)
    )


def test_an_attack_that_no_plan_can_hold_has_no_form(attack: Make, textattack: ModuleType) -> None:
    stock = attack("deepwordbug")
    pre = textattack.constraints.pre_transformation
    stop_words = [one for one in stock.pre_transformation_constraints if isinstance(one, pre.StopwordModification)]
    overlap = textattack.constraints.overlap
    searches, goals = textattack.search_methods, textattack.goal_functions
    model = stock.goal_function.model
    others = {
        "a word may change twice": {"constraints": stop_words},
        "some share of the words": {"more": [pre.MaxModificationRate(0.5)]},
        "a beam": {"search": searches.BeamSearch(beam_width=2)},
        "any number of words, greedily": {"search": searches.GreedySearch()},
        "random order": {"search": searches.GreedyWordSwapWIR(wir_method="random")},
        "some words only": {"search": searches.GreedyWordSwapWIR(truncate_words_to=3)},
        "another goal": {"goal": goals.TargetedClassification(model, target_class=1)},
        "a lower goal": {"goal": goals.UntargetedClassification(model, target_max_score=0.3)},
        "a word that goes": {"transformation": textattack.transformations.WordDeletion()},
        "edits of the last text": {"more": [overlap.LevenshteinEditDistance(3, compare_against_original=False)]},
        "two edit distances": {"more": [overlap.LevenshteinEditDistance(3)]},
        "a constraint that is not known": {"more": [overlap.BLEU(max_bleu_score=5)]},
    }
    for why, parts in others.items():
        assert form_of(changed(textattack, stock, **parts)) is None, why


def test_a_transformation_with_a_loop_of_its_own_has_no_form(attack: Make, textattack: ModuleType) -> None:
    class Own(textattack.transformations.WordSwap):  # type: ignore[misc,name-defined]
        def _get_transformations(self, current_text: Any, indices_to_modify: Any) -> list[Any]:
            return []

    class Plain(textattack.transformations.WordSwap):  # type: ignore[misc,name-defined]
        def _get_replacement_words(self, word: str) -> list[str]:
            return [word.upper()]

    stock = attack("deepwordbug")
    assert form_of(changed(textattack, stock, transformation=Own())) is None
    assert form_of(changed(textattack, stock, transformation=Plain())) == Form("unk", edits=30)
    both = textattack.transformations.CompositeTransformation([Plain(), Own()])
    assert form_of(changed(textattack, stock, transformation=both)) is None


def test_constraints_on_the_path_are_set_aside_while_compiling_and_come_back(attack: Make) -> None:
    stock = attack("textfooler-minilm")
    form, before = form_of(stock), list(stock.constraints)
    assert form is not None
    with pytest.raises(KeyError), frozen_constraints(stock, form):
        assert [constraint for constraint in before if constraint not in stock.constraints] == [form.encoder]
        raise KeyError
    assert stock.constraints == before
