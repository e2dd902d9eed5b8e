"""The section `distillation.robust_kd` of an experiment: what perturbs, and how the weights are averaged."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field
from pydantic_core import PydanticCustomError

from rosearch.config.choices import WORD_SOURCES, SourceName, is_own
from rosearch.config.section import Section, Share, broken_rule, unit


class RobustKdConfig(Section):
    """Robust distillation (ours): the student learns the teacher's outputs for the clean text on perturbed text.

    A source, drawn at random from `sources`, perturbs each batch. The clean losses are those of the section.
    """

    sources: list[SourceName] = Field(
        ["characters", "synonyms"],
        min_length=1,
        description="What perturbs a batch, drawn at random; a name that is listed twice is drawn twice as often. A "
        "letter changes (characters), a word becomes a neighbour (synonyms), a WordNet synonym (wordnet) or any word "
        "(other_words, where the teacher is asked anew), a masked LM fills in words that were corrupted (refill), "
        "embeddings move (embeddings), or become the worst mixture of synonyms (hull). module:function is a source of "
        "yours, called with texts, the share of words and a seed.",
    )
    attacks: list[str] = Field(
        [],
        description="Recipes run against the current student, which learns the broken examples; `rosearch attack "
        "resources` lists them.",
    )
    attack_every: int = Field(
        500, ge=1, description="Between two attacks on the current student.", json_schema_extra=unit("steps")
    )
    attack_rows: int = Field(256, ge=1, description="Training rows attacked each time.", json_schema_extra=unit("rows"))
    attack_share: Share = Field(
        0.25,
        description="Part of a batch's rows that are broken examples, once there are any.",
        json_schema_extra=unit("share"),
    )
    words: Share = Field(
        0.3, description="Mean part of a row's words that change at full strength.", json_schema_extra=unit("share")
    )
    ramp: Share = Field(
        0.2, description="Part of the training over which strength rises to full.", json_schema_extra=unit("share")
    )
    guided: Share = Field(
        0.75,
        description="Part of the rows whose words are chosen (see guide); the others get random words.",
        json_schema_extra=unit("share"),
    )
    guide: Literal["gradient", "ngrams"] = Field(
        "gradient",
        description="How words of synonyms and wordnet are chosen. gradient: those that raise the student's loss most, "
        "to first order; ngrams: those that make words and pairs of words rarest among the training rows.",
    )
    refill_words: int = Field(
        50,
        ge=1,
        description="Source refill: a word is drawn from so many that the masked LM holds for likeliest.",
        json_schema_extra=unit("words"),
    )
    weight: float = Field(1.0, gt=0, description="Weight of the loss on perturbed text.")
    consistency: float = Field(
        0.0, ge=0, description="Weight of the symmetric divergence of clean and perturbed outputs."
    )
    epsilon: float = Field(
        0.6,
        gt=0,
        description="Source embeddings: bounds the L2 norm of a row's perturbation.",
        json_schema_extra=unit("units of the word table"),
    )
    hull_steps: int = Field(
        2,
        ge=1,
        description="Source hull: ascent in the convex hull of each word's synonyms.",
        json_schema_extra=unit("steps"),
    )
    average: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="Decay of a running mean of the weights, which is then the student; none: no mean.",
    )
    snapshots: int | None = Field(
        None,
        ge=2,
        description="Weights of so many steps, the last one among them, are averaged greedily: the most robust first, "
        "then each that does not lower the mean's accuracy under attack. None: no snapshots.",
        json_schema_extra=unit("snapshots"),
    )
    snapshot_share: float = Field(
        0.5,
        gt=0,
        le=1,
        description="Last part of the training over which snapshots are spread.",
        json_schema_extra=unit("share"),
    )
    snapshot_attacks: list[str] = Field(
        [],
        description="Recipes by which snapshots are chosen on validation rows; none named: those of attacks, and "
        "deepwordbug where that names none either.",
    )
    snapshot_rows: int = Field(
        200, ge=1, description="Validation rows attacked for each choice.", json_schema_extra=unit("rows")
    )

    @property
    def choosing(self) -> tuple[str, ...]:
        """The attacks by which snapshots are chosen; none without snapshots."""
        if self.snapshots is None:
            return ()
        return tuple(self.snapshot_attacks or self.attacks or ["deepwordbug"])

    @property
    def run_attacks(self) -> dict[str, str]:
        """All attacks that the training runs, each once, with the key that names it."""
        lists = {"snapshot_attacks": self.choosing, "attacks": self.attacks}
        return {name: key for key, names in lists.items() for name in names}

    def _rules(self) -> Iterator[PydanticCustomError]:
        if self.attacks and not any(source in WORD_SOURCES or is_own(source) for source in self.sources):
            expected = f"one of {', '.join(WORD_SOURCES)} among them: what attacks find is learnt with other text"
            yield broken_rule("sources", expected, ", ".join(self.sources), "attacks")
        if self.snapshots is not None and self.average is not None:
            expected = "none beside average: a training ends with one mean of its weights"
            yield broken_rule("snapshots", expected, self.snapshots, "average")
        if self.snapshot_attacks and self.snapshots is None:
            expected = "none without snapshots, which they choose"
            yield broken_rule("snapshot_attacks", expected, ", ".join(self.snapshot_attacks), "snapshots")
