"""The inputs of an attack: any Hugging Face classifier, and labelled rows of an experiment's task or of a file.

Both are located, and checked against each other, before a weight is loaded.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from transformers import AutoModelForSequenceClassification
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from rosearch.attack.first_look import ADVICE
from rosearch.config.file import load_experiment
from rosearch.config.shipped import EXPERIMENTS
from rosearch.data.columns import COLUMNS_BY_NAME, Columns
from rosearch.data.files import read_file
from rosearch.data.labels import match_name
from rosearch.data.loading import load_task, task_seed
from rosearch.data.table import Reading, Table
from rosearch.data.tasks import Labels
from rosearch.errors import BadInput, MissingResource, Problem, one_line
from rosearch.materials.derivation import derive
from rosearch.models.engine_model import EngineModel, find_engine
from rosearch.models.engines import ENGINES, FOLDER
from rosearch.models.heads import are_named, output_names
from rosearch.models.places import locate_named
from rosearch.models.saved import asked_by, load_model, open_model

# By this import the Auto classes know our students without remote code.
from rosearch.student.configuration_rosearch import StudentConfig


@dataclass(frozen=True, eq=False)
class FoundClassifier:
    """A classifier: its configuration is read, its weights are not. `labels` are in the order of its outputs."""

    name: str  # as the user wrote it
    folder: Path
    labels: tuple[str, ...]
    config: Any
    tokenizer: Any
    trust_remote_code: bool
    target: str = FOLDER  # the format of the folder that answers
    file: Path | None = None  # of that format

    @property
    def named(self) -> bool:
        """True where somebody named its classes."""
        return are_named(self.labels)

    def load(self) -> Any:
        """The model in eval mode, in float32 on the CPU. Raises `BadInput` for the weights of anything else."""
        if self.file is not None:
            return self._by_engine(self.file)
        with asked_by("model", self.name):
            options = {"config": self.config, "trust_remote_code": self.trust_remote_code}
            model = load_model(AutoModelForSequenceClassification, self.folder, **options)
        model.eval().requires_grad_(False)
        return model

    def _by_engine(self, file: Path) -> Any:
        try:
            return EngineModel(self.config, *ENGINES[self.target].open(file)).eval()
        except Exception as error:  # of the engines, which have no class of their own for them
            raise BadInput(Problem("model", self.name, "a file that its engine opens", one_line(error))) from None


def find_classifier(name: str, *, trust_remote_code: bool = False, target: str = FOLDER) -> FoundClassifier:
    """The classifier in a folder, or under a name on the hub (from its cache, else downloaded).

    With a `target`, a format of an exported folder answers in its place: `onnx`, `int8` and others of `ENGINES`.

    Raises `MissingResource` where it is not there, `BadInput` where it cannot be attacked: pickled weights, code of
    its own that is not trusted, a single output, a tokenizer that does not pad.
    """
    folder = _locate(name, trust_remote_code)
    trusted = _runs_code(name, folder, trust_remote_code)
    with asked_by("model", name):
        config, tokenizer = open_model(AutoModelForSequenceClassification, folder, trust_remote_code=trusted)
    if config.num_labels < 2:
        raise _unfit(name, "a classifier: an attack flips its class", "one output")
    if tokenizer.pad_token_id is None:
        raise _unfit(name, "a tokenizer that pads", "none with a padding token", "Set its pad_token and save it again")
    found = FoundClassifier(name, folder, output_names(config, f"model: {name}"), config, tokenizer, trusted)
    if target == FOLDER:
        return found
    return replace(found, name=f"{name} [{target}]", target=target, file=find_engine(folder, target)[1])


@dataclass(frozen=True, eq=False)
class LabelledRows:
    """Rows of one or two texts. `labels` (rows,) are positions in `names`: the task's, or the first classifier's."""

    where: str
    task: str  # the name of the experiment's task; "" for a file
    texts: tuple[tuple[str, ...], ...]
    labels: Labels
    names: tuple[str, ...]
    max_length: int | None = None  # tokens, of the experiment's task
    columns: tuple[str, ...] = ()  # those of the texts and of the label, in a file
    dropped: int = 0  # rows of a file that have no text or no label, and were left out

    def labels_of(self, classifier: FoundClassifier) -> Labels:
        """The labels (rows,) as positions among a classifier's outputs: by name where both have names.

        A classifier may have more classes than the rows. Raises `BadInput` where it lacks one of theirs.
        """
        if len(self.names) == len(classifier.labels) and not (are_named(self.names) and classifier.named):
            return self.labels
        known = [match_name(name, classifier.labels) for name in self.names]
        if None in known:
            expected = f"the classes of {self.where}: {', '.join(self.names)}"
            fix = "Put their names into id2label and label2id of its config.json"
            raise _unfit(classifier.name, expected, ", ".join(classifier.labels), fix)
        return np.asarray(known, np.int64)[self.labels]


def is_experiment(source: Path) -> bool:
    """True where rows come from an experiment rather than from a table."""
    return source.suffix.lower() in (".yaml", ".yml") or EXPERIMENTS.has(source)


def read_rows(
    source: Path,
    split: str,
    columns: Columns,
    data_root: Path | None,
    classifier: FoundClassifier,
    *,
    drop: bool = False,
) -> LabelledRows:
    """The rows of an experiment's task (a YAML file or a name), or of a TSV, CSV, JSON lines or Parquet file.

    Labels of a file are names of the classifier's classes, or their integers. With `drop`, rows of a file without a
    text or a label are left out. Raises `BadInput` with all
    problems, `MissingResource` where the task's data is not there.
    """
    if is_experiment(source):
        if columns != COLUMNS_BY_NAME:
            fix = "An experiment names its own columns"
            raise BadInput(Problem("command line", "--text, --text-pair, --label", "a file of rows", source.name, fix))
        return _rows_of_task(source, split, data_root)
    table = Table(str(source), read_file(source))
    text = columns.texts(table.where, list(table.frame.columns))
    if missing := list(columns.problems(table.where, table.frame, text)):
        raise BadInput(missing)
    read, problems = Reading(text, columns.label, classifier.labels, section="", drop=drop).split(table)
    if read is None:
        labels = f"column {columns.label!r}"
        fix = f"Labels are the names in label2id of {classifier.name}, or its integers"
        raise BadInput([one if one.fix or one.key != labels else replace(one, fix=fix) for one in problems])
    found = (*text, columns.label)
    return LabelledRows(
        table.where, "", read.texts, read.labels, classifier.labels, columns=found, dropped=read.dropped
    )


def _rows_of_task(path: Path, split: str, data_root: Path | None) -> LabelledRows:
    if split not in (splits := ("train", "validation", "test")):
        raise BadInput(Problem("command line", "--split", f"one of {', '.join(splits)}", repr(split)))
    experiment = derive(load_experiment(path, (), data_root)).experiment
    config = experiment.require_task()
    if config.problem == "regression":
        raise BadInput(Problem(str(path), "task.problem", "classification: an attack flips a class", "regression"))
    rows = getattr(load_task(config, task_seed(experiment)), split)
    where = f"{config.name} ({split})"
    return LabelledRows(where, config.name, rows.texts, rows.labels, tuple(config.labels), config.max_length)


def _locate(name: str, with_code: bool) -> Path:
    folder = locate_named(name, "model", ADVICE)
    if with_code and folder != Path(name).expanduser() and not name.startswith("package:"):
        from huggingface_hub import snapshot_download

        try:
            return Path(snapshot_download(name, allow_patterns=["*.py"]))
        except Exception as error:  # the hub's client raises requests' errors in one version and httpx's in the next
            raise MissingResource(f"the code of {name!r} cannot be had ({one_line(error)})", where="model") from None
    return folder


def _runs_code(name: str, folder: Path, trusted: bool) -> bool:
    """True where the folder's own code is to run. Raises `BadInput` where it must and is not trusted."""
    try:
        settings = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        kind, own = settings.get("model_type"), "auto_map" in settings
    except (OSError, ValueError, AttributeError):
        return False  # a damaged file is told when it is opened
    if kind == StudentConfig.model_type:
        return False  # an exported student carries its code for those without rosearch
    if kind not in CONFIG_MAPPING and own and not trusted:
        fix = "Read its code, then give --trust-remote-code"
        raise _unfit(name, "a model that transformers knows", f"{kind}, which brings its own code", fix)
    return trusted


def _unfit(name: str, expected: str, got: str, fix: str = "") -> BadInput:
    return BadInput(Problem("model", name, expected, got, fix))
