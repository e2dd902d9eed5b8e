import errno
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from evaluation.attacks.letter_victim import LetterVictim
from evaluation.tiny_model import CPU

from rosearch.errors import CandidateFailed
from rosearch.evaluation.attacks import recipes
from rosearch.evaluation.attacks.result import AttackedRow, Limits
from rosearch.evaluation.attacks.stock import library
from rosearch.evaluation.attacks.stock.pool import RowJob, run_pool
from rosearch.evaluation.attacks.victim import Victim
from rosearch.resources.resources import Resources
from rosearch.resources.word_lists import Neighbours

Texts = list[tuple[str, ...]]
Build = Callable[[Any], Any]

NEAREST = {
    "film": ["movie", "picture", "cinema"],
    "good": ["fine", "great", "decent", "bad"],
    "bad": ["poor", "awful"],
    "slow": ["sluggish", "late"],
    "bright": ["shiny", "vivid", "clear"],
    "dull": ["boring", "blunt"],
    "scene": ["view"],
    "actor": ["player", "actress"],
}


class NeighboursOnly(Resources):
    def neighbours(self) -> Neighbours:
        return Neighbours(NEAREST)


@pytest.fixture
def victim(model: Any, tokenizer: Any) -> Victim:
    return Victim(model, tokenizer, 48, CPU)


@pytest.fixture
def deepwordbug(cache: Path) -> Build:
    return lambda model: recipes.build(recipes.RECIPES["deepwordbug"], model, Resources(), cache)


@pytest.fixture
def genetic(cache: Path) -> Build:
    def build(model: Any) -> Any:
        attack = recipes.build(recipes.RECIPES["genetic-lite"], model, NeighboursOnly(), cache)
        attack.search_method.pop_size, attack.search_method.max_iters = 6, 3
        return attack

    return build


@pytest.fixture
def random_beam(deepwordbug: Build) -> Build:
    """A beam search over letters that are drawn anew for each text."""

    def build(model: Any) -> Any:
        attack = deepwordbug(model)
        textattack = library.loaded()
        attack.search_method = textattack.search_methods.BeamSearch(beam_width=2)
        constraints = [*attack.constraints, *attack.pre_transformation_constraints]
        constraints.append(textattack.constraints.overlap.MaxWordsPerturbed(max_num_words=2))
        return textattack.Attack(attack.goal_function, constraints, attack.transformation, attack.search_method)

    return build


def jobs_of(victim: Victim, texts: Texts, wrong: Sequence[int] = ()) -> list[RowJob]:
    """The model's predictions as labels, except for the rows `wrong`."""
    with torch.inference_mode():
        said = victim([row[0] if len(row) == 1 else row for row in texts]).argmax(dim=1).tolist()
    labels = [1 - label if row in wrong else label for row, label in enumerate(said)]
    return [RowJob(row, label, seed) for seed, (row, label) in enumerate(zip(texts, labels, strict=True))]


def attacked(build: Build, victim: Victim, jobs: Sequence[RowJob], **options: Any) -> list[AttackedRow]:
    with torch.inference_mode():
        return run_pool(build, victim, jobs, **options)


def but_for_scores(rows: Sequence[AttackedRow]) -> list[AttackedRow]:
    return [replace(row, score=0.0) for row in rows]


@pytest.mark.parametrize("name", ["deepwordbug", "genetic", "random_beam"])
@pytest.mark.parametrize("texts", ["sentences", "pairs"])
def test_results_are_the_same_for_any_number_of_lanes(
    name: str, texts: str, request: pytest.FixtureRequest, victim: Victim
) -> None:
    build, rows = request.getfixturevalue(name), request.getfixturevalue(texts)
    exact = LetterVictim()
    jobs = jobs_of(exact, rows, wrong=[3])
    alone = attacked(build, exact, jobs, lanes=1)
    assert len({row.outcome for row in alone}) > 1
    assert attacked(build, exact, jobs, lanes=3) == alone
    assert attacked(build, exact, jobs, lanes=32) == alone
    assert attacked(build, exact, jobs[::-1], lanes=3)[::-1] == alone

    jobs = jobs_of(victim, rows, wrong=[3])
    alone = attacked(build, victim, jobs, lanes=1)
    together = attacked(build, victim, jobs, lanes=32)
    assert but_for_scores(together) == but_for_scores(alone)
    assert [row.score for row in together] == pytest.approx([row.score for row in alone], abs=1e-5)


@pytest.mark.parametrize("name", ["deepwordbug", "genetic", "random_beam"])
def test_results_are_those_of_the_attack_that_is_run_by_itself(
    name: str, request: pytest.FixtureRequest, sentences: Texts
) -> None:
    build, victim = request.getfixturevalue(name), LetterVictim()
    jobs = jobs_of(victim, sentences, wrong=[3])
    kinds = {"Skipped": "misclassified", "Failed": "survived", "Successful": "broken"}
    for job, row in zip(jobs, attacked(build, victim, jobs, lanes=8), strict=True):
        attack = build(victim)
        with library.generators_at(job.seed):
            reference = attack.attack(job.texts[0], job.label)
        assert row.outcome == kinds[type(reference).__name__.removesuffix("AttackResult")]
        assert row.texts == (reference.perturbed_result.attacked_text.text,)
        assert row.queries == reference.num_queries
        assert row.score == float(reference.perturbed_result.score)


def test_queries_of_all_lanes_share_batches(deepwordbug: Build, sentences: Texts) -> None:
    victim = LetterVictim()
    jobs = jobs_of(victim, sentences)
    calls = []
    for lanes in (1, 16):
        victim.calls = 0
        attacked(deepwordbug, victim, jobs, lanes=lanes)
        calls.append(victim.calls)
    assert calls[1] * 4 < calls[0]


def test_each_lane_is_built_once_and_prepared_before_each_row(deepwordbug: Build, sentences: Texts) -> None:
    built, prepared = [], []

    def build(model: Any) -> Any:
        built.append(deepwordbug(model))
        return built[-1]

    def prepare(attack: Any, job: RowJob) -> None:
        prepared.append(job.payload)
        assert attack in built

    victim = LetterVictim()
    jobs = [replace(job, payload=number) for number, job in enumerate(jobs_of(victim, sentences))]
    attacked(build, victim, jobs, lanes=4, prepare=prepare)
    assert len(built) == 4
    assert sorted(prepared) == list(range(len(jobs)))


def test_progress_is_told_row_by_row(deepwordbug: Build, sentences: Texts) -> None:
    told: list[tuple[str, int, int]] = []
    victim = LetterVictim()
    attacked(deepwordbug, victim, jobs_of(victim, sentences), lanes=4, progress=lambda *step: told.append(step))
    assert told == [("attack", done, len(sentences)) for done in range(1, len(sentences) + 1)]


def test_no_rows_are_no_work_and_no_lanes_are_refused(deepwordbug: Build) -> None:
    assert run_pool(deepwordbug, LetterVictim(), []) == []
    with pytest.raises(ValueError, match="at least one lane, got 0"):
        run_pool(deepwordbug, LetterVictim(), [RowJob(("a",), 0, 0)], lanes=0)


class Stumbling:
    """Lets an attack raise on texts that have a word in them."""

    def __init__(self, build: Build, word: str, error: BaseException) -> None:
        self.build, self.word, self.error = build, word, error

    def __call__(self, model: Any) -> Any:
        attack = self.build(model)
        search = attack.search_method.perform_search

        def perform(initial: Any) -> Any:
            if self.word in initial.attacked_text.text:
                raise self.error
            return search(initial)

        attack.search_method.perform_search = perform
        return attack


def test_an_attack_that_raises_is_the_outcome_of_its_row_alone(deepwordbug: Build, sentences: Texts) -> None:
    victim = LetterVictim()
    jobs = jobs_of(victim, [*sentences, ("A zebra .",), ("The zebra of <SPLIT> .",)])
    jobs.append(replace(jobs[-1], label=1 - jobs[-1].label))
    rows = attacked(Stumbling(deepwordbug, "zebra", KeyError("stripes")), victim, jobs, lanes=8)
    assert rows[:-3] == attacked(deepwordbug, victim, jobs[:-3])
    zebra, split, wrong = rows[-3:]
    assert (zebra.outcome, zebra.complaint, zebra.texts) == ("error", "KeyError: 'stripes'", ("A zebra .",))
    assert (zebra.queries, zebra.words, zebra.changed, zebra.swaps) == (1, 2, 0, ())
    assert (split.outcome, split.queries) == ("error", 0)
    assert "<SPLIT>" in split.complaint
    assert (wrong.outcome, wrong.complaint, wrong.queries) == ("misclassified", "", 1)


@pytest.mark.parametrize("error", [MemoryError(), OSError(errno.EMFILE, "Too many open files"), KeyboardInterrupt()])
def test_an_error_that_is_not_the_attacks_goes_through(
    error: BaseException, deepwordbug: Build, sentences: Texts
) -> None:
    victim = LetterVictim()
    jobs = jobs_of(victim, [*sentences[:4], ("A zebra .",), *sentences[4:]])
    with pytest.raises(type(error)):
        attacked(Stumbling(deepwordbug, "zebra", error), victim, jobs, lanes=4)


def test_an_error_of_the_model_goes_through_and_no_lane_is_left(
    deepwordbug: Build, victim: Victim, sentences: Texts, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs, ended = jobs_of(victim, sentences), []
    forward = victim.model.forward

    def nan(**inputs: Any) -> Any:
        output = forward(**inputs)
        if victim.calls > 5:
            output.logits = output.logits * float("nan")
        return output

    def build(model: Any) -> Any:
        attack = deepwordbug(model)
        monkeypatch.setattr(attack, "clear_cache", lambda recursive=True: ended.append(attack))
        return attack

    monkeypatch.setattr(victim.model, "forward", nan)
    states = repr(library.generators())
    with pytest.raises(CandidateFailed, match="not finite") as raised:
        attacked(build, victim, jobs, lanes=4)
    assert raised.value is victim.failure
    assert len(set(map(id, ended))) == 4
    assert repr(library.generators()) == states


def test_a_search_that_spends_its_queries_is_out_of_queries(deepwordbug: Build, sentences: Texts) -> None:
    victim = LetterVictim()
    jobs = jobs_of(victim, sentences, wrong=[3])
    free = attacked(deepwordbug, victim, jobs)
    budget = 12
    assert any(row.queries > budget for row in free)
    for row, unlimited in zip(attacked(deepwordbug, victim, jobs, limits=Limits(queries=budget)), free, strict=True):
        assert row.queries <= budget
        if unlimited.queries < budget:
            assert row == unlimited
        elif unlimited.queries > budget:
            assert row.outcome == ("broken" if row.score > 0.5 else "out_of_queries")


@pytest.mark.parametrize("budget", [1, 2, 5])
@pytest.mark.parametrize("name", ["deepwordbug", "genetic", "random_beam"])
def test_small_budgets_are_no_errors(name: str, budget: int, request: pytest.FixtureRequest, sentences: Texts) -> None:
    victim = LetterVictim()
    jobs = jobs_of(victim, sentences, wrong=[3])
    rows = attacked(request.getfixturevalue(name), victim, jobs, limits=Limits(queries=budget))
    assert {row.outcome for row in rows} <= {"misclassified", "broken", "survived", "out_of_queries"}
    assert {row.outcome for row in rows} >= {"misclassified", "out_of_queries"}
    assert max(row.queries for row in rows) <= budget


def test_a_row_that_runs_past_its_seconds_is_out_of_time(deepwordbug: Build, sentences: Texts) -> None:
    victim = LetterVictim()
    jobs = jobs_of(victim, sentences, wrong=[3])
    rows = attacked(deepwordbug, victim, jobs, limits=Limits(seconds=0.0), lanes=4)
    assert [row.outcome for row in rows] == ["misclassified" if row == 3 else "out_of_time" for row in range(len(jobs))]
    assert all(row.texts == job.texts and row.changed == 0 for row, job in zip(rows, jobs, strict=True))
    assert all(row.queries >= 1 and row.distinct == 1 and row.words > 0 for row in rows)
    assert attacked(deepwordbug, victim, jobs, limits=Limits(seconds=1e6)) == attacked(deepwordbug, victim, jobs)


def test_the_global_generators_are_left_alone(genetic: Build, sentences: Texts) -> None:
    victim = LetterVictim()
    jobs = jobs_of(victim, sentences)
    with library.generators_at(11):
        expected = random.random(), np.random.random(), torch.rand(1)
    with library.generators_at(11):
        attacked(genetic, victim, jobs, lanes=3)
        assert (random.random(), np.random.random(), torch.rand(1)) == expected


def test_equal_seeds_give_equal_results_and_other_seeds_other_letters(deepwordbug: Build, sentences: Texts) -> None:
    victim = LetterVictim()
    jobs = jobs_of(victim, sentences, wrong=[3])
    first = attacked(deepwordbug, victim, jobs)
    assert attacked(deepwordbug, victim, jobs) == first
    other = attacked(deepwordbug, victim, [replace(job, seed=job.seed + 1) for job in jobs])
    assert [row.texts for row in other] != [row.texts for row in first]
    assert [row.outcome == "misclassified" for row in other] == [row.outcome == "misclassified" for row in first]


def test_swaps_lead_from_the_row_to_what_became_of_it(
    deepwordbug: Build, genetic: Build, sentences: Texts, pairs: Texts
) -> None:
    victim = LetterVictim()
    seen = 0
    for build in (deepwordbug, genetic):
        jobs = jobs_of(victim, [*sentences, *pairs])
        for job, row in zip(jobs, attacked(build, victim, jobs), strict=True):
            words = [word for text in job.texts for word in text.split()[:-1]]
            for index, word in row.swaps:
                words[index] = word
            assert words == [word for text in row.texts for word in text.split()[:-1]]
            assert len({index for index, _ in row.swaps}) == row.changed
            seen += len(row.swaps) > 1
    assert seen


def test_a_word_that_becomes_two_and_a_word_that_goes_are_one_swap_each(cache: Path) -> None:
    from rosearch.evaluation.attacks.stock.rows import swaps_to

    text = library.load(cache).shared.AttackedText("a good film of songs")
    text = text.replace_word_at_index(1, "go od").delete_word_at_index(0).replace_word_at_index(2, "movie")
    assert swaps_to(text) == ((1, "go od"), (0, ""), (2, "movie"))
    assert swaps_to(text.delete_word_at_index(4))[-1] == (4, "")


def test_repeated_texts_are_queries_but_not_distinct_ones(genetic: Build, sentences: Texts) -> None:
    victim = LetterVictim()
    rows = attacked(genetic, victim, jobs_of(victim, sentences))
    assert all(row.distinct <= row.queries for row in rows)
    assert any(1 < row.distinct < row.queries for row in rows)


def test_outcomes_say_what_the_model_says(deepwordbug: Build, victim: Victim, sentences: Texts) -> None:
    jobs = jobs_of(victim, sentences, wrong=[3, 7])
    rows = attacked(deepwordbug, victim, jobs)
    assert {row.outcome for row in rows} == {"misclassified", "broken", "survived"}
    with torch.inference_mode():
        probabilities = victim([row.texts[0] for row in rows]).softmax(dim=1)
    for row, job, said in zip(rows, jobs, probabilities, strict=True):
        assert (int(said.argmax()) == job.label) == (row.outcome == "survived")
        assert row.score == pytest.approx(1 - float(said[job.label]), abs=1e-5)
        if row.outcome == "misclassified":
            assert (row.texts, row.queries, row.distinct, row.changed) == (job.texts, 1, 1, 0)
        else:
            assert row.queries > 1


def test_changed_words_are_counted_and_stop_words_stay(deepwordbug: Build, victim: Victim, sentences: Texts) -> None:
    changed = set()
    for row, (text,) in zip(attacked(deepwordbug, victim, jobs_of(victim, sentences)), sentences, strict=True):
        pairs = list(zip(text.split()[:-1], row.texts[0].split()[:-1], strict=True))
        assert row.words == len(pairs)
        assert row.changed == sum(old != new for old, new in pairs)
        assert row.changed >= (row.outcome == "broken")
        changed |= {old for old, new in pairs if old != new}
    assert changed
    assert not changed & {"the", "a", "of", "and", "this", "isn't", "very"}


def test_words_of_both_texts_of_a_pair_are_attacked(deepwordbug: Build, victim: Victim, pairs: Texts) -> None:
    rows = attacked(deepwordbug, victim, jobs_of(victim, pairs))
    assert all(len(row.texts) == 2 for row in rows)
    for column in (0, 1):
        assert any(row.texts[column] != pair[column] for row, pair in zip(rows, pairs, strict=True))
    for row, pair in zip(rows, pairs, strict=True):
        assert row.words == sum(len(text.split()) - 1 for text in pair)


def test_a_text_without_words_survives(deepwordbug: Build, victim: Victim) -> None:
    (row,) = attacked(deepwordbug, victim, jobs_of(victim, [("!",)]))
    assert replace(row, score=0.0) == AttackedRow(
        "survived", ("!",), queries=1, distinct=1, words=0, changed=0, score=0.0
    )


def test_without_a_gpu_torch_is_not_asked_whether_a_stream_is_captured(
    deepwordbug: Build, victim: Victim, sentences: Texts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A torch that was built for CUDA throws at that, and in a greenlet that can end the process."""

    def throws() -> bool:
        raise AssertionError("asked")

    def prepare(attack: Any, job: RowJob) -> None:
        assert not torch.cuda.is_current_stream_capturing()

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", throws)
    jobs = [RowJob(texts, 0, 1) for texts in sentences[:3]]
    with torch.inference_mode():
        assert len(run_pool(deepwordbug, victim, jobs, prepare=prepare)) == 3
    assert torch.cuda.is_current_stream_capturing is throws
