"""Contrast: does a model see the small changes of a text that turn the teacher's answer?

>>> pairs = contrast_pairs(task.validation.texts, teacher_answers)
>>> measure_contrast(pairs, student_answers).value  # share of the pairs that the student answers differently too

A change is one word: a word becomes its opposite (a list of our own), or "not" comes or goes after a form of "to be".
The rows are the task's own, so that it fits any task; of all changes, those count that turn the teacher's answer. Of a
pair of texts the second is changed. A model that reads everything alike is consistent on none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from rosearch.data.tasks import Split
from rosearch.evaluation.intervals import wilson
from rosearch.files import content, content_key, made_once
from rosearch.measurements import Estimate

_FORMAT = "1"  # part of every key: raise it when the changes of texts do
ROWS = 1000  # whose changes are tried
PAIRS = 400

Row = tuple[str, ...]
Answers = Callable[[Sequence[Row]], Sequence[int]]
Pair = tuple[Row, Row]

_OPPOSITES = (
    "good/bad better/worse best/worst great/terrible funny/unfunny interesting/boring exciting/dull strong/weak "
    "fresh/stale smart/stupid clever/silly beautiful/ugly lovely/awful wonderful/dreadful charming/annoying "
    "warm/cold deep/shallow rich/poor bright/dim light/heavy fast/slow quick/sluggish easy/hard simple/complicated "
    "original/derivative powerful/feeble perfect/flawed success/failure succeeds/fails succeed/fail love/hate "
    "loved/hated loves/hates like/dislike enjoy/endure enjoyable/tedious pleasant/unpleasant pleasure/pain "
    "delightful/disgusting brilliant/mediocre memorable/forgettable moving/cold honest/dishonest true/false "
    "right/wrong always/never more/less most/least full/empty alive/dead believable/unbelievable "
    "convincing/unconvincing engaging/tiresome entertaining/boring compelling/tedious satisfying/frustrating "
    "happy/sad hope/despair win/lose wins/loses gain/loss rise/fall rises/falls up/down increase/decrease "
    "increases/decreases before/after with/without all/none everything/nothing everyone/nobody many/few much/little "
    "first/last old/new young/old high/low higher/lower large/small big/small long/short early/late open/closed "
    "begin/end begins/ends accept/reject accepted/rejected allow/forbid agree/disagree buy/sell buys/sells "
    "friend/enemy peace/war safe/dangerous healthy/sick clean/dirty clear/confusing careful/careless gentle/cruel "
    "kind/cruel brave/cowardly wise/foolish useful/useless successful/unsuccessful intelligent/stupid sharp/blunt "
    "sweet/bitter lively/lifeless"
)
_NOT = re.compile(r"\b(is|are|was|were|be|been)( not)?\b", re.IGNORECASE)
_WORDS = re.compile(r"[^\W\d_]+")


def opposites() -> dict[str, str]:
    """Each word of the list with its opposite, in both directions; a word that stands twice has the first."""
    found: dict[str, str] = {}
    for pair in _OPPOSITES.split():
        one, _, two = pair.partition("/")
        found.setdefault(one, two)
        found.setdefault(two, one)
    return found


def contrast_pairs(rows: Sequence[Row], teacher: Answers) -> list[Pair]:
    """Up to `PAIRS` pairs of a row and a change of it that the teacher answers differently. `teacher` gives classes."""
    made = [(row, (*row[:-1], text)) for row in rows[:ROWS] for text in changes(row[-1])]
    return _turned(made, teacher)[:PAIRS]


def kept_pairs(split: Split, teacher: Answers, teacher_key: str, cache: Path) -> list[Pair]:
    """The contrast pairs of a split, made once and kept below `cache/contrast`. `teacher_key` names the teacher."""

    def make(draft: Path) -> None:
        draft.write_text(json.dumps(contrast_pairs(split.texts, teacher), ensure_ascii=False), encoding="utf-8")

    key = content_key((_FORMAT, split.fingerprint, teacher_key))
    return made_once(cache / "contrast" / f"{key}.json", _read, make)


def _read(path: Path) -> list[Pair] | None:
    try:
        return [(tuple(row), tuple(changed)) for row, changed in json.loads(content(path))]
    except (OSError, ValueError, TypeError):
        return None


def changes(text: str) -> list[str]:
    """All changes of a text in one place, in the order of the places."""
    other = opposites()
    made = {
        match.start(): text[: match.start()] + other[match.group().lower()] + text[match.end() :]
        for match in _WORDS.finditer(text)
        if match.group().lower() in other
    }
    for match in _NOT.finditer(text):
        made[match.start()] = text[: match.start()] + match[1] + ("" if match[2] else " not") + text[match.end() :]
    return [made[place] for place in sorted(made)]


def measure_contrast(pairs: Sequence[Pair], answers: Answers) -> Estimate | None:
    """The share of pairs that a model answers differently too; None without pairs."""
    if not pairs:
        return None
    return wilson(len(_turned(pairs, answers)), len(pairs))


def _turned(pairs: Sequence[Pair], answers: Answers) -> list[Pair]:
    """The pairs whose answers differ. A row is asked about once, in however many pairs it stands."""
    if not (rows := list(dict.fromkeys(row for pair in pairs for row in pair))):
        return []
    answer = dict(zip(rows, map(int, answers(rows)), strict=True))
    return [pair for pair in pairs if answer[pair[0]] != answer[pair[1]]]
