"""Sentences as vectors, for constraints on what an attack may do to the meaning."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rosearch.errors import BadInput, Problem
from rosearch.models.lengths import text_positions, too_few_rows
from rosearch.models.saved import load_model, open_config
from rosearch.resources.reading import damaged

_ROWS = 32  # texts in one forward pass: a CPU core gains nothing from more
_ROWS_ELSEWHERE = 256
_REMEMBERED = 2**15  # texts: 50 MB at a width of 384

Rows = np.ndarray[tuple[int, int], np.dtype[np.float32]]


@dataclass(frozen=True)
class _Shape:
    """The steps around the model, as a sentence-transformers folder describes them."""

    width: int
    longest: int  # tokens, special ones included
    pooling: str  # mean or cls
    normalised: bool
    lower_case: bool


class SentenceEncoder:
    """A transformer whose token vectors are pooled to one vector a text, as sentence-transformers does.

    Texts are ids in batches of like length, in float32, and remembered. The vector of a text depends on the texts
    beside it by rounding alone (some 1e-7).
    """

    def __init__(self, model: torch.nn.Module, tokenizer: Any, shape: _Shape, device: torch.device) -> None:
        self._model = model.to(device).eval().requires_grad_(False)
        self._tokenizer = tokenizer
        self._shape = shape
        self._device = device
        self._rows = _ROWS if device.type == "cpu" else _ROWS_ELSEWHERE
        self._memory: OrderedDict[str, Any] = OrderedDict()
        self._lock = threading.Lock()

    def encode(self, texts: Sequence[str]) -> torch.Tensor:
        """Vectors (n, width) of n texts, float32 on the CPU; of length 1 where the model says so."""
        return torch.from_numpy(self.rows(texts))

    def rows(self, texts: Sequence[str]) -> Rows:
        """`encode` as a NumPy array of the caller's own."""
        if not texts:
            return np.zeros((0, self._shape.width), np.float32)
        with self._lock:
            known = {text: self._memory[text] for text in dict.fromkeys(texts) if text in self._memory}
            new = [text for text in dict.fromkeys(texts) if text not in known]
            for text in known:
                self._memory.move_to_end(text)
            if new:
                made = dict(zip(new, self._computed(new), strict=True))
                known |= made
                self._memory |= made
                while len(self._memory) > _REMEMBERED:
                    self._memory.popitem(last=False)
        return np.stack([known[text] for text in texts])

    def _computed(self, texts: list[str]) -> Rows:
        # Sorted by their ids, too: a set of texts is cut into the same batches in any order.
        ids = [made.ids for made in self._tokenizer.encode_batch([self._cleaned(text) for text in texts])]
        order = sorted(range(len(texts)), key=lambda row: (len(ids[row]), ids[row]))
        rows = np.empty((len(texts), self._shape.width), np.float32)
        with torch.inference_mode(), torch.autocast(self._device.type, enabled=False):
            for start in range(0, len(order), self._rows):
                batch = order[start : start + self._rows]
                rows[batch] = self._pooled([ids[row] for row in batch]).cpu().numpy()
        return rows

    def _cleaned(self, text: str) -> str:
        return text.strip().lower() if self._shape.lower_case else text.strip()

    def _pooled(self, ids: list[list[int]]) -> torch.Tensor:
        longest = max(map(len, ids))
        tokens = torch.tensor([row + [0] * (longest - len(row)) for row in ids], device=self._device)
        mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in ids], device=self._device)
        states = self._model(input_ids=tokens, attention_mask=mask).last_hidden_state  # (batch, longest, width)
        if self._shape.pooling == "cls":
            pooled = states[:, 0]
        else:
            real = mask.unsqueeze(-1).to(states.dtype)
            pooled = (states * real).sum(1) / real.sum(1).clamp(min=1e-9)
        return torch.nn.functional.normalize(pooled, dim=1) if self._shape.normalised else pooled


def read_sentence_encoder(folder: Path, device: str = "cpu") -> SentenceEncoder:
    """Open a folder with config.json, tokenizer.json and safetensors weights; nothing is asked of a hub.

    The files of sentence-transformers beside them say how to pool, cut and normalise; without them token vectors
    are averaged over at most the model's positions and brought to length 1. Raises `BadInput`.
    """
    from transformers import AutoModel

    shape, tokenizer = open_sentence_encoder(folder)
    with torch.random.fork_rng(devices=[]):  # a pooler that the file lacks is drawn, and never used
        model = load_model(AutoModel, folder)
    tokenizer.no_padding()  # tokenizer.json may set both, for another use of the model
    tokenizer.enable_truncation(shape.longest)
    return SentenceEncoder(model, tokenizer, shape, torch.device(device))


def open_sentence_encoder(folder: Path) -> tuple[_Shape, Any]:
    """The steps around the model and its tokenizer; the weights are looked at and not loaded. Raises `BadInput`."""
    from tokenizers import Tokenizer  # type: ignore[import-untyped,unused-ignore]
    from transformers import AutoModel

    config = open_config(AutoModel, folder)
    expected = "a sentence encoder: config.json, tokenizer.json and *.safetensors of one transformer"
    try:
        shape = _shape(folder, config)
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    except Exception as error:  # tokenizers raises errors of any kind
        raise damaged(folder, expected, error) from None
    if faults := too_few_rows(config, tokenizer):
        raise BadInput([Problem("model", str(folder), *fault) for fault in faults])
    return shape, tokenizer


def _shape(folder: Path, config: Any) -> _Shape:
    positions = text_positions(config) or 512
    settings = _settings(folder / "sentence_bert_config.json")
    pooling = _settings(folder / "1_Pooling" / "config.json")
    modes = [name.removeprefix("pooling_mode_") for name, on in pooling.items() if name.startswith("pooling_") and on]
    modes = [str(pooling["pooling_mode"])] if "pooling_mode" in pooling else modes or ["mean_tokens"]
    mode = modes[0].removesuffix("_tokens").removesuffix("_token")
    modules = json.loads((folder / "modules.json").read_text()) if (folder / "modules.json").is_file() else None
    kinds = [str(module["type"]).rpartition(".")[2] for module in modules or []]
    if len(modes) != 1 or mode not in ("mean", "cls") or set(kinds) - {"Transformer", "Pooling", "Normalize"}:
        raise ValueError(f"pooled by {'+'.join(modes)} in the steps {kinds}; only mean and cls pooling are known")
    return _Shape(
        width=int(config.hidden_size),
        longest=min(int(settings.get("max_seq_length") or positions), positions),
        pooling=mode,
        normalised=modules is None or "Normalize" in kinds,
        lower_case=bool(settings.get("do_lower_case", False)),
    )


def _settings(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}
