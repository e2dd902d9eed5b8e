"""A student cut from its teacher: some of its layers, and the words that it still needs.

Such a student starts from what the teacher knows (as DistilBERT, Sanh et al. 2019, arXiv 1910.01108, whose layers are
every other one of BERT's) and is a plain model of the teacher's own class.
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
    """A copy of the teacher with these `layers` (from 0, rising) in their order, in float32, trainable.

    `rows` are the teacher's rows of the words that are kept (none: all), and `pad` the padding's id among them. The
    teacher is left as it was. Raises `BadInput` for a layer that it lacks, or a model whose layers are not to be found.
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
    """Where the model's layers are, as a path of modules, and how many."""
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
