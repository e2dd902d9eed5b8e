from __future__ import annotations

from dataclasses import replace

from report.made_records import make_measurements

from rosearch.report.kin import broken_table, kin_table
from rosearch.run.results import Results


def test_parents_and_children_stand_with_their_fitness_and_gain(made: Results) -> None:
    child = next(record for record in made.of("candidate") if record.parents)
    table = kin_table(made, child)
    parents = {row.cells[1]: row for row in table.rows if row.cells[0] == "parent"}
    for one in made.of("candidate"):
        if one.id in child.parents:
            row = parents[f"#{one.number} {one.label}"]
            assert row.cells[3] == made.fitness[one.number].scalar
            assert row.cells[4] == made.fitness[child.number].scalar - made.fitness[one.number].scalar
            back = kin_table(made, one)
            assert f"#{child.number} {child.label}" in [row.cells[1] for row in back.rows if row.cells[0] == "child"]
    assert len(parents) == len(set(child.parents))


def test_children_are_ordered_by_fitness_and_who_has_no_kin_has_no_table(made: Results) -> None:
    founder = max(made.of("candidate")[:6], key=lambda one: len(kin_table(made, one).rows))
    fitness = [row.cells[3] for row in kin_table(made, founder).rows]
    assert len(fitness) > 1 and fitness == sorted(fitness, reverse=True)  # type: ignore[type-var]
    assert kin_table(made, made.measured("baseline")[0]).rows == ()


def test_what_an_attack_broke_alone_is_counted(made: Results) -> None:
    whole = make_measurements(made.records[0].genotype).robustness
    assert whole is not None
    one, other = replace(whole, attack="one", outcomes="mbbss"), replace(whole, attack="other", outcomes="mbsqe")
    table = broken_table([one, other])
    assert [row.cells[:4] for row in table.rows] == [("one", 4, 2, 1), ("other", 4, 2, 1)]
    assert table.notes == ("1 of 5 rows were right under every attack",)
    assert broken_table([one]).rows[0].cells[3] is None and broken_table([whole]).rows == ()
