"""The gate of every format beside a Hugging Face folder: it answers as torch does, at any size of its inputs.

>>> require_parity(model, 128, lambda given: session.run(None, given)[0], "model.onnx")
1.2e-07
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from rosearch.errors import BadInput, Problem, RunError, one_line
from rosearch.models.engines import EXACT, Array, Run
from rosearch.models.graphs import Logits, graph_inputs
from rosearch.models.places import folder_fingerprint
from rosearch.models.saved import load_classifier


@dataclass(frozen=True)
class Exported:
    """A file that was written, and the largest difference of its logits from torch's, as a share of the largest.

    Of a quantised file it is the share of rows that are predicted otherwise: see `rosearch.export.gates`.
    """

    path: Path
    apart: float
    told: str = ""  # further figures, in words
    facts: Mapping[str, Any] = field(default_factory=dict)  # the same as plain data


_BATCHES = (1, 2, 7, 32)


def open_torch(folder: Path) -> tuple[tuple[str, ...], Run, Any]:
    """A Hugging Face folder in torch: the names of its inputs, its function, its tokenizer as `tokenizers` has it."""
    model, tokenizer = load_classifier(folder)
    if not tokenizer.is_fast:
        fix = "Save the model with a fast tokenizer of transformers"
        raise BadInput(Problem(str(folder), "", "a tokenizer of the tokenizers library", type(tokenizer).__name__, fix))

    def run(given: Mapping[str, Array]) -> Array:
        with torch.inference_mode():
            found: Array = model(**{name: torch.from_numpy(array) for name, array in given.items()}).logits.numpy()
        return found

    return graph_inputs(model), run, tokenizer.backend_tokenizer


def samples(model: PreTrainedModel, longest: int) -> Iterator[tuple[Tensor, ...]]:
    """Inputs at 12 sizes: 1 to 32 texts of 1 to `longest` tokens, with padding, in the order of `graph_inputs`."""
    for place, batch in enumerate(_BATCHES):
        for tokens in (1, max(2, longest // 3), longest):
            generator = torch.Generator().manual_seed(100 * place + tokens)
            ids = torch.randint(0, model.config.vocab_size, (batch, tokens), generator=generator)
            lengths = torch.randint(1, tokens + 1, (batch, 1), generator=generator)
            types = torch.randint(0, 2, (batch, tokens), generator=generator)
            given = {"input_ids": ids, "attention_mask": (torch.arange(tokens) < lengths).long()}
            yield tuple(given.get(name, types) for name in graph_inputs(model))


def require_parity(model: PreTrainedModel, longest: int, run: Run, name: str, most: float = EXACT) -> float:
    """The largest difference of a logit from torch's, over all `samples`, as a share of the largest.

    Raises `RunError` where it is above `most`.
    """
    as_function, names, largest = Logits(model), graph_inputs(model), 0.0
    for inputs in samples(model, longest):
        with torch.inference_mode():
            expected = as_function(*inputs).numpy()
        size = f"{inputs[0].shape[0]} texts of {inputs[0].shape[1]} tokens"
        try:
            got = np.asarray(run({one: value.numpy() for one, value in zip(names, inputs, strict=True)}))
        except Exception as error:  # of the engines, which have no class of their own for them
            raise RunError(f"{name}: cannot answer {size} ({one_line(error)}): not written") from error
        if got.shape != expected.shape:
            raise RunError(f"{name}: gives logits of shape {got.shape} for {size}, torch {expected.shape}: not written")
        apart = float(np.abs(got - expected).max()) / max(1.0, float(np.abs(expected).max()))
        if not apart <= most:
            raise RunError(f"{name}: its logits differ from torch's by {apart:.2g} for {size}: not written")
        largest = max(largest, apart)
    return largest


def graph_facts(model: PreTrainedModel, folder: Path, longest: int) -> dict[str, str]:
    """The facts that a reader of one file alone has to know."""
    labels: dict[int, Any] = model.config.id2label
    return {
        "labels": json.dumps([labels[place] for place in sorted(labels)]),
        "max_length": str(longest),
        "source": folder_fingerprint(folder),
        "encoding": "of its own: see tokenization_rosearch.py" if (folder / "encoding.json").is_file() else "none",
    }
