from __future__ import annotations

from collections.abc import Sequence

import pytest

from rosearch.encodings.purity import Judged, Opinion, Purity, Row

TEXTS = [("a good film",), ("the good one",), ("a bad film",), ("Bad, really bad.",), ("one film",)]


def opinions(rows: Sequence[Row]) -> list[Opinion]:
    """A teacher that sees `bad` and `dire`, is less sure of `poor`, and sees nothing else."""
    seen = {"bad": 1.0, "dire": 1.0, "poor": 0.8}
    found = [
        max((seen.get(word.strip(".,"), 0.0) for text in row for word in text.split()), default=0.0) for row in rows
    ]
    return [(1 - bad, bad) for bad in found]


@pytest.mark.parametrize(
    ("reading", "expected"),
    [
        (("good", "fine"), 1.0),  # in its own contexts
        (("good", "bad"), 0.0),  # its rows turn when it is read as `bad`, those of `bad` when it stands there
        (("dire", "bad"), 1.0),  # unseen: in the contexts of its code
        (("superb", "bad"), 0.0),
        (("poor", "bad"), 0.0),  # the answer stays and the opinion moves
        (("unseen", "unheard"), None),
    ],
)
def test_purity_is_the_share_of_contexts_in_which_the_opinion_stays(
    reading: tuple[str, str], expected: float | None
) -> None:
    assert Purity(TEXTS, opinions).of([reading]) == [expected]


def test_no_more_contexts_are_asked_for_than_are_wanted_and_no_text_twice() -> None:
    asked: list[Row] = []

    def counted(rows: Sequence[Row]) -> list[Opinion]:
        asked.extend(rows)
        return opinions(rows)

    purity = Purity([("good film",)] * 50 + [(f"good {index}",) for index in range(50)], counted, contexts=3)
    purity.of([("good", "fine")])
    purity.of([("good", "fine"), ("good", "nice")])
    assert len(asked) == len(set(asked)) <= 9


def test_every_text_of_a_pair_is_read() -> None:
    pairs = [("a good film", "good one")]
    seen: list[Row] = []

    def kept(rows: Sequence[Row]) -> list[Opinion]:
        seen.extend(rows)
        return [(1.0, 0.0)] * len(rows)

    Purity(pairs, kept).of([("good", "fine")])
    assert ("a fine film", "fine one") in seen


def test_readings_below_the_limit_are_refused_and_told() -> None:
    judged = Judged(Purity(TEXTS, opinions), limit=0.8)
    readings = [("good", "fine"), ("good", "bad"), ("dire", "bad"), ("unseen", "unheard")]
    assert judged.stays(readings) == [True, False, True, False]
    told = judged.summary({"good": "fine", "dire": "bad"})
    assert told["mean"] == 1.0 and told["words"] == {} and told["contexts"] == 3
    assert told["refused"] == {"unseen": ["unheard", None]}


def test_a_long_text_is_cut_to_what_stands_around_the_word() -> None:
    asked: list[Row] = []

    def kept(rows: Sequence[Row]) -> list[Opinion]:
        asked.extend(rows)
        return [(1.0, 0.0)] * len(rows)

    long = " ".join([*(f"before{index}" for index in range(90)), "good", *(f"after{index}" for index in range(90))])
    Purity([(long, "another text")], kept).of([("good", "fine")])
    assert {len(row[0].split()) for row in asked} == {17} and {row[1] for row in asked} == {"another text"}


def test_the_purity_of_the_whole_is_measured_on_rows_that_tried_no_reading() -> None:
    tried: list[Row] = []

    def kept(rows: Sequence[Row]) -> list[Opinion]:
        tried.extend(rows)
        return opinions(rows)

    purity = Purity([(f"good {index}",) for index in range(20)], kept)
    purity.of([("good", "fine")])
    before = {row for row in tried if "good" in row[0]}
    tried.clear()
    assert purity.of_all({"good": "fine"}) == 1.0 and purity.of_all({"good": "dire"}) == 0.0
    assert not before & set(tried) and purity.of_all({"unheard": "unseen"}) is None
