from __future__ import annotations

from rosearch.evolution.surrogates.predictor import Context, Episode, context_of

A, B, C, D = (0, 0), (0, 1), (1, 0), (1, 1)


def test_the_context_is_the_best_of_the_last_episode_and_the_best_so_far() -> None:
    history = [Episode((A, B), (1.0, 3.0)), Episode((C, D), (2.0, 1.5))]
    assert context_of(history) == Context(last=C, best=B)


def test_before_anything_is_told_there_is_no_context() -> None:
    assert context_of([]) == context_of([Episode((), ())]) == Context(None, None)


def test_an_episode_of_failures_is_passed_over_and_of_equals_the_first_counts() -> None:
    history = [Episode((A, B), (1.0, 1.0)), Episode((), ())]
    assert context_of(history) == Context(last=A, best=A)
