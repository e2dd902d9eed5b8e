"""The front of a run in each pair of its objectives, with teacher, baselines, gates and intervals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rosearch.report.chart import Chart, Ends, Layer, Limit, Mark, Marks, Shape, Tone
from rosearch.report.points import Figure, Objective, Point, Shown

PAIRS: tuple[tuple[Objective, Objective], ...] = (
    ("accuracy", "robustness"),
    ("cost", "robustness"),
    ("cost", "accuracy"),
)
_LABELLED = 6  # of the front: more labels hide each other


def front_charts(shown: Shown) -> tuple[Chart, ...]:
    """A chart for each pair of objectives that the run has measured; none where no student was measured."""
    pairs = [pair for pair in PAIRS if set(pair) <= shown.axes.keys()]
    charts = (_chart(shown, *pair) for pair in pairs)
    return tuple(chart for chart in charts if not chart.empty)


def _chart(shown: Shown, across: Objective, up: Objective) -> Chart:
    x, y = shown.axes[across], shown.axes[up]
    candidates, front = shown.of_role("candidate"), {point.number for point in shown.front}
    beaten = [point for point in candidates if point.eligible and point.number not in front]
    gated = [point for point in candidates if not point.eligible]
    teacher = [] if shown.teacher is None else [shown.teacher]
    groups: tuple[tuple[str, Tone, Shape, Sequence[Point], bool], ...] = (
        ("missed a gate", "gated", "cross", gated, False),
        ("candidate", "plain", "dot", beaten, False),
        ("front", "front", "dot", shown.front, True),
        ("baseline", "baseline", "diamond", shown.of_role("baseline"), True),
        (teacher[0].label if teacher else "teacher", "teacher", "star", teacher, True),
    )
    layers: list[Layer] = [*_limits(shown, "x", across), *_limits(shown, "y", up)]
    for name, tone, shape, points, whole in groups:
        if marks := tuple(_marks(points, across, up, whole)):
            layers.append(Marks(name, tone, marks, shape))
    title = f"{y.title.capitalize()} over {x.title}"
    return Chart(f"front-{up}-{across}", title, _in_words(shown, across, up), x, y, tuple(layers))


def _marks(points: Sequence[Point], across: Objective, up: Objective, whole: bool) -> Iterable[Mark]:
    """`whole` adds intervals and labels."""
    for place, point in enumerate(points):
        if across in point.place and up in point.place:
            x, y = point.place[across], point.place[up]
            label = ""
            if whole and place < _LABELLED:
                label = f"#{point.number}" if point.role == "candidate" else point.label
            ends = (_ends(x), _ends(y)) if whole else (None, None)
            yield Mark(x.value, y.value, point.number or None, *ends, label)


def _ends(figure: Figure) -> Ends | None:
    return (figure.low, figure.high) if figure.low < figure.high else None


def _limits(shown: Shown, direction: str, objective: Objective) -> list[Limit]:
    """The gates that are limits of one objective, and where efficiency counts no more."""
    fitness, teacher = shown.results.experiment.fitness, shown.teacher
    found: list[tuple[str, float | None]] = []
    if objective == "accuracy" and teacher is not None and fitness.min_quality:
        found.append(("gate min_quality", fitness.min_quality * max(teacher.place["accuracy"].value, 0.0)))
    if objective == "robustness" and fitness.robustness == "accuracy_under_attack":
        found.append(("gate min_under_attack", fitness.min_under_attack or None))
    if objective == "cost" and teacher is not None and "cost" in teacher.place and fitness.reward is None:
        found.append(("full efficiency", teacher.place["cost"].value / fitness.full_compression))
    if objective == "cost" and fitness.efficiency == "parameters":
        found.append(("gate max_parameters", fitness.max_parameters and fitness.max_parameters / 1e6))
    if objective == "cost" and fitness.efficiency == "latency":
        found.append(("gate max_latency_ms", fitness.max_latency_ms))
    return [Limit(name, direction, value) for name, value in found if value]  # type: ignore[arg-type]


def _in_words(shown: Shown, across: Objective, up: Objective) -> str:
    """The front, its ends and the teacher, for those who do not see the figure."""
    candidates = shown.of_role("candidate")
    gated = sum(not point.eligible for point in candidates)
    told = f"{len(candidates):,} candidates, {gated:,} of which missed a gate; {len(shown.front):,} on the front."
    both = [point for point in shown.front if across in point.place and up in point.place]
    if both:
        most = max(both, key=lambda point: point.place[up].value)
        told += f" Highest in {shown.axes[up].title}: #{most.number} with {_pair(shown, most, across, up)}."
    if shown.teacher is not None and {across, up} <= shown.teacher.place.keys():
        label = shown.teacher.label
        told += f" The {label} {'have' if label.endswith('s') else 'has'} {_pair(shown, shown.teacher, across, up)}."
    return told


def _pair(shown: Shown, point: Point, across: Objective, up: Objective) -> str:
    told = (f"{shown.axes[one].unit.text(point.place[one].value)} {shown.axes[one].title}" for one in (up, across))
    return " at ".join(told)
