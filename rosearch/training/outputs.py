"""The teacher's outputs for every row: computed once, kept under a key of the content, read memory-mapped."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rosearch.data.batches import Batch, evaluation_batches
from rosearch.data.mapped import CheckedRows
from rosearch.data.tokens import TokenisedSplit
from rosearch.errors import BadInput, Problem
from rosearch.files import content_key, made_once
from rosearch.models.device import Precision, autocast, resolve_precision
from rosearch.models.layers import uneven_states
from rosearch.models.places import model_fingerprint
from rosearch.models.saved import load_classifier
from rosearch.progress import Progress, silent

_FORMAT = "1"  # part of every key: raise it when the outputs or the files change
_HIDDEN = "hidden.npy"  # may be many gigabytes
_BATCH = 64  # beyond it a CPU core gains nothing (measured in both number formats)


@dataclass(frozen=True, eq=False)
class TeacherRows:
    """The teacher's outputs for the rows of one batch, on the batch's device."""

    logits: Tensor  # (B, labels) float32
    hidden: Tensor | None  # (N, layers, H) float32: the N real tokens of the batch, row after row


@dataclass(frozen=True, eq=False)
class TeacherOutputs:
    """Logits of every row and, on request, hidden states of every token of a tokenised split."""

    key: str  # 32 hex digits of weights, rows, tokenizer, layers and number format
    logits: np.ndarray[Any, np.dtype[np.float32]]  # (rows, labels) memory-mapped
    hidden: CheckedRows | None  # (tokens, layers, H) float16, memory-mapped, as `tokenised.ids`
    layers: tuple[int, ...]  # numbers of the layers, 0 (embeddings) to teacher_layers
    teacher_layers: int

    def rows(self, tokenised: TokenisedSplit, batch: Batch) -> TeacherRows:
        """The outputs for a batch of the split that they were made for."""
        device = batch.input_ids.device
        logits = torch.from_numpy(np.asarray(self.logits[batch.rows])).to(device)
        if self.hidden is None:
            return TeacherRows(logits, None)
        tokens = np.concatenate([np.arange(tokenised.offsets[row], tokenised.offsets[row + 1]) for row in batch.rows])
        hidden = torch.from_numpy(self.hidden[tokens]).to(device).float()
        return TeacherRows(logits, hidden)


def teacher_outputs(
    folder: Path,
    tokenised: TokenisedSplit,
    hidden_layers: Sequence[int],
    cache: Path,
    device: torch.device,
    progress: Progress = silent,
) -> TeacherOutputs:
    """The teacher's outputs for a split; from `cache/outputs/KEY` where they were computed before.

    `hidden_layers` counts from 0 (embeddings) or, negative, from the last layer (-1); empty for none. Runs in
    bfloat16 where the device has it. Safe against other processes that compute the same, and against a kill
    half-way; damaged files are computed again. Raises `BadInput` for a layer that the teacher does not have, and for
    logits that are not finite.
    """
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    teacher_layers = _layer_count(config)
    layers = _resolve_layers(hidden_layers, teacher_layers)
    precision = resolve_precision(device, "auto")
    key = _key(folder, tokenised, layers, precision)
    logits, hidden = made_once(
        cache / "outputs" / key,
        lambda target: _open(target, tokenised, bool(layers)),
        lambda draft: _compute(folder, tokenised, layers, draft, device, precision, progress),
        later=(_HIDDEN,),
    )
    return TeacherOutputs(key, logits, hidden, layers, teacher_layers)


def _layer_count(config: dict[str, Any]) -> int:
    for name in ("num_hidden_layers", "n_layers", "n_layer", "num_layers"):  # DistilBERT and others differ
        if name in config:
            return int(config[name])
    return 0


def _resolve_layers(wanted: Sequence[int], count: int) -> tuple[int, ...]:
    if wanted and not count:
        expected, got = "none: the teacher's config.json does not say how many layers it has", str(list(wanted))
        raise BadInput(Problem("experiment", "distillation.hidden_layers", expected, got, "kd reads outputs alone"))
    layers = tuple(layer + count + 1 if layer < 0 else layer for layer in wanted)
    if any(not 0 <= layer <= count for layer in layers):
        expected = f"layers of the teacher: 0 (embeddings) to {count}, or -1 to {-count}"
        raise BadInput(Problem("experiment", "distillation.hidden_layers", expected, str(list(wanted))))
    return layers


def _key(folder: Path, tokenised: TokenisedSplit, layers: tuple[int, ...], precision: Precision) -> str:
    parts = (_FORMAT, model_fingerprint(folder), tokenised.key, ",".join(map(str, layers)), precision)
    return content_key(parts)


_Stored = tuple["np.ndarray[Any, Any]", CheckedRows | None]


def _open(target: Path, tokenised: TokenisedSplit, with_hidden: bool) -> _Stored | None:
    """The stored logits and hidden states, memory-mapped; None where they are absent or damaged."""
    try:
        logits = np.load(target / "logits.npy", mmap_mode="r")
        hidden = CheckedRows(np.load(target / _HIDDEN, mmap_mode="r")) if with_hidden else None
    except (OSError, ValueError, EOFError):
        return None
    whole = len(logits) == len(tokenised) and (hidden is None or len(hidden) == tokenised.offsets[-1])
    return (logits, hidden) if whole else None


def _compute(
    folder: Path,
    tokenised: TokenisedSplit,
    layers: tuple[int, ...],
    target: Path,
    device: torch.device,
    precision: Precision,
    progress: Progress,
) -> None:
    model, _ = load_classifier(folder)
    model.to(device)
    if layers and (uneven := uneven_states(model)):
        expected, fix = "hidden states of one width, one for each token", "the methods kd and robust_kd read none"
        raise BadInput(Problem("experiment", "distillation.hidden_layers", expected, uneven, fix))
    target.mkdir()
    logits = _create(target / "logits.npy", (len(tokenised), model.config.num_labels), np.float32)
    hidden = None
    if layers:
        shape = (int(tokenised.offsets[-1]), len(layers), model.config.hidden_size)
        hidden = _create(target / _HIDDEN, shape, np.float16)
    done = 0
    for batch in evaluation_batches(tokenised, _BATCH):
        _fill(model, batch.to(device), tokenised, layers, logits, hidden, precision)
        done += len(batch)
        progress("teacher outputs", done, len(tokenised))
    if not np.isfinite(logits).all():
        raise BadInput(Problem(str(folder), "", "a teacher with finite logits", "NaN or infinite ones"))
    logits.flush()
    if hidden is not None:
        hidden.flush()


def _create(path: Path, shape: tuple[int, ...], kind: type[np.generic]) -> np.memmap[Any, Any]:
    made: np.memmap[Any, Any] = np.lib.format.open_memmap(path, mode="w+", dtype=kind, shape=shape)
    if hasattr(os, "posix_fallocate"):  # Linux: a full disk is an error now, and no SIGBUS in the middle
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return made


def _fill(
    model: Any,
    batch: Batch,
    tokenised: TokenisedSplit,
    layers: tuple[int, ...],
    logits: np.memmap[Any, Any],
    hidden: np.memmap[Any, Any] | None,
    precision: Precision,
) -> None:
    device = batch.input_ids.device
    with torch.inference_mode(), autocast(device, precision):
        output = model(**batch.inputs, output_hidden_states=hidden is not None)
    logits[batch.rows] = output.logits.float().cpu().numpy()
    if hidden is None:
        return
    chosen = torch.stack([output.hidden_states[layer] for layer in layers], dim=2)  # (B, T, layers, H)
    # A half-precision float holds 65504 at most; beyond it a state would become infinite.
    limit = float(np.finfo(np.float16).max)
    tokens = chosen[batch.attention_mask.bool()].float().clamp(-limit, limit).cpu().numpy()
    ends = np.cumsum(tokenised.lengths[batch.rows])
    for row, end in zip(batch.rows, ends, strict=True):
        first, last = tokenised.offsets[row], tokenised.offsets[row + 1]
        hidden[first:last] = tokens[end - (last - first) : end]
