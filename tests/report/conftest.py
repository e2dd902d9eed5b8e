from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from report.made_records import make_search

from rosearch.records.record import Record


@pytest.fixture
def search_records() -> Callable[[int], Sequence[Record]]:
    return make_search
