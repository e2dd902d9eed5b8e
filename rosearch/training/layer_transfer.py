"""Task-agnostic distillation of hidden states of many layers: "uniform + last" (KD-NAS, arXiv 2303.09639).

With student layers i = 1 ... Ls and teacher layers 1 ... Lt, layer i learns the teacher's u(i) = floor(i Lt / Ls) and
l(i) = Lt - Ls + i; one linear map W from the student's width Hs to twice the teacher's, 2 Ht, is shared by all layers
and discarded afterwards. Map and loss follow a re-implementation. Two things are ours: the bias of W, which starts at
0, and the definition of layers for a student that is no plain encoder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rosearch.errors import BadInput, Problem


def uniform_and_last(student_layers: int, teacher_layers: int) -> tuple[tuple[int, int], ...]:
    """(u(i), l(i)) for each student layer i = 1 ... Ls; all layers are counted from 1.

    Raises `BadInput` for a teacher with fewer layers than the student, or a student without layers.
    """
    if not 1 <= student_layers <= teacher_layers:
        expected = (
            f"a teacher of at least as many layers as the student's {student_layers}, and a student of at least 1"
        )
        fix = "take a deeper teacher, students of fewer layers, or relations in place of hidden states"
        raise BadInput(Problem("experiment", "teacher.model", expected, f"{teacher_layers} layers", fix))
    return tuple(
        (layer * teacher_layers // student_layers, teacher_layers - student_layers + layer)
        for layer in range(1, student_layers + 1)
    )


def node_depths(genotype: Mapping[str, Any]) -> list[int]:
    """The depth of the source (0) and of each node: the number of nodes on its longest path from the source."""
    depths = [0]
    for node in genotype["nodes"]:
        depths.append(1 + max(depths[read] for read in node["inputs"]))
    return depths


def layer_positions(genotype: Mapping[str, Any]) -> tuple[int, ...]:
    """The indices of the layers in the hidden states of a student of ours (source, nodes 1 ... n, final norm).

    In a chain of attention and feed-forward nodes in turn, two nodes are a layer, as in an encoder. In any other graph
    all nodes of one depth are a layer, and the last of them is read. The last layer is read after the final norm.
    """
    nodes = genotype["nodes"]
    chained = all(list(node["inputs"]) == [position] for position, node in enumerate(nodes))
    if chained and [node["op"] for node in nodes] == ["attention", "ffn"] * (len(nodes) // 2):
        positions = list(range(2, len(nodes) + 1, 2))
    else:
        last_of = {depth: position for position, depth in enumerate(node_depths(genotype)) if depth}
        positions = [last_of[depth] for depth in sorted(last_of)]
    return (*positions[:-1], len(nodes) + 1)


class LayerTransfer(nn.Module):
    """L_HS = mean over student layers i and real tokens of MSE(W h_i, [h_u(i); h_l(i)]), in float32."""

    def __init__(self, student_layers: int, teacher_layers: int, student_width: int, teacher_width: int) -> None:
        """Raises `BadInput` as `uniform_and_last` does."""
        super().__init__()
        self.layers = uniform_and_last(student_layers, teacher_layers)
        self.teacher_layers = teacher_layers
        self.project = nn.Linear(student_width, 2 * teacher_width)
        nn.init.zeros_(self.project.bias)

    def forward(self, student: Sequence[Tensor], teacher: Sequence[Tensor], mask: Tensor | None = None) -> Tensor:
        """The loss, a scalar.

        Args:
            student: the states of its layers 1 ... Ls, each (B, T, Hs).
            teacher: all its hidden states as transformers gives them, 0 (embeddings) ... Lt, each (B, T, Ht); they get
                no
                gradient.
            mask: (B, T), non-zero on tokens; None without padding.

        Raises `ValueError` for another number of layers, or a mask without any token.
        """
        if (len(student), len(teacher)) != (len(self.layers), self.teacher_layers + 1):
            expected = f"{len(self.layers)} states of the student and {self.teacher_layers + 1} of the teacher"
            raise ValueError(f"expected {expected}, got {len(student)} and {len(teacher)}")
        real = None if mask is None else mask.bool()
        if real is not None and not real.any():
            raise ValueError("a batch without any token")
        losses = []
        for states, (uniform, last) in zip(student, self.layers, strict=True):
            target = torch.cat([_tokens(teacher[layer].detach(), real) for layer in (uniform, last)], dim=-1)
            losses.append(F.mse_loss(self.project(_tokens(states, real)).float(), target))
        return torch.stack(losses).mean()


def _tokens(states: Tensor, real: Tensor | None) -> Tensor:
    """(B, T, H) -> the real tokens (N, H), float32."""
    return (states.flatten(0, 1) if real is None else states[real]).float()
