import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from evaluation.tiny_model import CPU

from rosearch.errors import CandidateFailed
from rosearch.evaluation import robustness as module
from rosearch.evaluation.attacks.prepared import PreparedAttack
from rosearch.evaluation.attacks.recipes import RECIPES, Recipe
from rosearch.evaluation.attacks.result import AttackedRow, Limits, worst_case
from rosearch.evaluation.attacks.victim import Victim
from rosearch.evaluation.robustness import Suite, SuiteResult, measure_robustness, sample_rows, summarise
from rosearch.evaluation.sequential import Hopeless
from rosearch.measurements import Robustness
from rosearch.resources.resources import Resources

Texts = list[tuple[str, ...]]


class Measure:
    """`measure_robustness` with everything filled in."""

    def __init__(self, model: Any, tokenizer: Any, cache: Path) -> None:
        self.model, self.tokenizer, self.cache = model, tokenizer, cache

    def suite(
        self, texts: Texts, labels: Any, *attacks: str, seed: int = 1, rows: int = 100, **more: Any
    ) -> SuiteResult:
        progress = {"progress": more.pop("progress")} if "progress" in more else {}
        return measure_robustness(
            Victim(self.model, self.tokenizer, 48, CPU),
            texts,
            np.asarray(labels),
            Suite(attacks, rows, **more),
            seed=seed,
            resources=Resources(),
            cache=self.cache,
            **progress,
        )

    def __call__(self, texts: Texts, labels: Any, attack: str = "deepwordbug", **more: Any) -> Robustness:
        result = self.suite(texts, labels, attack, **more)
        assert result.attacks == (result.worst,)
        return result.worst


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
    victim = Victim(model, tokenizer, 12, CPU)
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


def test_pairs_are_attacked(measure: Measure, victim: Victim, pairs: Texts) -> None:
    with torch.inference_mode():
        said = victim(pairs).argmax(dim=1).numpy()
    result = measure(pairs, said)
    assert (result.n, result.clean.value) == (6, 1.0)
    assert result.perturbed_words.value > 0


@pytest.fixture
def brittle(monkeypatch: pytest.MonkeyPatch) -> str:
    """The stock attack, but it raises on texts that hold a word."""

    def build(textattack: Any, resources: Any, victim: Any) -> Any:
        attack = RECIPES["deepwordbug"].build(textattack, resources, victim)
        stock = attack.get_transformations

        def get_transformations(text: Any, **named: Any) -> Any:
            if "plot" in text.text.lower():
                raise RuntimeError("cannot attack plot")
            return stock(text, **named)

        attack.get_transformations = attack.search_method.get_transformations = get_transformations
        return attack

    monkeypatch.setitem(RECIPES, "brittle", Recipe("brittle", "", (), build))
    return "brittle"


def test_rows_that_the_attack_raises_on_are_counted_and_taken_as_broken(
    brittle: str, measure: Measure, sentences: Texts, labels: Any
) -> None:
    whole = measure(sentences, labels)
    result = measure(sentences, labels, attack=brittle)
    hit = sum("plot" in text.lower() and index % 4 != 3 for index, (text,) in enumerate(sentences))
    assert result.errors == hit > 0
    assert result.clean == whole.clean
    assert result.queries.n == result.success_rate.n - hit
    assert result.success_rate.value >= hit / result.success_rate.n
    survived = round(result.under_attack.value * result.n)
    assert survived + round(result.success_rate.value * result.success_rate.n) == result.success_rate.n


def test_an_attack_that_raises_on_every_row_fails_the_candidate(
    brittle: str, measure: Measure, sentences: Texts, labels: Any
) -> None:
    rows = [index for index, (text,) in enumerate(sentences) if "plot" in text.lower()]
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
        if next(calls) > 2:
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


def test_progress_never_goes_back_and_ends_with_all_rows(measure: Measure, sentences: Texts, labels: Any) -> None:
    seen: list[tuple[str, int, int]] = []
    measure(sentences, labels, rows=3, progress=lambda *step: seen.append(step))
    attacks = [step for step in seen if step[0] == "attack deepwordbug"]
    assert attacks[-1] == ("attack deepwordbug", 3, 3)
    assert [done for _, done, _ in attacks] == sorted({done for _, done, _ in attacks})


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


def attacked(outcome: Any, queries: int, words: int, changed: int) -> AttackedRow:
    return AttackedRow(outcome, ("a",), queries, queries, words, changed, 0.5)


def test_rows_are_summed_up_as_the_record_says() -> None:
    rows = [
        attacked("misclassified", queries=1, words=4, changed=0),
        attacked("broken", queries=10, words=4, changed=1),
        attacked("broken", queries=20, words=2, changed=2),
        attacked("survived", queries=30, words=5, changed=5),
        attacked("error", queries=0, words=0, changed=0),
    ]
    result = summarise("deepwordbug", 3, rows, [0, 0, 1, 1, 0], 1.5)
    assert (result.clean.value, result.clean.n) == (4 / 5, 5)
    assert (result.under_attack.value, result.under_attack.n) == (1 / 5, 5)
    assert (result.success_rate.value, result.success_rate.n) == (3 / 4, 4)
    assert (result.queries.value, result.queries.n) == (20.0, 3)
    assert (result.perturbed_words.value, result.perturbed_words.n) == ((0.25 + 1.0) / 2, 2)
    assert (result.words_to_break.value, result.words_to_break.n) == ((0 + 0.25 + 1 + 1 + 0) / 5, 5)
    assert (result.n, result.errors, result.seconds) == (5, 1, 1.5)
    assert (result.outcomes, result.shares) == ("mbbse", (0.0, 0.25, 1.0, 1.0, 0.0))
    assert [(one.label, one.n, one.clean.value, one.under_attack.value) for one in result.per_class] == [
        (0, 3, 2 / 3, 0.0),
        (1, 2, 1.0, 0.5),
    ]


def test_a_budget_that_ran_out_is_survived_and_time_that_ran_out_is_not() -> None:
    rows = [attacked("out_of_queries", 9, 4, 1), attacked("out_of_time", 9, 4, 0), attacked("survived", 9, 4, 1)]
    result = summarise("deepwordbug", 3, rows, [0, 0, 0], 1.0)
    assert (result.under_attack.value, result.success_rate.value) == (2 / 3, 1 / 3)
    assert (result.out_of_queries, result.out_of_time, result.outcomes) == (1, 1, "qts")
    assert result.shares == (1.0, 0.0, 1.0)


def test_the_worst_case_of_a_row_is_the_attack_that_breaks_it_with_fewest_words() -> None:
    survived, cheap, dear = attacked("survived", 9, 4, 4), attacked("broken", 9, 4, 1), attacked("broken", 9, 4, 3)
    assert worst_case([survived, dear, cheap]) is cheap
    assert worst_case([survived, attacked("error", 0, 0, 0)]).outcome == "error"
    assert worst_case([survived]) is survived


def test_a_suite_breaks_what_any_of_its_attacks_breaks(measure: Measure, sentences: Texts, labels: Any) -> None:
    result = measure.suite(sentences, labels, "deepwordbug", "pruthi")
    assert [one.attack for one in result.attacks] == ["deepwordbug", "pruthi"]
    assert result.worst.attack == "worst of deepwordbug, pruthi"
    letters = zip(result.worst.outcomes, *(one.outcomes for one in result.attacks), strict=True)
    assert all(worst == ("s" if set(alone) == {"s"} else "m" if "m" in alone else "b") for worst, *alone in letters)
    assert all(
        worst == min(alone)
        for worst, *alone in zip(result.worst.shares, *(one.shares for one in result.attacks), strict=True)
    )
    assert result.worst.queries.value == pytest.approx(sum(one.queries.value for one in result.attacks))
    assert len({one.plan for one in result.attacks}) == 2
    assert result.rows == tuple(range(16))


def test_an_attack_named_twice_counts_once(measure: Measure, sentences: Texts, labels: Any) -> None:
    result = measure.suite(sentences, labels, "deepwordbug", "deepwordbug", rows=4)
    assert result.attacks == (result.worst,)


def test_a_hopeless_model_is_left_early_on_rows_in_random_order(measure: Measure, sentences: Texts) -> None:
    texts = sentences * 6
    with torch.inference_mode():
        said = Victim(measure.model, measure.tokenizer, 48, CPU)([text for (text,) in texts]).argmax(dim=1).numpy()
    wrong = 1 - said
    result = measure.suite(texts, wrong, "deepwordbug", hopeless=Hopeless(below=0.5))
    stopped = result.worst.stopped
    assert stopped is not None
    assert (stopped.rows, stopped.planned, stopped.below, stopped.error_rate) == (result.worst.n, 96, 0.5, 0.05)
    assert stopped.rows < 96
    assert len(result.rows) == stopped.rows
    assert result.rows != tuple(range(stopped.rows))  # the first rows of a sorted set would say nothing of the others
    assert measure.suite(texts, said, "deepwordbug", hopeless=Hopeless(below=0.01)).worst.stopped is None


def test_a_query_budget_is_kept_row_by_row(measure: Measure, sentences: Texts, labels: Any) -> None:
    result = measure.suite(sentences, labels, "deepwordbug", limits=Limits(queries=5))
    assert all(row.queries <= 5 for row in result.details["deepwordbug"])
    assert result.worst.out_of_queries > 0


def test_single_swaps_are_measured_beside_the_attacks(measure: Measure, sentences: Texts, labels: Any) -> None:
    result = measure.suite(sentences, labels, "pruthi", single_swaps=("deepwordbug", "pruthi"))
    assert [swaps.attack for swaps in result.single_swaps] == ["deepwordbug", "pruthi"]
    # Pruthi's attack is one swap: a row that survives it is right on every single swap.
    assert result.single_swaps[1].worst == result.worst.under_attack


def test_a_model_that_is_always_wrong_has_nothing_to_break() -> None:
    result = summarise("deepwordbug", 3, [attacked("misclassified", 1, 4, 0)] * 6, [0] * 6, 1.0)
    assert (result.clean.value, result.under_attack.value, result.words_to_break.value) == (0, 0, 0)
    assert (result.success_rate.n, result.success_rate.low, result.success_rate.high) == (0, 0.0, 1.0)
    assert (result.queries.n, result.perturbed_words.n) == (0, 0)


def counted(outcomes: str) -> tuple[AttackedRow, ...]:
    kinds = {"s": "survived", "b": "broken", "m": "misclassified"}
    return tuple(AttackedRow(kinds[one], ("a",), 1, 1, 1, int(one == "b"), 0.0) for one in outcomes)  # type: ignore[arg-type]


def test_an_attack_that_adapts_is_broken_where_a_plain_one_breaks_more_rows(
    measure: Measure, sentences: Texts, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("pruthi", "deepwordbug", "adaptive-characters")
    outcomes = {"pruthi": "ssssb", "deepwordbug": "sbbbs", "adaptive-characters": "sbsbs"}

    def ran(self: Any, victim: Any, labels: Any, places: Any, *_: Any) -> None:
        rows = counted(outcomes[self.attack.recipe.name])
        self.done |= {place: rows[place] for place in places}

    monkeypatch.setattr(module._Running, "run", ran)
    found = measure.suite(sentences[:5], [0] * 5, *names)
    weaker = {one.attack: one.weaker_than for one in found.attacks}
    assert weaker == {"pruthi": "", "deepwordbug": "", "adaptive-characters": "deepwordbug"}
    (told,) = found.attacks[2].notes
    assert told == "broken: deepwordbug, which does not adapt, breaks more rows; the figure is void"
    outcomes["adaptive-characters"] = "bbbss"  # as many
    assert not any(one.weaker_than for one in measure.suite(sentences[:5], [0] * 5, *names).attacks)


def test_attacks_that_adapt_stand_beside_the_worst_case(
    measure: Measure, sentences: Texts, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes = {"pruthi": "ssssb", "deepwordbug": "sbbss", "adaptive-characters": "bbbbb"}

    def ran(self: Any, victim: Any, labels: Any, places: Any, *_: Any) -> None:
        self.done |= dict(zip(places, counted(outcomes[self.attack.recipe.name]), strict=True))

    monkeypatch.setattr(module._Running, "run", ran)
    found = measure.suite(sentences[:5], [0] * 5, *outcomes)
    assert found.worst.attack == "worst of pruthi, deepwordbug" and found.worst.outcomes == "sbbsb"
    assert [one.outcomes for one in found.attacks] == list(outcomes.values())
    alone = measure.suite(sentences[:5], [0] * 5, "adaptive-characters")
    assert alone.worst.outcomes == "bbbbb" and alone.worst.reads == ("edits of letters",)


def test_an_attack_that_adapts_has_ten_times_the_queries_of_a_budget(
    measure: Measure, sentences: Texts, monkeypatch: pytest.MonkeyPatch
) -> None:
    budgets = {}

    def ran(self: Any, victim: Any, labels: Any, places: Sequence[int], limits: Limits, *_: Any) -> list[AttackedRow]:
        budgets[self.recipe.name] = limits.queries
        return [*counted("s" * len(places))]

    monkeypatch.setattr(PreparedAttack, "run", ran)
    names = ("deepwordbug", "adaptive-characters")
    measure.suite(sentences[:3], [0] * 3, *names, limits=Limits(queries=7))
    assert budgets == {"deepwordbug": 7, "adaptive-characters": 70}
    measure.suite(sentences[:3], [0] * 3, *names)
    assert budgets == {"deepwordbug": None, "adaptive-characters": None}
