"""A training that is stopped after its second checkpoint."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from rosearch.training import fitting


@contextmanager
def stopped(ending: type[BaseException], monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Inside, a training writes a checkpoint after each step and ends with `ending` after two; gives their numbers."""
    saved, steps = fitting.saved, list[int]()

    def struck(checkpoint: Any, state: Any) -> Any:
        def last_words() -> Any:
            if len(steps) == 2:
                raise ending
            steps.append(len(steps))
            return state()

        return saved(replace(checkpoint, every=0.0), last_words)

    with monkeypatch.context() as patch, pytest.raises(ending):
        patch.setattr(fitting, "saved", struck)
        yield steps
