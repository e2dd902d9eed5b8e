"""Fits vectors of n-gram buckets by least squares, so that their means approximate a table of words."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from scipy import sparse
from torch import Tensor

from rosearch.student.lexicon import BUCKETS, NgramEmbedding

ITERATIONS = 24  # steps of conjugate gradients
RIDGE = 1e-3  # beside a weight of 1 for each word

_Matrix = npt.NDArray[np.float32]


@torch.no_grad()
def fit_buckets(ngrams: NgramEmbedding, table: Tensor) -> float:
    """Fits the buckets to a table (V, R); returns the explained share of its variance around its mean.

    A (V, 8192) holds the shares of the buckets in each word, M is the table's mean. The fit minimises |A X - table|^2 +
    ridge |X - M|^2 by conjugate gradients on the normal equations (Hestenes and Stiefel 1952), for all columns at once.
    The number of steps is fixed, so equal inputs give equal buckets. It starts from M, so a bucket that no word has
    stays at the mean.
    """
    shares = _shares(ngrams.buckets)
    target = table.detach().cpu().float().numpy()
    mean = target.mean(0)
    centred = target - mean
    found = _conjugate_gradients(shares, centred)
    left = centred - shares @ found
    ngrams.weight.copy_(torch.from_numpy(found + mean))
    ngrams.weight[0] = 0.0  # bucket 0 means none
    return 1.0 - float((left**2).sum() / (centred**2).sum())


def _shares(buckets: Tensor) -> sparse.csr_matrix:
    """(V, K) bucket ids, 0 for none -> (V, 8192), rows that sum to 1."""
    ids = buckets.cpu().numpy()
    words, places = np.nonzero(ids)
    counts = (ids != 0).sum(1)
    values = (1.0 / counts[words]).astype(np.float32)
    return sparse.csr_matrix((values, (words, ids[words, places])), shape=(len(ids), BUCKETS))


def _conjugate_gradients(shares: sparse.csr_matrix, target: _Matrix) -> _Matrix:
    """X (8192, R), an approximate solution of (A^T A + ridge) X = A^T target; each column has its own step sizes.

    The diagonal is the preconditioner (Jacobi), because the frequencies of n-grams differ widely.
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
    """Inner products of corresponding columns: (8192, R) twice -> (R,)."""
    return np.asarray(np.einsum("br,br->r", one, other))


def _quotient(above: _Matrix, below: _Matrix) -> _Matrix:
    """above / below, and 0 for a column that is solved (or was 0 from the start)."""
    return np.divide(above, below, out=np.zeros_like(above), where=below > 0)
