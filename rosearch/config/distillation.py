"""The section `distillation` of an experiment: losses, schedule, and the settings of each method."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, Self

from pydantic import Field, model_validator

from rosearch.config.section import Section, Share, broken_rule


class MateKdConfig(Section):
    """MATE-KD (arXiv 2105.05912): a masked LM writes the texts on which student and teacher differ most.

    Its three losses have equal weights (1/3 each, as in the paper). `temperature`, `soft_weight` and `hard_weight` of
    the section are not read.
    """

    generator: str | None = None  # a masked LM of the same vocabulary; none: cut from the teacher, trained on the task
    generator_layers: int = Field(2, ge=1)  # layers of a generator that is cut from the teacher
    generator_steps_before: int = Field(300, ge=0)  # steps of its training as a masked LM
    mask_share: float = Field(0.3, gt=0, lt=1)
    temperature: float = Field(1.0, gt=0)  # of the Gumbel softmax
    divergence: Literal["kl", "ce"] = "ce"  # ce: the released code; kl: the paper's text
    generator_steps: int = Field(10, ge=1)  # maximisation steps, then ...
    student_steps: int = Field(100, ge=1)  # ... minimisation steps
    generator_learning_rate: float = Field(5e-7, gt=0)
    tokens_at_once: int = Field(1024, ge=1)  # tokens per pass through the models; bounds memory, not the loss


Norm = Literal["row", "token"]


@dataclass(frozen=True)
class PerturbationSizes:
    """Sizes of adversarial perturbations of input embeddings, in units of the word table.

    The norm `row` is the L2 norm of a whole row's perturbation (FreeLB), `token` the largest component of a token's
    (SMART). Step, start and bound are in that norm. AD^2 publishes no sizes; `PRESETS` are those of its peers.
    """

    steps: int  # K
    step_size: float  # eta
    start: float  # row: the expected norm of the first perturbation; token: the deviation of its components
    norm: Norm
    bound: float | None  # epsilon; none: no projection


def _freelb(steps: int, step_size: float, start: float, bound: float) -> PerturbationSizes:
    return PerturbationSizes(steps, step_size, start, "row", bound)


# FreeLB: Zhu et al. 2020, arXiv 1909.11764, the table of hyper-parameters for GLUE. SMART: Jiang et al. 2020, arXiv
# 1911.03437, section 4.1.
PRESETS: dict[str, PerturbationSizes] = {
    "smart": PerturbationSizes(1, 1e-3, 1e-5, "token", None),
    "freelb-sst2": _freelb(2, 0.1, 1.0, 0.6),
    "freelb-mnli": _freelb(2, 0.1, 0.1, 0.3),
    "freelb-mrpc": _freelb(3, 0.04, 0.64, 0.4),
    "freelb-cola": _freelb(3, 0.025, 0.4, 0.3),
    "freelb-qnli": _freelb(2, 0.075, 0.15, 0.15),
    "freelb-stsb": _freelb(3, 0.1, 0.16, 0.28),
    "freelb-qqp": _freelb(2, 0.2, 0.32, 0.7),
}
# Ours: one step, because each costs a forward and a backward pass of the student; it is large enough to reach the
# bound. With sizes ten times as large, a fifth to a quarter of the rows change the teacher's own answer, yet the
# student is taught its clean answer (tests/benchmarks/ad2_reach.py).
DEFAULT = PerturbationSizes(1, 0.03, 0.01, "row", 0.04)


class Ad2Config(Section):
    """AD^2 (AAAI 2022): input embeddings are moved to where the student differs most from the teacher's clean outputs.

    The clean losses are those of the section. `preset` fills the sizes that are not given with those that FreeLB or
    SMART publish; without a preset, they are ours (`DEFAULT`).
    """

    preset: str | None = None  # smart, or freelb-TASK: freelb-sst2, freelb-mrpc, ...
    steps: int | None = Field(None, ge=1)  # K
    step_size: float | None = Field(None, gt=0)  # eta
    start: float | None = Field(None, ge=0)  # size of the first, random perturbation
    bound: float | None = Field(None, gt=0)  # epsilon: bounds a row's L2 norm; with smart, a token's largest component
    weight: float = Field(1.0, gt=0)  # lambda, of the loss on perturbed embeddings
    perturb_special: bool = False  # also move [CLS], [SEP] and other special tokens

    @model_validator(mode="after")
    def _known_preset(self) -> Self:
        if self.preset is not None and self.preset not in PRESETS:
            raise broken_rule("preset", f"one of {', '.join(PRESETS)}", self.preset)
        return self

    @property
    def sizes(self) -> PerturbationSizes:
        """The sizes given; the others from the preset, or ours without one."""
        preset = DEFAULT if self.preset is None else PRESETS[self.preset]
        given = {name: getattr(self, name) for name in ("steps", "step_size", "start", "bound")}
        return replace(preset, **{name: value for name, value in given.items() if value is not None})


class RobustKdConfig(Section):
    """Robust distillation (ours): the student learns the teacher's outputs for the clean text on perturbed text.

    A source, drawn at random from `sources`, perturbs each batch. The clean losses are those of the section.
    """

    sources: list[Literal["characters", "synonyms", "wordnet", "other_words", "embeddings", "hull"]] = Field(
        ["characters", "synonyms"], min_length=1
    )
    attacks: list[str] = []  # recipes run against the current student; it learns the broken examples (`attack_share`)
    attack_every: int = Field(500, ge=1)  # steps between two attacks on the current student
    attack_rows: int = Field(256, ge=1)  # training rows attacked each time
    attack_share: Share = 0.25  # share of a batch's rows that are broken examples, once there are any
    words: Share = 0.3  # mean share of a row's words changed at full strength
    ramp: Share = 0.2  # share of the training over which strength rises to full
    guided: Share = 0.75  # share of rows whose words are chosen by a gradient; the others get random words
    weight: float = Field(1.0, gt=0)  # of the loss on perturbed text
    consistency: float = Field(0.0, ge=0)  # weight of the symmetric divergence: clean and perturbed outputs
    epsilon: float = Field(0.6, gt=0)  # source `embeddings`: bound of the L2 norm of a row's perturbation
    hull_steps: int = Field(2, ge=1)  # source `hull`: ascent steps in the convex hull of each word's synonyms
    average: float | None = Field(None, gt=0, lt=1)  # decay of a running mean of the weights

    @model_validator(mode="after")
    def _found_texts_are_learnt(self) -> Self:
        if self.attacks and not {"characters", "synonyms", "wordnet"} & set(self.sources):
            expected = "characters, synonyms or wordnet among them: what attacks find is learnt with other text"
            raise broken_rule("sources", expected, ", ".join(self.sources))
        return self


class EncoderConfig(Section):
    """The objective of an encoder without a task (`target: encoder`), trained on the blocks of `corpus`."""

    # hidden_states: of many layers, "uniform + last"; relations: MiniLMv2's, of queries, keys and values.
    objective: Literal["hidden_states", "relations"] = "hidden_states"
    relation_heads: int = Field(12, ge=1)  # they must divide the widths of teacher and students
    relation_layer: int = -1  # layer of the teacher, counted from 1, or from the end: -1 is the last


class DistillationConfig(Section):
    """Losses and schedule.

    `soft_weight` is that of tau^2 KL to the teacher, `hard_weight` that of cross-entropy to the label, `hidden_weight`
    that of the hidden-state probes.
    """

    target: Literal["task", "encoder"] = "task"  # encoder: no task; `method` and the loss weights are not read
    encoder: EncoderConfig = EncoderConfig()
    method: Literal["kd", "hidden_states", "mate_kd", "ad2", "robust_kd"] = "kd"
    temperature: float = Field(2.0, gt=0)
    soft_weight: float = Field(1.0, ge=0)
    hard_weight: float = Field(0.5, ge=0)
    hidden_weight: float = Field(1.0, ge=0)  # read by hidden_states only
    hidden_layers: list[int] = [-1]  # probed layers of the teacher; the student's node at the same depth learns each
    inherit_embeddings: bool = True  # the teacher's, cut to the student's rank by SVD
    initial: str | None = None  # folder of a distilled encoder: shared operations start with its weights
    epochs: float = Field(3, gt=0)
    max_steps: int | None = Field(None, ge=1)
    batch_size: int = Field(32, ge=1)
    learning_rate: float = Field(5e-4, gt=0)
    warmup_share: float = Field(0.1, ge=0, lt=1)
    weight_decay: float = Field(0.01, ge=0)
    clip_norm: float = Field(1.0, gt=0)
    dropout: float = Field(0.1, ge=0, lt=1)
    precision: Literal["auto", "float32", "bfloat16"] = "auto"  # auto: bf16 autocast if the machine has it

    mate_kd: MateKdConfig = MateKdConfig()
    ad2: Ad2Config = Ad2Config()
    robust_kd: RobustKdConfig = RobustKdConfig()

    @model_validator(mode="after")
    def _some_loss(self) -> Self:
        if self.soft_weight + self.hard_weight == 0:
            raise broken_rule("", "soft_weight or hard_weight above 0 (else the classifier learns nothing)", "both 0")
        if self.method == "hidden_states" and not self.hidden_layers:
            raise broken_rule("hidden_layers", "at least one layer for hidden_states", "none")
        return self
