"""Plain data out of YAML and JSON that somebody else wrote: one reader of each, which no text can crash or flood.

Both give mappings of texts, lists, texts, numbers, true, false and none, and nothing else: what is read can be walked
and printed without care. A text that breaks a rule or a limit below is a `ValueError` in one line.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml
from yaml.constructor import ConstructorError

from rosearch.errors import BadInput, Problem, one_line, shown

MOST_BYTES = 256 * 1024  # of a file: an experiment has 5 kB, one with 10,000 names of classes 200 kB
MOST_WRITTEN_OUT = 1_000_000  # letters, and 20 for each value; an alias counts as what it stands for
MOST_ALIASES = 100
DEEPEST = 50

_TAGS = {f"tag:yaml.org,2002:{kind}" for kind in ("null", "bool", "int", "float", "str", "seq", "map", "merge")}
_RAISED = (ValueError, TypeError, AttributeError, LookupError, ArithmeticError)  # by yaml, for `0x_` or `!!bool maybe`
_UNUSABLE = re.compile("[\0\ud800-\udfff]")  # no path holds a NUL; half of a surrogate pair can be written nowhere


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file. Raises `BadInput` if the file is absent, no YAML, beyond a limit or no mapping."""
    return _mapping(path, "YAML")


def read_json(path: Path) -> dict[str, Any]:
    """The mapping in a JSON file. Raises `BadInput` as `read_yaml` does."""
    return _mapping(path, "JSON")


def parse_yaml(text: str) -> Any:
    """The value of a YAML text. A key that stands twice is refused: half of an edit would be lost."""
    try:
        value = yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        raise ValueError(_yaml_fault(error)) from None
    except RecursionError:
        raise ValueError(f"it is nested more than {DEEPEST} deep") from None
    _check_plain(value)
    return value


def lines_of(text: str) -> dict[str, int]:
    """The line, from 1, of each dotted key and item of a YAML text; none for what is no YAML.

    >>> lines_of("a: 1\\nb:\\n  c: [2,\\n      3]")
    {'a': 1, 'b': 2, 'b.c': 3, 'b.c.0': 3, 'b.c.1': 4}
    """
    found: dict[str, int] = {}
    try:
        waiting: list[tuple[str, Any, int]] = [("", yaml.compose(text, _Loader), 0)]
    except (yaml.YAMLError, RecursionError):
        return {}
    while waiting:
        name, node, depth = waiting.pop()
        inner: list[tuple[str, Any, int]] = []
        if isinstance(node, yaml.MappingNode):
            inner = [(str(key.value), value, key.start_mark.line) for key, value in node.value]
        elif isinstance(node, yaml.SequenceNode):
            inner = [(str(place), value, value.start_mark.line) for place, value in enumerate(node.value)]
        for part, value, line in inner:
            below = f"{name}.{part}".lstrip(".")
            found.setdefault(below, line + 1)
            if depth < DEEPEST and len(found) < MOST_BYTES:
                waiting.append((below, value, depth + 1))
    return dict(sorted(found.items(), key=lambda one: one[1]))


def _yaml_fault(error: yaml.YAMLError) -> str:
    """The fault of a YAML text and its place; for the common ones, what to do."""
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem is None:
        return one_line(error, None)
    mark = error.problem_mark or error.context_mark
    told = f"line {mark.line + 1}, column {mark.column + 1}: {error.problem}" if mark else error.problem
    for words, fix in _COMMON_FAULTS.items():
        if words in error.problem:
            return f"{told} ({fix})"
    return told


_COMMON_FAULTS = {
    "mapping values are not allowed here": "a text that holds a colon and a blank goes in quotes",
    r"character '\t'": "indent with blanks, not tabs",
    "expected <block end>": "keys of one section begin in one column",
}


def parse_json(text: str) -> Any:
    """The value of a JSON text; NaN and infinity, and a key that stands twice, are refused."""
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError(f"it is nested more than {DEEPEST} deep") from None
    _check_plain(value)
    return value


def _mapping(path: Path, kind: str) -> dict[str, Any]:
    def refuse(expected: str, got: str) -> BadInput:
        return BadInput(Problem(str(path), "", expected, got))

    try:
        with path.open("rb") as file:
            read = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise refuse(f"a {kind} file", "no such file") from None
    except IsADirectoryError:
        raise refuse(f"a {kind} file", "a folder") from None
    except (OSError, ValueError) as error:  # a name with a NUL is a ValueError
        raise refuse(f"a readable {kind} file", one_line(error)) from None
    if len(read) > MOST_BYTES:
        raise refuse(f"a {kind} file of at most {MOST_BYTES // 1024} KiB", "more")
    try:
        data = (parse_yaml if kind == "YAML" else parse_json)(read.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise refuse(f"a readable {kind} file", one_line(error)) from None
    except ValueError as error:
        raise refuse(f"valid {kind}", str(error)) from None
    if not isinstance(data, dict):
        kinds = {type(None): "nothing", list: "a list", str: "a text"}
        raise refuse("a mapping of keys", kinds.get(type(data), "one value"))
    return data


class _Loader(yaml.SafeLoader):
    """Safe, and total: whatever a text makes yaml raise is a `YAMLError` or a `RecursionError`."""

    aliases = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        self.aliases += self.check_event(yaml.AliasEvent)
        if self.aliases > MOST_ALIASES:
            raise ConstructorError(None, None, f"more than {MOST_ALIASES} aliases", self.get_mark())
        return super().compose_node(parent, index)

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise ConstructorError(None, None, "a key must be a word", key.start_mark)
            if key.value in seen:
                raise ConstructorError(None, None, f"the key {shown(key.value)} stands twice", key.start_mark)
            seen.add(key.value)
        return node

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        super().flatten_mapping(node)
        node.value = list({key.value: (key, value) for key, value in node.value}.values())  # merges of merges explode

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        if node.tag not in _TAGS:
            raise ConstructorError(None, None, f"values of the kind {shown(node.tag)} are not read", node.start_mark)
        try:
            return super().construct_object(node, deep)
        except _RAISED as error:
            told = f"{shown(node.value)} is no {node.tag.rpartition(':')[2]} ({one_line(error)})"
            raise ConstructorError(None, None, told, node.start_mark) from None


def _as_written(pattern: re.Pattern[str]) -> re.Pattern[str]:
    """A pattern without what only YAML 1.1 takes for a number: 010, which would be 8, and 1:30, which would be 90."""
    return re.compile(f"(?![-+]?0[0-7_]+$)(?!.*:){pattern.pattern}", pattern.flags)


# No key takes a date: 2026-11-30 is a text like any other, and so is 2026-30-11.
_Loader.yaml_implicit_resolvers = {
    first: [(tag, _as_written(p) if tag.endswith(("int", "float")) else p) for tag, p in resolvers if tag in _TAGS]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _check_plain(value: Any) -> None:
    """Raises `ValueError` for what is too deep or too much, and for values that cannot be used anywhere."""
    waiting, written_out = [(value, 0)], 0
    while waiting:
        found, depth = waiting.pop()
        inner: list[Any] = []
        match found:
            case str():
                written_out += len(found)
                if broken := _UNUSABLE.search(found):
                    raise ValueError(f"{shown(found)} holds {broken[0]!r}, which no text may hold")
            case int() if abs(found) >= 2**63:
                raise ValueError("a whole number has more than 64 bits")
            case dict():
                if strange := [key for key in found if not isinstance(key, str)]:
                    raise ValueError(f"the key {shown(strange[0])} is no text: put it in quotes")
                inner = [*found, *found.values()]
            case list():
                inner = found
        written_out += 20
        if depth > DEEPEST:
            raise ValueError(f"it is nested more than {DEEPEST} deep")
        if written_out > MOST_WRITTEN_OUT:
            raise ValueError(f"with its aliases written out it has more than {MOST_WRITTEN_OUT:,} letters")
        waiting += [(each, depth + 1) for each in inner]


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {shown(next(key for key in keys if keys.count(key) > 1))} stands twice")
    return made


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")
