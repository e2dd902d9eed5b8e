"""Students side by side under each attack, on the rows of the search and on those of the test."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rosearch.measurements import Measurements, Robustness, TeacherFacts
from rosearch.records.record import Record
from rosearch.report.chart import SERIES, Axis, Chart, Layer, Mark, Marks
from rosearch.report.data import SHARE
from rosearch.run.results import Results

_MOST = 6  # of the front
_Student = tuple[str, int, Measurements | TeacherFacts]


def attack_charts(results: Results) -> tuple[Chart, ...]:
    """Accuracy under each attack: teacher, front and baselines on validation rows; the finalists on test rows."""
    search = [*results.front[:_MOST], *results.measured("baseline")]
    charts = [
        _chart("attacks", "Under each attack, validation rows", _students(results.teacher, search)),
        _chart("attacks-test", "Under each attack, test rows", _students(results.teacher_on_test, _finalists(results))),
    ]
    return tuple(chart for chart in charts if not chart.empty)


def _finalists(results: Results) -> list[Record]:
    return results.measured("finalist")


def _students(teacher: TeacherFacts | None, records: Sequence[Record]) -> list[_Student]:
    beside = () if teacher is None else (teacher, *teacher.neighbours)
    found: list[_Student] = [(one.called, 0, one) for one in beside]
    for record in records:
        if (measured := record.anew().measurements) is not None:
            name = record.label if record.name or record.role == "finalist" else f"#{record.number}"
            found.append((name, record.number, measured))
    return found


def _chart(name: str, title: str, students: Sequence[_Student]) -> Chart:
    attacked = [student for student in students if student[2].robustness is not None]
    attacks = list(dict.fromkeys(one.attack for _, _, found in attacked for one in _attacks(found)))
    layers: list[Layer] = []
    for index, attack in enumerate(attacks):
        offset = 0.5 * ((index + 1) / (len(attacks) + 1) - 0.5)
        marks = tuple(_marks(attacked, attack, offset))
        layers.append(Marks(attack, SERIES[index % len(SERIES)], marks))
    names = tuple(student[0] for student in attacked)
    under = attacks[0] if len(attacks) == 1 else "attack"
    axes = (Axis(f"accuracy under {under}", SHARE), Axis("", names=names))
    return Chart(name, title, _in_words(attacked), *axes, tuple(layers))


def _marks(students: Sequence[_Student], attack: str, offset: float) -> Iterator[Mark]:
    for place, (_, number, found) in enumerate(students):
        for one in _attacks(found):
            if one.attack == attack:
                share = one.under_attack
                yield Mark(share.value, place + offset, number or None, x_ends=(share.low, share.high))


def _attacks(found: Measurements | TeacherFacts) -> Sequence[Robustness]:
    """Records of older versions have the worst case alone."""
    return found.attacks or ((found.robustness,) if found.robustness is not None else ())


def _in_words(students: Sequence[_Student]) -> str:
    told = []
    for name, _, found in students:
        shares = ", ".join(f"{one.attack} {SHARE.text(one.under_attack.value)}" for one in _attacks(found))
        told.append(f"{name}: {shares}")
    return "; ".join(told) + "."
