from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rosearch.errors import BadInput
from rosearch.evaluation.attacks.engine.single_swaps import measure_single_swaps
from rosearch.evaluation.attacks.prepared import PreparedAttack, prepare_attack
from rosearch.evaluation.attacks.victim import Victim
from rosearch.evaluation.quality import inference
from rosearch.measurements import SingleSwaps
from rosearch.resources.resources import Resources

Texts = list[tuple[str, ...]]


def prepared(victim: Victim, texts: Texts, cache: Path, name: str = "deepwordbug") -> PreparedAttack:
    return prepare_attack(name, texts, 1, victim, Resources(cache / "none"), cache)


def measured(attack: PreparedAttack, victim: Victim, labels: Any) -> SingleSwaps:
    with inference(victim.model, victim.device):
        return measure_single_swaps(attack, victim, labels)


def all_texts(attack: PreparedAttack) -> list[list[tuple[str, ...]]]:
    """The original and every single swap of each row, put together by hand."""
    assert attack.plan is not None
    rows = []
    for row in attack.plan.rows:
        joined = "\n".join(row.texts)
        texts = [row.texts]
        for word, start, candidates in zip(row.words, row.starts, row.candidates or ((),) * 99, strict=False):
            swaps = (joined[:start] + candidate + joined[start + len(word) :] for candidate in candidates)
            texts += [tuple(swap.split("\n")) for swap in swaps]
        rows.append(texts)
    return rows


@pytest.mark.parametrize("kind", ["sentences", "pairs"])
def test_the_worst_case_and_its_margin_are_those_of_all_swaps_one_by_one(
    kind: str, request: pytest.FixtureRequest, victim: Victim, cache: Path
) -> None:
    texts: Texts = request.getfixturevalue(kind)
    labels = [place % 2 for place in range(len(texts))]
    attack = prepared(victim, texts, cache)
    result = measured(attack, victim, labels)
    margins = []
    for row, label in zip(all_texts(attack), labels, strict=True):
        with torch.inference_mode():
            logits = victim([one[0] if len(one) == 1 else one for one in row]).double().numpy()
        margins.append(np.clip((logits[:, label] - logits[:, 1 - label]).min(), -4, 4))
    assert (result.attack, result.n) == ("deepwordbug", len(texts))
    assert result.worst.value == pytest.approx(np.mean(np.array(margins) > 0))
    assert result.margin.value == pytest.approx(np.mean(margins), abs=1e-5)
    assert result.margin.low >= -4 and result.margin.high <= 4
    assert len(texts) < result.texts <= sum(map(len, all_texts(attack)))


def test_the_worst_case_is_never_above_clean_accuracy(
    victim: Victim, sentences: Texts, labels: Any, cache: Path
) -> None:
    result = measured(prepared(victim, sentences, cache), victim, labels)
    assert 0 < result.worst.value < 12 / 16


def test_a_row_without_a_plan_counts_with_its_text_alone(victim: Victim, cache: Path) -> None:
    texts: Texts = [("İ good film",), ("!",), ("",)]
    with torch.inference_mode():
        said = victim([text for (text,) in texts]).argmax(dim=1).tolist()
    attack = prepared(victim, texts, cache)
    assert attack.plan is not None and attack.plan.rows[0].odd
    result = measured(attack, victim, said)
    assert (result.n, result.texts, result.worst.value) == (3, 3, 1.0)


def test_a_sure_and_constant_model_has_the_largest_margin(victim: Victim, sentences: Texts, cache: Path) -> None:
    with torch.no_grad():
        victim.model.classifier.weight.zero_()
        victim.model.classifier.bias.copy_(torch.tensor([50.0, -50.0]))
    attack = prepared(victim, sentences, cache)
    right, wrong = measured(attack, victim, [0] * 16), measured(attack, victim, [1] * 16)
    assert (right.worst.value, right.margin.value) == (1.0, 4.0)
    assert (wrong.worst.value, wrong.margin.value) == (0.0, -4.0)


@pytest.mark.parametrize("name", ["checklist-lite", "input-reduction"])
def test_an_attack_without_a_plan_is_refused(name: str, victim: Victim, sentences: Texts, cache: Path) -> None:
    with pytest.raises(BadInput, match=r"such as deepwordbug or synonym-swap"):
        measured(prepared(victim, sentences, cache, name), victim, [0] * 16)
