"""The section `evaluation` of an experiment: attacks on candidates and finalists, and what cost is counted of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field
from pydantic_core import PydanticCustomError

from rosearch.config.section import Moved, Section, broken_rule, moved, unit

_RECIPES = "Recipes, by name (`rosearch attack resources` lists them), or module:function, an attack of yours."
_ROWS = "Size of the seeded sample that is attacked."
_SIMILARITY = "Measures how near broken examples are to their originals, if the resources have a sentence encoder."


class HopelessConfig(Section):
    """Ends the attack of a student early if its accuracy under attack is surely below `below`; it then never wins."""

    below: float = Field(
        gt=0,
        lt=1,
        description="Accuracy under attack below which a student is hopeless.",
        json_schema_extra=unit("share"),
    )
    error_rate: float = Field(
        0.05,
        gt=0,
        lt=0.5,
        description="Chance, over all looks, to stop a student that is not below.",
        json_schema_extra=unit("share"),
    )
    looks: int = Field(
        4, ge=1, description="Looks at the figures, evenly over the rows.", json_schema_extra=unit("looks")
    )


class SuiteConfig(Section):
    """Attacks on the same seeded sample of rows; the worst case of each row counts."""

    attacks: list[str] = Field(["deepwordbug"], min_length=1, description=_RECIPES)
    rows: int = Field(100, ge=1, description=_ROWS, json_schema_extra=unit("rows"))
    queries: int | None = Field(
        None,
        ge=1,
        description="TextAttack's query budget of a row; a row that spends it has survived; none: no limit.",
        json_schema_extra=unit("queries"),
    )
    single_swaps: list[str] = Field(
        [], description="Recipes whose single swaps, frozen, are all scored; the same for all students."
    )
    hopeless: HopelessConfig | None = None
    similarity: bool = Field(False, description=_SIMILARITY)

    def _rules(self) -> Iterator[PydanticCustomError]:
        for key, names in (("attacks", self.attacks), ("single_swaps", self.single_swaps)):
            if len(set(names)) < len(names):
                yield broken_rule(key, "each attack once", names)
        if self.hopeless is not None and self.hopeless.looks > self.rows:
            yield broken_rule("hopeless.looks", f"at most rows ({self.rows})", self.hopeless.looks, "rows")


class ReportSuiteConfig(SuiteConfig):
    """The suite of finalists. If it names no single swaps, those of the search suite are scored."""

    attacks: list[str] = Field(["deepwordbug", "pruthi"], min_length=1, description=_RECIPES)
    rows: int = Field(200, ge=1, description=_ROWS, json_schema_extra=unit("rows"))
    similarity: bool = Field(True, description=_SIMILARITY)
    allow_shared_lists: bool = Field(
        False,
        description="Takes a report in which every attack reads word lists that the encodings or the training read.",
    )


class RobustnessConfig(Section):
    """TextAttack's recipes: a cheap suite for candidates, and one for finalists on other rows with other seeds."""

    search: SuiteConfig = SuiteConfig.model_construct()
    report: ReportSuiteConfig = ReportSuiteConfig.model_construct()
    resources: Path | None = Field(
        None, description="Folder of word lists and models for the recipes; none: $ROSEARCH_RESOURCES."
    )
    attack: Annotated[Moved, moved("evaluation.robustness.search.attacks")] = Field(None, exclude=True, repr=False)
    rows: Annotated[Moved, moved("evaluation.robustness.search.rows")] = Field(None, exclude=True, repr=False)

    def _rules(self) -> Iterator[PydanticCustomError]:
        if set(self.report.attacks) <= set(self.search.attacks):
            expected = "at least one attack that search has not"
            yield broken_rule("report.attacks", expected, self.report.attacks, "search.attacks")


class EfficiencyConfig(Section):
    """Sizes of the FLOPs count and the timing."""

    batch_sizes: list[Annotated[int, Field(ge=1)]] = Field(
        [1, 32],
        description="Batches that are timed; a reward, and fitness.efficiency latency, read the first.",
        json_schema_extra=unit("rows"),
    )
    tokens: int = Field(
        32,
        ge=4,
        description="Length of the text whose FLOPs are counted and that is timed.",
        json_schema_extra=unit("tokens"),
    )
    warmup: int = Field(3, ge=0, description="Batches before the timed ones.", json_schema_extra=unit("batches"))
    repeats: int = Field(
        10,
        ge=0,
        description="Timed batches, of which the median counts; 0: latency is not measured.",
        json_schema_extra=unit("batches"),
    )
    runtime: Literal["eager", "onnx"] = Field(
        "eager",
        description="Times teacher and students in torch, or as graphs in ONNX Runtime on the CPU (extra onnx).",
    )


class EvaluationConfig(Section):
    """The measurements of a student: candidates on the validation split, finalists on the test split."""

    robustness: RobustnessConfig = RobustnessConfig.model_construct()
    efficiency: EfficiencyConfig = EfficiencyConfig.model_construct()
