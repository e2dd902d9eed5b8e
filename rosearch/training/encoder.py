"""Task-agnostic distillation: an encoder learns a teacher's inner states on plain text, for any later task.

`distillation.encoder.objective` selects them: hidden states of many layers (`layer_transfer`) or relations among tokens
(`relations`). The teacher runs beside the student, because its states for a corpus would not fit on a disk.
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
from rosearch.errors import BadInput, CandidateFailed, Problem
from rosearch.measurements import Training
from rosearch.models.layers import uneven_states
from rosearch.models.places import folder_fingerprint
from rosearch.models.saved import load_model
from rosearch.progress import Progress, silent
from rosearch.randomness import derive_seed
from rosearch.training.checkpoint import Checkpoint
from rosearch.training.fitting import OnLoss, fit, private_generator
from rosearch.training.layer_transfer import LayerTransfer, layer_positions
from rosearch.training.method import schedule_of
from rosearch.training.projections import Projections
from rosearch.training.relations import check_relation_heads, relation_loss

_BATCH = 32  # held-out blocks per pass


@dataclass(frozen=True, eq=False)
class EncoderInputs:
    """The inputs of an encoder's training: a teacher, and `part` of a corpus (the proxy, or all of it)."""

    config: DistillationConfig
    corpus: Corpus
    part: Part
    teacher: Path  # a folder that AutoModel loads
    device: torch.device
    seed: int
    progress: Progress = silent


class Objective(nn.Module):
    """A loss between a teacher and a student of ours on the same blocks; its own weights are discarded afterwards."""

    @abstractmethod
    def forward(self, ids: Tensor) -> Tensor:
        """Blocks of ids (B, T) -> the loss, a scalar with gradients for student and objective only."""

    def close(self) -> None:
        """Leaves both models as they were."""


class HiddenStates(Objective):
    """The loss L_HS of `LayerTransfer`."""

    def __init__(self, student: PreTrainedModel, teacher: PreTrainedModel) -> None:
        """Raises `BadInput` if the teacher has fewer layers than the student."""
        super().__init__()
        self.positions = layer_positions(student.config.genotype)
        widths = int(student.config.hidden_size), int(teacher.config.hidden_size)
        self.transfer = LayerTransfer(len(self.positions), int(teacher.config.num_hidden_layers), *widths)
        self._models = (student, teacher)  # in a tuple, so that they are no submodules: neither trained nor saved here

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
        """Raises `BadInput` for an unsuitable family, layer, student or number of heads."""
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
        """Removes the hooks from both models."""
        self._theirs.close()
        self._ours.close()


_RELATION_HEADS = "distillation.encoder.relation_heads"


def make_objective(inputs: EncoderInputs, student: PreTrainedModel, teacher: PreTrainedModel) -> Objective:
    """The configured objective; its weights follow from the seed of the inputs. Raises `BadInput` as objectives do."""
    config = inputs.config.encoder
    with private_generator(inputs.device, derive_seed(inputs.seed, "objective")):
        if config.objective == "relations":
            return Relations(student, teacher, config.relation_heads, config.relation_layer)
        return HiddenStates(student, teacher).to(inputs.device)


def check_objective(config: DistillationConfig, teacher: PreTrainedModel) -> None:
    """Raises `BadInput` for a teacher from which no student can learn by the configured objective."""
    settings = config.encoder
    if settings.objective == "relations":
        check_relation_heads(settings.relation_heads, [int(teacher.config.hidden_size)], _RELATION_HEADS)
        Projections(teacher, settings.relation_layer).close()
    elif uneven := uneven_states(teacher):
        expected, fix = "hidden states of one width, one for each token", "relations read one layer alone"
        raise BadInput(Problem("experiment", "teacher.model", expected, uneven, fix))


def load_encoder(folder: Path) -> PreTrainedModel:
    """The teacher without a head: frozen, in eval mode, in float32 on the CPU."""
    model = load_model(AutoModel, folder)
    model.eval().requires_grad_(False)
    return model


def distil_encoder(
    student: PreTrainedModel,
    inputs: EncoderInputs,
    checkpoint: Checkpoint | None = None,
    on_loss: OnLoss | None = None,
) -> tuple[Training, float]:
    """Trains a student without a head in place; returns the course of the training and the mean held-out loss.

    The student ends on the device of the inputs, in eval mode. Equal seeds give equal students, also after a resume
    from a `checkpoint`. Raises `BadInput` if teacher and student do not fit the objective, `CandidateFailed("nan")` if
    the loss becomes non-finite or runs away, `RunError` if the checkpoint belongs to another training.
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
    """The objective and the teacher: both identify the training."""
    return {"objective": inputs.config.encoder.model_dump_json(), "teacher": folder_fingerprint(inputs.teacher)}


@torch.inference_mode()
def held_out_loss(objective: Objective, inputs: EncoderInputs) -> float:
    """Mean loss on the held-out blocks, in float32, without dropout. Raises `CandidateFailed` if it is not finite."""
    total, blocks = 0.0, 0
    for ids in evaluation_blocks(inputs.corpus, _BATCH):
        total += objective(ids.to(inputs.device)).item() * len(ids)
        blocks += len(ids)
        inputs.progress("held out", blocks, inputs.corpus.size("held_out"))
    if not torch.isfinite(torch.tensor(total)):
        raise CandidateFailed("nan", "the loss on the held-out blocks is not finite", "distil")
    return total / blocks
