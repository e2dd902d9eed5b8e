"""The methods of distillation by name."""

from __future__ import annotations

from typing import Any

from rosearch.config.distillation import DistillationConfig
from rosearch.training.ad2 import AdversarialDistillation
from rosearch.training.hidden_states import HiddenStateDistillation
from rosearch.training.kd import KnowledgeDistillation
from rosearch.training.mate_kd import MateKd
from rosearch.training.method import Method
from rosearch.training.robust_kd import RobustKd

METHODS: dict[str, type[Method]] = {
    "kd": KnowledgeDistillation,
    "hidden_states": HiddenStateDistillation,
    "ad2": AdversarialDistillation,
    "mate_kd": MateKd,
    "robust_kd": RobustKd,
}


def required_layers(config: DistillationConfig) -> tuple[int, ...]:
    """The teacher layers whose hidden states the configured method reads; none for most."""
    return tuple(config.hidden_layers) if METHODS[config.method].needs_hidden else ()


def own_settings(config: DistillationConfig) -> dict[str, Any]:
    """The configuration as plain data, without the sections of other methods: what a result can follow from."""
    return config.model_dump(mode="json", exclude=set(METHODS) - {config.method})
