from __future__ import annotations

import numpy as np
import pytest
import torch
from student.small_students import PIECES, VOCABULARY

from rosearch.student import buckets
from rosearch.student.buckets import fit_buckets
from rosearch.student.lexicon import NgramEmbedding

FEATURES = 12


def spelled() -> NgramEmbedding:
    torch.manual_seed(1)
    ngrams = NgramEmbedding(VOCABULARY, FEATURES)
    ngrams.spell(PIECES)
    return ngrams


def table(seed: int = 2, rows: int = VOCABULARY) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(rows, FEATURES, generator=generator) + 3.0


def fitted_words(ngrams: NgramEmbedding) -> torch.Tensor:
    with torch.no_grad():
        return ngrams(torch.arange(VOCABULARY).unsqueeze(0))[0]


def test_buckets_are_the_least_squares_solution_with_a_ridge_around_the_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buckets, "RIDGE", 0.1)
    ngrams, target = spelled(), table()
    share = fit_buckets(ngrams, target)
    shares = np.zeros((VOCABULARY, 8192))
    for row, ids in enumerate(ngrams.buckets.tolist()):
        held = [bucket for bucket in ids if bucket]
        for bucket in held:
            shares[row, bucket] += 1 / len(held)
    mean = target.mean(0).double().numpy()
    centred = target.double().numpy() - mean
    # (A^T A + ridge) X = A^T Y, by way of the small system: X = A^T (A A^T + ridge)^-1 Y.
    exact = shares.T @ np.linalg.solve(shares @ shares.T + 0.1 * np.eye(VOCABULARY), centred)
    np.testing.assert_allclose(ngrams.weight.detach()[1:].numpy(), (exact + mean)[1:], atol=2e-4)
    left = centred - shares @ exact
    assert share == pytest.approx(1 - (left**2).sum() / (centred**2).sum(), abs=1e-4)


def test_words_of_few_pieces_are_met_and_words_that_share_all_buckets_get_their_mean() -> None:
    ngrams, target = spelled(), table()
    assert 0.9 < fit_buckets(ngrams, target) < 1.0
    words = fitted_words(ngrams)
    torch.testing.assert_close(words[:5], target[:5], rtol=0.01, atol=0.01)  # each has a bucket of its own
    unused = target[5:7].mean(0)  # [unused0] and [unused1] have one
    torch.testing.assert_close(words[5:7], unused.expand(2, -1), rtol=0.01, atol=0.01)


def test_equal_inputs_give_equal_buckets_and_no_random_number_is_drawn() -> None:
    before = torch.get_rng_state()
    results = []
    for ngrams in (spelled(), spelled()):
        torch.set_rng_state(before)
        fit_buckets(ngrams, table())
        assert torch.equal(torch.get_rng_state(), before)
        results.append(ngrams.weight.detach().clone())
    assert torch.equal(*results)


def test_a_bucket_that_no_word_has_is_the_mean_and_a_constant_feature_is_kept() -> None:
    ngrams, target = spelled(), table()
    target[:, 3] = 7.0
    fit_buckets(ngrams, target)
    used = set(ngrams.buckets.flatten().tolist())
    free = next(bucket for bucket in range(1, 8192) if bucket not in used)
    torch.testing.assert_close(ngrams.weight[free], target.mean(0))
    torch.testing.assert_close(fitted_words(ngrams)[:, 3], torch.full((VOCABULARY,), 7.0))


def test_a_new_word_is_near_to_what_it_shares_ngrams_with() -> None:
    """A word that was not in the fit, spelt like one that was, is read from their n-grams."""
    place = PIECES.index("a")
    ngrams, target = spelled(), table()
    fit_buckets(ngrams, target)
    known = fitted_words(ngrams)
    ngrams.spell([*PIECES[:place], "wonderings", *PIECES[place + 1 :]])
    with torch.no_grad():
        new = ngrams(torch.tensor([[place]]))[0, 0]
    near = torch.cosine_similarity((known - target.mean(0)), (new - target.mean(0)).unsqueeze(0))
    assert PIECES[int(near.argmax())] == "wondering"
