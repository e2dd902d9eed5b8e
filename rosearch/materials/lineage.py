"""A candidate that starts with weights which are trained already (`distillation.inherit`), and what its record says.

The weights are those of its parent in the search, as they lie in the run, or those of the teacher's layers. A parent's
weights that are missing, or are not those that its record tells of, stop the run: a fresh start in their place would be
another search.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from transformers import AutoModel, PreTrainedModel

from rosearch.config.distillation import DistillationConfig
from rosearch.errors import BadInput, MachineFault
from rosearch.files import file_hash
from rosearch.measurements import Lineage
from rosearch.models.saved import load_config, load_model
from rosearch.student.build import load_student
from rosearch.student.inherit import Taken, inherit_parent
from rosearch.student.modeling_rosearch import StudentForSequenceClassification
from rosearch.student.teacher_layers import check_layers, inherit_layers
from rosearch.training.word_table import WordTable

_WEIGHTS = "model.safetensors"


@dataclass(frozen=True)
class Parent:
    """A trained candidate of the run, from which another starts. `lineage` is that of its own record."""

    id: str
    folder: Path
    lineage: Lineage


def check_inherited(config: DistillationConfig, teacher: Path) -> None:
    """Raises `BadInput` where students are to start with the layers of a teacher (its folder) that cannot be read."""
    if config.inherit == "teacher":
        check_layers(load_config(teacher), "experiment")


def begin(
    student: PreTrainedModel,
    config: DistillationConfig,
    parent: Parent | None,
    teacher: Path,
    rows: Sequence[int] | None = None,
    words: WordTable | None = None,
) -> Taken | None:
    """Gives a fresh student the weights that the setting says; None where there are none for it.

    `teacher` is its folder, `rows` are its rows of the student's words where these are a part of its own, and `words`
    the table that the student's embeddings come from, where that was moved. Raises `MachineFault` where the weights of
    the parent are missing or damaged.
    """
    if config.inherit == "teacher":
        model = load_model(AutoModel, teacher)
        if words is not None:
            words.lend(model)
        return inherit_layers(student, model, rows)
    if config.inherit == "parent" and parent is not None:
        return inherit_parent(student, _opened(parent, isinstance(student, StudentForSequenceClassification)))
    return None


def lineage_of(
    config: DistillationConfig, parent: Parent | None, taken: Taken | None, steps: int, folder: Path
) -> Lineage | None:
    """The lineage of a student that was trained for `steps` and saved in a folder; None where nothing is inherited."""
    if config.inherit == "none":
        return None
    weights = digest_of(folder)
    if taken is None:
        return Lineage(weights, steps)
    if parent is None:
        return Lineage(weights, steps, "teacher", share=taken.share, nodes=taken.nodes, parts=taken.parts)
    before = parent.lineage
    return Lineage(
        weights,
        steps + before.inherited_steps,
        "parent",
        parent.id,
        before.weights,
        before.depth + 1,
        taken.share,
        taken.nodes,
        taken.parts,
    )


def digest_of(folder: Path) -> str:
    """32 hex digits of the weights in a student's folder."""
    return file_hash(folder / _WEIGHTS)


def _opened(parent: Parent, head: bool) -> PreTrainedModel:
    try:
        if digest_of(parent.folder) != parent.lineage.weights:
            raise _lost(parent, "are not those that its record tells of")
        return load_student(parent.folder, head=head)
    except FileNotFoundError:
        raise _lost(parent, "are missing") from None
    except BadInput as error:
        raise _lost(parent, f"are damaged ({error.problems[0].got})") from None


def _lost(parent: Parent, what: str) -> MachineFault:
    fix = "put the folder back from a copy of the run; without one, begin another run"
    return MachineFault(f"{parent.folder}: the weights of {parent.id[:8]}, from which a child starts, {what}: {fix}")
