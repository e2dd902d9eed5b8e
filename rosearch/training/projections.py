"""Reads queries, keys and values of one layer of a model while it runs, without changing its forward pass."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any, NamedTuple, Self

from torch import Tensor, nn
from transformers import PreTrainedModel

from rosearch.errors import BadInput, Problem
from rosearch.student.operations import Attention
from rosearch.training.layer_transfer import node_depths
from rosearch.training.relations import Projected


class _Names(NamedTuple):
    """Module names of a family's query, key and value maps of a layer, below the base model."""

    attention: str
    maps: tuple[str, str, str]


_BERT = _Names("encoder.layer.{}.attention.self", ("query", "key", "value"))
FAMILIES: Mapping[str, _Names] = {
    "bert": _BERT,  # MiniLM among them
    "roberta": _BERT,
    "xlm-roberta": _BERT,
    "camembert": _BERT,
    "distilbert": _Names("transformer.layer.{}.attention", ("q_lin", "k_lin", "v_lin")),
}


class Projections:
    """Reads the queries, keys and values of one attention layer at each forward pass; a context manager.

    It works by forward hooks, for the families of transformers in `FAMILIES` and for students of ours. In a student the
    last attention node is read, after Primer's convolution if it has one. Raises `BadInput` for another family, for a
    layer that the model lacks, and for a student without attention.
    """

    def __init__(self, model: PreTrainedModel, layer: int = -1) -> None:
        """`layer` counts from 1, or from the end: -1 is the last. For a student of ours it must be -1."""
        self._found: dict[str, Tensor] = {}
        self._mix: Attention | None = None
        self._keep: Tensor | None = None
        if hasattr(model.config, "genotype"):
            self._hooks = self._on_student(model)
        else:
            self._hooks = self._on_family(model, layer)

    def take(self) -> Projected:
        """Queries, keys and values of the last forward pass, each (B, T, H); they can be taken once.

        Raises `RuntimeError` if the model has not run since the last call.
        """
        if not self._found:
            raise RuntimeError("the model has not run since its projections were taken")
        found, self._found = self._found, {}
        if "all" in found:
            projected = found["all"]
            if self._mix is not None:
                projected = self._mix.mixed(projected, self._keep)
            return Projected(*projected.chunk(3, dim=-1))
        return Projected(found["queries"], found["keys"], found["values"])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Removes the hooks from the model."""
        for hook in self._hooks:
            hook.remove()
        self._found = {}

    def _on_family(self, model: PreTrainedModel, layer: int) -> list[Any]:
        kind = str(model.config.model_type)
        if kind not in FAMILIES:
            expected = f"a model of {', '.join(FAMILIES)} for relations"
            raise BadInput(Problem("experiment", "teacher.model", expected, kind, "hidden states work with any model"))
        names, layers = FAMILIES[kind], int(model.config.num_hidden_layers)
        number = layer + layers + 1 if layer < 0 else layer
        if not 1 <= number <= layers:
            expected = f"a teacher with the layer {layer} for relations"
            raise BadInput(Problem("experiment", "teacher.model", expected, f"{layers} layers"))
        attention = model.base_model.get_submodule(names.attention.format(number - 1))
        pairs = zip(Projected._fields, names.maps, strict=True)
        return [self._keeping(attention.get_submodule(theirs), ours) for ours, theirs in pairs]

    def _on_student(self, model: PreTrainedModel) -> list[Any]:
        number = last_attention(model.config.genotype)
        attention = model.base_model.get_submodule(f"nodes.{number - 1}.operation.operation")
        assert isinstance(attention, Attention)
        self._mix = attention

        def remember(module: nn.Module, inputs: tuple[Any, ...]) -> None:
            self._keep = inputs[1]

        return [attention.register_forward_pre_hook(remember), self._keeping(attention.project, "all")]

    def _keeping(self, module: nn.Module, name: str) -> Any:
        def keep(module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
            self._found[name] = output

        return module.register_forward_hook(keep)


def last_attention(genotype: Mapping[str, Any]) -> int:
    """The number, from 1, of the deepest attention node; among equals the last. Raises `BadInput` if there is none."""
    depths = node_depths(genotype)
    numbers = [number for number, node in enumerate(genotype["nodes"], start=1) if node["op"] == "attention"]
    if not numbers:
        fix = "hidden states work with any student"
        raise BadInput(Problem("student", "", "an attention node, for relations", "none", fix))
    return max(numbers, key=lambda number: (depths[number], number))
