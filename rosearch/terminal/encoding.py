"""The output of `rosearch encoding`: what an encoding merges, and why a word is read as it is."""

from __future__ import annotations

from typing import Any

from rosearch.report.data import GROUPED, SHARE, Cell, Column, Row, Table, lefts
from rosearch.terminal.console import print_line, print_table

_SHOWN = 12  # words of a cluster in the table
_REASONS = {
    "stop word": "a stop word: attacks leave it alone",
    "apart": "a name, a place, a people, a faith, a group or a number: it stays apart",
    "refused": "another reading was refused",
    "typo": "an unknown word, one edit away",
    "code": "in the cluster of its code",
    "centre": "the code of its cluster",
    "itself": "nothing is merged with it",
}


def print_encoding(found: dict[str, Any]) -> None:
    """The sizes and the purity of an encoding, then its largest clusters."""
    facts = {
        "words known to the corrector": found["known_words"],
        "words read as another": found["words_merged"],
        "clusters": found["clusters"],
        "words of the largest": found["largest_cluster"],
        "words kept apart": found["words_apart"],
        "readings refused": found["readings_refused"],
    }
    rows = [Row((name, value)) for name, value in facts.items()]
    rows.append(Row(("purity: answers that stay", Cell(found["purity"], SHARE))))
    unknown = "not measured: no teacher tried it" if found["purity"] is None else ""
    columns = (*lefts(""), Column("", GROUPED))
    print_table(Table(f"Encoding {found['encoding']}", columns, tuple(rows), (unknown,) if unknown else ()))
    if found["largest"]:
        clusters = [
            Row((one["code"], len(one["words"]) + 1, one["purity"], _few(one["words"]))) for one in found["largest"]
        ]
        columns = (*lefts("code"), Column("words"), Column("purity", SHARE), *lefts("read as it"))
        print_table(Table("The largest clusters", columns, tuple(clusters)))


def print_word(found: dict[str, Any]) -> None:
    """How a word is read, and why."""
    print_line(f"{found['word']} is read as {found['read_as']}: {_REASONS[found['because']]}")
    if found["purity"] is not None:
        print_line(f"purity: the teacher's answer stays in {found['purity']:.0%} of its contexts")
    if (refused := found["refused"]) is not None:
        stays = "no context is known" if refused["purity"] is None else f"answers stay in {refused['purity']:.0%}"
        print_line(f"refused: read as {refused['code']} ({stays})")
    if len(found["cluster"]) > 1:
        print_line(f"cluster: {', '.join(found['cluster'])}")


def _few(words: list[str]) -> str:
    more = f" and {len(words) - _SHOWN} more" if len(words) > _SHOWN else ""
    return ", ".join(words[:_SHOWN]) + more
