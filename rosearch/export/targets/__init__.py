"""The formats that a student is exported to, one file a target, by their names.

A target writes a saved student and a saved tokenizer to a new folder, whole or not at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from rosearch.export.card_facts import CardFacts
from rosearch.export.targets.huggingface import export_student


class Target(Protocol):
    """One format. `tests/export/targets/test_targets.py` holds every target to these rules."""

    def __call__(
        self,
        student: Path,
        tokenizer: Path,
        destination: Path,
        facts: CardFacts,
        *,
        overwrite: bool = False,
        more: Mapping[str, str | bytes] = MappingProxyType({}),
    ) -> Path:
        """Writes the student of two folders to `destination` and returns its path; `more` are further files.

        With `overwrite` it takes the place of an earlier export, and of nothing else. Raises `RunError` where the
        destination exists, where the folders do not fit each other or the facts, and where nothing can be written.
        """


TARGETS: dict[str, Target] = {
    "hf": export_student,  # a Hugging Face folder that plain transformers loads
}
