"""One student without a search: `distil_student` from Python, and what `rosearch distil` finds, trains and records."""

from rosearch.distil.student import Distilled, Options, Watcher, distil_student

__all__ = ["Distilled", "Options", "Watcher", "distil_student"]
