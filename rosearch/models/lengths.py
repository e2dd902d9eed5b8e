"""The sizes of a transformers model: tokens of the longest text, rows of its tables."""

from __future__ import annotations

from typing import Any

_LONGEST = 512  # tokens, of models and tokenizers that name no limit
_BEHIND_PADDING = ("roberta", "camembert", "mpnet")  # in the kind of a model of which only config.json was read


def text_positions(config: Any) -> int | None:
    """Tokens of the longest text, by a model's configuration; None where it names no limit.

    RoBERTa and its relatives (XLM-R, CamemBERT, MPNet) count positions from behind the padding token's row, so that
    XLM-R's table of 514 rows serves texts of 512 tokens. An empty model of the kind tells (`rows_before_text`).
    """
    positions = getattr(config, "max_position_embeddings", None)
    if not isinstance(positions, int):
        return None
    if hasattr(config, "save_pretrained"):
        from rosearch.models.layers import rows_before_text  # late: it loads torch

        return positions - rows_before_text(config)
    behind = any(name in str(config.model_type) for name in _BEHIND_PADDING)
    return positions - (config.pad_token_id + 1) if behind else positions


def longest_input(config: Any, tokenizer: Any) -> int:
    """Tokens that a model reads at most, by its configuration and its tokenizer; 512 where neither names a limit."""
    stated = [limit for limit in (text_positions(config), tokenizer.model_max_length) if isinstance(limit, int)]
    return min((limit for limit in stated if 0 < limit < 10**6), default=_LONGEST)


def table_rows(config: Any) -> tuple[int, int]:
    """Positions and token types of a teacher: its students get as many. `AttributeError` without positions."""
    positions = text_positions(config)
    if positions is None:
        raise AttributeError("a configuration without max_position_embeddings")
    return positions, max(1, int(getattr(config, "type_vocab_size", 1)))


def ids_without_words(tokenizer: Any) -> list[tuple[str, str, str]]:
    """The fault of a tokenizer whose ids are not 0 to its number of words, for who makes a student; or none.

    A student has a row for each word, and an id above them would be none of its rows. Attacks do not mind.
    """
    ids, words = tokenizer.get_vocab().values(), len(tokenizer)
    if (largest := max(map(int, ids), default=-1)) < words:
        return []
    fix = "Give the words of its tokenizer.json ids without holes, and the model rows in that order"
    return [(f"ids from 0 to {words - 1} for the {words} words of its tokenizer", f"ids up to {largest}", fix)]


def too_few_rows(config: Any, tokenizer: Any) -> list[tuple[str, str, str]]:
    """The fault of a word table without a row for each of a tokenizer's ids, as expected, got, what to do; or none."""
    rows, words = getattr(config, "vocab_size", None), 1 + max(map(int, tokenizer.get_vocab().values()), default=-1)
    if not isinstance(rows, int) or words <= rows:
        return []
    fix = "Give the model its own tokenizer, or train it after resize_token_embeddings"
    return [(f"a row for each of its tokenizer's {words} words", f"{rows} rows", fix)]
