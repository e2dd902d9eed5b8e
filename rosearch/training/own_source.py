"""A source of perturbed text that is a function of the user's own: `module:function` in `robust_kd.sources`.

>>> def perturb(texts: list[str], share: float, seed: int) -> list[str]: ...

It is called with the texts of a batch, the share of words that should change, and a seed from 0 to 2**32 - 1, from
which all that it draws must follow. It gives as many texts, in their order. The meaning must stay: the student learns
the teacher's answer to the clean text.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from rosearch.config.distillation import DistillationConfig
from rosearch.errors import Problems, one_line, shown
from rosearch.resources.functions import OwnFunction, find_functions
from rosearch.training.text_sources import Source, Texts

_TRIED = ["a warm and funny film that never drags", "dull"]
_CALLED = "a function that is called with texts, a share and a seed"


class OwnSource(Source):
    """The source of a function. What the function gives is looked at each time: no rubbish is learnt."""

    def __init__(self, own: OwnFunction) -> None:
        """Imports the function. Raises `BadInput` where it does not take what it is called with."""
        self.own = own
        self.function: Callable[..., Any] = own.load()
        try:
            signature = inspect.signature(self.function)
        except (TypeError, ValueError):  # of a builtin: only its call tells
            return
        try:
            signature.bind([], 0.5, 0)
        except TypeError as error:
            name, takes = own.name.rpartition(":")[2], ", ".join(signature.parameters)
            raise own.wrong(f"{_CALLED}: {name}(texts, share, seed)", f"{name}({takes}): {one_line(error)}") from None

    def perturb(self, rows: Texts, share: float, rng: np.random.Generator) -> list[tuple[str, ...]]:
        """See `Source`; the seed of the call is drawn from `rng`. Raises `BadInput` where the function fails."""
        made = iter(self.called([text for row in rows for text in row], share, int(rng.integers(2**32))))
        return [tuple(next(made) for _ in row) for row in rows]

    def called(self, texts: list[str], share: float, seed: int) -> list[str]:
        """The texts that the function gives. Raises `BadInput` where it fails, or gives anything else."""
        expected = f"a list of {len(texts):,} texts from the function, as many as it was given"
        try:
            made = self.function(list(texts), share, seed)
        except Exception as error:  # of code that is not ours
            raise self.own.wrong(_CALLED, one_line(error, named=True)) from error
        if not isinstance(made, list | tuple):
            raise self.own.wrong(expected, type(made).__name__)
        if len(made) != len(texts):
            raise self.own.wrong(expected, f"{len(made):,}")
        if strange := [one for one in made if not isinstance(one, str)]:
            raise self.own.wrong(expected, f"{shown(strange[0], 60)} among them")
        return list(made)

    def try_out(self) -> None:
        """Calls the function on two texts. Raises `BadInput` where it fails, or gives others for the same seed."""
        if self.called(_TRIED, 0.5, 7) != self.called(_TRIED, 0.5, 7):
            fix = "Draw from random.Random(seed) or numpy.random.default_rng(seed) alone"
            raise self.own.wrong("the same texts for the same seed", "others at the second call", fix)


def own_sources(config: DistillationConfig, *, tried: bool = False) -> dict[str, OwnSource]:
    """The configured sources that are functions, by name; with `tried`, each was tried out.

    Raises `BadInput` with all that are wrong.
    """
    found, problems = {}, Problems()
    names = {name: key for name, key in config.functions.items() if name in config.robust_kd.sources}
    for name, own in find_functions(names).items():
        with problems:
            found[name] = OwnSource(own)
            if tried:
                found[name].try_out()
    problems.raise_found()
    return found


def function_digests(config: DistillationConfig) -> dict[str, str]:
    """The digest of the source of each function of the user's own that the training calls: sources and attacks."""
    return {name: own.digest for name, own in find_functions(config.functions).items()}
