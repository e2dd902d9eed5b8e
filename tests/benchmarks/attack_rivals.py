"""The ways to attack the same rows that the throughput benchmark times: the engine, and TextAttack in two forms."""

from __future__ import annotations

import contextlib
import gc
import io
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

import torch
from transformers.modeling_outputs import SequenceClassifierOutput

from rosearch.evaluation.attacks.engine import tokens
from rosearch.evaluation.attacks.prepared import PreparedAttack
from rosearch.evaluation.attacks.recipes import build
from rosearch.evaluation.attacks.result import AttackedRow
from rosearch.evaluation.attacks.stock import library
from rosearch.evaluation.attacks.stock.rows import attacked_text, row_of
from rosearch.evaluation.attacks.stock.wrapper import ModelWrapper
from rosearch.evaluation.attacks.victim import Victim
from tests.evaluation.attacks.oracle import differences, planned_attack

Result = TypeVar("Result")


class Timing(NamedTuple):
    """Seconds of the clock, and of this process on its processor."""

    wall: float
    cpu: float


def timed(work: Callable[[], Result], device: torch.device) -> tuple[Timing, Result]:
    """The seconds of `work` until the device has finished, and its result."""
    gc.collect()
    _synchronize(device)
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    _synchronize(device)
    return Timing(time.perf_counter() - wall, time.process_time() - cpu), result


@contextlib.contextmanager
def little_garbage() -> Iterator[None]:
    """Inside, the garbage collector looks at new objects only.

    TextAttack's hundreds of modules cost it a third of a second each time, which would hit rivals by chance.
    """
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


class Recorder(torch.nn.Module):
    """Passes calls on to a model and keeps its logits in the order of the calls."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model
        self.logits: list[torch.Tensor] = []

    def forward(self, **inputs: torch.Tensor) -> SequenceClassifierOutput:
        output = self.model(**inputs)
        self.logits.append(output.logits.float().cpu())
        return output


class SimulatedDevice(torch.nn.Module):
    """Answers with recorded logits, each batch after `wait_ms` milliseconds, whatever its size.

    It waits in a loop that looks at the clock: a process that sleeps wakes up late.
    """

    def __init__(self, logits: Sequence[torch.Tensor], wait_ms: float) -> None:
        super().__init__()
        self.logits = logits
        self.wait_ms = wait_ms
        self.at = 0

    def forward(self, input_ids: torch.Tensor, **_: torch.Tensor) -> SequenceClassifierOutput:
        ready = time.perf_counter() + self.wait_ms / 1000
        logits = self.logits[self.at]
        self.at += 1
        assert len(logits) == len(input_ids), "the attack asks for other texts than when it was recorded"
        while time.perf_counter() < ready:
            pass
        return SequenceClassifierOutput(logits=logits)


class BatchVictim(Victim):
    """A victim with `rows_a_batch` rows in a forward pass on any device; 0: as many as usual."""

    def __init__(self, model: torch.nn.Module, like: Victim, device: torch.device, rows_a_batch: int) -> None:
        super().__init__(model, like.tokenizer, like.max_length, device, rows_a_batch)


class Engine:
    """The engine as users of rosearch run it, from a compiled plan on."""

    def __init__(self, attack: PreparedAttack, places: Sequence[int], labels: Sequence[int]) -> None:
        self.attack = attack
        self.places = places  # of the attacked rows among all rows of the attack
        self.labels = labels  # of all rows of the attack

    def run(self, victim: Victim) -> list[AttackedRow]:
        return self.attack.run(victim, self.labels, self.places)


def forget_tokens() -> None:
    """Forget everything that was tokenised in this process."""
    tokens._SHARED.clear()


class Tuned:
    """Sequential TextAttack at its best: rows padded to the longest, words remembered, the candidates of the plan.

    Equal token ids within a row are scored once, as the engine does: both ask the same of the model.
    """

    def __init__(self, engine: Engine, victim: Victim) -> None:
        assert engine.attack.plan is not None
        self.rows = [engine.attack.plan.rows[place] for place in engine.places]
        self.labels = [engine.labels[place] for place in engine.places]
        self.wrapper = ModelWrapper(victim, lambda asked: victim.score(*asked), lambda: None)
        with library.quietly():
            stock = build(engine.attack.recipe, self.wrapper, engine.attack.resources, engine.attack.cache)
            self.attack = planned_attack(library.loaded(), stock)

    def run(self) -> list[AttackedRow]:
        results = []
        with library.remembered_words(), library.kept_histories():
            for row, label in zip(self.rows, self.labels, strict=True):
                self.wrapper.forget()
                self.attack.transformation.row = row
                result = self.attack.attack(attacked_text(library.loaded(), row.texts), label)
                self.attack.clear_cache()  # TextAttack does not do it after a row that it skips
                results.append(row_of(result, label, len(self.wrapper.asked), None))
        return results


class Stock:
    """TextAttack as its users run it: its `Attacker` around its `HuggingFaceModelWrapper`, unchanged.

    The wrapper pads to the tokenizer's `model_max_length`. Where a recipe draws
    candidates at random, the attack draws its own: the rows are the same, the queries nearly.
    """

    def __init__(self, engine: Engine, victim: Victim, seed: int) -> None:
        textattack = library.loaded()
        self.library = textattack
        wrapper = textattack.models.wrappers.HuggingFaceModelWrapper(victim.model, victim.tokenizer)
        self.attack = build(engine.attack.recipe, wrapper, engine.attack.resources, engine.attack.cache)
        texts = [engine.attack.texts[place] for place in engine.places]
        columns = ["text"] if len(texts[0]) == 1 else ["premise", "hypothesis"]
        self.rows = [
            (row[0] if len(row) == 1 else row, engine.labels[place])
            for row, place in zip(texts, engine.places, strict=True)
        ]
        self.columns = columns
        self.seed = seed

    def run(self) -> list[Any]:
        """TextAttack's own results."""
        dataset = self.library.datasets.Dataset(self.rows, input_columns=self.columns)
        arguments = self.library.AttackArgs(
            num_examples=len(self.rows), random_seed=self.seed, silent=True, disable_stdout=True
        )
        with (
            library.generators_at(self.seed),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            results: list[Any] = self.library.Attacker(self.attack, dataset, arguments).attack_dataset()
        return results


def equal_rows(engine: Engine, mine: Sequence[AttackedRow], theirs: Sequence[AttackedRow]) -> int:
    """The number of rows with equal results of engine and TextAttack, equal as in the engine's contract test."""
    assert engine.attack.plan is not None
    rows = [engine.attack.plan.rows[place] for place in engine.places]
    return len(rows) - len(differences(mine, theirs, rows))
