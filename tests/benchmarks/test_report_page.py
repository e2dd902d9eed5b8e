from __future__ import annotations

from pathlib import Path

from tests.benchmarks import report_page
from tests.benchmarks.records_growth import Run


def test_the_page_of_a_made_run_is_written_and_measured(tmp_path: Path) -> None:
    run = Run(tmp_path, 20)
    run.fill(20)
    found = report_page.written(run.directory.path, tmp_path / "page.html")
    assert set(found) == {"page_mb", "seconds", "imports_s", "mib"} and 0.05 < found["page_mb"] < 0.5
