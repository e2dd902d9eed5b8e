"""README and pages name only files, modules and objects that there are."""

from __future__ import annotations

import importlib
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

import rosearch

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

_PATH = re.compile(r"(?<![\w./-])(?:\.\./)*((?:rosearch|tests)/[\w./*-]*[\w/*])")
_LINK = re.compile(r"\]\((?!https?:)([^)#\s]+)")
_FILE = re.compile(r"`([\w/]+\.py)`")
_NAME = re.compile(r"`(rosearch(?:\.[A-Za-z_]\w*)+)")
_PROGRAM = re.compile(r"python -m (tests(?:\.\w+)+)")
_BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)
_IMPORT = re.compile(r"^\s*((?:from rosearch\S* import|import rosearch).*)$", re.MULTILINE)

pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())


def resolves(name: str) -> bool:
    """True if a dotted name is a module, or an attribute below one."""
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:count]))
        except ModuleNotFoundError:
            continue
        for part in parts[count:]:
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False


@pages
def test_every_path_below_the_package_or_the_tests_exists(page: Path) -> None:
    paths = {match[1] for match in _PATH.finditer(page.read_text(encoding="utf-8"))}
    assert [path for path in sorted(paths) if not any(ROOT.glob(path.rstrip("/")))] == []


@pages
def test_every_link_leads_to_a_file(page: Path) -> None:
    links = {match[1] for match in _LINK.finditer(page.read_text(encoding="utf-8"))}
    assert [link for link in sorted(links) if not (page.parent / link).exists()] == []


@pages
def test_every_python_file_in_backticks_is_the_end_of_a_real_path(page: Path) -> None:
    files = [
        f"/{path.relative_to(ROOT).as_posix()}" for top in ("rosearch", "tests") for path in (ROOT / top).rglob("*.py")
    ]
    named = {match[1] for match in _FILE.finditer(page.read_text(encoding="utf-8"))}
    assert [name for name in sorted(named) if not any(file.endswith(f"/{name}") for file in files)] == []


@pages
def test_every_program_of_the_tests_exists(page: Path) -> None:
    programs = {match[1] for match in _PROGRAM.finditer(page.read_text(encoding="utf-8"))}
    assert [name for name in sorted(programs) if not (ROOT / f"{name.replace('.', '/')}.py").is_file()] == []


@pages
def test_every_dotted_name_of_the_package_exists(page: Path) -> None:
    names = {match[1] for match in _NAME.finditer(page.read_text(encoding="utf-8"))}
    assert [name for name in sorted(names) if not resolves(name)] == []


@pages
def test_every_import_of_the_package_in_a_code_block_works(page: Path) -> None:
    for block in _BLOCK.findall(page.read_text(encoding="utf-8")):
        for line in _IMPORT.findall(block):
            exec(line, {})


def test_the_pages_name_paths_names_and_imports_at_all() -> None:
    """Guards the patterns: each finds what is known to stand on some page."""
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert "rosearch/config/execution.py" in {match[1] for match in _PATH.finditer(text)}
    assert "rosearch.training.trainer.distil" in _NAME.findall(text)
    assert "tests.benchmarks.attack_throughput" in _PROGRAM.findall(text)
    assert any("import attack" in line for block in _BLOCK.findall(text) for line in _IMPORT.findall(block))


def test_a_name_that_there_is_not_is_found_out() -> None:
    assert resolves("rosearch.training.trainer.METHODS")
    assert not resolves("rosearch.training.trainer.absent")
    assert not resolves("rosearch.lessons")


def test_the_citation_says_what_the_package_says() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert citation["version"] == rosearch.__version__
    assert (citation["license"], citation["keywords"]) == (project["license"], project["keywords"])
    assert {"cff-version", "message", "title", "authors"} <= set(citation)


def test_the_licence_is_the_one_that_is_named_and_the_changelog_begins_with_what_is_not_released() -> None:
    assert "Apache License\n                           Version 2.0" in (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.M)[0] == "Unreleased"


def test_every_page_has_its_place_in_the_menu_of_the_site() -> None:
    """The build of the site says so too; this needs no MkDocs."""
    settings = yaml.safe_load((ROOT / ".mkdocs.yml").read_text(encoding="utf-8"))
    menu = {page for part in settings["nav"] for page in _leaves(part)}
    pages = {page.relative_to(ROOT / "docs").as_posix() for page in PAGES[1:]}
    assert (pages - menu, menu - pages) == (set(), set())


def _leaves(part: Any) -> list[str]:
    """The pages of an entry of a menu."""
    if isinstance(part, str):
        return [part]
    return [leaf for below in (part.values() if isinstance(part, dict) else part) for leaf in _leaves(below)]


def test_the_readme_is_short_and_shows_its_pages() -> None:
    text = PAGES[0].read_text(encoding="utf-8")
    assert len(text.splitlines()) < 120
    assert "docs/concepts/limits.md" in text


def test_the_build_of_the_site_counts_warnings() -> None:
    """`--quiet` would hide them from `--strict`, too: MkDocs counts what it logs."""
    (line,) = re.findall(r"^.*mkdocs build.*$", (ROOT / ".ci/run").read_text(encoding="utf-8"), re.M)
    assert "--strict" in line.split() and not {"-q", "--quiet"} & set(line.split())
