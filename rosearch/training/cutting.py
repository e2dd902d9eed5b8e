"""A student cut from its teacher: some of the layers, and only the words that it needs.

Such a student starts with the teacher's weights, as DistilBERT does (Sanh et al. 2019, arXiv 1910.01108), which takes
every other layer of BERT. It is a plain model of the teacher's own class, which its configuration makes again.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from rosearch.errors import BadInput, Problem
from rosearch.models.layers import layers_of, position_table, set_layer_count
from rosearch.models.lengths import text_positions

_SAME = 1e-3  # of the largest logit, or of 1: float32 sums in another order differ by some 1e-6
_TRIED = (2, 160)  # texts and tokens: longer than the windows of local attention
_OURS = "or take an architecture of ours, such as bert_mini"


def cut_student(
    teacher: PreTrainedModel, layers: Sequence[int], rows: Sequence[int] | None, pad: int
) -> PreTrainedModel:
    """A trainable float32 copy of the teacher with these `layers` (counted from 0, rising).

    `rows` are the teacher's rows of the kept words (None: all), and `pad` is the id of the padding among them. The
    teacher is left as it was. Raises `BadInput` for a layer that it lacks, for a model whose layers are no list, and
    where a layer computes something else in its new place, as one of ModernBERT's local layers in a global one's.
    """
    found = layers_of(teacher)
    if found is None:
        got, fix = f"a teacher of the kind {_kind(teacher)}, whose layers are no list", f"name another teacher, {_OURS}"
        raise BadInput(Problem("student", "layers", "a model whose layers can be told apart", got, fix))
    path, count = found
    if any(not 0 <= layer < count for layer in layers) or sorted(set(layers)) != list(layers):
        expected = f"layers of the teacher, 0 to {count - 1}, each once and rising"
        raise BadInput(Problem("student", "layers", expected, ",".join(map(str, layers))))
    config = _config(teacher, layers, rows, pad)
    student = type(teacher)(config).eval()
    kept = _kept(teacher, path, layers, rows)
    _move_positions(teacher, student, kept)
    if not _takes(student, kept) or not _computes_the_same(student, teacher, path, layers, rows):
        got = f"{','.join(map(str, layers))} of a teacher of the kind {_kind(teacher)}"
        expected = "layers that compute the same in their new place"
        raise BadInput(Problem("student", "layers", expected, got, f"Keep its first layers (layers:0,1,..), {_OURS}"))
    return student.float().train().requires_grad_(True)


def _kind(model: PreTrainedModel) -> str:
    return str(model.config.model_type)


def _config(teacher: PreTrainedModel, layers: Sequence[int], rows: Sequence[int] | None, pad: int) -> Any:
    config = copy.deepcopy(teacher.config)
    set_layer_count(config, len(layers))
    if (kinds := getattr(config, "layer_types", None)) is not None:  # what transformers calls a list of what each is
        config.layer_types = [kinds[layer] for layer in layers]
    if rows is None:
        return config
    longest = text_positions(config)
    config.vocab_size, config.pad_token_id = len(rows), pad
    if longest is not None:  # a table of positions that begins behind the padding's row keeps its texts' length
        config.max_position_embeddings += longest - (text_positions(config) or longest)
    return config


def _kept(teacher: PreTrainedModel, path: str, layers: Sequence[int], rows: Sequence[int] | None) -> dict[str, Tensor]:
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


def _move_positions(teacher: PreTrainedModel, student: PreTrainedModel, kept: dict[str, Tensor]) -> None:
    """Positions behind the padding's row follow it where its id is another."""
    theirs, ours = position_table(teacher), position_table(student)
    if theirs is None or ours is None or len(ours[1].weight) == len(theirs[1].weight):
        return
    name = f"{ours[0]}.weight"
    gone = len(theirs[1].weight) - len(ours[1].weight)
    new = ours[1].weight.detach().clone()
    if gone > 0:
        new.copy_(theirs[1].weight.detach()[gone:])
    else:
        new[-gone:] = theirs[1].weight.detach()
    kept[name] = new


def _takes(student: nn.Module, kept: dict[str, Tensor]) -> bool:
    """Loads the weights; False where the student has others."""
    own = student.state_dict()
    if {name: value.shape for name, value in own.items()} != {name: value.shape for name, value in kept.items()}:
        return False
    student.load_state_dict(kept)
    return True


def _computes_the_same(
    student: PreTrainedModel, teacher: PreTrainedModel, path: str, layers: Sequence[int], rows: Sequence[int] | None
) -> bool:
    """True where the student answers as the teacher's own layers, one after the other, without the others."""
    words = int(student.config.vocab_size)
    texts, tokens = _TRIED[0], min(_TRIED[1], text_positions(student.config) or _TRIED[1])
    device = next(teacher.parameters()).device
    ids = (torch.arange(texts * tokens, device=device) * 7919 % words).reshape(texts, tokens)
    theirs = ids if rows is None else torch.tensor(rows, device=device)[ids]
    mask = torch.ones_like(ids)
    with torch.no_grad(), _only(teacher, path, layers):
        expected = teacher(input_ids=theirs, attention_mask=mask).logits.float()
        found = student.to(device)(input_ids=ids, attention_mask=mask).logits.float()
    apart = float((expected - found).abs().max())
    return apart <= _SAME * max(1.0, float(expected.abs().max()))


@contextmanager
def _only(model: PreTrainedModel, path: str, layers: Sequence[int]) -> Iterator[None]:
    """Inside, the model, in eval mode, goes through these layers alone."""
    parent, _, name = path.rpartition(".")
    holder, all_of_them, training = model.get_submodule(parent), model.get_submodule(path), model.training
    assert isinstance(all_of_them, nn.ModuleList)
    setattr(holder, name, nn.ModuleList(all_of_them[layer] for layer in layers))
    set_layer_count(model.config, len(layers))
    model.eval()
    try:
        yield
    finally:
        setattr(holder, name, all_of_them)
        set_layer_count(model.config, len(all_of_them))
        model.train(training)
