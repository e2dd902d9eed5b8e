"""Task-agnostic distillation: an encoder learns the inner states of a teacher's on plain text, for any later task.

What is learnt is `distillation.encoder.objective`: hidden states of many layers (`layer_transfer`) or relations among
tokens (`relations`). The teacher runs beside the student: its states for a corpus would not fit a disk.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import AutoModel, PreTrainedModel

from rosearch.config.distillation import DistillationConfig
from rosearch.data.blocks import CorpusRows, evaluation_blocks
from rosearch.data.corpus import Corpus, Part
from rosearch.errors import CandidateFailed
from rosearch.measurements import Training
from rosearch.models.places import folder_fingerprint
from rosearch.models.saved import load_model, quiet_transformers
from rosearch.progress import Progress, silent
from rosearch.randomness import derive_seed
from rosearch.training.checkpoint import Checkpoint
from rosearch.training.fitting import OnLoss, fit, private_generator
from rosearch.training.layer_transfer import LayerTransfer, layer_positions
from rosearch.training.method import schedule_of
from rosearch.training.projections import Projections
from rosearch.training.relations import check_relation_heads, relation_loss

_BATCH = 32  # held-out blocks at a time


@dataclass(frozen=True, eq=False)
class EncoderInputs:
    """What an encoder learns from: `part` of a corpus (the proxy, or all of it), and whose states."""

    config: DistillationConfig
    corpus: Corpus
    part: Part
    teacher: Path  # a folder that AutoModel loads
    device: torch.device
    seed: int
    progress: Progress = silent


class Objective(nn.Module):
    """A loss between a teacher and a student of ours that read the same blocks; its weights are thrown away."""

    @abstractmethod
    def forward(self, ids: Tensor) -> Tensor:
        """Blocks (B, T) -> a scalar, with a gradient towards student and objective alone."""

    def close(self) -> None:
        """Leaves both models as they were."""


class HiddenStates(Objective):
    """L_HS of `LayerTransfer`."""

    def __init__(self, student: PreTrainedModel, teacher: PreTrainedModel) -> None:
        """Raises `BadInput` where the teacher has fewer layers than the student."""
        super().__init__()
        self.positions = layer_positions(student.config.genotype)
        widths = int(student.config.hidden_size), int(teacher.config.hidden_size)
        self.transfer = LayerTransfer(len(self.positions), int(teacher.config.num_hidden_layers), *widths)
        self._models = (student, teacher)  # in a tuple: no part of what is trained or kept here

    def forward(self, ids: Tensor) -> Tensor:
        """See `Objective`."""
        student, teacher = self._models
        with torch.no_grad():
            theirs = teacher(input_ids=ids, output_hidden_states=True).hidden_states
        ours = student(input_ids=ids, output_hidden_states=True).hidden_states
        loss: Tensor = self.transfer([ours[position] for position in self.positions], theirs)
        return loss


class Relations(Objective):
    """The loss of `relation_loss`, between the student's last attention and one layer of the teacher's."""

    def __init__(self, student: PreTrainedModel, teacher: PreTrainedModel, heads: int, layer: int) -> None:
        """Raises `BadInput` for a family, a layer, a student or a number of heads that does not do."""
        super().__init__()
        check_relation_heads(heads, [teacher.config.hidden_size, student.config.hidden_size], _RELATION_HEADS)
        self.heads = heads
        self._models = (student, teacher)
        self._theirs = Projections(teacher, layer)
        self._ours = Projections(student)

    def forward(self, ids: Tensor) -> Tensor:
        """See `Objective`."""
        student, teacher = self._models
        with torch.no_grad():
            teacher(input_ids=ids)
        student(input_ids=ids)
        return relation_loss(self._ours.take(), self._theirs.take(), self.heads)

    def close(self) -> None:
        """Takes the hooks off."""
        self._theirs.close()
        self._ours.close()


_RELATION_HEADS = "distillation.encoder.relation_heads"


def make_objective(inputs: EncoderInputs, student: PreTrainedModel, teacher: PreTrainedModel) -> Objective:
    """The objective that the experiment names, its weights from the inputs's seed. Raises `BadInput` as they do."""
    config = inputs.config.encoder
    with private_generator(inputs.device, derive_seed(inputs.seed, "objective")):
        if config.objective == "relations":
            return Relations(student, teacher, config.relation_heads, config.relation_layer)
        return HiddenStates(student, teacher).to(inputs.device)


def load_encoder(folder: Path) -> PreTrainedModel:
    """The teacher without a head: in eval mode, frozen, in float32 on the CPU."""
    with quiet_transformers():  # a pooler that was never saved is never asked either
        model, _ = load_model(AutoModel, folder)
    model.eval().requires_grad_(False)
    return model


def distil_encoder(
    student: PreTrainedModel,
    inputs: EncoderInputs,
    checkpoint: Checkpoint | None = None,
    on_loss: OnLoss | None = None,
) -> tuple[Training, float]:
    """Trains a student without a head in place; gives how it went, and the mean loss on the held-out blocks.

    It ends on the inputs's device in eval mode. Equal seeds give equal students, also where a `checkpoint` was gone on
    from. Raises `BadInput` where teacher and student do not fit the objective, `CandidateFailed("nan")` where the loss
    becomes non-finite or runs away, `RunError` where the checkpoint is of another training.
    """
    teacher = load_encoder(inputs.teacher).to(inputs.device)
    student.to(inputs.device)
    objective = make_objective(inputs, student, teacher)

    def losses(ids: Tensor) -> Iterator[Tensor]:
        yield objective(ids)

    try:
        training = fit(
            student,
            losses,
            CorpusRows(inputs.corpus, inputs.part),
            schedule_of(inputs.config),
            device=inputs.device,
            seed=inputs.seed,
            stage="distil",
            progress=inputs.progress,
            method=objective,
            extra=tuple(objective.parameters()),
            checkpoint=None if checkpoint is None else checkpoint.of(_content(inputs)),
            on_loss=on_loss,
        )
        return training, held_out_loss(objective, inputs)
    finally:
        objective.close()


def _content(inputs: EncoderInputs) -> dict[str, str]:
    """What is learnt, and from whom."""
    return {"objective": inputs.config.encoder.model_dump_json(), "teacher": folder_fingerprint(inputs.teacher)}


@torch.inference_mode()
def held_out_loss(objective: Objective, inputs: EncoderInputs) -> float:
    """Mean over the held-out blocks, in float32, without dropout. Raises `CandidateFailed` where it is not finite."""
    total, blocks = 0.0, 0
    for ids in evaluation_blocks(inputs.corpus, _BATCH):
        total += objective(ids.to(inputs.device)).item() * len(ids)
        blocks += len(ids)
        inputs.progress("held out", blocks, inputs.corpus.size("held_out"))
    if not torch.isfinite(torch.tensor(total)):
        raise CandidateFailed("nan", "the loss on the held-out blocks is not finite", "distil")
    return total / blocks
