from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from rosearch.materials.task import quality_of


def test_quality_tells_of_a_constant_predictor() -> None:
    labels = np.array([0, 1, 1, 0])
    task = SimpleNamespace(problem="classification", metric="accuracy", labels=("no", "yes"))
    materials: Any = SimpleNamespace(task=task, split=lambda name: SimpleNamespace(labels=labels))
    constant = np.tile(np.array([[0.0, 1.0]], np.float32), (4, 1))
    assert "predicts yes" in quality_of(constant, materials, "test").collapse
    assert quality_of(np.eye(2, dtype=np.float32)[labels], materials, "test").collapse == ""
