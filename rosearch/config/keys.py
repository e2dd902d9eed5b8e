"""The keys of a file in plain words, read off its JSON schema: what each means, takes and defaults to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rosearch.errors import BadInput, Problem, shown

Schema = Mapping[str, Any]


@dataclass(frozen=True)
class Key:
    """A key, or with `keys` a section. Its dotted name is "" for the file as a whole."""

    name: str
    description: str
    type: str  # in words
    unit: str
    default: Any  # None for a required key too
    required: bool
    accepted: tuple[Any, ...]  # values or names that it takes, where they can be listed
    keys: tuple[Key, ...] = ()

    def walk(self) -> Iterator[Key]:
        """This key and all below it."""
        yield self
        for key in self.keys:
            yield from key.walk()

    def find(self, name: str) -> list[Key]:
        """The key below of that dotted name, else all whose names end in it. Raises `BadInput` with the nearest."""
        wanted = name.replace("[]", "").strip(".")
        below = {key.name: key for key in self.walk() if key is not self}
        if wanted in below:
            return [below[wanted]]
        if found := [key for key in below.values() if key.name.endswith(f".{wanted}")]:
            return found
        near = suggestion(wanted, below) or "`rosearch explain` lists the sections."
        raise BadInput(Problem("command line", "KEY", "a key of an experiment or a search space", shown(name), near))

    def at(self, name: str) -> Key | None:
        """The key of exactly that dotted name below this one, or this one itself."""
        return next((key for key in self.walk() if key.name == name), None)

    @property
    def each(self) -> str:
        """The type of an item of a list, in words."""
        return self.type.rpartition("each ")[2].removesuffix(", or none")

    def as_dict(self) -> dict[str, Any]:
        """JSON data; the keys of a section are told without theirs."""
        return {**self._alone(), "keys": [key._alone() for key in self.keys]}

    def _alone(self) -> dict[str, Any]:
        told = {"key": self.name, "description": self.description, "type": self.type, "unit": self.unit}
        return {**told, "default": self.default, "required": self.required, "accepted": list(self.accepted)}


def read_keys(schema: Schema, name: str = "") -> Key:
    """The file that a JSON schema describes, as a key whose keys are those of the file."""
    return _read(name, schema, schema.get("$defs", {}), required=True)


def _read(name: str, given: Schema, parts: Schema, required: bool) -> Key:
    node, optional = _resolved(given, parts)
    inner, may_be_none = _resolved(node.get("items", {}), parts)
    section = node if "properties" in node else inner
    wanted = section.get("required", ())
    keys = [
        _read(f"{name}.{below}".lstrip("."), found, parts, below in wanted)
        for below, found in section.get("properties", {}).items()
    ]
    paragraphs = (" ".join(part.split()) for part in node.get("description", "").split("\n\n"))
    return Key(
        name=name,
        description="\n\n".join(paragraphs),
        type=_words(node, inner) + (", or none" if optional or may_be_none else ""),
        unit=node.get("unit") or inner.get("unit", ""),
        default=None if keys and section is node else node.get("default"),
        required=required,
        accepted=tuple(node.get("enum") or node.get("examples") or inner.get("enum") or inner.get("examples") or ()),
        keys=tuple(keys),
    )


def _resolved(node: Schema, parts: Schema) -> tuple[dict[str, Any], bool]:
    """A node together with what it refers to, its own words first; and True if it may be none."""
    variants = node.get("anyOf", ())
    others = [one for one in variants if one.get("type") != "null"]
    references = [one["$ref"] for one in (node, *node.get("allOf", ()), *others) if "$ref" in one]
    found = [parts[reference.rpartition("/")[2]] for reference in references]
    merged: dict[str, Any] = {}
    for one in (*found, *others, node):
        merged |= {key: value for key, value in one.items() if key not in ("$ref", "anyOf", "allOf")}
    return merged, len(others) < len(variants)


def _words(node: Schema, inner: Schema) -> str:
    if "enum" in node:
        names = f"one of {', '.join(map(str, node['enum']))}"
        return f"{names}, or {node['also']}" if "also" in node else names
    match node.get("type"):
        case "array":
            least, most = node.get("minItems", 0), node.get("maxItems")
            many = f" of {least} to {most}" if most else f" of at least {least}" if least else ""
            return f"a list{many}, each {_words(inner, _resolved(inner.get('items', {}), {})[0])}"
        case "integer" | "number" as kind:
            return ("a whole number" if kind == "integer" else "a number") + _bounds(node)
        case "string":
            letters = " of letters, digits, dots, hyphens and underscores" if "pattern" in node else ""
            return "a path" if node.get("format") == "path" else f"a text{letters}"
        case "boolean":
            return "true or false"
    return "a section"


def _bounds(node: Schema) -> str:
    if {"minimum", "maximum"} <= node.keys():
        return f" from {_number(node['minimum'])} to {_number(node['maximum'])}"
    wording = {
        "minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below",
        "multipleOf": "a multiple of",
    }  # fmt: skip
    told = " and ".join(f"{words} {_number(node[key])}" for key, words in wording.items() if key in node)
    return f" of {told}" if told.startswith("at ") else f" {told}".rstrip()


def _number(value: float) -> str:
    """Versions of pydantic differ in whether a bound of a float is written as 1 or as 1.0."""
    return f"{int(value) if value == int(value) else value:,}"


def suggestion(name: str, known: Iterable[str]) -> str:
    """The dotted names nearest to a wrong one, whole or by their last parts, as a question; "" if none is near."""
    from difflib import get_close_matches

    ends: dict[str, list[str]] = {}
    for full in known:
        ends.setdefault(full.rpartition(".")[2], []).append(full)
    parent, _, last = name[:200].rpartition(".")
    beside = {end: full for end, found in ends.items() for full in found if full.rpartition(".")[0] == parent}
    close = [beside[end] for end in get_close_matches(last, beside, n=1, cutoff=0.7)]  # in the same section first
    close = close or get_close_matches(name[:200], [full for found in ends.values() for full in found], 1, 0.8)
    close = close or [full for end in get_close_matches(last, ends, n=2, cutoff=0.7) for full in ends[end][:2]]
    return f"Did you mean {' or '.join(close)}?" if close else ""
