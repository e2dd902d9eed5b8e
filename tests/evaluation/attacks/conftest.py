"""Tiny resources, tokenizers and decisive models, and compiled attacks made of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from evaluation.attacks.attacked_case import Case, Cases, Victims
from evaluation.attacks.attacked_texts import Rows, pair_rows, single_rows
from evaluation.attacks.oracle import SteadyVictim
from evaluation.attacks.tiny_tokenizers import TOKENIZERS
from evaluation.tiny_model import CPU, make_model
from resources.tiny_resources import write_resources

from rosearch.evaluation.attacks.recipes import RECIPES, build
from rosearch.evaluation.attacks.stock import library
from rosearch.resources.resources import Resources

MAX_LENGTH = 40  # tokens: some rows have more


@pytest.fixture(scope="session")
def attack_resources(tmp_path_factory: pytest.TempPathFactory) -> Resources:
    return write_resources(tmp_path_factory.mktemp("resources"))


@pytest.fixture(scope="session")
def textattack(cache: Path) -> ModuleType:
    return library.load(cache)


@pytest.fixture(scope="session")
def victims() -> Victims:
    """A decisive model for each vocabulary, whose three classes are about equally frequent."""
    made: dict[str, SteadyVictim] = {}
    corpus = [text for row in [*single_rows(120), *pair_rows(60)] for text in row]

    def of(name: str) -> SteadyVictim:
        if name not in made:
            tokenizer = TOKENIZERS[name](corpus)
            model = make_model(len(tokenizer), labels=3)
            with torch.no_grad():
                model.classifier.bias -= SteadyVictim(model, tokenizer, MAX_LENGTH, CPU)(corpus).median(dim=0).values
            made[name] = SteadyVictim(model, tokenizer, MAX_LENGTH, CPU)
        return made[name]

    return of


@pytest.fixture
def case(textattack: ModuleType, attack_resources: Resources, victims: Victims, cache: Path) -> Cases:
    """A recipe on rows, by name; `change(textattack, attack)` makes another attack of it, of another name."""

    def made(
        name: str,
        texts: Rows,
        tokenizer: str = "wordpiece",
        change: Callable[[ModuleType, Any], Any] | None = None,
        changed: str = "",
    ) -> Case:
        victim = victims(tokenizer)
        attack = build(RECIPES[name], victim, attack_resources, cache)
        if change is not None:
            attack = change(textattack, attack)
        return Case(textattack, attack, f"{name} {changed}", texts, victim, cache)

    return made
