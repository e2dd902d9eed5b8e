"""Which student to ship: three answers, and the order of all for any worth of robustness.

The three are the candidates that passed every gate and are highest in fitness, highest in robustness, or smallest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rosearch.measurements import Measurements
from rosearch.records.record import Record
from rosearch.report.data import PERCENT, SHARE, metric_unit
from rosearch.report.overview import size_in_words
from rosearch.report.points import Point, Shown


@dataclass(frozen=True)
class Pick:
    """A candidate, the question that it answers, and why it does in one sentence."""

    question: str
    why: str
    record: Record
    again: Record | None  # the finalist that trained it again


def picks(shown: Shown) -> list[Pick]:
    """Best fitness, most robust, smallest; none where no candidate passed the gates, no robust one without attacks."""
    eligible = [point for point in shown.points if point.eligible]
    if not eligible:
        return []
    best = max(eligible, key=lambda point: (point.scalar, -point.number))
    found = [("Best fitness", best, "the highest weighted sum of robustness, accuracy and efficiency")]
    if "robustness" in shown.axes:
        most = max(eligible, key=lambda point: (point.terms[0], point.scalar, -point.number))
        found.append(("Most robust", most, f"the highest {shown.axes['robustness'].title}"))
    small = min(eligible, key=lambda point: (point.parameters, -point.scalar))
    found.append(("Smallest", small, "the fewest parameters of all that passed every gate"))
    return [_pick(shown, *one) for one in found]


def worth(shown: Shown) -> float:
    """The weight of robustness among the three terms, 0 to 1; 0 where nothing was attacked."""
    weights = shown.results.experiment.fitness.weights
    total = weights.robustness + weights.accuracy + weights.efficiency
    return weights.robustness / total if "robustness" in shown.axes and total else 0.0


def others(shown: Shown) -> tuple[float, float]:
    """The shares of accuracy and efficiency in what robustness leaves to them."""
    weights = shown.results.experiment.fitness.weights
    both = weights.accuracy + weights.efficiency
    return (weights.accuracy / both, weights.efficiency / both) if both else (0.5, 0.5)


def facts(measured: Measurements, beside: str = "the teacher") -> list[tuple[str, str]]:
    """The figures of a student that decide, with their intervals, in words; `beside` has the size to compare with."""
    quality, robust = measured.quality, measured.robustness
    exact = quality.accuracy if quality.metric == "accuracy" else None
    told = PERCENT.text(exact) if exact is not None else metric_unit(quality.metric).text(quality.value)
    found = [(f"clean {quality.metric.replace('_', ' ')}", told)]
    if robust is not None:
        found += [("under attack", PERCENT.text(robust.under_attack))]
        found += [("words to break", SHARE.text(robust.words_to_break.value))]
    found.append(("parameters", f"{measured.efficiency.parameters / 1e6:,.2f} M"))
    found.append((f"beside {beside}", size_in_words(measured.efficiency.compression)))
    if measured.efficiency.latency:
        timed = measured.efficiency.latency[0]
        found.append(
            (f"latency, batch {timed.batch_size}", f"{timed.median_ms:.2f} ms on {measured.efficiency.timed_on}")
        )
    return found


def _pick(shown: Shown, question: str, point: Point, why: str) -> Pick:
    results = shown.results
    record = next(one for one in results.of("candidate") if one.number == point.number)
    again = results.retrained(record)
    return Pick(question, why, record, None if again is record else again)


def same(found: Sequence[Pick]) -> list[tuple[Pick, list[str]]]:
    """The picks without repeats, each with all questions that it answers."""
    questions: dict[int, list[str]] = {}
    for pick in found:
        questions.setdefault(pick.record.number, []).append(pick.question)
    first = {pick.record.number: pick for pick in reversed(found)}
    return [(first[number], asked) for number, asked in questions.items()]
