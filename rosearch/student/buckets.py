"""Least squares: vectors of n-gram buckets whose means come near a table of words."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from scipy import sparse
from torch import Tensor

from rosearch.student.lexicon import BUCKETS, NgramEmbedding

ITERATIONS = 24  # of conjugate gradients
RIDGE = 1e-3  # a word's own weight in the fit is 1

_Matrix = npt.NDArray[np.float32]


@torch.no_grad()
def fit_buckets(ngrams: NgramEmbedding, table: Tensor) -> float:
    """Fits the buckets to a table (V, R); returns the share of its variance around its mean that they explain.

    With A (V, 8192) the shares of the buckets in each word and M the table's mean, it minimises
    |A X - table|^2 + ridge |X - M|^2 by conjugate gradients on the normal equations (Hestenes and Stiefel 1952), all
    columns at once and a fixed number of steps: equal inputs give equal buckets. From M on, so that a bucket no word
    has is the mean.
    """
    shares = _shares(ngrams.buckets)
    target = table.detach().cpu().float().numpy()
    mean = target.mean(0)
    centred = target - mean
    found = _conjugate_gradients(shares, centred)
    left = centred - shares @ found
    ngrams.weight.copy_(torch.from_numpy(found + mean))
    ngrams.weight[0] = 0.0  # the bucket that stands for none
    return 1.0 - float((left**2).sum() / (centred**2).sum())


def _shares(buckets: Tensor) -> sparse.csr_matrix:
    """(V, K) bucket ids, 0 none -> (V, 8192): rows that sum to 1."""
    ids = buckets.cpu().numpy()
    words, places = np.nonzero(ids)
    counts = (ids != 0).sum(1)
    values = (1.0 / counts[words]).astype(np.float32)
    return sparse.csr_matrix((values, (words, ids[words, places])), shape=(len(ids), BUCKETS))


def _conjugate_gradients(shares: sparse.csr_matrix, target: _Matrix) -> _Matrix:
    """The X (8192, R) near the solution of (A^T A + ridge) X = A^T target, each column with steps of its own.

    Residuals are divided by the diagonal (Jacobi): n-grams are of very different frequency.
    """
    transposed = shares.T.tocsr()
    diagonal = np.asarray(shares.power(2).sum(0), dtype=np.float32).reshape(-1, 1) + np.float32(RIDGE)
    found = np.zeros((shares.shape[1], target.shape[1]), dtype=np.float32)
    residual: _Matrix = transposed @ target
    direction = residual / diagonal
    length = _products(residual, direction)
    for _ in range(ITERATIONS):
        image: _Matrix = transposed @ (shares @ direction) + RIDGE * direction
        step = _quotient(length, _products(direction, image))
        found += step * direction
        residual -= step * image
        scaled = residual / diagonal
        before, length = length, _products(residual, scaled)
        direction = scaled + _quotient(length, before) * direction
    return found


def _products(one: _Matrix, other: _Matrix) -> _Matrix:
    """Of each column with its like: (8192, R) twice -> (R,)."""
    return np.asarray(np.einsum("br,br->r", one, other))


def _quotient(above: _Matrix, below: _Matrix) -> _Matrix:
    """0 where a column is solved (or was 0 from the start) and nothing is left to divide."""
    return np.divide(above, below, out=np.zeros_like(above), where=below > 0)
