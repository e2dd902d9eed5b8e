"""The inputs of a model beside token ids: what its forward pass takes, and whether a pair has segments.

A tokenizer's own list of inputs says too little: a folder that transformers 4 saved as `PreTrainedTokenizerFast` names
no token types in 5, and 5 takes arguments that a model does not know without a word.
"""

from __future__ import annotations

import inspect
from typing import Any

from transformers import MODEL_MAPPING

_TYPES = "token_type_ids"


def taken_by(model: Any) -> frozenset[str]:
    """The names of the arguments that the forward pass of a model, or of its class, declares."""
    return frozenset(inspect.signature(model.forward).parameters)


def input_names(tokenizer: Any, config: Any, taken: frozenset[str]) -> list[str]:
    """The inputs that a tokenizer gives and a model takes, in the tokenizer's order.

    Token types belong to them where the tokenizer names them, or where it tells the second text of a pair from the
    first and the model has a second segment. They do not where the model's table has no row for such a segment.
    """
    names = [name for name in tokenizer.model_input_names if name != _TYPES or name in taken]
    second = int(getattr(config, "type_vocab_size", 2)) > 1
    if _TYPES not in taken or (_TYPES in names) == second or not _tells_apart(tokenizer):
        return names
    if second:
        return [names[0], _TYPES, *names[1:]]  # the order of transformers 4
    return [name for name in names if name != _TYPES]


def name_inputs(tokenizer: Any, config: Any) -> None:
    """Sets a tokenizer's `model_input_names` for a model of transformers or ours; another model's stay as they are.

    A fast tokenizer is saved with them, so that a reader of any version gets the same inputs.
    """
    kind = MODEL_MAPPING.get(type(config), None)
    kind = kind[0] if isinstance(kind, tuple) else kind
    if kind is None:
        return
    tokenizer.model_input_names = input_names(tokenizer, config, taken_by(kind))
    if getattr(tokenizer, "is_fast", False):
        tokenizer.init_kwargs["model_input_names"] = list(tokenizer.model_input_names)


def reads_segments(model: Any, tokenizer: Any) -> bool:
    """True where a model in memory is to be given the token types of a tokenizer."""
    config = getattr(model, "config", None)
    if config is None or type(config) not in MODEL_MAPPING:
        return _TYPES in tokenizer.model_input_names
    return _TYPES in input_names(tokenizer, config, taken_by(type(model)))


def _tells_apart(tokenizer: Any) -> bool:
    """True where the second text of a pair gets token types of its own."""
    return any(tokenizer("a", "a", return_token_type_ids=True)[_TYPES])
