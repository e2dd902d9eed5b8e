"""A format of an exported folder under attack: an engine's answers as a module of torch.

>>> engine, file = find_engine(Path("student"), "onnx")
>>> model = EngineModel(config, *engine.open(file))
>>> model(input_ids=ids, attention_mask=mask).logits  # (texts, labels), by ONNX Runtime

Attacks query it as they query any classifier: the same plans, the same rows. It has no gradients.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from rosearch.errors import BadInput, Problem
from rosearch.models.engines import ENGINES, FOLDER, Engine, Run
from rosearch.models.places import require_undamaged


def find_engine(folder: Path, target: str) -> tuple[Engine, Path]:
    """The engine of a format, and its file in a folder. Raises `BadInput` where it is not there, or was changed."""
    engine = ENGINES[target]
    if not (folder / engine.file).is_file():
        there = [FOLDER, *(name for name, one in ENGINES.items() if (folder / one.file).is_file())]
        fix = f"rosearch export {folder} --target {target}"
        raise BadInput(Problem("model", str(folder), f"{engine.file}, the format {target}", ", ".join(there), fix))
    require_undamaged((folder / engine.file).parent)
    return engine, folder / engine.file


class EngineModel(nn.Module):
    """An engine's function as a classifier of transformers: `config`, and logits of tensors on the processor."""

    def __init__(self, config: Any, inputs: tuple[str, ...], run: Run) -> None:
        super().__init__()
        self.config, self._inputs, self._run = config, inputs, run
        self.place = nn.Parameter(torch.zeros(()), requires_grad=False)  # by which torch tells where a model is

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, token_type_ids: Tensor | None = None
    ) -> SimpleNamespace:
        """Tensors (texts, tokens) -> an object with `logits` (texts, labels) of float32."""
        ids = input_ids.numpy()
        given = {
            "input_ids": ids,
            "attention_mask": np.ones_like(ids) if attention_mask is None else attention_mask.numpy(),
            "token_type_ids": np.zeros_like(ids) if token_type_ids is None else token_type_ids.numpy(),
        }
        logits = self._run({name: given[name] for name in self._inputs})
        return SimpleNamespace(logits=torch.from_numpy(np.array(logits, dtype=np.float32)))
