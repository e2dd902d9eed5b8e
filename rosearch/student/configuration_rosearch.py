"""The configuration of a student: its genotype as plain data, and the sizes of its embedding tables.

This file travels with every exported student: it imports nothing of rosearch.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from transformers import PretrainedConfig

# The genotype of `StudentConfig()`: transformers builds a default and writes only the differences from it.
_DEFAULT: dict[str, Any] = {
    "width": 128,
    "rank": 64,
    "pooling": "mean",
    "nodes": [
        {"op": "attention", "inputs": [0], "merge": "add", "settings": {"conv": False, "heads": 4}},
        {"op": "ffn", "inputs": [1], "merge": "add", "settings": {"activation": "gelu", "ratio": 4.0}},
    ],
}

# Settings of the source that the genotype does not give.
_SOURCE: dict[str, Any] = {"encoding": "wordpiece", "characters": "none", "token_dropout": 0.0}


class StudentConfig(PretrainedConfig):  # type: ignore[misc]
    """The plan of a student.

    Args:
        genotype: width, rank, pooling, nodes and source, as `Genotype.to_dict` gives them; node 0 is the embedded
            input.
        vocab_size: rows of the word table.
        max_position_embeddings: rows of the position table, the longest input; positions start at 0.
        type_vocab_size: rows of the token-type table; at least 1.
        dropout: share of features dropped after the embeddings, each operation and the pooling.
        initializer_range: standard deviation of fresh embeddings and of a fresh classifier.
        layer_norm_eps: added to the variance in every layer norm.
        pad_token_id, bos_token_id, eos_token_id: special tokens, as the tokenizer has them.
    """

    model_type = "rosearch_student"

    def __init__(
        self,
        genotype: Mapping[str, Any] | None = None,
        vocab_size: int = 30522,
        max_position_embeddings: int = 512,
        type_vocab_size: int = 2,
        pad_token_id: int | None = 0,
        dropout: float = 0.1,
        initializer_range: float = 0.02,
        layer_norm_eps: float = 1e-5,
        bos_token_id: int | None = None,
        eos_token_id: int | None = None,
        **kwargs: Any,
    ) -> None:
        self.genotype: dict[str, Any] = copy.deepcopy(dict(_DEFAULT if genotype is None else genotype))
        self.vocab_size = vocab_size
        self.max_position_embeddings = max_position_embeddings
        self.type_vocab_size = type_vocab_size
        self.dropout = dropout
        self.initializer_range = initializer_range
        self.layer_norm_eps = layer_norm_eps
        # The name that other tools look for. The genotype decides its value, whatever a file says.
        kwargs.pop("hidden_size", None)
        self.hidden_size = int(self.genotype["width"])
        super().__init__(**kwargs)
        # transformers 5 no longer sets these, yet reads them when it looks for padding.
        self.pad_token_id = pad_token_id
        self.bos_token_id = bos_token_id
        self.eos_token_id = eos_token_id

    @property
    def source(self) -> dict[str, Any]:
        """All settings of the source, defaults included (a copy)."""
        return {**_SOURCE, **self.genotype.get("source", {})}
