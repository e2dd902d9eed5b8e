"""The section `distillation` of an experiment: losses, schedule, and the settings of each method."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field
from pydantic_core import PydanticCustomError

from rosearch.config.ad2 import Ad2Config
from rosearch.config.choices import ClassWeights, is_own
from rosearch.config.robust_kd import RobustKdConfig
from rosearch.config.section import Section, broken_rule, unit


class MateKdConfig(Section):
    """MATE-KD (arXiv 2105.05912): a masked LM writes the texts on which student and teacher differ most.

    Its three losses have equal weights (1/3 each, as in the paper). `temperature`, `soft_weight` and `hard_weight` of
    the section are not read.
    """

    generator: str | None = Field(
        None,
        description="Masked LM with the teacher's vocabulary: a folder, a hub name or package:NAME; none: one is cut "
        "from the teacher and trained on the task's texts.",
    )
    generator_layers: int = Field(
        2, ge=1, description="Depth of a generator that is cut from the teacher.", json_schema_extra=unit("layers")
    )
    generator_steps_before: int = Field(
        300, ge=0, description="Its training as a masked LM.", json_schema_extra=unit("steps")
    )
    mask_share: float = Field(
        0.3, gt=0, lt=1, description="Tokens of a text that are hidden.", json_schema_extra=unit("share")
    )
    temperature: float = Field(1.0, gt=0, description="tau of the Gumbel softmax.")
    divergence: Literal["kl", "ce"] = Field("ce", description="ce is the released code's, kl that of the paper's text.")
    generator_steps: int = Field(
        10,
        ge=1,
        description="The generator drives student and teacher apart for so long, then the student learns.",
        json_schema_extra=unit("steps"),
    )
    student_steps: int = Field(
        100,
        ge=1,
        description="The student learns for so long, then it is the generator's turn.",
        json_schema_extra=unit("steps"),
    )
    generator_learning_rate: float = Field(
        5e-7, gt=0, description="Of the generator's AdamW, without weight decay; its gradient is clipped to norm 5."
    )
    tokens_at_once: int = Field(
        1024,
        ge=1,
        description="Part of a batch that is computed at once, padding counted; bounds memory, not the loss.",
        json_schema_extra=unit("tokens"),
    )


class EncoderConfig(Section):
    """The objective of an encoder without a task (`target: encoder`), trained on the blocks of `corpus`."""

    objective: Literal["hidden_states", "relations"] = Field(
        "hidden_states",
        description='States of many layers ("uniform + last"), or relations of queries, keys and values (MiniLMv2).',
    )
    relation_heads: int = Field(
        12,
        ge=1,
        description="relations: they must divide the widths of teacher and students.",
        json_schema_extra=unit("heads"),
    )
    relation_layer: int = Field(
        -1, description="relations: layer of the teacher, counted from 1, or from the end: -1 is the last."
    )


class DistillationConfig(Section):
    """Losses and schedule.

    `soft_weight` is that of tau^2 KL to the teacher, `hard_weight` that of cross-entropy to the label, `hidden_weight`
    that of the hidden-state probes.
    """

    target: Literal["task", "encoder"] = Field(
        "task",
        description="An encoder has no task: it learns from the corpus, and method and loss weights are not read.",
    )
    encoder: EncoderConfig = EncoderConfig.model_construct()
    method: Literal["kd", "hidden_states", "mate_kd", "ad2", "robust_kd"] = Field(
        "kd",
        description="kd: the teacher's outputs; hidden_states: its hidden states as well; mate_kd, ad2, robust_kd: its "
        "outputs on texts or embeddings that are changed, each with a section of its own.",
    )
    temperature: float = Field(2.0, gt=0, description="tau, which softens the outputs of teacher and student.")
    soft_weight: float = Field(1.0, ge=0, description="Weight of tau^2 KL to the teacher's outputs.")
    hard_weight: float = Field(0.5, ge=0, description="Weight of the cross-entropy to the label.")
    class_weights: ClassWeights = Field(
        "none",
        description="Of each row in the cross-entropy to the label, by its class. balanced: n / (k x n_c), for n_c of "
        "n training rows in k classes, so that a rare class counts as much as a frequent one; or weights by label, "
        "and 1 for labels that are not named.",
    )
    withhold: bool = Field(
        False,
        description="Encodings of words and training read only a fixed half of the pairs of neighbour lists and "
        "WordNet. The attacks *-withheld read the other half: swaps that the defence has never seen.",
    )
    label_smoothing: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Part of each target, the teacher's softened outputs and the labels alike, that is spread evenly "
        "over all classes.",
        json_schema_extra=unit("share"),
    )
    flood: float = Field(
        0.0,
        ge=0,
        description="b: where the loss L on clean rows falls below b, the student climbs back: |L - b| + b (flooding).",
    )
    hidden_weight: float = Field(
        1.0, ge=0, description="Weight of the probes of hidden states; read by the method hidden_states only."
    )
    hidden_layers: list[int] = Field(
        [-1],
        description="Layers of the teacher that are probed (-1: the last); a student's node as deep learns each.",
    )
    inherit_embeddings: bool = Field(
        True, description="The student starts with the teacher's embeddings, cut to its rank by SVD."
    )
    word_table: Literal["teacher", "metric"] = Field(
        "teacher",
        description="The words that students inherit. teacher: its table; metric: a copy in which synonyms were moved "
        "together and opposites apart, made once a task from the lists `neighbours` and `wordnet`.",
    )
    inherit: Literal["none", "teacher", "parent"] = Field(
        "none",
        description="Trained weights that a candidate starts with. teacher: its layers, brought to the student's "
        "width; parent: those of the candidate that it was bred from, as far as they fit. Finalists have no parent.",
    )
    initial: str | None = Field(
        None, description="Folder of a distilled encoder: operations that both have start with its weights."
    )
    epochs: float = Field(3, gt=0, description="Passes over the training rows.", json_schema_extra=unit("epochs"))
    max_steps: int | None = Field(
        None, ge=1, description="Ends the training earlier; none: after `epochs`.", json_schema_extra=unit("steps")
    )
    batch_size: int = Field(32, ge=1, description="Rows of a step.", json_schema_extra=unit("rows"))
    learning_rate: float = Field(5e-4, gt=0, description="Highest learning rate of AdamW.")
    warmup_share: float = Field(
        0.1,
        ge=0,
        lt=1,
        description="Part of the steps over which the learning rate rises to its highest.",
        json_schema_extra=unit("share"),
    )
    weight_decay: float = Field(0.01, ge=0, description="Weight decay of AdamW.")
    clip_norm: float = Field(1.0, gt=0, description="The gradient is clipped to this L2 norm.")
    dropout: float = Field(
        0.1,
        ge=0,
        lt=1,
        description="Of students of ours; a loaded model keeps that of its own configuration.",
        json_schema_extra=unit("share"),
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="auto: bfloat16 autocast if the machine has it."
    )
    mate_kd: MateKdConfig = MateKdConfig.model_construct()
    ad2: Ad2Config = Ad2Config.model_construct()
    robust_kd: RobustKdConfig = RobustKdConfig.model_construct()

    @property
    def functions(self) -> dict[str, str]:
        """The functions of the user's own that the training calls, each with the key that names it."""
        if self.method != "robust_kd":
            return {}
        names = ("sources", "attacks", "snapshot_attacks")
        lists: dict[str, list[str]] = {name: getattr(self.robust_kd, name) for name in names}
        return {
            name: f"distillation.robust_kd.{key}.{place}"
            for key, names in lists.items()
            for place, name in enumerate(names)
            if is_own(name)
        }

    def _rules(self) -> Iterator[PydanticCustomError]:
        if self.soft_weight + self.hard_weight == 0:
            yield broken_rule("", "soft_weight or hard_weight above 0 (else the classifier learns nothing)", "both 0")
        yield from self._word_table_rules()
        if self.inherit == "teacher" and not self.inherit_embeddings:
            expected = "distillation.inherit_embeddings true beside teacher: its layers read its embeddings"
            yield broken_rule("inherit", expected, "false", "inherit_embeddings")
        if self.inherit == "teacher" and self.initial is not None:
            expected = "nothing beside inherit: teacher, as a node has one start"
            yield broken_rule("initial", expected, self.initial, "inherit")
        if self.target == "encoder" and self.flood:
            yield broken_rule("flood", "0 for an encoder, which has no loss on outputs", self.flood, "target")
        for key in ("label_smoothing", "flood"):
            if self.target == "task" and self.method == "mate_kd" and (given := getattr(self, key)):
                expected = "0 for mate_kd: its three losses and their weights are those of the paper"
                yield broken_rule(key, expected, given, "method")
        if self.method == "hidden_states" and not self.hidden_layers:
            yield broken_rule("hidden_layers", "at least one layer for hidden_states", "none", "method")

    def _word_table_rules(self) -> Iterator[PydanticCustomError]:
        if self.word_table == "teacher":
            return
        expected = "teacher, {}: metric moves the words that students of a task inherit"
        if self.target == "encoder":
            yield broken_rule("word_table", expected.format("for encoders"), self.word_table, "target")
        if not self.inherit_embeddings:
            told = expected.format("where they inherit none")
            yield broken_rule("word_table", told, self.word_table, "inherit_embeddings")
        if self.initial is not None:
            told = expected.format("beside an encoder that brings its own")
            yield broken_rule("word_table", told, self.word_table, "initial")
