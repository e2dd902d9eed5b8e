"""Distillation of hidden states besides labels: the student's state at a layer's relative depth learns that layer.

Each probed layer has its own linear map from the student's width to the teacher's, which is discarded afterwards
(FitNets, arXiv 1412.6550; TinyBERT, arXiv 1909.10351). The assignment of nodes to layers is ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

from torch import Tensor, nn
from transformers import PreTrainedModel

from rosearch.data.batches import Batch
from rosearch.training.kd import LabelLoss
from rosearch.training.layer_transfer import node_depths
from rosearch.training.losses import hidden_state_loss
from rosearch.training.method import Method, TrainingInputs
from rosearch.training.outputs import TeacherRows


class HiddenStateDistillation(Method):
    """loss = loss of `kd` + hidden_weight x mean over layers l of MSE(W_l h_node(l), teacher's h_l) on real tokens."""

    needs_hidden = True
    one_tokenizer = True

    def __init__(
        self,
        label_loss: LabelLoss,
        positions: Sequence[int],
        student_width: int,
        teacher_width: int,
    ) -> None:
        """`positions[i]` is the index in the student's `hidden_states` that learns the i-th probed layer."""
        super().__init__()
        self.label_loss = label_loss
        self.config = label_loss.config
        self.positions = tuple(positions)
        self.probes = nn.ModuleList(nn.Linear(student_width, teacher_width) for _ in self.positions)

    @classmethod
    def make(cls, inputs: TrainingInputs, student: PreTrainedModel) -> Self:
        """The method with fresh probes for the layers in the teacher's outputs. Raises `ValueError` without layers."""
        outputs = inputs.outputs
        if outputs.hidden is None:
            raise ValueError("hidden_states needs teacher outputs that were made with hidden_layers")
        config, layers = student.config, outputs.teacher_layers
        if (genotype := getattr(config, "genotype", None)) is not None:
            positions = [probe_position(genotype, layer, layers) for layer in outputs.layers]
        else:
            positions = [layer_position(int(config.num_hidden_layers), layer, layers) for layer in outputs.layers]
        return cls(LabelLoss.of(inputs), positions, int(config.hidden_size), outputs.hidden.shape[2])

    def losses(self, student: PreTrainedModel, batch: Batch, teacher: TeacherRows) -> Iterator[Tensor]:
        """See the class. The student runs once, on the clean rows."""
        output = student(**batch.inputs, output_hidden_states=True)
        total = self.label_loss(output.logits, batch, teacher)
        for index, (position, probe) in enumerate(zip(self.positions, self.probes, strict=True)):
            assert teacher.hidden is not None
            states, target = output.hidden_states[position], teacher.hidden[:, index]
            probed = hidden_state_loss(states, target, batch.attention_mask, probe)
            total = total + self.config.hidden_weight / len(self.positions) * probed
        yield total


def probe_position(genotype: Mapping[str, Any], layer: int, layers: int) -> int:
    """The index in the student's hidden states (source, nodes 1..n, final norm) that learns a layer of the teacher.

    The last of `layers` belongs to the final norm, the embeddings (0) to the source. Any other layer belongs to the
    node of the nearest relative depth; among equals, to the last.
    """
    nodes = genotype["nodes"]
    if layer == layers:
        return len(nodes) + 1
    if layer == 0:
        return 0
    depths = node_depths(genotype)
    share = layer / layers
    return min(range(1, len(depths)), key=lambda node: (abs(depths[node] / max(depths) - share), -node))


def layer_position(own: int, layer: int, layers: int) -> int:
    """The same for a student with `own` layers in a row: the layer of the nearest relative depth; 0 stays 0."""
    return 0 if layer == 0 else max(1, round(layer * own / layers))
