"""The folder of an export: what it may replace, and how it is filled in one step. No torch is loaded.

>>> check_destination(Path("student"), overwrite=False)  # nothing lies there
>>> with in_one_step(Path("student")) as half:
...     (half / "config.json").write_text(config)
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rosearch.errors import RunError
from rosearch.files import whole

# The files of rosearch.student that travel. They import each other, torch and transformers, and nothing else.
CODE = (
    "configuration_rosearch.py",
    "leading_tokens.py",
    "lexicon.py",
    "local_operations.py",
    "operations.py",
    "poolings.py",
    "modeling_rosearch.py",
)
WEIGHTS = "model.safetensors"
RECORD = "distillation.json"  # the record that `rosearch distil` writes beside the weights
PICTURE = "architecture.png"  # the graph of a student, which the card shows
EVIDENCE = "evidence.json"  # what `rosearch verify` compares an export with


def check_destination(destination: Path, overwrite: bool) -> None:
    """Raises `RunError` where an export may not replace what lies at the destination."""
    if not destination.exists():
        return
    if not overwrite:
        raise RunError(f"{destination}: exists already; name another folder or ask to overwrite it (--overwrite)")
    model = all((destination / name).is_file() for name in ("config.json", WEIGHTS))
    always = (CODE[0], CODE[-1])  # files between them have had other names
    ours = (destination / RECORD).is_file() or all((destination / name).is_file() for name in always)
    if not (model and ours):
        raise RunError(f"{destination}: is no earlier export and will not be overwritten; name another folder")


@contextmanager
def in_one_step(destination: Path) -> Iterator[Path]:
    """A folder to fill, which then takes the place of the destination."""
    try:
        with whole(destination) as draft:
            draft.mkdir()
            yield draft
    except OSError as error:
        raise RunError(f"{destination}: cannot be written: {error.strerror or error}") from None
