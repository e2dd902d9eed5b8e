"""The section `distillation` of an experiment: losses and schedule, and what each method adds to them."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, Self

from pydantic import Field, model_validator

from rosearch.config.presets import DEFAULT, PRESETS, PerturbationSizes
from rosearch.config.section import Section, Share, broken_rule


class MateKdConfig(Section):
    """MATE-KD (arXiv 2105.05912): a masked LM writes the texts on which student and teacher differ most.

    Its three losses are weighted alike (the paper's 1/3 each); `temperature`, `soft_weight` and `hard_weight` of the
    section are not read.
    """

    generator: str | None = None  # a masked LM of the same vocabulary; none: cut from the teacher, trained on the task
    generator_layers: int = Field(2, ge=1)  # of the one that is cut from the teacher
    generator_steps_before: int = Field(300, ge=0)  # its training as a masked LM, where it is cut from the teacher
    mask_share: float = Field(0.3, gt=0, lt=1)
    temperature: float = Field(1.0, gt=0)  # of the Gumbel softmax
    divergence: Literal["kl", "ce"] = "ce"  # ce as released, kl as the paper speaks of
    generator_steps: int = Field(10, ge=1)  # maximisation steps, then ...
    student_steps: int = Field(100, ge=1)  # ... minimisation steps
    generator_learning_rate: float = Field(5e-7, gt=0)
    tokens_at_once: int = Field(1024, ge=1)  # that pass through the models at once: bounds the memory, not the loss


class Ad2Config(Section):
    """AD^2 (AAAI 2022): the input embeddings are moved to where the student leaves the teacher's clean outputs.

    The clean losses are those of the section. `preset` fills what is not given: sizes that FreeLB and SMART publish;
    without one, sizes of ours (`perturbation_presets`).
    """

    preset: str | None = None  # smart, or freelb-TASK: freelb-sst2, freelb-mrpc, ...
    steps: int | None = Field(None, ge=1)  # K
    step_size: float | None = Field(None, gt=0)  # eta
    start: float | None = Field(None, ge=0)  # the size of the first, random perturbation
    bound: float | None = Field(None, gt=0)  # epsilon: of a row's L2 norm, with smart of a token's largest component
    weight: float = Field(1.0, gt=0)  # lambda, of the loss on perturbed embeddings
    perturb_special: bool = False  # also [CLS], [SEP] and their like

    @model_validator(mode="after")
    def _known_preset(self) -> Self:
        if self.preset is not None and self.preset not in PRESETS:
            raise broken_rule("preset", f"one of {', '.join(PRESETS)}", self.preset)
        return self

    @property
    def sizes(self) -> PerturbationSizes:
        """Those given, else those of the preset, else ours."""
        preset = DEFAULT if self.preset is None else PRESETS[self.preset]
        given = {name: getattr(self, name) for name in ("steps", "step_size", "start", "bound")}
        return replace(preset, **{name: value for name, value in given.items() if value is not None})


class RobustKdConfig(Section):
    """Robust distillation (ours): the teacher's outputs for the clean text are learnt on perturbed text.

    Each batch is perturbed by one of `sources`, drawn at random. The clean losses are those of the section.
    """

    sources: list[Literal["characters", "synonyms", "wordnet", "embeddings", "hull"]] = Field(
        ["characters", "synonyms"], min_length=1
    )
    attacks: list[str] = []  # recipes run against the current student; what breaks it is learnt (`attack_share`)
    attack_every: int = Field(500, ge=1)  # steps between two attacks on the current student
    attack_rows: int = Field(256, ge=1)  # training rows attacked each time
    attack_share: Share = 0.25  # of a batch's rows are found examples, once there are any
    words: Share = 0.3  # of a row's words that are changed at full strength, in the mean
    ramp: Share = 0.2  # share of the training over which strength rises to full
    guided: Share = 0.75  # of the rows get the words that a gradient says are worst; the others get random ones
    weight: float = Field(1.0, gt=0)  # of the loss on perturbed text
    consistency: float = Field(
        0.0, ge=0
    )  # of the symmetric divergence between the student's clean and perturbed outputs
    epsilon: float = Field(0.6, gt=0)  # source `embeddings`: L2 norm of a row's perturbation
    hull_steps: int = Field(2, ge=1)  # source `hull`: ascent steps in the convex hull of each word's synonyms
    average: float | None = Field(None, gt=0, lt=1)  # decay of a running mean of the weights

    @model_validator(mode="after")
    def _found_texts_are_learnt(self) -> Self:
        if self.attacks and not {"characters", "synonyms", "wordnet"} & set(self.sources):
            expected = "characters, synonyms or wordnet among them: what attacks find is learnt with other text"
            raise broken_rule("sources", expected, ", ".join(self.sources))
        return self


class EncoderConfig(Section):
    """What an encoder without a task learns of its teacher (`target: encoder`), on the blocks of `corpus`."""

    # hidden_states: of many layers, "uniform + last"; relations: MiniLMv2's, of queries, keys and values.
    objective: Literal["hidden_states", "relations"] = "hidden_states"
    relation_heads: int = Field(12, ge=1)  # they must divide the widths of teacher and students
    relation_layer: int = -1  # of the teacher, from 1, or from its end: -1 the last


class DistillationConfig(Section):
    """Losses and schedule. Weights are of: tau^2 KL to the teacher, cross-entropy to the label, hidden-state probes."""

    target: Literal["task", "encoder"] = "task"  # encoder: no task, `method` and the loss weights are not read
    encoder: EncoderConfig = EncoderConfig()
    method: Literal["kd", "hidden_states", "mate_kd", "ad2", "robust_kd"] = "kd"
    temperature: float = Field(2.0, gt=0)
    soft_weight: float = Field(1.0, ge=0)
    hard_weight: float = Field(0.5, ge=0)
    hidden_weight: float = Field(1.0, ge=0)  # only read by hidden_states
    hidden_layers: list[int] = [-1]  # teacher layers that are probed; a student node at the same depth learns each
    inherit_embeddings: bool = True  # by SVD of the teacher's, to the student's rank
    initial: str | None = None  # folder of a distilled encoder: operations that a student shares with it begin as its
    epochs: float = Field(3, gt=0)
    max_steps: int | None = Field(None, ge=1)
    batch_size: int = Field(32, ge=1)
    learning_rate: float = Field(5e-4, gt=0)
    warmup_share: float = Field(0.1, ge=0, lt=1)
    weight_decay: float = Field(0.01, ge=0)
    clip_norm: float = Field(1.0, gt=0)
    dropout: float = Field(0.1, ge=0, lt=1)
    precision: Literal["auto", "float32", "bfloat16"] = "auto"  # auto: bf16 autocast where the machine has it

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
