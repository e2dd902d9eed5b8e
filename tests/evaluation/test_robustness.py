import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_model import CPU

from rosearch.errors import CandidateFailed
from rosearch.evaluation.attacks.recipes import ATTACKS, AttackedRow
from rosearch.evaluation.robustness import TextVictim, measure_robustness, sample_rows, summarise
from rosearch.records.measurements import Robustness

Texts = list[tuple[str, ...]]


class Measure:
    """`measure_robustness` with everything filled in."""

    def __init__(self, model: Any, tokenizer: Any, cache: Path) -> None:
        self.settings = {
            "attack": "deepwordbug",
            "rows": 100,
            "max_length": 48,
            "seed": 1,
            "device": CPU,
            "cache": cache,
        }
        self.model, self.tokenizer = model, tokenizer

    def __call__(self, texts: Texts, labels: Any, **changes: Any) -> Robustness:
        return measure_robustness(self.model, self.tokenizer, texts, np.asarray(labels), **(self.settings | changes))


@pytest.fixture
def measure(model: Any, tokenizer: Any, cache: Path) -> Measure:
    return Measure(model, tokenizer, cache)


def without_time(robustness: Robustness) -> dict[str, Any]:
    return {name: value for name, value in vars(robustness).items() if name != "seconds"}


@pytest.mark.parametrize("kind", ["sentences", "pairs"])
def test_the_victim_says_what_the_model_says(kind: str, request: Any, victim: Any, model: Any, tokenizer: Any) -> None:
    texts: Texts = request.getfixturevalue(kind)
    with torch.inference_mode():
        logits = victim([row[0] if len(row) == 1 else row for row in texts])
        assert (logits.shape, logits.dtype, logits.device.type) == ((len(texts), 2), torch.float32, "cpu")
        for row, said in zip(texts, logits, strict=True):
            direct = model(**tokenizer(*row, return_tensors="pt")).logits[0]
            torch.testing.assert_close(said, direct, atol=2e-5, rtol=1e-5)


def test_the_victim_pads_to_the_longest_and_cuts_at_the_models_length(model: Any, tokenizer: Any) -> None:
    lengths = []
    hook = model.register_forward_pre_hook(
        lambda _, __, named: lengths.append(named["input_ids"].shape[1]), with_kwargs=True
    )
    victim = TextVictim(model, tokenizer, 12, CPU)
    with torch.inference_mode():
        victim(["good film", "the plot of this film"])
        victim([("good film", "the plot of this film")])
        cut = victim(["film " * 30])
        assert torch.equal(cut, victim(["film " * 60]))
    assert lengths == [7, 10, 12, 12]
    hook.remove()


def test_counts_add_up_and_intervals_contain_their_values(measure: Measure, sentences: Texts, labels: Any) -> None:
    result = measure(sentences, labels)
    n, attacked = result.n, round(result.clean.value * result.n)
    assert (n, result.clean.n, result.under_attack.n, result.words_to_break.n) == (16, 16, 16, 16)
    assert (attacked, result.success_rate.n, result.queries.n) == (12, 12, 12)
    broken = round(result.success_rate.value * attacked)
    assert result.perturbed_words.n == broken > 0
    assert result.under_attack.value == (attacked - broken) / n
    assert (result.attack, result.seed, result.errors) == ("deepwordbug", 1, 0)
    for name in ("clean", "under_attack", "success_rate", "queries", "perturbed_words", "words_to_break"):
        estimate = getattr(result, name)
        assert estimate.low <= estimate.value <= estimate.high
        assert estimate.low >= 0
        assert name == "queries" or estimate.high <= 1
    assert result.under_attack.value <= result.words_to_break.value <= result.clean.value
    assert result.seconds > 0


def test_equal_seeds_give_equal_results_and_other_seeds_other_letters(
    measure: Measure, sentences: Texts, labels: Any
) -> None:
    first = without_time(measure(sentences, labels))
    assert without_time(measure(sentences, labels)) == first
    other = without_time(measure(sentences, labels, seed=2))
    assert other["clean"] == first["clean"]  # all rows, the same ones
    assert other["queries"] != first["queries"]


def test_rows_add_up_whatever_they_are_attacked_with(measure: Measure, sentences: Texts, labels: Any) -> None:
    def totals(rows: slice) -> np.ndarray:
        result = measure(sentences[rows], labels[rows])
        values = (result.clean, result.under_attack, result.queries, result.words_to_break)
        return np.array([value.value * value.n for value in values])

    np.testing.assert_allclose(totals(slice(0, 5)) + totals(slice(5, 16)), totals(slice(0, 16)))


@pytest.mark.parametrize("share", [0.5, 1.0, 0.0])
def test_a_constant_predictor_is_as_robust_as_it_is_right_by_chance(
    share: float, measure: Measure, sentences: Texts
) -> None:
    with torch.no_grad():
        measure.model.classifier.weight.zero_()
        measure.model.classifier.bias.copy_(torch.tensor([2.0, -1.0]))
    labels = np.ones(16, dtype=np.int64)
    labels[: int(16 * share)] = 0
    result = measure(sentences, labels)
    assert result.clean.value == result.under_attack.value == result.words_to_break.value == share
    assert result.success_rate.value == 0
    assert (result.queries.n, result.success_rate.n) == (16 * share, 16 * share)
    assert (result.perturbed_words.n, result.perturbed_words.value) == (0, 0.0)


def test_pairs_are_attacked(measure: Measure, pairs: Texts) -> None:
    result = measure(pairs, [0, 1] * 3)
    assert result.n == 6
    assert result.perturbed_words.value > 0


class Brittle:
    """The stock attack, but it raises on texts that hold a word."""

    def __init__(self, stock: Any, word: str) -> None:
        self.stock, self.word = stock, word

    def attack(self, row: Any, label: int) -> Any:
        if any(self.word in text for text in row.values()):
            raise RuntimeError(f"cannot attack {self.word}")
        return self.stock.attack(row, label)

    def clear_cache(self) -> None:
        self.stock.clear_cache()


@pytest.fixture
def brittle(monkeypatch: pytest.MonkeyPatch) -> str:
    stock = ATTACKS["deepwordbug"]
    monkeypatch.setitem(ATTACKS, "brittle", lambda victim: Brittle(stock(victim), "plot"))
    return "brittle"


def test_rows_that_the_attack_raises_on_are_counted_and_taken_as_broken(
    brittle: str, measure: Measure, sentences: Texts, labels: Any
) -> None:
    whole = measure(sentences, labels)
    result = measure(sentences, labels, attack=brittle)
    hit = sum("plot" in text and index % 4 != 3 for index, (text,) in enumerate(sentences))
    assert result.errors == hit > 0
    assert result.clean == whole.clean
    assert result.queries.n == result.success_rate.n - hit
    assert result.success_rate.value >= hit / result.success_rate.n
    survived = round(result.under_attack.value * result.n)
    assert survived + round(result.success_rate.value * result.success_rate.n) == result.success_rate.n


def test_an_attack_that_raises_on_every_row_fails_the_candidate(
    brittle: str, measure: Measure, sentences: Texts, labels: Any
) -> None:
    rows = [index for index, (text,) in enumerate(sentences) if "plot" in text]
    texts, chosen = [sentences[row] for row in rows], labels[rows]
    with pytest.raises(CandidateFailed, match=r"brittle raised on all .* RuntimeError: cannot attack plot") as caught:
        measure(texts, chosen, attack=brittle)
    assert (caught.value.kind, caught.value.stage) == ("attack_error", "attack")


def test_a_model_that_raises_is_no_failing_attack(
    measure: Measure, sentences: Texts, labels: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = iter(range(1000))
    forward = measure.model.forward

    def failing(**named: Any) -> Any:
        if next(calls) > 20:
            raise RuntimeError("can't allocate memory")
        return forward(**named)

    monkeypatch.setattr(measure.model, "forward", failing)
    with pytest.raises(RuntimeError, match="can't allocate memory"):
        measure(sentences, labels)


def test_logits_that_are_not_finite_fail_the_candidate(measure: Measure, sentences: Texts, labels: Any) -> None:
    with torch.no_grad():
        measure.model.classifier.bias[0] = torch.inf
    with pytest.raises(CandidateFailed, match="not finite") as caught:
        measure(sentences, labels)
    assert (caught.value.kind, caught.value.stage) == ("nan", "attack")


def test_all_is_left_as_it_was(measure: Measure, sentences: Texts, labels: Any) -> None:
    measure.model.train()
    random.seed(4)
    np.random.seed(4)
    before = (
        repr(random.getstate()),
        repr(np.random.get_state()),
        repr(torch.get_rng_state()),
        torch.get_num_threads(),
    )
    measure(sentences, labels, rows=3)
    after = (
        repr(random.getstate()),
        repr(np.random.get_state()),
        repr(torch.get_rng_state()),
        torch.get_num_threads(),
    )
    assert after == before
    assert measure.model.training
    assert torch.is_grad_enabled()


def test_progress_is_told_row_by_row(measure: Measure, sentences: Texts, labels: Any) -> None:
    seen: list[tuple[str, int, int]] = []
    measure(sentences, labels, rows=3, progress=lambda *step: seen.append(step))
    assert seen == [("attack", 1, 3), ("attack", 2, 3), ("attack", 3, 3)]


def test_scores_instead_of_classes_are_refused(measure: Measure, sentences: Texts) -> None:
    with pytest.raises(ValueError, match="classes to flip"):
        measure(sentences, np.zeros(16, dtype=np.float32))


def test_a_sample_is_seeded_ascending_without_repeats_and_part_of_a_larger_one() -> None:
    small, large = sample_rows(1000, 50, 7), sample_rows(1000, 200, 7)
    assert small == sample_rows(1000, 50, 7) == sorted(set(small))
    assert (len(small), len(large)) == (50, 200)
    assert set(small) < set(large) < set(range(1000))
    assert sample_rows(1000, 50, 8) != small
    assert sample_rows(5, 50, 7) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(("available", "rows"), [(0, 5), (5, 0)])
def test_an_empty_sample_is_refused(available: int, rows: int) -> None:
    with pytest.raises(ValueError, match="cannot sample"):
        sample_rows(available, rows, 1)


def test_rows_are_summed_up_as_the_record_says() -> None:
    rows = [
        AttackedRow("misclassified", ("a",), queries=1, words=4, changed=0),
        AttackedRow("broken", ("b",), queries=10, words=4, changed=1),
        AttackedRow("broken", ("c",), queries=20, words=2, changed=2),
        AttackedRow("survived", ("d",), queries=30, words=5, changed=5),
        AttackedRow("error", ("e",), queries=0, words=0, changed=0),
    ]
    result = summarise("deepwordbug", 3, rows, 1.5)
    assert (result.clean.value, result.clean.n) == (4 / 5, 5)
    assert (result.under_attack.value, result.under_attack.n) == (1 / 5, 5)
    assert (result.success_rate.value, result.success_rate.n) == (3 / 4, 4)
    assert (result.queries.value, result.queries.n) == (20.0, 3)
    assert (result.perturbed_words.value, result.perturbed_words.n) == ((0.25 + 1.0) / 2, 2)
    assert (result.words_to_break.value, result.words_to_break.n) == ((0 + 0.25 + 1 + 1 + 0) / 5, 5)
    assert (result.n, result.errors, result.seconds) == (5, 1, 1.5)


def test_a_model_that_is_always_wrong_has_nothing_to_break() -> None:
    result = summarise("deepwordbug", 3, [AttackedRow("misclassified", ("a",), 1, 4, 0)] * 6, 1.0)
    assert (result.clean.value, result.under_attack.value, result.words_to_break.value) == (0, 0, 0)
    assert (result.success_rate.n, result.success_rate.low, result.success_rate.high) == (0, 0.0, 1.0)
    assert (result.queries.n, result.perturbed_words.n) == (0, 0)
