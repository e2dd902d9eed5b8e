from typing import Any

import numpy as np
import pytest
import torch
from evaluation.tiny_model import CPU
from scipy import stats
from sklearn import metrics

from rosearch.data.tokens import TokenisedSplit
from rosearch.errors import CandidateFailed
from rosearch.evaluation.quality import inference, measure_quality, predict


def tokenised(lengths: list[int], vocabulary: int) -> TokenisedSplit:
    ids = np.random.default_rng(0).integers(4, vocabulary, size=sum(lengths)).astype(np.int32)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    types = np.zeros(len(ids), dtype=np.int8)
    return TokenisedSplit("key", ids, types, offsets, np.zeros(len(lengths), dtype=np.int64), 0, 0)


def test_logits_come_in_the_order_of_the_rows_and_equal_those_of_each_row_alone(model: Any) -> None:
    split = tokenised([5, 12, 3, 9, 7, 12, 4], model.config.vocab_size)
    seen: list[tuple[str, int, int]] = []
    logits = predict(model, split, CPU, 3, lambda *step: seen.append(step))
    assert (logits.shape, logits.dtype) == ((7, 2), np.float32)
    for row in range(7):
        ids = torch.from_numpy(split.row(row).astype(np.int64))[None]
        with torch.no_grad():
            np.testing.assert_allclose(logits[row], model(ids).logits[0].numpy(), atol=2e-5)
    assert seen == [("quality", 3, 7), ("quality", 6, 7), ("quality", 7, 7)]


def test_predicting_leaves_training_mode_and_gradients_as_they_were(model: Any) -> None:
    model.train()
    predict(model, tokenised([4, 5], model.config.vocab_size), CPU, 2)
    assert model.training
    assert torch.is_grad_enabled()


def test_inference_keeps_float32_inside_an_autocast() -> None:
    layer = torch.nn.Linear(4, 4)
    with torch.autocast("cpu", torch.bfloat16):
        with inference(layer, CPU):
            assert layer(torch.ones(1, 4)).dtype == torch.float32
            assert not torch.backends.cudnn.allow_tf32
        assert layer(torch.ones(1, 4)).dtype == torch.bfloat16
    assert torch.backends.cudnn.allow_tf32


def test_logits_that_are_not_finite_are_a_failure_of_the_candidate(model: Any) -> None:
    with torch.no_grad():
        model.classifier.bias[0] = torch.nan
    with pytest.raises(CandidateFailed, match="2 of 2 rows") as caught:
        predict(model, tokenised([4, 5], model.config.vocab_size), CPU, 2)
    assert (caught.value.kind, caught.value.stage) == ("nan", "quality")


def test_a_split_without_rows_is_refused(model: Any) -> None:
    with pytest.raises(ValueError, match="without rows"):
        predict(model, tokenised([], model.config.vocab_size), CPU, 2)


@pytest.mark.parametrize("classes", [2, 4])
def test_classification_agrees_with_scikit_learn(classes: int) -> None:
    rng = np.random.default_rng(classes)
    labels = rng.integers(0, classes, size=200)
    logits = rng.normal(size=(200, classes)).astype(np.float32)
    logits[np.arange(200), labels] += 1
    predicted = logits.argmax(axis=1)
    quality = measure_quality(logits, labels, "classification", "macro_f1")
    assert quality.accuracy is not None
    assert quality.accuracy.value == metrics.accuracy_score(labels, predicted)
    assert quality.macro_f1 == pytest.approx(metrics.f1_score(labels, predicted, average="macro"))
    assert quality.matthews == pytest.approx(metrics.matthews_corrcoef(labels, predicted))
    assert quality.largest_class_share == pytest.approx(np.unique(predicted, return_counts=True)[1].max() / 200)
    assert (quality.pearson, quality.spearman, quality.n) == (None, None, 200)


@pytest.mark.parametrize("metric", ["accuracy", "macro_f1", "matthews"])
def test_the_value_is_that_of_the_tasks_metric(metric: Any) -> None:
    labels = np.array([0, 0, 0, 1, 1, 0])
    logits = np.eye(2, dtype=np.float32)[[0, 0, 1, 1, 0, 0]]
    quality = measure_quality(logits, labels, "classification", metric)
    assert quality.accuracy is not None
    expected = {
        "accuracy": quality.accuracy.value,
        "macro_f1": quality.macro_f1,
        "matthews": quality.matthews,
    }
    assert quality.value == expected[metric]
    assert len(set(expected.values())) == 3


def test_a_constant_predictor_shows() -> None:
    labels = np.array([0, 1] * 10)
    quality = measure_quality(np.tile(np.float32([3, 0]), (20, 1)), labels, "classification", "accuracy")
    assert (quality.value, quality.largest_class_share, quality.matthews) == (0.5, 1.0, 0.0)
    assert quality.macro_f1 == pytest.approx(1 / 3)


def test_rows_of_one_class_are_measured_without_a_warning() -> None:
    quality = measure_quality(np.float32([[1, 0], [2, 0]]), np.array([0, 0]), "classification", "matthews")
    assert (quality.value, quality.macro_f1) == (0.0, 1.0)


@pytest.mark.parametrize("metric", ["pearson", "spearman"])
def test_regression_agrees_with_scipy(metric: Any) -> None:
    rng = np.random.default_rng(2)
    labels = rng.normal(size=80).astype(np.float32)
    logits = (np.exp(labels) + rng.normal(size=80)).astype(np.float32)[:, None]
    quality = measure_quality(logits, labels, "regression", metric)
    assert quality.pearson == pytest.approx(stats.pearsonr(logits[:, 0], labels).statistic, rel=1e-5)
    assert quality.spearman == pytest.approx(stats.spearmanr(logits[:, 0], labels).statistic)
    assert quality.value == getattr(quality, metric)
    assert (quality.accuracy, quality.matthews, quality.largest_class_share) == (None, None, None)


def test_a_correlation_with_a_constant_counts_as_nothing() -> None:
    quality = measure_quality(np.full((4, 1), 2.5, np.float32), np.float32([1, 2, 3, 4]), "regression", "pearson")
    assert (quality.pearson, quality.spearman, quality.value) == (0.0, 0.0, 0.0)


def test_logits_and_labels_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="3 rows of logits for 2 labels"):
        measure_quality(np.zeros((3, 2), np.float32), np.array([0, 1]), "classification", "accuracy")
