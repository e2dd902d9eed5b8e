"""Forward passes of the model under attack that do less work for the same logits. Own code.

Nearly all the time of an attack is the model's. Three parts make its passes cheaper:

- `first_token`: of the last layers, only what the first token's output depends on is computed;
- `distinct_tokens`: hardly anything is computed of padding, and tokens of a batch that are the same are computed once,
  until attention reads whole texts;
- `packed`: weights are packed once an attack.

Logits are the same but for the noise of float32: sums are taken in another order. Inside, `forward` of some modules is
another function that uses their own weights. Each of these functions is correct on its own, with the rest of the model
untouched.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
from transformers import PreTrainedModel

from rosearch.errors import one_line, told_apart
from rosearch.evaluation.attacks.passes.first_token import first_token_forwards
from rosearch.evaluation.attacks.passes.forwards import Forwards, replaced, watched_everywhere
from rosearch.evaluation.attacks.passes.packed import Packed, pack
from rosearch.evaluation.attacks.passes.student import reads_first_token, student_forwards, student_of
from rosearch.evaluation.attacks.victim import Logits, Tokenised, Victim
from rosearch.student.modeling_rosearch import StudentModel

Parts = frozenset[str]  # of first_token, distinct_tokens, packed

_SAMPLE = 4  # texts
_TOKENS = 8192  # in a batch of the longest texts, which shares enough: 128 texts of SST-2
_NOISE = 1e-5  # of the largest logit, or of 1

_logger = logging.getLogger(__name__)
_logged: set[str] = set()  # parts whose loss this process has logged


class _Trial(NamedTuple):
    """Parts that may stand in together, and whether padding costs nothing then."""

    parts: tuple[str, ...]
    forwards: Forwards
    skips_padding: bool = False


_UNTOUCHED = _Trial((), {})


@contextmanager
def lean_passes(victim: Victim, texts: Sequence[tuple[str, ...]]) -> Iterator[Parts]:
    """Inside, the victim's model computes no more than it must; yields the parts that make it so, maybe none.

    A part stands in where the model is known to allow it, nothing watches or changes the passes concerned (hooks,
    dropout), and the logits of four of `texts`, of different lengths, differ from the untouched model's by no more than
    noise. If they differ by more, or a part raises, fewer parts are tried, and each lost part is logged once a process.
    Call it inside `evaluation.quality.inference`, with the weights final. An error of the untouched model goes through.
    """
    lost: dict[str, str] = {}
    trials = _trials(victim, lost)
    sample = _sample(victim, texts) if trials else None
    chosen = _UNTOUCHED if sample is None else _first_that_agrees(victim, sample, trials, lost)
    _log(lost)
    with replaced(chosen.forwards), _batches(victim, chosen.skips_padding):
        yield frozenset(chosen.parts)


@contextmanager
def _batches(victim: Victim, skips_padding: bool) -> Iterator[None]:
    """Inside, a batch holds more texts, and of any lengths, where padding costs nothing."""
    before = victim.rows_a_batch, victim.padding_a_batch
    if skips_padding and victim.padding_a_batch < math.inf:  # infinite: the caller has said how many texts
        victim.rows_a_batch = max(victim.rows_a_batch, _TOKENS // victim.max_length)
        victim.padding_a_batch = math.inf
    try:
        yield
    finally:
        victim.rows_a_batch, victim.padding_a_batch = before


def _trials(victim: Victim, lost: dict[str, str]) -> list[_Trial]:
    """All parts together, then fewer and fewer; to `lost` goes the reason of each part that could not be built.

    The part that relies on private operators is the first to be left out, the one that all devices share the last.
    """
    model, cpu = victim.model, victim.device.type == "cpu"
    if not isinstance(model, PreTrainedModel) or watched_everywhere():
        return []  # nobody knows what else a pass of another model does
    packed, student = _NOTHING, student_of(model)
    first: Forwards = {}
    try:
        packed = pack(model) if cpu else _NOTHING
    except Exception as error:
        lost["packed"] = one_line(error, None, named=True)
    try:
        first = first_token_forwards(model)
    except Exception as error:
        lost["first_token"] = one_line(error, None, named=True)
    possible = {
        "packed": bool(packed.forwards),
        "distinct_tokens": student is not None and cpu,
        "first_token": bool(first) or (student is not None and reads_first_token(student)),
    }
    parts = tuple(name for name, is_possible in possible.items() if is_possible)
    return [_trial(victim, parts[left_out:], packed, first, student) for left_out in range(len(parts))]


def _trial(
    victim: Victim, parts: tuple[str, ...], packed: Packed, first: Forwards, student: StudentModel | None
) -> _Trial:
    distinct = "distinct_tokens" in parts
    packed = packed if "packed" in parts else _NOTHING
    whole = {} if student is None else student_forwards(student, distinct, packed.ends)
    skips_padding = distinct and victim.tokenizer.padding_side == "right"
    return _Trial(parts, {**packed.forwards, **first, **whole}, skips_padding)


_NOTHING = Packed({}, {})


def _sample(victim: Victim, texts: Sequence[tuple[str, ...]]) -> Tokenised | None:
    """Four texts, tokenised, twice each; None where that fails, or where no text would be padded."""
    by_length = sorted(set(texts), key=lambda columns: sum(map(len, columns)))
    places = np.unique(np.linspace(0, len(by_length) - 1, _SAMPLE).round().astype(int))
    try:
        sample = victim.tokenise([by_length[place] for place in places])
    except Exception:  # the attack finds out whose text raises
        return None
    ids, types, lengths = sample
    if len(set(lengths.tolist())) < 2:
        return None
    return np.tile(ids, 2), None if types is None else np.tile(types, 2), np.tile(lengths, 2)  # so that tokens repeat


def _first_that_agrees(victim: Victim, sample: Tokenised, trials: Sequence[_Trial], lost: dict[str, str]) -> _Trial:
    """The first trial with the untouched model's logits; to `lost` goes the reason of each part left out for it."""
    untouched = victim.one_pass(*sample)
    for trial in trials:
        reason = _disagreement(victim, sample, untouched, trial.forwards)
        if not reason:
            return trial
        lost[trial.parts[0]] = reason
    return _UNTOUCHED


def _disagreement(victim: Victim, sample: Tokenised, untouched: Logits, forwards: Forwards) -> str:
    """The reason why these stand-ins cannot be used; "" if they give the untouched model's logits."""
    try:
        with replaced(forwards):
            lean = victim.one_pass(*sample)
    except Exception as error:
        victim.failure = None
        return one_line(error, None, named=True)
    if lean.shape != untouched.shape:
        return f"logits {lean.shape} in place of {untouched.shape}"
    difference, noise = float(np.abs(lean - untouched).max()), _NOISE * max(1.0, float(np.abs(untouched).max()))
    got, most = told_apart(difference, noise, 2, "g")
    return "" if difference <= noise else f"logits differ by {got}, expected at most {most}"


def _log(lost: dict[str, str]) -> None:
    new = [part for part in lost if part not in _logged]
    if new:
        _logged.update(new)
        reasons = "; ".join(f"{part}: {lost[part]}" for part in new)
        _logger.warning("Attacks run without a part that makes them faster; results are the same. %s", reasons)
