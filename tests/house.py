"""The measured shape of the package: rooms, layers, arrows, circles, lengths, types, first words of docstrings.

Usage: `python -m tests.house [--json]`. A room is an entry at the top of `rosearch/`: a folder or a module. An arrow
goes from a room to another that it imports, inside functions and under TYPE_CHECKING too. `tests/test_house.py` holds
the bars.
"""

from __future__ import annotations

import argparse
import ast
import json
import tomllib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from math import ceil
from pathlib import Path
from statistics import median

import grimp
import networkx as nx

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "rosearch"
LONG, SHORT = 300, 50  # lines of a file
FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef
DOCUMENTED = ast.Module | ast.ClassDef | FUNCTION


@dataclass(frozen=True)
class Counts:
    """The figures that the bars and docs/architecture.md name."""

    entries: int  # at the top of the package
    rooms: int
    layers: int
    arrows: int  # between rooms
    arrows_while_loading: int  # those whose import runs when a module is loaded
    circles_while_loading: int  # between modules
    circles: int  # between modules, imports inside functions counted
    circles_of_rooms: int
    files: int
    median_lines: float
    long_files: int
    long_files_without_a_reason: int
    short_files: int
    functions: int
    median_function: float
    p90_function: int  # at least 9 in 10 are no longer
    typed_arguments: float  # a share
    crooked_docstrings: int  # that begin with What, Of or Whether

    def __str__(self) -> str:
        return f"{self.rooms} rooms on {self.layers} layers, with {self.arrows} arrows between them"


@dataclass(frozen=True)
class Source:
    """One file of the package, parsed."""

    path: Path

    @cached_property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @property
    def lines(self) -> int:
        return len(self.text.splitlines())

    @property
    def module(self) -> str:
        parts = self.path.relative_to(ROOT).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @property
    def functions(self) -> list[FUNCTION]:
        return [node for node in ast.walk(self.tree) if isinstance(node, FUNCTION)]

    @property
    def docstrings(self) -> Iterator[tuple[str, str]]:
        """Name and docstring of all that has one."""
        for node in ast.walk(self.tree):
            if isinstance(node, DOCUMENTED) and (text := ast.get_docstring(node)):
                yield f"{self.module}.{getattr(node, 'name', '')}".rstrip("."), text


def sources() -> list[Source]:
    """All files of the package, in the order of their paths."""
    return [Source(path) for path in sorted(PACKAGE.rglob("*.py"))]


def entries() -> list[str]:
    """What lies at the top of the package, folders with a slash, as a map would list it."""
    found = (p for p in PACKAGE.iterdir() if p.name != "__pycache__" and not p.name.startswith("."))
    return sorted(f"{path.name}/" if path.is_dir() else path.name for path in found)


def layers() -> list[list[str]]:
    """The layers that import-linter enforces, highest first, each with its siblings."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    found = next(contract for contract in contracts if contract["type"] == "layers")
    return [[room.strip() for room in layer.split("|")] for layer in found["layers"]]


def imports(while_loading: bool = False) -> nx.DiGraph:
    """Which module imports which, both of the package; alone those that run when a module is loaded, if asked."""
    graph = grimp.build_graph("rosearch", cache_dir=None)
    found = nx.DiGraph()
    late = {source.module: _late_lines(source.tree) for source in sources()}
    for importer in sorted(graph.modules):
        for imported in sorted(graph.find_modules_directly_imported_by(importer)):
            details = graph.get_import_details(importer=importer, imported=imported)
            if not while_loading or any(detail["line_number"] not in late[importer] for detail in details):
                found.add_edge(importer, imported)
    return found


def room(module: str) -> str:
    """The entry at the top of the package in which a module lies."""
    return module.split(".")[1] if "." in module else module


def arrows(graph: nx.DiGraph) -> nx.DiGraph:
    """The imports between rooms; what `rosearch/__init__.py` hands on is no room's."""
    between = nx.DiGraph()
    ends = ((room(one), room(other)) for one, other in graph.edges if "rosearch" not in (one, other))
    between.add_edges_from((one, other) for one, other in ends if one != other)
    return between


def circles(graph: nx.DiGraph) -> list[list[str]]:
    """Sets of modules of which each reaches every other one by imports."""
    return [sorted(found) for found in nx.strongly_connected_components(graph) if len(found) > 1]


def untyped(source: Source) -> list[str]:
    """Arguments without a type, as MODULE.FUNCTION(ARGUMENT); `self` and `cls` need none."""
    return [
        f"{source.module}.{name}({argument.arg})" for name, argument in _arguments(source) if not argument.annotation
    ]


def crooked(source: Source) -> list[str]:
    """What has a docstring that begins with What, Of or Whether."""
    return [name for name, text in source.docstrings if text.split()[0] in ("What", "Of", "Whether")]


def lacks_reason(source: Source) -> bool:
    """A file of more than 300 lines says why in its docstring, with the word "lines"."""
    return source.lines > LONG and "lines" not in (ast.get_docstring(source.tree) or "")


def count() -> Counts:
    """Measure the package as it lies on disk."""
    files, everything, loading = sources(), imports(), imports(while_loading=True)
    modules = [file for file in files if file.path.name != "__init__.py"]
    functions = [_length(function) for file in files for function in file.functions]
    arguments = sum(len(list(_arguments(file))) for file in files)
    without = sum(len(untyped(file)) for file in files)
    return Counts(
        entries=len(entries()),
        rooms=sum(name.endswith(("/", ".py")) and name != "__init__.py" for name in entries()),
        layers=len(layers()),
        arrows=arrows(everything).number_of_edges(),
        arrows_while_loading=arrows(loading).number_of_edges(),
        circles_while_loading=len(circles(loading)),
        circles=len(circles(everything)),
        circles_of_rooms=len(circles(arrows(everything))),
        files=len(files),
        median_lines=median(file.lines for file in modules),
        long_files=sum(file.lines > LONG for file in files),
        long_files_without_a_reason=sum(lacks_reason(file) for file in files),
        short_files=sum(file.lines < SHORT for file in modules),
        functions=len(functions),
        median_function=median(functions),
        p90_function=sorted(functions)[ceil(0.9 * len(functions)) - 1],
        typed_arguments=1 - without / arguments,
        crooked_docstrings=sum(len(crooked(file)) for file in files),
    )


def _late_lines(tree: ast.Module) -> set[int]:
    """Lines inside functions and under `if TYPE_CHECKING`, whose imports do not run when the module is loaded."""
    late: set[int] = set()
    for node in ast.walk(tree):
        checking = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        if isinstance(node, FUNCTION) or checking:
            late.update(range(node.body[0].lineno, (node.body[-1].end_lineno or 0) + 1))
    return late


def _arguments(source: Source) -> Iterator[tuple[str, ast.arg]]:
    for function in source.functions:
        given = function.args
        for argument in (*given.posonlyargs, *given.args, given.vararg, *given.kwonlyargs, given.kwarg):
            if argument is not None and argument.arg not in ("self", "cls"):
                yield function.name, argument


def _length(function: FUNCTION) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    as_json, found = parser.parse_args().json, count()
    if as_json:
        print(json.dumps(asdict(found), indent=2))
        return
    print(f"{found}\n")
    for name, value in asdict(found).items():
        print(f"{name.replace('_', ' '):<28} {value:g}")
    for title, graph in (("while loading", imports(while_loading=True)), ("in all", imports())):
        for circle in circles(graph):
            print(f"circle {title}: {' '.join(circle)}")
    for circle in circles(arrows(imports())):
        print(f"circle of rooms: {' '.join(circle)}")


if __name__ == "__main__":
    main()
