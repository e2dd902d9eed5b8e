"""The methods of distillation by name."""

from __future__ import annotations

from rosearch.distillation.hidden_states import HiddenStateDistillation
from rosearch.distillation.kd import KnowledgeDistillation
from rosearch.distillation.method import Method
from rosearch.distillation_config import DistillationConfig

METHODS: dict[str, type[Method]] = {
    "kd": KnowledgeDistillation,
    "hidden_states": HiddenStateDistillation,
}


def required_layers(config: DistillationConfig) -> tuple[int, ...]:
    """The teacher layers whose hidden states the configured method reads; none for most."""
    return tuple(config.hidden_layers) if METHODS[config.method].needs_hidden else ()
