"""Means of a student's weights over its training: a running mean, and a greedy mean of snapshots.

Neither costs anything at inference: the mean takes the place of the weights.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor
from transformers import PreTrainedModel

from rosearch.config.robust_kd import RobustKdConfig
from rosearch.measurements import Averaging
from rosearch.training.checkpoint import State
from rosearch.training.method import TrainingInputs

_NAME = "snapshot-"  # of a snapshot beside a checkpoint, before its step

Weights = dict[str, Tensor]  # the floating-point tensors of a student by name


class RunningMean:
    """A running mean of a student's weights (Izmailov et al. 2018, arXiv 1803.05407; here with exponential decay).

    `weights` holds the mean of the student's floating-point tensors by name, empty before the first update. The
    untrained student has no part in it: after n updates, those from the first to the last weigh decay^(n-1) to 1,
    divided by their sum (the correction of Adam, arXiv 1412.6980, section 3).
    """

    def __init__(self, decay: float) -> None:
        self.decay = decay
        self.updates = 0
        self.weights: Weights = {}

    @torch.no_grad()
    def update(self, student: PreTrainedModel) -> None:
        """Moves the mean towards the student's present weights; the first update takes them as they are."""
        self.updates += 1
        share = (1 - self.decay) / (1 - self.decay**self.updates)
        for name, value in _floats(student).items():
            if self.updates == 1:
                self.weights[name] = value.detach().clone()
            else:
                self.weights[name].lerp_(value, share)

    @torch.no_grad()
    def choose(self, student: PreTrainedModel, inputs: TrainingInputs) -> None:
        """Gives the student the mean weights if they are at least as accurate under the configured attacks.

        Without attacks, or without an adversary to run them, it always does.
        """
        attacks, adversary = inputs.config.robust_kd.attacks, inputs.adversary
        own = {name: value.detach().clone() for name, value in _floats(student).items()}
        before = None
        if attacks and adversary is not None:
            student.eval()
            before = adversary.under_attack(student, attacks)
        _load(student, self.weights)
        if before is not None and adversary is not None and adversary.under_attack(student, attacks) < before:
            _load(student, own)


class Snapshots:
    """Weights of `snapshots` steps, spread evenly over the last `snapshot_share` of a training, and their greedy mean.

    Greedy soups (Wortsman et al. 2022, arXiv 2203.05482) of one training, chosen by accuracy under attack: the most
    robust snapshot begins, and in their order each other one is kept in the mean where that is at least as robust with
    it as without. Equal is enough, as there: a mean of more weights is flatter, and a sample of rows has many ties.
    """

    def __init__(self, config: RobustKdConfig, steps: int) -> None:
        """`steps` are those of the whole training, whose last weights are the last snapshot."""
        assert config.snapshots is not None
        self.config = config
        before = (config.snapshot_share * steps * place / config.snapshots for place in range(1, config.snapshots))
        self.places = {step for back in before if 0 < (step := steps - round(back)) < steps}
        self.weights: dict[int, Weights] = {}  # by the steps that were done, on the CPU

    def before_step(self, student: PreTrainedModel, step: int) -> None:
        """Takes a snapshot where it is time."""
        if step in self.places:
            self.weights[step] = _copied(student)

    def kept(self) -> dict[str, State]:
        """Each snapshot by its name."""
        return {f"{_NAME}{step}": weights for step, weights in self.weights.items()}

    def take_kept(self, kept: Mapping[str, State]) -> None:
        """Loads what `kept` gave."""
        for name, weights in kept.items():
            self.weights[int(name.removeprefix(_NAME))] = {key: value.cpu() for key, value in weights.items()}

    @torch.no_grad()
    def choose(self, student: PreTrainedModel, inputs: TrainingInputs, step: int) -> Averaging | None:
        """Gives the student, whose weights are those after `step` steps, the greedy mean.

        None where there is no snapshot yet: a training may pause before the first.
        """
        found = {**{at: self.weights[at] for at in sorted(self.weights) if at < step}, step: _copied(student)}
        if len(found) == 1:
            return None
        assert inputs.adversary is not None
        attacks, rows, under_attack = self.config.choosing, self.config.snapshot_rows, inputs.adversary.under_attack

        def robustness(weights: Weights) -> float:
            _load(student, weights)
            with evaluated(student):
                return under_attack(student, attacks, rows)

        alone = {at: robustness(weights) for at, weights in found.items()}
        first, *others = sorted(found, key=lambda at: (-alone[at], -at))
        chosen, mean, best = [first], found[first], alone[first]
        for other in others:
            wider = {name: value.lerp(found[other][name], 1 / (len(chosen) + 1)) for name, value in mean.items()}
            if (reached := robustness(wider)) >= best:
                chosen, mean, best = [*chosen, other], wider, reached
        _load(student, mean)
        return Averaging(attacks, rows, tuple(found), tuple(alone.values()), tuple(chosen), best)


@contextmanager
def evaluated(student: PreTrainedModel) -> Iterator[None]:
    """Puts the student into eval mode inside the context."""
    training = student.training
    student.eval()
    try:
        yield
    finally:
        student.train(training)


def _floats(student: PreTrainedModel) -> Weights:
    return {name: value for name, value in student.state_dict().items() if value.is_floating_point()}


def _copied(student: PreTrainedModel) -> Weights:
    return {name: value.detach().to("cpu", copy=True) for name, value in _floats(student).items()}


def _load(student: PreTrainedModel, weights: Weights) -> None:
    for name, value in _floats(student).items():
        value.copy_(weights[name])
