"""The student of `rosearch distil`: found, and checked against the task before a weight is trained.

It starts from weights that transformers can load, our own or others', or is an architecture that starts afresh.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForSequenceClassification, PreTrainedModel

from rosearch.data.tasks import Task
from rosearch.data.tokens import tokenizer_fingerprint
from rosearch.distil.first_look import FILES, LAYERS, advice_on, read_genotype, read_layers
from rosearch.encodings.book import describe, explain
from rosearch.errors import BadInput, MissingResource, Problem, Problems, nearest, one_line
from rosearch.models.heads import has_head, label_names, label_order, reorder_head
from rosearch.models.lengths import longest_input, too_few_rows
from rosearch.models.places import folder_fingerprint, locate_named
from rosearch.models.saved import asked_by, load_model, load_tokenizer, open_config
from rosearch.run.results import open_results, tokenizer_beside
from rosearch.space.genotype import Genotype
from rosearch.space.known import KNOWN
from rosearch.space.rules import ENCODINGS
from rosearch.student.configuration_rosearch import StudentConfig
from rosearch.training.fitting import private_generator
from rosearch.training.trainer import METHODS

_FRESH_HEAD = "weights without a classification head get a fresh one"


@dataclass(frozen=True, eq=False)
class FoundStudent:
    """The start of a student: weights in `folder`, `layers` of the teacher, or fresh weights of `genotype`."""

    name: str  # as the user wrote it
    genotype: Genotype | None  # None: a class of transformers
    folder: Path | None = None
    config: Any = None  # the configuration in the folder
    tokenizer: Any = None  # of the folder; None: the teacher's
    layers: tuple[int, ...] = ()
    layers_read: str = "wordpiece"  # the encoding of words, for a student of the teacher's layers

    @property
    def content(self) -> str:
        """One text that, with the seed and the teacher, decides the first weights."""
        if self.layers:
            return f"layers {','.join(map(str, self.layers))}, {self.layers_read}"
        return self.genotype.id if self.folder is None and self.genotype else folder_fingerprint(self._folder)

    @property
    def encoding(self) -> str:
        """The encoding of words for a student that starts from no folder; "" where the folder decides."""
        if self.layers:
            return self.layers_read
        return "" if self.folder is not None or self.genotype is None else str(self.genotype.source_setting["encoding"])

    @property
    def _folder(self) -> Path:
        assert self.folder is not None
        return self.folder

    def check(self, task: Task, max_length: int) -> None:
        """Raises `BadInput` with all that does not fit the task in the folder."""
        if self.folder is None:
            return
        problems = Problems()
        if self.tokenizer is not None:
            if self.tokenizer.pad_token_id is None:
                problems.add(Problem("student", self.name, "a tokenizer that pads", "none with a padding token"))
            if max_length > (longest := longest_input(self.config, self.tokenizer)):
                expected = f"at most {longest}, the longest text that {self.name} reads"
                problems.add(Problem("experiment", "task.max_length", expected, str(max_length)))
        if has_head(self.config):
            with problems:
                label_order(self.config, task, self.name, _FRESH_HEAD)
        problems.raise_found()

    def check_tokenizer(self, teacher: Any, method: str) -> None:
        """Raises `BadInput` where it must read with the teacher's tokenizer and cannot."""
        problems = []
        if self.tokenizer is None:
            if self.folder is not None:
                problems += [Problem("student", self.name, *fault) for fault in too_few_rows(self.config, teacher)]
            other = self.encoding not in ("", "wordpiece")
        else:
            other = _tokens(self.tokenizer) != _tokens(teacher)
        if other and METHODS[method].one_tokenizer:
            expected = f"a student that reads the teacher's tokens, as {method} compares token by token"
            problems.append(Problem("student", self.name, expected, "another tokenizer", "kd takes any student"))
        if problems:
            raise BadInput(problems)

    def load(self, task: Task, seed: int) -> PreTrainedModel:
        """The model of the folder with a head for the task, in float32 on the CPU; a fresh head follows from the seed.

        Raises `BadInput` where the weights do not fit.
        """
        order = label_order(self.config, task, self.name, _FRESH_HEAD) if has_head(self.config) else None
        labels = {} if order else {"num_labels": task.num_labels, **label_names(task)}
        with private_generator(torch.device("cpu"), seed), asked_by("student", self.name):
            model = load_model(AutoModelForSequenceClassification, self._folder, trains_head=True, **labels)
        getattr(model.config, "genotype", {}).pop("training", None)  # its weights go on, but are not trained like this
        if order:
            reorder_head(model, order, self.name)
            model.config.update(label_names(task))
        return model


def find_student(name: str, encoding: str | None = None) -> FoundStudent:
    """The student that `name` stands for; nothing is loaded. `encoding` replaces the one in its genotype.

    A known architecture comes before a folder of its name. Raises `BadInput`, `MissingResource`, or `RunError` for a
    run that cannot be read.
    """
    found = _find(name)
    if encoding is None:
        return found
    if encoding not in ENCODINGS:
        expected = f"one of {', '.join(ENCODINGS)}"
        raise BadInput(Problem("student", "encoding", expected, repr(encoding), nearest(encoding, ENCODINGS)))
    if found.layers:
        return replace(found, layers_read=encoding)
    if found.genotype is None or found.folder is not None:
        fix = "weights that are loaded read with their own tokenizer"
        raise BadInput(Problem("student", "encoding", "none, for a folder or hub name", encoding, fix))
    source = tuple({**found.genotype.source_setting, "encoding": encoding}.items())
    return replace(found, genotype=found.genotype.with_(source=source))


def read_encoding(folder: Path, words: Sequence[str] = ()) -> dict[str, Any]:
    """The encoding that a student's folder, or its tokenizer's, holds: `book.describe`, and `explained` words.

    Raises `MissingResource` where there is no folder, `BadInput` for one without an encoding, or without a tokenizer.
    """
    if not folder.is_dir():
        raise MissingResource(
            f"there is no folder {folder}", "give the folder of a student, or of its tokenizer", "encoding"
        )
    found = getattr(load_tokenizer(folder), "encoding", None)
    if found is None:
        expected = "a tokenizer with a robust encoding (typos, task_typos, synonyms, typos+synonyms)"
        raise BadInput(Problem(str(folder), "encoding", expected, "a plain one: it reads words as they are"))
    explained = [explain(found.data, word) for word in words]
    return {"folder": str(folder), **describe(found.data), "explained": explained}


def _find(name: str) -> FoundStudent:
    if name in KNOWN:
        return FoundStudent(name, KNOWN[name].genotype)
    if name.startswith(LAYERS):
        return FoundStudent(name, None, layers=read_layers(name))
    run, colon, record = name.rpartition(":")
    if colon and run != "package":
        return FoundStudent(name, open_results(Path(run).expanduser()).find(record).genotype)
    if name.lower().endswith(FILES):
        return FoundStudent(name, read_genotype(Path(name).expanduser()))
    return _find_weights(name)


def _find_weights(name: str) -> FoundStudent:
    folder = locate_named(name, "student", advice_on(name))
    with asked_by("student", name):
        config = open_config(AutoModelForSequenceClassification, folder, trains_head=True)
        ours = isinstance(config, StudentConfig)
        read = _tokenizer_folder(folder, ours)
        tokenizer = None if read is None else load_tokenizer(read, config)
    faults = [] if tokenizer is None else too_few_rows(config, tokenizer)
    problems = [Problem("student", name, *fault) for fault in faults]
    try:
        genotype = Genotype.from_dict(config.genotype).architecture if ours else None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        problems.append(Problem("student", name, "the genotype of a student in its config.json", one_line(error)))
    if problems:
        raise BadInput(problems)
    return FoundStudent(name, genotype, folder, config, tokenizer)


def _tokenizer_folder(folder: Path, ours: bool) -> Path | None:
    """The tokenizer's folder, for students of a run the run's; None where none was saved: it reads as the teacher."""
    if not ours or any(folder.glob("tokenizer*.json")):
        return folder
    return tokenizer_beside(folder)


def _tokens(tokenizer: Any) -> str:
    return tokenizer_fingerprint(tokenizer, inputs=False)
