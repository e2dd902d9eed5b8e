"""Searches for small students of BERT that are robust, accurate and cheap.

Start with `search.py` (the outer loop) and `candidate.py` (one candidate's life); `docs/architecture.md` is the map.
Importing this package loads nothing else.
"""

__version__ = "0.1.0"
