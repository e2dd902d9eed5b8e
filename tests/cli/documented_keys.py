"""The tables of docs/json.md as trees of keys, and the comparison of printed data with them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

ANY = "*"  # stands for any key; without a link, for anything below it as well


@dataclass
class Key:
    """A documented key. Its own keys are those of the part that `link` names, or `below`."""

    place: str  # its section and its dotted name
    optional: bool = True  # of a key without a row of its own: True if all keys below are
    link: str = ""
    below: dict[str, Key] = field(default_factory=dict)

    def walk(self) -> Iterator[Key]:
        yield self
        for key in self.below.values():
            yield from key.walk()


class Page:
    """All sections by title: the name of a command, or the anchor of a part, such as `single-swaps`."""

    def __init__(self, text: str) -> None:
        self.sections: dict[str, Key] = {}
        self.seen: set[str] = set()  # places of the keys that some compared data had
        for section in re.split(r"^##+ ", text, flags=re.MULTILINE)[1:]:
            title, *lines = section.splitlines()
            rows = [line for line in lines if line.startswith("| `")]
            if not rows:
                continue
            names = [name.strip("`").lower() for name in title.split(", ")]
            root = Key(names[0])
            for row in rows:
                _add(root, *row.strip("| ").split(" | ", 1))
            self.sections |= {name if title.startswith("`") else name.replace(" ", "-"): root for name in names}

    @property
    def places(self) -> set[str]:
        """Every documented key with its section."""
        roots = {id(root): root for root in self.sections.values()}.values()
        return {key.place for root in roots for key in root.walk() if key is not root}

    def differences(self, title: str, data: Any) -> list[str]:
        """Each printed key that is not documented, and each documented key that was not printed; in words."""
        return list(dict.fromkeys(self._differences(data, self.sections[title])))

    def _differences(self, data: Any, key: Key) -> Iterator[str]:
        self.seen.add(key.place)
        below = self.sections[key.link].below if key.link else key.below
        if isinstance(data, list):
            for one in data:
                yield from self._differences(one, key)
        elif isinstance(data, dict) and ANY in below:
            for one in data.values():
                yield from self._differences(one, below[ANY])
        elif isinstance(data, dict) and (below or not key.place.endswith(ANY)):
            yield from (f"{key.place}: {name} is not documented" for name in data if name not in below)
            for name, documented in below.items():
                if name in data:
                    yield from self._differences(data[name], documented)
                elif not documented.optional:
                    yield f"{documented.place} is not printed"
        elif below and data is not None:
            yield f"{key.place} is documented with keys and is {data!r}"


def _add(root: Key, names: str, meaning: str) -> None:
    """Add a row of a table: one or several dotted keys, and their meaning."""
    linked = re.search(r"\]\(#([a-z-]+)\)", meaning)
    for dotted in re.findall(r"`([^`]+)`", names):
        key = root
        for name in dotted.split("."):
            key = key.below.setdefault(name, Key(f"{key.place}: {name}" if key is root else f"{key.place}.{name}"))
            key.optional &= meaning.startswith("optional: ")
        key.link = linked.group(1) if linked else ""
