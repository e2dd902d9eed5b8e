from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from report.made_records import make_search
from report.made_run import make_run

from rosearch.records.record import Record
from rosearch.run.results import Results


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """A run of 30 candidates, for those who only read it."""
    return make_run(tmp_path_factory.mktemp("made"), 30)


@pytest.fixture
def search_records() -> Callable[[int], Sequence[Record]]:
    return make_search
