"""The section `task` of an experiment: the data, where they lie, and the metric."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, Self

from pydantic import Field
from pydantic_core import PydanticCustomError

from rosearch.config.section import Section, broken_rule, unit
from rosearch.errors import BadInput, Problem

Metric = Literal["accuracy", "macro_f1", "matthews", "pearson", "spearman"]


class HubSource(Section):
    """A dataset on the Hugging Face hub, and its splits for ours. GLUE's test split has no labels: use validation."""

    dataset: str = Field(description="Name of the dataset, such as nyu-mll/glue.")
    config: str | None = Field(None, description="Configuration of the dataset, such as sst2.")
    revision: str | None = Field(None, description="Pins a version; none: the newest.")
    train: str = Field("train", description="Split that is the training split here.")
    validation: str | None = Field(
        None, description="Split that is the validation split; none: a seeded part of train."
    )
    test: str = Field("validation", description="Split that is the test split here.")


class LocalSource(Section):
    """The same data as files, which `--data-root` or `task.path` read in place of the hub."""

    folder: str = Field(
        "",
        description="A folder or tar archive below --data-root; with task.path, which names the folder itself, unread.",
    )
    train: str = Field("train.tsv", description="File of the training split: TSV, CSV, JSON lines or Parquet.")
    validation: str | None = Field(None, description="File of the validation split; none: a seeded part of train.")
    test: str = Field("dev.tsv", description="File of the test split.")
    columns: list[str] | None = Field(None, description="Names of the columns, for files without a header.")
    text: list[str] | None = Field(None, description="Columns of the texts, if they differ from task.text.")
    label: str | None = Field(None, description="Column of the label, if it differs from task.label.")
    label_values: list[str] | None = Field(
        None, description="The files' spelling of each of task.labels, in the same order."
    )


class FilesSource(Section):
    """The data as files: TSV, CSV, JSON lines or Parquet. Paths are relative to the file of the experiment."""

    train: Path = Field(description="File of the training split.")
    validation: Path | None = Field(
        None, description="File of the validation split; none: a seeded part of train, validation_share of it."
    )
    test: Path | None = Field(
        None, description="File of the test split; none: a seeded part of train, test_share of it."
    )
    unlabelled: Path | None = Field(
        None,
        description="File of texts without labels. Students learn from them as from training rows, with the teacher's "
        "answers for labels.",
    )
    validation_share: float = Field(
        0.1,
        gt=0,
        lt=0.5,
        description="Part of the training file that is carved out for validation, where it has no file.",
        json_schema_extra=unit("share"),
    )
    test_share: float = Field(
        0.15,
        gt=0,
        lt=0.5,
        description="Part of the training file that is carved out for the test, where it has no file.",
        json_schema_extra=unit("share"),
    )
    columns: list[str] | None = Field(None, description="Names of the columns, for files without a header.")
    label_values: list[str] | None = Field(
        None, description="The files' spelling of each of task.labels, in the same order."
    )

    @property
    def paths(self) -> dict[str, Path]:
        """The files that there are, by the name of the split."""
        named = {split: getattr(self, split) for split in ("train", "validation", "test", "unlabelled")}
        return {split: path for split, path in named.items() if path is not None}

    def resolved(self) -> Self:
        """A copy whose relative paths are taken from the working directory."""
        return self.model_copy(update={split: path.expanduser().absolute() for split, path in self.paths.items()})


class GeneratedSource(Section):
    """The small sentiment task written by the project's own grammar (offline, seeded, balanced)."""

    train: int = Field(2000, ge=16, description="Size of the training split.", json_schema_extra=unit("rows"))
    validation: int = Field(300, ge=8, description="Size of the validation split.", json_schema_extra=unit("rows"))
    test: int = Field(300, ge=8, description="Size of the test split.", json_schema_extra=unit("rows"))


class TaskConfig(Section):
    """The student's task. Its data come from one of `files`, `hub` and `generated`.

    `path`, or --data-root, reads the files that `local` names in place of the hub.
    """

    name: str = Field(description="Name of the task, in reports and model cards.")
    problem: Literal["classification", "regression"] = Field(
        "classification", description="Classes, or a score. Scores are not attacked."
    )
    text: list[str] = Field(
        min_length=1, max_length=2, description="Column of the text, or the two columns of a pair of texts."
    )
    label: str = Field("label", description="Column of the label.")
    labels: list[str] = Field(
        [],
        description="Names of the classes in the order of the integer labels; empty for regression. Not given: those "
        "of the teacher, else those that the training rows have.",
    )
    metric: Metric = Field(
        "accuracy", description="Metric of clean quality. Regression has pearson and spearman, classes have the others."
    )
    max_length: int | None = Field(
        None,
        ge=8,
        description="Longer texts are cut to this. Not given: what 99 in 100 training texts keep within.",
        json_schema_extra=unit("tokens"),
    )
    validation_rows: int = Field(
        1000,
        ge=8,
        description="Size of the validation split that is carved from train where there is none; task.files has a "
        "share in its place.",
        json_schema_extra=unit("rows"),
    )
    phrases: bool = Field(
        False, description="Training rows are phrases of one another (SST-2): only whole sentences are carved out."
    )
    on_bad_rows: Literal["refuse", "drop"] = Field(
        "refuse", description="Rows without a text or a label are an error, or are left out and counted."
    )
    on_shared_rows: Literal["refuse", "keep"] = Field(
        "refuse", description="Test rows whose text is a training row's too are an error, or are kept and counted."
    )
    train_rows: int | None = Field(
        None,
        ge=16,
        description="Size of a seeded sample of the training split; none: all of it.",
        json_schema_extra=unit("rows"),
    )
    files: FilesSource | None = None
    hub: HubSource | None = None
    local: LocalSource = LocalSource.model_construct()
    generated: GeneratedSource | None = None
    path: Path | None = Field(
        None, description="Folder or tar archive of the files that `local` names, read in place of the hub."
    )

    @property
    def length(self) -> int:
        """`max_length`. Raises `BadInput` where it was neither given nor derived (`materials.derivation`)."""
        if self.max_length is None:
            raise BadInput(Problem("experiment", "task.max_length", "a number of tokens", "none", "give one"))
        return self.max_length

    def _rules(self) -> Iterator[PydanticCustomError]:
        named = [key for key in ("files", "hub", "generated", "path") if getattr(self, key) is not None]
        instead = self.path is not None and self.files is None  # it is read in place of the others
        if len(named) != 1 and not instead:
            expected = "one of files, hub and generated (or path), which say where the data are"
            yield broken_rule("", expected, " and ".join(named) or "none of them")
        if self.problem == "regression" and self.labels:
            yield broken_rule("labels", "none for regression", self.labels, "problem")
        elif len(self.labels) == 1:
            yield broken_rule("labels", "at least two names for classification", self.labels, "problem")
        elif repeated := [name for name, count in Counter(self.labels).items() if count > 1]:
            yield broken_rule("labels", "names that differ", f"{', '.join(repeated)} more than once")
        if (self.metric in ("pearson", "spearman")) != (self.problem == "regression"):
            yield broken_rule("metric", f"a metric of {self.problem}", self.metric, "problem")
        if self.phrases and len(self.text) != 1:
            yield broken_rule("phrases", "false for a task of two texts", "true", "text")
        if self.local.text is not None and len(self.local.text) != len(self.text):
            expected = f"as many columns as text ({len(self.text)})"
            yield broken_rule("local.text", expected, self.local.text, "text")
        yield from self._rules_of_spellings()

    def _rules_of_spellings(self) -> Iterator[PydanticCustomError]:
        for key, source in (("local", self.local), ("files", self.files)):
            spellings = None if source is None else source.label_values
            if spellings is None or (key == "files" and not self.labels):  # those to come are counted when they are
                continue
            if (len(spellings), len(set(spellings))) != (len(self.labels),) * 2:
                expected = f"one spelling for each of {len(self.labels)} labels"
                yield broken_rule(f"{key}.label_values", expected, spellings, "labels")
