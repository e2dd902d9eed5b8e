"""Forward passes of the model under attack that do less work for the same logits. Own code.

Nearly all the time of an attack is the model's. Four things make its passes cheaper: of the last layers only what the
first token's output depends on (`first_token`), hardly anything of padding, and one sum for all tokens of a batch that
are the same until attention reads whole texts (`distinct_tokens`), keys in whole vectors (`key_windows`), and weights
that are packed once an attack (`packed`). Logits are the same but for the noise of float32: sums are taken in another
order.

While it lasts, `forward` of some modules is another function, which uses their own weights. Each of these functions is
right beside the untouched rest of the model as well.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
from transformers import PreTrainedModel

from rosearch.evaluation.attacks.passes.distinct_tokens import distinct_forwards
from rosearch.evaluation.attacks.passes.first_token import first_token_forwards
from rosearch.evaluation.attacks.passes.forwards import Forwards, replaced, watched_everywhere
from rosearch.evaluation.attacks.passes.key_blocks import window_forwards
from rosearch.evaluation.attacks.passes.packed import Packed, pack
from rosearch.evaluation.attacks.victim import Ints, Logits, Victim

Parts = frozenset[str]  # of first_token, distinct_tokens, key_windows, packed
_Sample = tuple[Ints, Ints | None, Ints]  # token ids, types and lengths, as `Victim.encode` gives them

_SAMPLE = 4  # texts
_TOKENS = 8192  # of the longest texts, a batch of which shares enough: 128 texts of SST-2
_NOISE = 1e-5  # of the largest logit, or of 1


class _Trial(NamedTuple):
    """What may stand in, and whether padding costs nothing then."""

    parts: Parts
    forwards: Forwards
    skips_padding: bool = False


@contextmanager
def lean_passes(victim: Victim, texts: Sequence[tuple[str, ...]]) -> Iterator[Parts]:
    """In this, the victim's model computes no more than it must; gives what makes it so, nothing where it is as it was.

    A part stands in where the model is known to allow it, nothing watches or changes the passes concerned (hooks,
    dropout), and the logits of four of `texts`, of different lengths, differ from the untouched model's by no more
    than noise. If they do with all parts, the first token's alone is tried. Call it inside
    `evaluation.quality.inference`, with the weights final. What the untouched model raises goes through.
    """
    trials = _trials(victim)
    sample = _sample(victim, texts) if trials else None
    untouched = None if sample is None else victim.one_pass(*sample)
    for trial in trials:
        if sample is not None and untouched is not None and _agree(victim, sample, untouched, trial.forwards):
            with replaced(trial.forwards), _batches(victim, trial.skips_padding):
                yield trial.parts
            return
    yield frozenset()


@contextmanager
def _batches(victim: Victim, skips_padding: bool) -> Iterator[None]:
    """In this, a batch may hold texts of any lengths where padding costs nothing, and more of them."""
    before = victim.rows_a_batch, victim.padding_a_batch
    if skips_padding and victim.padding_a_batch < math.inf:  # else somebody has said how many texts
        victim.rows_a_batch = max(victim.rows_a_batch, _TOKENS // victim.max_length)
        victim.padding_a_batch = math.inf
    try:
        yield
    finally:
        victim.rows_a_batch, victim.padding_a_batch = before


def _trials(victim: Victim) -> list[_Trial]:
    """All parts, then that of the first token alone."""
    model, cpu = victim.model, victim.device.type == "cpu"
    if not isinstance(model, PreTrainedModel) or watched_everywhere():
        return []  # what a pass of another model does besides, nobody knows
    first = first_token_forwards(model)
    packed = pack(model) if cpu else Packed({}, {})
    distinct = distinct_forwards(model, first, packed.ends) if cpu else {}
    found = {  # a later one stands before an earlier one's
        "packed": packed.forwards,
        "key_windows": window_forwards(model) if cpu else {},
        "distinct_tokens": distinct,
        "first_token": first,
    }
    parts = {name: forwards for name, forwards in found.items() if forwards}
    everything = {module: forward for forwards in parts.values() for module, forward in forwards.items()}
    unpadded = bool(distinct) and victim.tokenizer.padding_side == "right"
    trials = [_Trial(frozenset(parts), everything, unpadded)] if parts else []
    if len(parts) > 1 and first:
        trials.append(_Trial(frozenset({"first_token"}), first))
    return trials


def _sample(victim: Victim, texts: Sequence[tuple[str, ...]]) -> _Sample | None:
    """Four texts, encoded, twice each; None where that cannot be, or nothing would be padded."""
    by_length = sorted(set(texts), key=lambda columns: sum(map(len, columns)))
    places = np.unique(np.linspace(0, len(by_length) - 1, _SAMPLE).round().astype(int))
    try:
        sample = victim.encode([by_length[place] for place in places])
    except Exception:  # whose text raises, the attack finds out
        return None
    ids, types, lengths = sample
    if len(set(lengths.tolist())) < 2:
        return None
    return np.tile(ids, 2), None if types is None else np.tile(types, 2), np.tile(lengths, 2)  # so that tokens repeat


def _agree(victim: Victim, sample: _Sample, untouched: Logits, forwards: Forwards) -> bool:
    try:
        with replaced(forwards):
            lean = victim.one_pass(*sample)
    except Exception:
        victim.failure = None
        return False
    noise = _NOISE * max(1.0, float(np.abs(untouched).max()))
    return lean.shape == untouched.shape and float(np.abs(lean - untouched).max()) <= noise
