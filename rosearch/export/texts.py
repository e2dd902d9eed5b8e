"""Texts become the arrays that a classifier of any format reads, by the `tokenizers` library alone.

>>> read = Reader(open_tokenizer(folder), read_facts(folder))
>>> read([("a fine film",), ("a dull one",)], ("input_ids", "attention_mask"))["input_ids"].shape
(2, 5)
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from rosearch.errors import BadInput, Problem, one_line
from rosearch.export.facts import Facts
from rosearch.models.engines import Array

_CODE = "tokenization_rosearch.py"


class Reader:
    """Reads texts, or pairs, as transformers does: cut to the longest input, padded to the longest of a batch."""

    def __init__(self, tokenizer: Tokenizer, facts: Facts) -> None:
        self._tokenizer, self._facts = tokenizer, facts
        tokenizer.no_padding()
        tokenizer.enable_truncation(facts.longest, direction=facts.cut_side)

    def __call__(self, rows: Sequence[tuple[str, ...]], inputs: Sequence[str]) -> dict[str, Array]:
        """Arrays (texts, tokens) of int64 under the names of a model's inputs; a row is one text or a pair."""
        given = [row[0] if len(row) == 1 else row for row in rows]
        read = self._tokenizer.encode_batch(given)
        size = (len(read), max(1, *(len(one.ids) for one in read)))
        filled = {"input_ids": self._facts.pad_id, "attention_mask": 0, "token_type_ids": 0}
        arrays = {name: np.full(size, filled[name], np.int64) for name in inputs}
        for place, one in enumerate(read):
            values = {"input_ids": one.ids, "attention_mask": one.attention_mask, "token_type_ids": one.type_ids}
            for name, array in arrays.items():
                array[place, : len(one.ids)] = values[name]
        return arrays


def open_tokenizer(folder: Path, facts: Facts) -> Tokenizer:
    """The tokenizer in an exported folder; neither torch nor transformers is loaded. Raises `BadInput`."""
    path = folder / "tokenizer.json"
    if not path.is_file():
        fix = "Load and save it once with transformers' AutoTokenizer"
        raise BadInput(Problem(str(folder), "", "a tokenizer.json", "none", fix))
    try:
        if facts.encoded:
            found: Tokenizer = _words().load_tokenizer(folder)
        else:
            found = Tokenizer.from_file(str(path))
    except Exception as error:  # the tokenizers library raises the base class itself
        raise BadInput(Problem(str(path), "", "a readable tokenizer", one_line(error))) from None
    return found


def _words() -> Any:
    """Our own code that encodes words, without its package and without transformers, either of which loads torch."""
    with as_file(files("rosearch").joinpath("student", _CODE)) as path:
        spec = importlib.util.spec_from_file_location("rosearch_words_alone", path)
        assert spec is not None and spec.loader is not None
        module, kept = importlib.util.module_from_spec(spec), sys.modules.get("transformers")
        sys.modules["transformers"] = None  # type: ignore[assignment]
        try:
            spec.loader.exec_module(module)
        finally:
            del sys.modules["transformers"]
            if kept is not None:
                sys.modules["transformers"] = kept
    return module
