"""A compiled attack beside a model, run by the engine and by TextAttack."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from evaluation.attacks.attacked_texts import Rows
from evaluation.attacks.oracle import SteadyVictim, differences, stock_rows, untouched_rows

from rosearch.evaluation.attacks.engine.lockstep import run_engine
from rosearch.evaluation.attacks.engine.plan import Plan, compile_plan
from rosearch.evaluation.attacks.engine.tokens import Tokens
from rosearch.evaluation.attacks.prepared import learn_plan
from rosearch.evaluation.attacks.result import NO_LIMITS, AttackedRow, Limits
from rosearch.evaluation.attacks.stock.forms import Form, form_of


class Case:
    """The rows of a plan that the engine takes, mostly with the model's predictions as labels."""

    def __init__(
        self, textattack: ModuleType, attack: Any, name: str, texts: Rows, victim: SteadyVictim, cache: Path
    ) -> None:
        self.textattack, self.attack, self.victim = textattack, attack, victim
        form = form_of(attack)
        assert form is not None, f"{name} has no form"
        self.form: Form = form
        self.plan: Plan = compile_plan(textattack, attack, form, name, texts, 1, fingerprint="tiny", cache=cache)
        self.rows = [row for row in self.plan.rows if not row.odd]
        self.tokens = Tokens(victim.tokenizer, victim.max_length)
        learn_plan(self.tokens, self.plan)
        with torch.inference_mode():
            said = victim([row.texts[0] if len(row.texts) == 1 else row.texts for row in self.rows]).argmax(dim=1)
        self.labels = np.where(np.arange(len(said)) % 9 == 8, (said.numpy() + 1) % 3, said.numpy()).tolist()

    def engine(self, limits: Limits = NO_LIMITS, **settings: Any) -> list[AttackedRow]:
        with torch.inference_mode():
            return run_engine(self.rows, self.form, self.tokens, self.victim, self.labels, limits, **settings)

    def stock(self, limits: Limits = NO_LIMITS) -> list[AttackedRow]:
        with torch.inference_mode():
            return stock_rows(self.textattack, self.attack, self.rows, self.victim, self.labels, limits)

    def untouched(self) -> list[AttackedRow]:
        with torch.inference_mode():
            return untouched_rows(self.textattack, self.attack, self.rows, self.victim, self.labels)

    def unequal(self, limits: Limits = NO_LIMITS) -> list[str]:
        """One line for each row on which the engine and TextAttack differ."""
        return differences(self.engine(limits), self.stock(limits), self.rows)


Cases = Callable[..., Case]
Victims = Callable[[str], SteadyVictim]
