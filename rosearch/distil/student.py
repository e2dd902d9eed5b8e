"""Distil one student, from Python; `rosearch distil` is the same from the command line.

>>> from rosearch.distil import distil_student
>>> from rosearch.config.file import load_experiment
>>> found = distil_student(load_experiment("sst2"), "tinybert4", Path("out"))
>>> found.record["quality"]["validation"]["student"]["value"]
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from rosearch.attack.first_look import check_cache
from rosearch.attack.measure import open_cache
from rosearch.config.distillation import DistillationConfig
from rosearch.config.experiment import Experiment
from rosearch.data.loading import load_task, task_seed
from rosearch.data.tasks import Task
from rosearch.distil.comparison import compare, genotype_of
from rosearch.distil.inputs import FoundStudent, find_student
from rosearch.distil.record import Measured, card_facts, record_of
from rosearch.distil.workplace import workplace
from rosearch.errors import BadInput, CandidateFailed, DamagedError, Problem, gather
from rosearch.export.destination import PICTURE, RECORD, check_destination
from rosearch.export.targets.huggingface import export_model, export_student
from rosearch.materials.chosen_training import own_training
from rosearch.materials.derivation import derive
from rosearch.materials.lineage import begin
from rosearch.materials.required_resources import require_training
from rosearch.materials.soft_labels import open_soft_labels, require_teacher
from rosearch.materials.task import TaskMaterials, gather_materials
from rosearch.materials.training_inputs import fresh_student, training_inputs
from rosearch.materials.word_table import word_table
from rosearch.measurements import Training
from rosearch.models.device import resolve_device
from rosearch.models.lengths import table_rows
from rosearch.models.saved import load_classifier, load_config, load_tokenizer, save_whole
from rosearch.progress import Progress, Stopwatch, silent, step
from rosearch.randomness import derive_seed
from rosearch.report.layers import lay_out
from rosearch.report.plotting import graph_png
from rosearch.training.checkpoint import Checkpoint
from rosearch.training.cutting import cut_student
from rosearch.training.fitting import OnLoss
from rosearch.training.teacher import find_teacher
from rosearch.training.trainer import distil
from rosearch.training.word_table import WordTable


@dataclass(frozen=True)
class Distilled:
    """A folder that plain transformers loads, and the record that lies in it as `distillation.json`."""

    folder: Path
    record: dict[str, Any]


@dataclass(frozen=True)
class Options:
    """Settings beside the experiment:

    - `seed`: the student's alone; teacher and data keep the experiment's. None: the experiment's.
    - `test`: measure the test split as well.
    - `cache`: the folder of teachers, tokens and outputs. None: `.rosearch` here.
    - `overwrite`: replace an earlier export.
    - `fresh`: start over even if there is a checkpoint.
    - `every`: seconds between two checkpoints.
    """

    seed: int | None = None
    test: bool = False
    cache: Path | None = None
    overwrite: bool = False
    fresh: bool = False
    every: float = 60.0


@dataclass
class Watcher:
    """The callbacks of a distillation, and the notes that it made."""

    progress: Progress = silent
    on_loss: OnLoss | None = None
    on_note: Callable[[str], None] | None = None
    notes: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        """Keeps a note, and tells `on_note`."""
        self.notes.append(text)
        if self.on_note is not None:
            self.on_note(text)


def distil_student(
    experiment: Experiment,
    student: str | FoundStudent,
    to: str | Path,
    options: Options | None = None,
    watcher: Watcher | None = None,
) -> Distilled:
    """Distil a student by the experiment's `task`, `teacher` and `distillation` into the Hugging Face folder `to`.

    >>> from rosearch import distil_student, load_experiment
    >>> experiment = load_experiment("quickstart", ["distillation.method=kd"])
    >>> distilled = distil_student(experiment, "bert_mini", "./student")
    >>> distilled.record["quality"]["validation"]["student"]["value"]  # of the task's metric
    >>> distilled.folder.name  # what `AutoModelForSequenceClassification.from_pretrained` loads
    'student'

    `student` is a folder or hub name, a known architecture, RUN:ID, or a genotype file (see `find_student`). The same
    call again goes on with a training that was stopped or killed, to the same bits.

    Raises `BadInput` with all that does not fit, `MissingResource` for missing files, `RunError` where `to` exists, is
    being worked on, or was begun with other settings, `CandidateFailed` where the training diverges.
    """
    options, watcher, to = options or Options(), watcher or Watcher(), Path(to).expanduser().resolve()
    found, *_ = gather(
        lambda: student if isinstance(student, FoundStudent) else find_student(student),
        lambda: check_destination(to, options.overwrite),
        lambda: check_cache(options.cache),
        lambda: resolve_device(experiment.execution.own_device),
    )
    with step(watcher.progress, "reading data and teacher"):
        experiment, told = derive(experiment)
        if found.genotype is not None and found.folder is None:
            experiment, genotype, line = own_training(experiment, found.genotype, found.name)
            found = replace(found, genotype=genotype)
            told = (*told, *filter(None, [line]))
        for line in told:
            watcher.note(line)
        task = _checked_task(experiment, found)
    distillation = _Distillation(experiment, found, task, to, options, watcher)
    try:
        return distillation.run()
    except DamagedError:  # a file of the cache, which the second try makes anew
        return distillation.run()


def _checked_task(experiment: Experiment, found: FoundStudent) -> Task:
    """The task of the experiment. Raises `BadInput` with everything of teacher and student that does not fit it."""
    task, length = load_task(experiment.require_task(), task_seed(experiment)), experiment.require_task().length
    teacher, *_ = gather(
        lambda: find_teacher(experiment.teacher, task, length),
        lambda: found.check(task, length),
        lambda: open_soft_labels(experiment, task),
        lambda: require_teacher(experiment, "whose layers make the student") if found.layers else None,
        lambda: _check_words(experiment.distillation, found),
    )
    tokenizer = load_tokenizer(teacher.weights)
    found.check_tokenizer(tokenizer, experiment.distillation.method)
    require_training(experiment, [found.encoding])
    return task


def _check_words(config: DistillationConfig, found: FoundStudent) -> None:
    """Raises `BadInput` where a moved word table would go to no student."""
    if config.word_table != "teacher" and found.folder is not None:
        expected = "teacher, for a student whose weights, words included, are those of a folder"
        raise BadInput(Problem("experiment", "distillation.word_table", expected, config.word_table))


@dataclass(frozen=True)
class _Distillation:
    """One distillation. Its parts are known to fit each other."""

    experiment: Experiment
    found: FoundStudent
    task: Task
    to: Path
    options: Options
    watcher: Watcher

    @property
    def seed(self) -> int:
        return self.experiment.seed if self.options.seed is None else self.options.seed

    def run(self) -> Distilled:
        watch, progress = Stopwatch(), self.watcher.progress
        cache = open_cache(self.options.cache)
        with workplace(self.to) as place:
            with watch.stage("prepare"):
                with step(progress, "loading the student"):
                    ready = self.found.folder and self.found.load(self.task, derive_seed(self.seed, "weights"))
                tokenizer = self.found.tokenizer
                materials = gather_materials(self.experiment, cache, progress, task=self.task, tokenizer=tokenizer)
                for note in materials.notes:
                    self.watcher.note(f"warning: {note}")
                if self.found.encoding:
                    materials = materials.read_as(self.found.encoding, progress)
                words = word_table(materials, self.experiment.distillation, progress)
                if words is not None:
                    self.watcher.note(words.summary())
                student = ready or self._fresh(materials, words)
            with watch.stage("distil"):
                training = self._train(student.to(materials.device), materials, place, words)
            with watch.stage("measure"):
                splits = ("validation", "test") if self.options.test else ("validation",)
                measured = compare(self.experiment, materials, student, training, splits, progress)
            notes = tuple(self.watcher.notes)
            record = record_of(self.experiment, self.found, materials, measured, self.seed, watch.seconds, notes)
            if words is not None:
                record["word_table"] = dict(words.facts)
            self._export(student, materials, measured, record, place)
            shutil.rmtree(place)
        return Distilled(self.to, record)

    def _fresh(self, materials: TaskMaterials, words: WordTable | None) -> PreTrainedModel:
        if self.found.layers:
            teacher, tokenizer = load_classifier(materials.teacher)[0], materials.tokenizer
            if words is not None:
                words.lend(teacher)
            rows = getattr(tokenizer, "source_ids", None)
            return cut_student(teacher, self.found.layers, rows, tokenizer.pad_token_id)
        assert self.found.genotype is not None
        positions, token_types = table_rows(load_config(materials.teacher))
        config = self.experiment.distillation
        student = fresh_student(
            self.found.genotype, materials, config, seed=self.seed, positions=positions, token_types=token_types
        )
        begin(student, config, None, materials.teacher, getattr(materials.tokenizer, "source_ids", None), words)
        return student

    def _train(
        self, student: PreTrainedModel, materials: TaskMaterials, place: Path, words: WordTable | None
    ) -> Training:
        """Goes on from the checkpoint of an equal training. A training that diverges leaves no checkpoint."""
        checkpoint = Checkpoint(
            place / "checkpoint",
            self.options.every,
            self.options.fresh,
            self.watcher.note,
            {
                "student": self.found.content,
                "student's seed": str(self.seed),
                **({} if words is None else {"word table": words.facts["key"]}),
            },
        )
        inputs = training_inputs(
            materials,
            self.experiment.distillation,
            seed=self.seed,
            resources=self.experiment.evaluation.robustness.resources,
            progress=self.watcher.progress,
        )
        try:
            return distil(student, inputs, checkpoint, self.watcher.on_loss)
        except CandidateFailed:
            checkpoint.remove()
            raise

    def _export(
        self,
        student: PreTrainedModel,
        materials: TaskMaterials,
        measured: Measured,
        record: dict[str, Any],
        place: Path,
    ) -> None:
        genotype = genotype_of(student)
        facts = replace(
            card_facts(self.experiment, self.found, measured, self.to, genotype, materials.notes),
            rows=len(materials.split("train")),
            hours=sum(record["seconds"].values()) / 3600,
        )
        more: dict[str, str | bytes] = {RECORD: json.dumps(record, indent=2, allow_nan=False) + "\n"}
        overwrite = self.options.overwrite
        if genotype is None:
            export_model(student, materials.tokenizer, self.to, facts, overwrite=overwrite, more=more)
            return
        more[PICTURE] = graph_png(lay_out(genotype))
        save_whole(place / "student", student, materials.tokenizer)
        export_student(place / "student", place / "student", self.to, facts, overwrite=overwrite, more=more)
