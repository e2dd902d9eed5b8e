"""The bars of the house, and the maps that must agree with it: docs/contributing.md and docs/architecture.md."""

from __future__ import annotations

import ast
import re
import textwrap
from pathlib import Path

import networkx as nx
import pytest

from tests import house
from tests.house import ROOT, Counts, Source

PAGES = ROOT / "docs"

# Test modules that stand beside no module of theirs, by what they hold. Folders end in a slash.
NOT_MIRRORED = {
    "benchmarks/": "the benchmarks, which are no part of the package",
    "clients/": "stock programs that read an exported student",
    "compatibility/": "what older versions wrote",
    "models/test_whole_models.py": "every door that a model comes in by",
    "test_damage.py": "damaged files, from end to end",
    "test_docs.py": "the pages",
    "test_equal_records.py": "the comparison of two checkouts",
    "test_families.py": "the contract of every family of teachers",
    "test_faults.py": "the campaign of faults, cut short",
    "test_fuzz.py": "the fuzz, cut short",
    "test_gpu_acceptance.py": "the program that tries a GPU",
    "test_house.py": "the layout",
    "test_multilingual.py": "a task in several languages, from end to end",
    "test_order.py": "the suite itself",
    "test_pages.py": "the commands and snippets of the pages",
    "test_public_api.py": "the names that `rosearch` gives",
    "test_reference.py": "the pages that are made from the code",
    "test_reliability.py": "the page on reliability",
    "test_tutorial.py": "the commands of the tutorial",
    "test_wheel.py": "what is built",
    "cli/test_json.py": "the keys of every --json",
    "data/test_permutation.py": "one class of data/corpus.py",
    "evaluation/attacks/test_engine_equality.py": "the contract with stock TextAttack",
    "evaluation/attacks/passes/test_student_needed_tokens.py": "one question of passes/student.py",
    "evolution/surrogates/test_context.py": "one function of surrogates/predictor.py",
    "export/targets/test_targets.py": "the contract of every export target",
    "report/test_browser.py": "the page of a run, in a browser",
    "run/test_encoder_search.py": "a search for encoders, from end to end",
    "run/backends/test_ray_search.py": "a search on a cluster, from end to end",
    "run/test_soft_labels_run.py": "a search by soft labels, from end to end",
    "run/test_kd_nas_run.py": "a search by kd_nas, from end to end",
    "training/test_methods.py": "the contract of every method of distillation",
}


@pytest.fixture(scope="module")
def counts() -> Counts:
    return house.count()


@pytest.fixture(scope="module")
def sources() -> list[Source]:
    return house.sources()


def test_what_lies_at_the_top_can_be_read_at_a_glance() -> None:
    assert len(house.entries()) <= 28
    assert {"search.py", "candidate.py"} <= set(house.entries())


def test_rooms_import_each_other_one_way_on_few_layers(counts: Counts) -> None:
    assert counts.layers <= 14
    assert counts.arrows <= 160
    assert not house.circles(house.arrows(house.imports()))


def test_no_module_imports_itself_by_way_of_others_not_even_inside_functions() -> None:
    assert not house.circles(house.imports())


def test_every_room_has_its_layer() -> None:
    rooms = {name.removesuffix("/").removesuffix(".py") for name in house.entries()} - {"__init__", "py.typed"}
    assert rooms == {room for layer in house.layers() for room in layer}


def test_tests_mirror_the_package() -> None:
    tests = [path.relative_to(ROOT / "tests").as_posix() for path in (ROOT / "tests").rglob("test_*.py")]
    package = {path.relative_to(ROOT / "rosearch").as_posix() for path in (ROOT / "rosearch").rglob("*.py")}
    alone = {name for name in tests if name.replace("test_", "", 1) not in package and name not in NOT_MIRRORED}
    assert {name for name in alone if not name.startswith(tuple(NOT_MIRRORED))} == set()
    assert all((ROOT / "tests" / name).exists() for name in NOT_MIRRORED)


def test_a_long_file_says_why(sources: list[Source]) -> None:
    assert [source.module for source in sources if house.lacks_reason(source)] == []


def test_files_are_neither_giants_nor_crumbs(counts: Counts) -> None:
    assert counts.median_lines <= 119
    assert counts.short_files <= 16


def test_functions_are_short(counts: Counts) -> None:
    assert counts.p90_function <= 19


def test_every_argument_has_a_type(sources: list[Source]) -> None:
    assert [argument for source in sources for argument in house.untyped(source)] == []


def test_no_docstring_begins_with_a_relative_clause(sources: list[Source]) -> None:
    assert [name for source in sources for name in house.crooked(source)] == []


# The counts themselves


def test_imports_inside_functions_and_for_type_checkers_count_but_do_not_run_while_loading(tmp_path: Path) -> None:
    code = """
        from typing import TYPE_CHECKING
        import json
        if TYPE_CHECKING:
            import csv
        def late() -> None:
            import ast
        class Early:
            import re
    """
    assert house._late_lines(ast.parse(textwrap.dedent(code))) == {5, 7}
    everything, loading = house.imports(), house.imports(while_loading=True)
    assert set(loading.edges) < set(everything.edges)
    assert ("rosearch.report.opened", "rosearch.student.build") in set(everything.edges) - set(loading.edges)


def test_a_circle_and_an_arrow_are_seen_where_there_are_some() -> None:
    graph = nx.DiGraph([("rosearch.a.x", "rosearch.b"), ("rosearch.b", "rosearch.a.y"), ("rosearch.a.y", "rosearch.b")])
    assert house.circles(graph) == [["rosearch.a.y", "rosearch.b"]]
    assert set(house.arrows(graph).edges) == {("a", "b"), ("b", "a")}
    assert house.circles(house.arrows(graph)) == [["a", "b"]]


def test_a_file_is_read_as_it_is_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(house, "ROOT", tmp_path)
    path = tmp_path / "rosearch" / "odd.py"
    path.parent.mkdir()
    path.write_text('"""What is odd."""\n\ndef f(self, a: int, *b, c=1, **d: str) -> None:\n    pass\n' + "\n" * 300)
    odd = Source(path)
    assert odd.module == "rosearch.odd" and house.crooked(odd) == ["rosearch.odd"]
    assert house.untyped(odd) == ["rosearch.odd.f(b)", "rosearch.odd.f(c)"]
    assert house.lacks_reason(odd)


# The maps


def blocks(page: Path) -> list[list[str]]:
    """The lines of each fenced block of a page."""
    return [found.splitlines() for found in re.findall(r"```\w*\n(.*?)```", page.read_text(), re.DOTALL)]


def test_the_tree_of_the_contributing_page_is_the_folder() -> None:
    tree = next(block for block in blocks(PAGES / "contributing.md") if block[0] == "rosearch/")
    inside = [line.split() for line in tree if line.startswith("  ")]
    assert sorted(words[0] for words in inside) == house.entries()
    assert all(len(words) > 2 for words in inside)  # each entry with its line
    assert all((ROOT / line.split()[0]).is_dir() for line in tree if not line.startswith(" "))


def test_every_path_that_the_contributing_page_names_exists() -> None:
    text = (PAGES / "contributing.md").read_text()
    named = [name for name in re.findall(r"`([\w./-]+)`", text) if "/" in name or name.endswith((".md", ".py"))]
    named += [f"docs/{name}" for name in re.findall(r"\]\(([\w./-]+)\)", text)]
    assert len(named) > 30
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_every_module_that_the_architecture_page_names_exists() -> None:
    text = (PAGES / "architecture.md").read_text()
    named = set(re.findall(r"`((?:\w+/)+\w+\.py|\w+/(?:\w+/)*)`", text))
    attacks = ROOT / "rosearch" / "evaluation" / "attacks"
    assert len(named) > 20
    missing = [n for n in named if not any((base / n).exists() for base in (ROOT, ROOT / "rosearch", attacks))]
    assert missing == ["unfinished/"]  # of a run folder


def test_the_layers_of_the_architecture_page_are_those_that_import_linter_enforces() -> None:
    assert [" | ".join(layer) for layer in house.layers()] in blocks(PAGES / "architecture.md")


def test_the_architecture_page_names_the_measured_counts_and_who_prints_them(counts: Counts) -> None:
    text = " ".join((PAGES / "architecture.md").read_text().split())
    assert f"{counts}." in text
    assert "`python -m tests.house` prints these counts" in text
