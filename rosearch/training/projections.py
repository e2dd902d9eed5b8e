"""Reads queries, keys and values of one layer of a model while it runs, without changing its forward pass."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from torch import Tensor, nn
from transformers import PreTrainedModel

from rosearch.errors import BadInput, Problem
from rosearch.models.layers import attention_maps, layers_of
from rosearch.student.operations import Attention
from rosearch.training.layer_transfer import node_depths
from rosearch.training.relations import Projected


class Projections:
    """Reads the queries, keys and values of one attention layer at each forward pass; a context manager.

    It works by forward hooks, for students of ours and for any model of transformers whose layers are a list with three
    linear maps in each, or one map for all three. In a student the last attention node is read, after Primer's
    convolution if it has one. Raises `BadInput` for a model of another build, for a layer that the model lacks, and for
    a student without attention.
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
        found = layers_of(model)
        layers = 0 if found is None else found[1]
        number = layer + layers + 1 if layer < 0 else layer
        if layers and not 1 <= number <= layers:
            expected = f"a teacher with the layer {layer} for relations"
            raise BadInput(Problem("experiment", "teacher.model", expected, f"{layers} layers"))
        one = None if found is None else model.get_submodule(f"{found[0]}.{number - 1}")
        maps = None if one is None else attention_maps(one)
        if one is None or maps is None:
            expected = "a model with a list of layers, and maps to queries, keys and values in each, for relations"
            got = str(model.config.model_type)
            raise BadInput(Problem("experiment", "teacher.model", expected, got, "hidden states work with any model"))
        names = Projected._fields if len(maps) == 3 else ("all",)
        hooks = [self._keeping(one.get_submodule(theirs), ours) for ours, theirs in zip(names, maps, strict=True)]
        return [one.register_forward_pre_hook(lambda *_: self._found.clear()), *hooks]

    def _on_student(self, model: PreTrainedModel) -> list[Any]:
        number = last_attention(model.config.genotype)
        attention = model.base_model.get_submodule(f"nodes.{number - 1}.operation.operation")
        assert isinstance(attention, Attention)
        self._mix = attention

        def remember(module: nn.Module, inputs: tuple[Any, ...]) -> None:
            self._keep = inputs[1]
            self._found.clear()

        return [attention.register_forward_pre_hook(remember), self._keeping(attention.project, "all")]

    def _keeping(self, module: nn.Module, name: str) -> Any:
        def keep(module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
            self._found.setdefault(name, output)  # DeBERTa maps its positions next, by the same map

        return module.register_forward_hook(keep)


def last_attention(genotype: Mapping[str, Any]) -> int:
    """The number, from 1, of the deepest attention node; among equals the last. Raises `BadInput` if there is none."""
    depths = node_depths(genotype)
    numbers = [number for number, node in enumerate(genotype["nodes"], start=1) if node["op"] == "attention"]
    if not numbers:
        fix = "hidden states work with any student"
        raise BadInput(Problem("student", "", "an attention node, for relations", "none", fix))
    return max(numbers, key=lambda number: (depths[number], number))
