"""How long a text a model of transformers reads: the rows of its position table that texts can have."""

from __future__ import annotations

from typing import Any


def text_positions(config: Any) -> int | None:
    """Tokens of the longest text, by a model's configuration; None where it names no limit.

    RoBERTa and its relatives (XLM-R, CamemBERT) count positions from behind the padding token's id, so that XLM-R's
    table of 514 rows serves texts of 512 tokens.
    """
    positions, kind = getattr(config, "max_position_embeddings", None), str(config.model_type)
    if not isinstance(positions, int):
        return None
    return positions - (config.pad_token_id + 1) if "roberta" in kind or kind == "camembert" else positions
