from __future__ import annotations

from evolution.landscapes import build, failing, hilly, run


def test_what_is_sampled_does_not_depend_on_what_came_out() -> None:
    lucky, unlucky = run(build("random"), hilly), run(build("random"), failing)
    assert [r.id for records in lucky for r in records] == [r.id for records in unlucky for r in records]


def test_nothing_has_parents() -> None:
    records = [record for records in run(build("random")) for record in records]
    assert {(record.origin, record.parents) for record in records} == {("sample", ())}
