"""What all candidates of a run share: task, teacher, and the teacher's outputs. Prepared once, then only opened.

The driver's call does the long work (fine-tuning, the teacher's forward passes) and leaves it in the cache, keyed by
content; a worker's call finds it there.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from rosearch.config import Experiment, RobustnessConfig
from rosearch.data.encoding import EncodedSplit, encode
from rosearch.data.loading import load_task
from rosearch.data.tasks import Split, Task
from rosearch.distillation.device import resolve_device
from rosearch.distillation.methods import required_layers
from rosearch.distillation.outputs import TeacherOutputs, teacher_outputs
from rosearch.distillation.teacher import load_teacher, prepare_teacher
from rosearch.errors import BadInput, CandidateFailed, Problem
from rosearch.evaluation.efficiency import measure_latency, teacher_cost
from rosearch.evaluation.quality import measure_quality, predict
from rosearch.evaluation.robustness import measure_robustness
from rosearch.progress import Progress, silent
from rosearch.randomness import derive_seed
from rosearch.records.measurements import Robustness, TeacherFacts


@dataclass(frozen=True)
class Materials:
    """Everything that a candidate reads and none changes."""

    task: Task
    teacher: Path
    tokenizer: Any
    train: EncodedSplit
    outputs: TeacherOutputs
    device: torch.device
    cache: Path
    max_length: int

    def split(self, name: str) -> Split:
        """The texts and labels of `train`, `validation` or `test`."""
        split: Split = getattr(self.task, name)
        return split

    def encoded(self, name: str) -> EncodedSplit:
        """The tokens of a split (tokenised at the first call, then opened)."""
        return encode(self.split(name), self.tokenizer, self.max_length, self.cache)


@lru_cache(maxsize=1)  # a worker's candidates are all of one run
def _opened(experiment_json: str, cache: Path) -> Materials:
    return prepare_materials(Experiment.model_validate_json(experiment_json), cache)


def open_materials(experiment: Experiment, cache: Path) -> Materials:
    """The materials of a worker: kept between the candidates that it runs."""
    return _opened(experiment.model_dump_json(), cache)


def prepare_materials(experiment: Experiment, cache: Path, progress: Progress = silent) -> Materials:
    """Load the task, fine-tune the teacher where needed, tokenise, and compute the teacher's outputs.

    Raises `BadInput` for data or a teacher that do not fit, `MissingResource` for what is not there.
    """
    device = resolve_device(experiment.execution.device)
    task = load_task(experiment.task, task_seed(experiment))
    max_length = experiment.task.max_length
    seed = derive_seed(experiment.seed, "teacher")
    folder = prepare_teacher(experiment.teacher, task, max_length, cache, device, seed, progress)
    tokenizer = load_tokenizer(folder)
    train = encode(task.train, tokenizer, max_length, cache)
    outputs = teacher_outputs(folder, train, required_layers(experiment.distillation), cache, device, progress)
    return Materials(task, folder, tokenizer, train, outputs, device, cache, max_length)


def task_seed(experiment: Experiment) -> int:
    """The seed of what is drawn of the data: the validation rows, a sample of training rows, the generated task."""
    return derive_seed(experiment.seed, "task")


def load_tokenizer(folder: Path) -> Any:
    """The tokenizer saved with a teacher."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder)


def measure_teacher(materials: Materials, experiment: Experiment, progress: Progress = silent) -> TeacherFacts:
    """The teacher's quality and robustness on the validation split, and its cost; the driver does it once a run.

    Raises `BadInput` where the teacher itself gives no finite outputs or cannot be attacked.
    """
    try:
        return _measure_teacher(materials, experiment, progress)
    except CandidateFailed as failure:
        problem = Problem("experiment", "teacher.model", "a teacher that can be measured", str(failure))
        raise BadInput(problem) from None


def _measure_teacher(materials: Materials, experiment: Experiment, progress: Progress) -> TeacherFacts:
    model, _ = load_teacher(materials.teacher)
    model.to(materials.device).eval()
    task, config = materials.task, experiment.evaluation.efficiency
    logits = predict(model, materials.encoded("validation"), materials.device, 64, progress)
    threads = torch.get_num_threads()
    latency = None
    if config.repeats and config.batch_sizes:
        torch.set_num_threads(experiment.execution.threads)  # as the students that it is compared with
        latency = measure_latency(model, config.batch_sizes[0], config, materials.device).median_ms
        torch.set_num_threads(threads)
    return TeacherFacts(
        quality=measure_quality(logits, task.validation.labels, task.problem, task.metric),
        cost=teacher_cost(model, config.tokens),
        positions=int(model.config.max_position_embeddings),
        token_types=max(1, int(getattr(model.config, "type_vocab_size", 1))),
        latency_ms=latency,
        robustness=attack(
            model,
            materials,
            "validation",
            experiment.evaluation.robustness,
            attack_seed(experiment),
            progress,
        ),
    )


def attack_seed(experiment: Experiment, purpose: str = "attack") -> int:
    """The seed of the attacked rows and letters: one for all candidates, so that they are compared on the same text."""
    return derive_seed(experiment.seed, purpose)


def attack(
    model: Any, materials: Materials, split: str, config: RobustnessConfig, seed: int, progress: Progress
) -> Robustness | None:
    """The robustness of a teacher or student on a split; None for regression, which has no class to flip."""
    if materials.task.problem == "regression":
        return None
    rows = materials.split(split)
    return measure_robustness(
        model,
        materials.tokenizer,
        rows.texts,
        rows.labels,
        attack=config.attack,
        rows=config.rows,
        max_length=materials.max_length,
        seed=seed,
        device=materials.device,
        cache=materials.cache,
        progress=progress,
    )
