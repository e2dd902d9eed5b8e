"""The materials of a search for encoders: a teacher as it is, and a corpus.

The driver's call tokenises the corpus and leaves it in the cache; a worker's call finds it there.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModel

from rosearch.config.experiment import Experiment
from rosearch.data.corpus import Corpus, prepare_corpus
from rosearch.errors import BadInput, Problem, one_line
from rosearch.evaluation.efficiency import teacher_cost
from rosearch.materials.latency import teacher_latency
from rosearch.materials.lineage import check_inherited
from rosearch.measurements import Quality, TeacherFacts
from rosearch.models.device import resolve_device
from rosearch.models.lengths import ids_without_words, table_rows
from rosearch.models.places import folder_fingerprint, locate_weights
from rosearch.models.saved import asked_by, open_model
from rosearch.progress import Progress, silent, step
from rosearch.training.encoder import check_objective, load_encoder
from rosearch.training.layer_transfer import uniform_and_last

FIDELITY = "fidelity"  # the metric of a run without a task, see `fidelity`


@dataclass(frozen=True)
class EncoderMaterials:
    """Everything that the candidates of one search for encoders read and none changes."""

    teacher: Path
    tokenizer: Any
    corpus: Corpus
    device: torch.device
    cache: Path
    notes: tuple[str, ...] = ()  # nothing is left out of a corpus, and an encoder has no classes

    @property
    def identity(self) -> dict[str, str]:
        """Fingerprints of corpus and teacher. A run compares all its candidates on one yardstick, so both must last."""
        parts = f"{self.corpus.key} {self.corpus.proxy} {self.corpus.held_out} {self.corpus.seed}"
        return {"corpus": parts, "teacher": folder_fingerprint(self.teacher)}

    @property
    def outputs_of_students(self) -> int:
        """0: an encoder has no classifier."""
        return 0

    def vocabulary(self, encoding: str) -> int:
        """The pieces of the teacher's tokenizer; encoders read no other."""
        return len(self.tokenizer)

    def measure_teacher(
        self, experiment: Experiment, progress: Progress = silent, split: str = "validation"
    ) -> TeacherFacts:
        """The teacher's cost and shape; its fidelity to itself is 1 on any split."""
        with step(progress, "loading the model"):
            model = load_encoder(self.teacher).to(self.device)
        with step(progress, "timing"):
            timed = split == "validation"  # once: another timing would renew the machine's table in the middle of a run
            latency = teacher_latency(lambda: model, self.teacher, experiment, self.cache) if timed else None
        positions, token_types = table_rows(model.config)
        quality = Quality(FIDELITY, 1.0, self.corpus.held_out)
        cost = teacher_cost(model, experiment.evaluation.efficiency.tokens)
        return TeacherFacts(quality, cost, positions, token_types, latency)


def fidelity(loss: float) -> float:
    """1 / (1 + the loss on the held-out blocks), in 0..1; 1 means that nothing is lost (ours)."""
    return 1 / (1 + loss)


def prepare_encoder_materials(experiment: Experiment, cache: Path, progress: Progress = silent) -> EncoderMaterials:
    """Locate the teacher and tokenise the corpus.

    Raises `BadInput` for a teacher, a tokenizer or a corpus that does not fit, `MissingResource` for what is not there.
    """
    assert experiment.corpus is not None
    device = resolve_device(experiment.execution.own_device)
    folder, config, tokenizer = find_encoder(experiment)
    with step(progress, "loading the teacher"):
        check_objective(experiment.distillation, load_encoder(folder))
    corpus = prepare_corpus(experiment.corpus, tokenizer, int(config.vocab_size), cache, progress)
    return EncoderMaterials(folder, tokenizer, corpus, device, cache)


def find_encoder(experiment: Experiment, most_layers: int = 0) -> tuple[Path, Any, Any]:
    """The teacher's folder, configuration and tokenizer; its weights are not loaded.

    Raises `MissingResource` where it is not there, `BadInput` where it cannot be read, where its positions are fewer
    than a block has tokens, or, for hidden states, its layers fewer than the `most_layers` of a student.
    """
    assert experiment.corpus is not None
    folder, length = locate_weights(experiment.teacher.base), experiment.corpus.block_length
    with asked_by("experiment", "teacher.model"):
        config, tokenizer = open_model(AutoModel, folder)
    if faults := ids_without_words(tokenizer):
        raise BadInput([Problem("experiment", "teacher.model", *fault) for fault in faults])
    try:
        positions, _ = table_rows(config)
        layers = int(config.num_hidden_layers)
    except AttributeError as error:
        expected = "a transformers encoder with layers and max_position_embeddings"
        raise BadInput(Problem("experiment", "teacher.model", expected, f"{folder}: {one_line(error)}")) from None
    if length > positions:
        expected = f"at most {positions}, the positions of the teacher"
        raise BadInput(Problem("experiment", "corpus.block_length", expected, str(length)))
    if experiment.distillation.encoder.objective == "hidden_states" and most_layers:
        uniform_and_last(most_layers, layers)
    check_inherited(experiment.distillation, folder)
    return folder, config, tokenizer
