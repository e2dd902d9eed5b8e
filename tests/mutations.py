"""Damage to texts and plain data, drawn from a generator: what a careless or hostile writer would leave."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from typing import Any

Data = dict[str, Any] | list[Any]


def laughs(levels: int = 9, times: int = 9) -> str:
    """YAML whose aliases stand for `times` to the power of `levels` words."""
    first = f"a0: &a0 [{', '.join(['ha'] * times)}]\n"
    return first + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * times)}]\n" for n in range(1, levels))


def nested(depth: int) -> Any:
    found: Any = 1
    for _ in range(depth):
        found = [found]
    return found


# In place of a value, a key or an item.
VALUES: tuple[Any, ...] = (
    *(None, True, False, "", [], {}, 0, 1, -1, 3, 10**30, 2**63, -(2**62), 0.1, 1e-300, 1e300),
    *(float("nan"), float("inf"), "1", "true", "no", "2026-30-11", "a: b", "x" * 5000, "[bold]x[/]", "[/]", "$x^$"),
    *("\x1b[31mred\x1b[0m", "\x9b31m", "\u202egnp.exe", "a\nerror forged", "a\r", "\x07", "a\0b", "\udcff", "\ud83d"),
    *(
        "/",
        ".",
        "..",
        "~",
        "../" * 50,
        "a/" * 3000,
        "x" * 300,
        "**/*",
        "*.tsv",
        "{a,b}",
        "[!a]",
        "package:",
        "package:../x",
    ),
    *("layers:", "run:1", "http://x/y", "%s %d {0}", "\\", "`", "# heading", "<script>", "|", "名前", "é" * 200),
    *(["a"] * 300, list(range(300)), {"a": 1}, {"": ""}, [[]], [None], [{}], {"x" * 200: 1}, nested(20), nested(60)),
)

# Into a text, at any place.
SNIPPETS: tuple[str, ...] = (
    *("&a [*a]", "*nobody", "&a &b 1", "!!timestamp x", "!!int ''", "!!int x", "!!bool maybe", "!!float x", "!!null x"),
    *("!!python/object/apply:os.system [ls]", "!!binary x", "!!set {a}", "!!omap [a: 1]", "!x y", "0x_", "0b_", "0o9"),
    *("2026-30-11", "2026-11-30", "0001-01-01T00:00:00+23:00", "1:99:99", "? [a]\n: b", "? a", "<<: 1", "<<: [1]"),
    *(
        "\x00",
        "\x1b[2J",
        "\x85",
        "\ufeff",
        "\u2028",
        "\u202e",
        "\t",
        "\r",
        "\n",
        "\n\n",
        '"',
        "'",
        '"\\ud800"',
        '"\\0"',
    ),
    *(
        "[" * 50,
        "[" * 3000,
        "{a: " * 60,
        "{" * 3000,
        "- " * 40,
        "- " * 3000,
        "]",
        "}",
        "{",
        ",",
        ":",
        ": :",
        "|",
        ">",
        "%YAML 9.9\n",
    ),
    *(
        "---\n",
        "...\n",
        "# ",
        "@",
        "`",
        "&",
        "*",
        "!",
        "9" * 400,
        "9" * 5000,
        "0x" + "f" * 5000,
        "1e999",
        "NaN",
        "-Infinity",
    ),
    *("\\u0000", "\\ud800", "\\x", "\\", "x" * 3000, laughs(), "\n" + laughs() + "b: *a8\n", "<<: {<<: {<<: 1}}"),
)


def mutated(data: Data, rng: random.Random) -> Any:
    """A copy of plain data with one to three changes of values, keys and places."""
    made = copy.deepcopy(data)
    for _ in range(rng.choice([1, 1, 2, 3])):
        rng.choice(_CHANGES)(made, rng)
    return made


def damaged(text: bytes, rng: random.Random) -> bytes:
    """A text with one to three changes of its bytes."""
    for _ in range(rng.choice([1, 1, 2, 3])):
        text = rng.choice(_DAMAGES)(text, rng)
    return text


def _places(data: Any) -> list[tuple[Any, Any]]:
    """Every (container, key or index)."""
    found: list[tuple[Any, Any]] = []
    waiting = [data]
    while waiting:
        at = waiting.pop()
        keys = list(at) if isinstance(at, dict) else list(range(len(at))) if isinstance(at, list) else []
        found += [(at, key) for key in keys]
        waiting += [at[key] for key in keys]
        if len(found) > 3000:
            break
    return found or [({}, "")]


def _set(data: Data, rng: random.Random) -> None:
    at, key = rng.choice(_places(data))
    at[key] = copy.deepcopy(rng.choice(VALUES))


def _drop(data: Data, rng: random.Random) -> None:
    at, key = rng.choice(_places(data))
    if not isinstance(at, dict) or key in at:
        del at[key]


def _rename(data: Data, rng: random.Random) -> None:
    at, key = rng.choice(_places(data))
    if isinstance(at, dict) and key in at:
        name = rng.choice([*filter(_is_key, VALUES), f"{key}s", key.upper() if isinstance(key, str) else key])
        at[name] = at.pop(key)


def _is_key(value: Any) -> bool:
    return not isinstance(value, dict | list)


def _add(data: Data, rng: random.Random) -> None:
    at, _ = rng.choice(_places(data))
    value = copy.deepcopy(rng.choice(VALUES))
    if isinstance(at, dict):
        at[rng.choice([key for key in VALUES if _is_key(key)])] = value
    else:
        at.insert(rng.randrange(len(at) + 1), value)


def _swap(data: Data, rng: random.Random) -> None:
    (at, key), (other, place) = rng.choices(_places(data), k=2)
    if (not isinstance(at, dict) or key in at) and (not isinstance(other, dict) or place in other):
        at[key] = copy.deepcopy(other[place])


def _nudge(data: Data, rng: random.Random) -> None:
    """A value of the same type in the place of another: what may well be accepted."""
    places = [(at, key) for at, key in _places(data) if not isinstance(at, dict) or key in at]
    if not places:
        return
    at, key = rng.choice(places)
    match at[key]:
        case bool(value):
            at[key] = not value
        case int(value):
            at[key] = rng.choice([value + 1, abs(value - 1), 2 * value, 8 * value, 1000 * value])
        case float(value):
            at[key] = value * rng.choice([0.5, 2, 1000])
        case list(value):
            at[key] = rng.choice([value * 2, value[1:], value[::-1], value * 20])
        case str(value):
            others = [inner[place] for inner, place in places if isinstance(inner[place], str)]
            at[key] = rng.choice([*others, f" {value}", value.upper(), f"{value}\n", f"[{value}]"])


def _insert(text: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(text) + 1)
    return text[:at] + rng.choice(SNIPPETS).encode("utf-8", "surrogatepass") + text[at:]


def _instead(text: bytes, rng: random.Random) -> bytes:
    """A snippet in place of the rest of a line, as the value of a key."""
    lines = text.split(b"\n")
    at = rng.randrange(len(lines))
    start = lines[at].partition(b": ")
    lines[at] = start[0] + start[1] + rng.choice(SNIPPETS).encode("utf-8", "surrogatepass")
    return b"\n".join(lines)


def _flip(text: bytes, rng: random.Random) -> bytes:
    if not text:
        return b"\xff"
    at = rng.randrange(len(text))
    return text[:at] + bytes([text[at] ^ (1 << rng.randrange(8))]) + text[at + 1 :]


def _cut(text: bytes, rng: random.Random) -> bytes:
    first, last = sorted(rng.randrange(len(text) + 1) for _ in range(2))
    return rng.choice([text[:first], text[:first] + text[last:]])


def _twice(text: bytes, rng: random.Random) -> bytes:
    lines = text.split(b"\n")
    at = rng.randrange(len(lines))
    return b"\n".join([*lines[: at + 1], *lines[at:]])


_CHANGES: tuple[Callable[[Data, random.Random], None], ...] = (
    _set,
    _set,
    _drop,
    _rename,
    _add,
    _swap,
    _nudge,
    _nudge,
    _nudge,
)
_DAMAGES: tuple[Callable[[bytes, random.Random], bytes], ...] = (_insert, _instead, _instead, _flip, _cut, _twice)
