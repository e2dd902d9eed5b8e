from __future__ import annotations

from pathlib import Path

import pandas as pd
from command_line import rosearch
from report.made_run import make_run


def test_the_graph_of_a_candidate_is_printed_for_other_programs(tmp_path: Path) -> None:
    run = make_run(tmp_path, 3).run.path
    assert rosearch("show", run, "2", "--format", "dot", cwd=tmp_path).stdout.startswith('digraph "')
    assert "<graphml" in rosearch("show", run, "2", "--format", "graphml", cwd=tmp_path).stdout
    assert "expected graphml or dot" in rosearch("show", run, "2", "--format", "svg", cwd=tmp_path, expect=2).stderr


def test_a_candidate_is_shown_with_its_kin_and_drawn_in_ascii_where_it_is_piped(tmp_path: Path) -> None:
    results = make_run(tmp_path, 12)
    child = next(record for record in results.of("candidate") if record.parents)
    told = rosearch("show", results.run.path, str(child.number), cwd=tmp_path).stdout
    assert "Parents and children" in told and "parent   #" in told
    drawn = told[told.index("[text rank ") :]
    assert drawn.isascii() and drawn.rstrip().splitlines()[-1].strip().startswith(("[output mean of", "[mean: output"))


def test_a_whole_run_becomes_one_table_and_nothing_is_overwritten_unasked(tmp_path: Path) -> None:
    results = make_run(tmp_path, 5)
    given = ("export", results.run.path, "--format", "parquet", "--to", "all.parquet")
    assert "a table of 8 records" in rosearch(*given, cwd=tmp_path).stdout
    table = pd.read_parquet(tmp_path / "all.parquet")
    assert list(table["number"]) == [record.number for record in results.records]
    assert list(table["fitness"].dropna()) == [one.scalar for one in map(results.fitness.get, table["number"]) if one]
    assert "which is there" in rosearch(*given, cwd=tmp_path, expect=3).stderr
    assert rosearch(*given, "--overwrite", "--json", cwd=tmp_path).data["file"] == "all.parquet"
    assert "--to" in rosearch(*given[:-2], cwd=tmp_path, expect=2).stderr
    wrong = rosearch("export", results.run.path, "--best", *given[2:], cwd=tmp_path, expect=2).stderr
    assert "name no student" in " ".join(wrong.replace("│", " ").split())
    assert "--retrain" in rosearch(*given, "--overwrite", "--retrain", cwd=tmp_path, expect=2).stderr
    assert "optuna or parquet" in rosearch(*given[:3], "csv", *given[4:], cwd=tmp_path, expect=2).stderr
