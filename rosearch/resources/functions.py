"""Functions of a user's own, named `module:function`: found where Python imports from, and in the current folder.

>>> own = find_function("mypackage.attacks:build", "experiment", "evaluation.robustness.search.attacks.0")
>>> own.digest, own.load()

Finding one imports nothing but the packages above its module: the source is read, so that a check is quick and runs no
code of the module. The digest is that of the source file. A run notes it, and refuses to go on with another.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.util
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rosearch.errors import BadInput, Problem, Problems, nearest, one_line

_NAME = re.compile(r"(?P<module>[^\W\d]\w*(?:\.[^\W\d]\w*)*):(?P<function>[^\W\d]\w*(?:\.[^\W\d]\w*)*)")


@dataclass(frozen=True)
class OwnFunction:
    """A function that was found. `digest` is 16 hex digits of the source of its module."""

    name: str  # module:function
    where: str  # it is named there, a file or a command
    key: str  # its name, behind the key that names it
    source: Path
    digest: str

    def wrong(self, expected: str, got: str, fix: str = "") -> BadInput:
        """The error for a function that is not as it should be."""
        return BadInput(Problem(self.where, self.key, expected, got, fix))

    def load(self) -> Callable[..., Any]:
        """The function itself; its module is imported. Raises `BadInput` where that fails or it cannot be called."""
        module, _, path = self.name.partition(":")
        try:
            with _current_folder_last():
                found: Any = importlib.import_module(module)
            for part in path.split("."):
                found = getattr(found, part)
        except Exception as error:  # of code that is not ours
            told = one_line(error, named=True)
            raise self.wrong("a module that can be imported", told) from error
        if not callable(found):
            raise self.wrong("a function", type(found).__name__)
        called: Callable[..., Any] = found
        return called


def is_function(name: str) -> bool:
    """True for a name of the form `module:function`."""
    return _NAME.fullmatch(name) is not None


def find_functions(named: Mapping[str, str]) -> dict[str, OwnFunction]:
    """The functions of an experiment, by name, from names and the keys that name them. Raises `BadInput` for all."""
    found, problems = {}, Problems()
    for name, key in named.items():
        with problems:
            found[name] = find_function(name, "experiment", key)
    problems.raise_found()
    return found


def find_function(name: str, where: str = "experiment", key: str = "") -> OwnFunction:
    """The function of a name; `where` and `key` are the file, or command, and the key that ask for it.

    Raises `BadInput` where there is no such module with a source, or its source defines no such name.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        raise BadInput(Problem(where, key, "module:function, as in mypackage.attacks:build", repr(name)))
    key = f"{key}: {name}" if key else name
    source = _source(match["module"], key, where)
    code = source.read_bytes()
    top = match["function"].partition(".")[0]
    try:
        defined = set(_defined(ast.parse(code).body))
    except (SyntaxError, ValueError) as error:
        raise BadInput(Problem(where, key, "Python", f"{source}: {one_line(error)}")) from None
    if top not in defined:
        near = nearest(top, [name for name in sorted(defined) if not name.isupper()])  # no constant is meant
        fix = near or "It must be defined, or imported by its name, at the top of the module"
        raise BadInput(Problem(where, key, f"a function {top} in {source}", "no such name", fix))
    return OwnFunction(name, where, key, source, hashlib.sha256(code).hexdigest()[:16])


def _source(module: str, key: str, where: str) -> Path:
    try:
        with _current_folder_last():
            spec = importlib.util.find_spec(module)
    except Exception as error:  # a package above it, which is not ours, may raise anything
        raise BadInput(Problem(where, key, f"a module {module}", one_line(error, named=True), _near(module))) from None
    if spec is None:
        fix = _near(module) or "Install it, or begin in the folder where it lies"
        raise BadInput(Problem(where, key, f"a module {module}", "no such module", fix))
    if spec.origin is None or not spec.origin.endswith(".py"):
        raise BadInput(Problem(where, key, f"a module {module} with a source file", str(spec.origin)))
    return Path(spec.origin)


def _near(module: str) -> str:
    """A module that may be meant: beside it in its package, or in the current folder; "" for none."""
    folder = Path(*module.split(".")[:-1])
    names = [path.stem for path in (*folder.glob("*.py"), *(one.parent for one in folder.glob("*/__init__.py")))]
    return nearest(module, [".".join((*folder.parts, name)) for name in names if name != "__init__"])


def _defined(body: list[ast.stmt]) -> Iterator[str]:
    """The names that statements at the top of a module bind."""
    for statement in body:
        match statement:
            case ast.FunctionDef() | ast.ClassDef():
                yield statement.name
            case ast.Import() | ast.ImportFrom():
                yield from ((alias.asname or alias.name).partition(".")[0] for alias in statement.names)
            case ast.Assign():
                yield from (target.id for target in statement.targets if isinstance(target, ast.Name))
            case ast.If() | ast.Try():
                yield from _defined([*statement.body, *statement.orelse])


@contextmanager
def _current_folder_last() -> Iterator[None]:
    """Inside, modules of the current folder are found, after all others: a random.py there is not Python's."""
    try:
        here = str(Path.cwd())
    except FileNotFoundError:  # it was deleted
        yield
        return
    before = sys.path[:]
    sys.path[:] = [*(entry for entry in before if entry not in ("", here)), here]
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path[:] = before
