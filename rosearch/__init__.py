"""Searches for small students of BERT that are robust, accurate and cheap.

>>> import rosearch
>>> experiment = rosearch.load_experiment("quickstart")
>>> results = rosearch.run_search(experiment)
>>> rosearch.open_run(results.run.path).front  # a pandas frame

`__all__` is the public API, beside `from rosearch.attack import attack`. Importing this package loads nothing: a name
is imported from its home where it is first asked for. To read the code, start with `search.py` (the outer loop) and
`candidate.py` (one candidate's life); docs/architecture.md is the map.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rosearch.config.file import load_experiment
    from rosearch.distil.student import distil_student
    from rosearch.report.opened import open_run
    from rosearch.search import run_search
    from rosearch.space.loading import load_space

__version__ = "0.1.0"
__all__ = ["distil_student", "load_experiment", "load_space", "open_run", "run_search"]

_HOMES = {
    "distil_student": "rosearch.distil.student",
    "load_experiment": "rosearch.config.file",
    "load_space": "rosearch.space.loading",
    "open_run": "rosearch.report.opened",
    "run_search": "rosearch.search",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'rosearch' has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
