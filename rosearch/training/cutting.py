"""A student cut from its teacher: some of the layers, and only the words that it needs.

Such a student starts with the teacher's weights, as DistilBERT does (Sanh et al. 2019, arXiv 1910.01108), which takes
every other layer of BERT. It is a plain model of the teacher's own class.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence

import torch
from torch import nn
from transformers import PreTrainedModel

from rosearch.errors import BadInput, Problem

_COUNTS = ("num_hidden_layers", "n_layers")


def cut_student(
    teacher: PreTrainedModel, layers: Sequence[int], rows: Sequence[int] | None, pad: int
) -> PreTrainedModel:
    """A trainable float32 copy of the teacher with these `layers` (counted from 0, rising).

    `rows` are the teacher's rows of the kept words (None: all), and `pad` is the id of the padding among them. The
    teacher is left as it was. Raises `BadInput` for a layer that it lacks, or a model whose layers cannot be found.
    """
    path, count = _layers_of(teacher)
    if any(not 0 <= layer < count for layer in layers) or sorted(set(layers)) != list(layers):
        expected = f"layers of the teacher, 0 to {count - 1}, each once and rising"
        raise BadInput(Problem("student", "layers", expected, ",".join(map(str, layers))))
    config = copy.deepcopy(teacher.config)
    name = next(name for name in _COUNTS if hasattr(config, name))
    setattr(config, name, len(layers))
    if rows is not None:
        config.vocab_size, config.pad_token_id = len(rows), pad
    student = type(teacher)(config)
    student.load_state_dict(_kept(teacher, path, layers, rows))
    return student.float().requires_grad_(True)


def _layers_of(model: PreTrainedModel) -> tuple[str, int]:
    """The module path of the model's list of layers, and their number."""
    count = next((getattr(model.config, name) for name in _COUNTS if hasattr(model.config, name)), None)
    for path, module in model.named_modules():
        if isinstance(module, nn.ModuleList) and len(module) == count:
            return path, len(module)
    expected = "a model whose layers can be told apart"
    raise BadInput(Problem("student", "layers", expected, f"a teacher of the kind {model.config.model_type}"))


def _kept(
    teacher: PreTrainedModel, path: str, layers: Sequence[int], rows: Sequence[int] | None
) -> dict[str, torch.Tensor]:
    numbered = re.compile(rf"{re.escape(path)}\.(\d+)\.")
    words = teacher.get_input_embeddings().weight
    place = {layer: index for index, layer in enumerate(layers)}
    kept = {}
    for name, value in teacher.state_dict(keep_vars=True).items():
        if value is words and rows is not None:
            kept[name] = value.detach()[torch.tensor(rows)]
        elif match := numbered.match(name):
            if int(match[1]) in place:
                kept[f"{path}.{place[int(match[1])]}.{name[match.end() :]}"] = value.detach()
        else:
            kept[name] = value.detach()
    return kept
