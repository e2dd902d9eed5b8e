"""The section `task` of an experiment: the data, where they lie, and the metric."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from rosearch.config.section import Section, broken_rule

Metric = Literal["accuracy", "macro_f1", "matthews", "pearson", "spearman"]


class HubSource(Section):
    """A dataset on the Hugging Face hub, and its splits for ours. GLUE's test split has no labels: use validation."""

    dataset: str
    config: str | None = None
    revision: str | None = None
    train: str = "train"
    validation: str | None = None  # none: a seeded part of train
    test: str = "validation"


class LocalSource(Section):
    """The same data as files, which `--data-root` or `task.path` read in place of the hub."""

    folder: str = ""  # a folder or tar archive below --data-root; `task.path` names the folder itself
    train: str = "train.tsv"
    validation: str | None = None
    test: str = "dev.tsv"
    columns: list[str] | None = None  # names, for files without a header
    text: list[str] | None = None  # if the columns differ from the hub's
    label: str | None = None
    label_values: list[str] | None = None  # the file's spelling of each of `labels`, in the same order


class GeneratedSource(Section):
    """The small sentiment task written by the project's own grammar (offline, seeded, balanced)."""

    train: int = Field(2000, ge=16)
    validation: int = Field(300, ge=8)
    test: int = Field(300, ge=8)


class TaskConfig(Section):
    """The student's task. Its data come from exactly one of `hub` and `generated`; `path` reads local files instead."""

    name: str
    problem: Literal["classification", "regression"] = "classification"
    text: list[str] = Field(min_length=1, max_length=2)
    label: str = "label"
    labels: list[str] = []  # names in the order of the integer labels; empty for regression
    metric: Metric = "accuracy"
    max_length: int = Field(128, ge=8)  # tokens; longer texts are cut
    validation_rows: int = Field(1000, ge=8)  # carved from train if there is no validation split
    phrases: bool = False  # training rows are phrases of one another (SST-2): carve whole sentences only
    on_bad_rows: Literal["refuse", "drop"] = "refuse"  # rows without a text or a label; dropped ones are counted
    train_rows: int | None = Field(None, ge=16)  # a seeded sample of the training split; none: all of it
    hub: HubSource | None = None
    local: LocalSource = LocalSource()
    generated: GeneratedSource | None = None
    path: Path | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.path is None and (self.hub is None) == (self.generated is None):
            both = "both" if self.hub else "neither"
            raise broken_rule("", "exactly one of hub and generated (or path)", both)
        if self.problem == "classification" and len(self.labels) < 2:
            raise broken_rule("labels", "at least two names for classification", self.labels)
        if self.problem == "regression" and self.labels:
            raise broken_rule("labels", "none for regression", self.labels)
        if (self.metric in ("pearson", "spearman")) != (self.problem == "regression"):
            raise broken_rule("metric", f"a metric of {self.problem}", self.metric)
        if len(set(self.labels)) < len(self.labels):
            raise broken_rule("labels", "names that differ", self.labels)
        spellings = self.local.label_values
        if spellings is not None and (len(spellings), len(set(spellings))) != (len(self.labels),) * 2:
            raise broken_rule("local.label_values", f"one spelling for each of {len(self.labels)} labels", spellings)
        if self.local.text is not None and len(self.local.text) != len(self.text):
            raise broken_rule("local.text", f"as many columns as text ({len(self.text)})", self.local.text)
        if self.phrases and len(self.text) != 1:
            raise broken_rule("phrases", "false for a task of two texts", "true")
        return self
