"""Quality on clean text: the logits of every row, then the task's metric and related ones."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np
import torch
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics import f1_score, matthews_corrcoef, precision_recall_fscore_support

from rosearch.config.task import Metric
from rosearch.data.batches import evaluation_batches
from rosearch.data.tokens import TokenisedSplit
from rosearch.errors import CandidateFailed
from rosearch.evaluation.intervals import wilson
from rosearch.measurements import ClassQuality, Quality
from rosearch.progress import Progress, silent

Logits = np.ndarray[tuple[int, int], np.dtype[np.float32]]


@contextmanager
def inference(model: torch.nn.Module, device: torch.device) -> Iterator[None]:
    """Inside, the model runs without dropout, gradients, autocast and TF32: in plain float32. Restored on exit.

    Measurements never run in low precision: attacks follow the largest score, and with bfloat16 a quarter of them take
    another path than with float32.
    """
    training, tf32 = model.training, torch.backends.cudnn.allow_tf32
    model.eval()
    torch.backends.cudnn.allow_tf32 = False  # on by default for convolutions, off for matrix products
    try:
        with torch.inference_mode(), torch.autocast(device.type, enabled=False):
            yield
    finally:
        torch.backends.cudnn.allow_tf32 = tf32
        model.train(training)


def predict(
    model: torch.nn.Module,
    tokenised: TokenisedSplit,
    device: torch.device,
    batch_size: int,
    progress: Progress = silent,
) -> Logits:
    """The float32 logits (rows, labels) of a whole split, in the order of its rows.

    The model must be on `device`. Raises `CandidateFailed` (nan) where a logit is not finite.
    """
    logits: Logits | None = None
    done = 0
    with inference(model, device):
        for batch in evaluation_batches(tokenised, batch_size):
            output = model(**batch.to(device).inputs).logits.float().cpu().numpy()
            if logits is None:
                logits = np.empty((len(tokenised), output.shape[1]), dtype=np.float32)
            logits[batch.rows] = output
            done += len(batch.rows)
            progress("quality", done, len(tokenised))
    if logits is None:
        raise ValueError("a split without rows has no quality")
    if not np.isfinite(logits).all():
        broken = int((~np.isfinite(logits)).any(axis=1).sum())
        raise CandidateFailed("nan", f"logits of {broken} of {len(tokenised)} rows are not finite", "quality")
    return logits


def measure_quality(
    logits: Logits,
    labels: np.ndarray[tuple[int], np.dtype[Any]],
    problem: Literal["classification", "regression"],
    metric: Metric,
) -> Quality:
    """Quality from logits (rows, labels) and labels (rows,): classes as integers, or scores for regression.

    F1 (macro, over the classes seen in labels or predictions) and the Matthews correlation are scikit-learn's; those of
    Pearson and Spearman are SciPy's. A correlation with a constant, Matthews' included, is undefined and counts as 0.
    """
    if len(logits) != len(labels) or not len(labels):
        raise ValueError(f"{len(logits)} rows of logits for {len(labels)} labels")
    quality = _of_scores(logits[:, 0], labels) if problem == "regression" else _of_classes(logits, labels)
    value = quality["accuracy"].value if metric == "accuracy" else quality[metric]
    return Quality(metric=metric, value=value, n=len(labels), **quality)


def _of_classes(logits: Logits, labels: np.ndarray[tuple[int], np.dtype[Any]]) -> dict[str, Any]:
    predicted = logits.argmax(axis=1)
    return {
        "accuracy": wilson(int((predicted == labels).sum()), len(labels)),
        "macro_f1": float(f1_score(labels, predicted, average="macro", zero_division=0.0)),
        "matthews": 0.0 if _constant(predicted, labels) else float(matthews_corrcoef(labels, predicted)),
        "largest_class_share": float(np.bincount(predicted).max() / len(predicted)),
        "per_class": _classes(predicted, labels),
    }


def _classes(
    predicted: np.ndarray[tuple[int], np.dtype[Any]], labels: np.ndarray[tuple[int], np.dtype[Any]]
) -> tuple[ClassQuality, ...]:
    present = np.unique(labels)
    found = precision_recall_fscore_support(labels, predicted, labels=present, zero_division=0.0)
    return tuple(
        ClassQuality(int(label), int(n), wilson(round(recall * n), int(n)), float(precision), float(f1))
        for label, precision, recall, f1, n in zip(present, *found, strict=True)
    )


def _of_scores(
    predicted: np.ndarray[tuple[int], np.dtype[np.float32]], labels: np.ndarray[tuple[int], np.dtype[Any]]
) -> dict[str, Any]:
    if _constant(predicted, labels):
        return {"pearson": 0.0, "spearman": 0.0}
    scores, truth = predicted.astype(np.float64), labels.astype(np.float64)
    return {
        "pearson": float(pearsonr(scores, truth).statistic),
        "spearman": float(spearmanr(scores, truth).statistic),
    }


def _constant(*columns: np.ndarray[tuple[int], np.dtype[Any]]) -> bool:
    return any(np.ptp(column) == 0 for column in columns)
