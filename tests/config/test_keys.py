from __future__ import annotations

from typing import Annotated, Literal

import pytest
from pydantic import Field

from rosearch.config.keys import Key, read_keys
from rosearch.config.section import Moved, Section, moved, unit
from rosearch.errors import BadInput


class Inner(Section):
    """An inner section.

    It has a second
    paragraph.
    """

    rows: int = Field(3, ge=1, lt=9, description="Rows.", json_schema_extra=unit("rows"))
    kind: Literal["a", "b"] | None = Field(None, description="A kind.")


class Outer(Section):
    """A file."""

    share: float = Field(gt=0, le=1, description="A part.", json_schema_extra=unit("share"))
    inner: Inner = Inner()
    perhaps: Inner | None = None
    many: list[Inner] = Field([], description="Several.")
    names: list[str] = Field(["x"], min_length=1, max_length=2, description="Names.")
    old: Annotated[Moved, moved("share")] = Field(None, exclude=True)


KEYS = read_keys(Outer.model_json_schema())


def key(name: str) -> Key:
    (found,) = KEYS.find(name)
    return found


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("share", "a number above 0 and at most 1"),
        ("inner", "a section"),
        ("perhaps", "a section, or none"),
        ("many", "a list, each a section"),
        ("names", "a list of 1 to 2, each a text"),
        ("inner.rows", "a whole number of at least 1 and below 9"),
        ("inner.kind", "one of a, b, or none"),
    ],
)
def test_a_type_is_told_in_plain_words(name: str, words: str) -> None:
    assert key(name).type == words


def test_a_key_has_its_description_unit_default_and_names() -> None:
    rows, kind = key("inner.rows"), key("perhaps.kind")
    assert (rows.description, rows.unit, rows.default, rows.required) == ("Rows.", "rows", 3, False)
    assert (kind.default, kind.accepted) == (None, ("a", "b"))
    assert key("share").required and not key("names").required


def test_a_section_has_the_words_of_its_docstring_and_its_keys() -> None:
    assert key("inner").description == "An inner section.\n\nIt has a second paragraph."
    assert [one.name for one in key("many").keys] == ["many.rows", "many.kind"]


def test_a_key_that_has_moved_is_no_key() -> None:
    assert [one.name for one in KEYS.keys] == ["share", "inner", "perhaps", "many", "names"]


def test_the_end_of_a_name_finds_all_that_end_in_it_but_a_whole_name_wins() -> None:
    assert [one.name for one in KEYS.find("rows")] == ["inner.rows", "perhaps.rows", "many.rows"]
    assert [one.name for one in KEYS.find("many[].rows")] == ["many.rows"]


@pytest.mark.parametrize(
    ("wrong", "near"), [("shar", "share"), ("inner.row", "inner.rows"), ("iner.kind", "inner.kind")]
)
def test_a_wrong_name_is_one_line_with_a_near_one(wrong: str, near: str) -> None:
    with pytest.raises(BadInput, match=f"got '{wrong}'. Did you mean {near}") as caught:
        KEYS.find(wrong)
    assert len(caught.value.problems) == 1


def test_a_name_like_none_is_told_where_names_are_listed() -> None:
    with pytest.raises(BadInput, match="`rosearch explain` lists the sections"):
        KEYS.find("qqqqqq")


def test_data_tell_the_keys_of_a_section_without_theirs() -> None:
    told = KEYS.as_dict()
    assert [one["key"] for one in told["keys"]] == ["share", "inner", "perhaps", "many", "names"]
    assert "keys" not in told["keys"][1]
