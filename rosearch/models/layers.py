"""A transformers encoder by what it has, not by its family's name: its layers, their attention, its positions.

>>> path, count = layers_of(model)  # "bert.encoder.layer", 12
>>> attention_maps(model.get_submodule(f"{path}.11"))  # of the last layer
('attention.self.query', 'attention.self.key', 'attention.self.value')
"""

from __future__ import annotations

import copy
from functools import lru_cache
from typing import Any

import torch
from torch import nn
from transformers import MODEL_MAPPING, PreTrainedModel

_COUNTS = ("num_hidden_layers", "n_layers")  # names of the number of layers in configurations
_MAPS = (
    ("query", "key", "value"),
    ("query_proj", "key_proj", "value_proj"),
    ("q_lin", "k_lin", "v_lin"),
    ("q_proj", "k_proj", "v_proj"),
    ("q", "k", "v"),
)
_FUSED = ("Wqkv", "qkv", "in_proj")  # one map for all three, one after the other


def set_layer_count(config: Any, layers: int) -> None:
    """Writes a number of layers into a configuration, under the name that it has there."""
    setattr(config, next(name for name in _COUNTS if hasattr(config, name)), layers)


def layers_of(model: PreTrainedModel) -> tuple[str, int] | None:
    """The module path of the list of a model's layers, and their number; None where layers are no list of their own.

    ALBERT, for one, goes through the same layer again and again.
    """
    count = next((getattr(model.config, name) for name in _COUNTS if hasattr(model.config, name)), None)
    for path, module in model.named_modules():
        if isinstance(module, nn.ModuleList) and len(module) == count and _parameters_of_each(module):
            return path, len(module)
    return None


def attention_maps(layer: nn.Module) -> tuple[str, ...] | None:
    """The module paths, inside a layer, of the maps to queries, keys and values; one path where they are one map.

    None for a layer without such linear maps.
    """
    for path, module in layer.named_modules():
        children = {name: child for name, child in module.named_children() if isinstance(child, nn.Linear)}
        below = f"{path}." if path else ""
        for names in _MAPS:
            if all(name in children for name in names):
                return tuple(below + name for name in names)
        for name in _FUSED:
            if name in children and children[name].out_features % 3 == 0:
                return (below + name,)
    return None


def uneven_states(model: PreTrainedModel) -> str:
    """In words, hidden states that are not one of the model's width for each token of each layer; "" for none."""
    device, tokens = next(model.parameters()).device, 8
    ids = torch.arange(tokens, device=device)[None] % int(model.config.vocab_size)
    with torch.no_grad():
        output = model(input_ids=ids, attention_mask=torch.ones_like(ids), output_hidden_states=True)
    states = output.hidden_states or ()
    shapes = {tuple(state.shape[1:]) for state in states}
    if shapes == {(tokens, getattr(model.config, "hidden_size", 0))}:
        return ""
    told = ", ".join(f"{length} x {width}" for length, width in sorted(shapes)) or "none"
    return f"states of {tokens} tokens of the shapes {told} ({model.config.model_type})"


def rows_before_text(config: Any) -> int:
    """The rows of a model's position table that stand before the first position of a text; 0 for most models.

    RoBERTa and its relatives (XLM-R, CamemBERT, MPNet) count positions from behind the row of padding, which their
    table of positions names as its own.
    """
    kind = MODEL_MAPPING.get(type(config), None)
    kind = kind[0] if isinstance(kind, tuple) else kind
    if kind is None or not isinstance(getattr(config, "max_position_embeddings", None), int):
        return 0
    return _rows_before(kind, config.max_position_embeddings, getattr(config, "pad_token_id", None))


def position_table(model: nn.Module) -> tuple[str, nn.Embedding] | None:
    """The table of learnt positions with its path; None for a model without one, as with rotary positions."""
    for path, module in model.named_modules():
        if isinstance(module, nn.Embedding) and path.rpartition(".")[2] == "position_embeddings":
            return path, module
    return None


@lru_cache(maxsize=256)
def _rows_before(kind: Any, positions: int, pad: int | None) -> int:
    """Asks an empty model of the kind, of one layer, without memory behind its weights."""
    config = kind.config_class(max_position_embeddings=positions)
    config.pad_token_id = pad
    if any(hasattr(config, name) for name in _COUNTS):
        config = copy.deepcopy(config)
        set_layer_count(config, 1)
    try:
        with torch.device("meta"):
            found = position_table(kind(config))
    except Exception:  # a kind whose defaults do not make a model has no table that could be asked
        return 0
    padding = None if found is None else found[1].padding_idx
    return 0 if padding is None else padding + 1


def _parameters_of_each(layers: nn.ModuleList) -> bool:
    return all(next(layer.parameters(), None) is not None for layer in layers)
