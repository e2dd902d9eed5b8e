"""Charts and architectures drawn by matplotlib: figures for papers as SVG, PNG or PDF, and for notebooks.

matplotlib is imported where it draws, through its Agg canvas: no display, no global state.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rosearch.errors import MissingResource
from rosearch.report.chart import Axis, Bars, Chart, Direction, Layer, Limit, Line, Links, Marks, Tone
from rosearch.report.layers import BOX, Box, Drawing
from rosearch.report.scale import Scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_TONES: dict[Tone, str] = {
    "plain": "#4f86b8", "pale": "#b9c3cf", "front": "#d55e00", "best": "#d55e00", "gated": "#98a2ae",
    "teacher": "#1c2430", "baseline": "#00795a", "finalist": "#00795a", "one": "#0072b2", "two": "#d55e00",
    "three": "#00795a", "four": "#b3548a", "five": "#a87400", "six": "#3c8fc0",
}  # fmt: skip
_SHAPES = {"dot": "o", "ring": "o", "diamond": "D", "star": "*", "cross": "x"}
_FAMILIES = {
    "attention": "#d6e6f7", "convolution": "#d9efe2", "feed_forward": "#fbe6cf", "pooling": "#eadff3",
    "glu": "#f8dbe4", "other": "#e7eaee", "source": "#ffffff",
}  # fmt: skip
_INK = "#1c2430"


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of so many inches. Raises `MissingResource` without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingResource("figures need matplotlib, which is not installed: pip install matplotlib") from None
    return Figure(figsize=(width, height), dpi=150, layout="constrained")


def draw_charts(charts: Sequence[Chart]) -> Figure:
    """The charts of one figure: wide ones below each other, others beside each other.

    Raises `ValueError` where there is none: nothing was measured that they could show.
    """
    if not charts:
        raise ValueError("nothing was measured: there is nothing to draw")
    wide = any(chart.wide for chart in charts)
    tall = max(1.2 + 0.36 * len(chart.y.names) if chart.y.names else 3.4 for chart in charts)
    rows, columns = (len(charts), 1) if wide else (1, len(charts))
    figure = new_figure(8.5 if wide else 4.6 * columns, tall * rows)
    panels = figure.subplots(rows, columns, squeeze=False).flat
    for axes, chart in zip(panels, charts, strict=True):
        _draw(axes, chart)
    return figure


def draw_graphs(graphs: Sequence[tuple[str, Drawing]]) -> Figure:
    """Architectures beside each other, each below its title. Raises `ValueError` where there is none."""
    if not graphs:
        raise ValueError("no candidate has passed the gates: there is no winner to draw")
    widths = [drawing.width for _, drawing in graphs]
    figure = new_figure(sum(widths) / 90, max(drawing.height for _, drawing in graphs) / 90 + 0.5)
    panels = figure.subplots(1, len(graphs), squeeze=False, width_ratios=widths)[0]
    for axes, (title, drawing) in zip(panels, graphs, strict=True):
        _graph(axes, drawing)
        axes.set_title(title, fontsize=9, parse_math=False)
    return figure


def graph_png(drawing: Drawing) -> bytes:
    """An architecture as a PNG file; equal drawings give equal bytes."""
    file = io.BytesIO()
    draw_graphs([("", drawing)]).savefig(file, format="png", metadata={"Software": None})
    return file.getvalue()


def _draw(axes: Axes, chart: Chart) -> None:
    for layer in chart.layers:
        _layer(axes, layer)
    axes.set_title(chart.title, fontsize=10, parse_math=False)
    ways: tuple[tuple[Direction, Axis], ...] = (("x", chart.x), ("y", chart.y))
    for direction, axis in ways:
        _axis(axes, direction, axis, axis.scale(chart.extent(direction), 0.0, 1.0))
    axes.grid(color="#e3e7ec", linewidth=0.7)
    axes.set_axisbelow(True)
    if sum(bool(layer.name) for layer in chart.layers) > 1:
        axes.legend(fontsize=7, framealpha=0.9)


def _axis(axes: Axes, direction: Direction, axis: Axis, scale: Scale) -> None:
    getattr(axes, f"set_{direction}label")(axis.title, fontsize=9, parse_math=False)
    getattr(axes, f"set_{direction}scale")("log" if axis.log else "linear")
    ends = (scale.high, scale.low) if axis.names else (scale.low, scale.high)  # the first name at the top
    getattr(axes, f"set_{direction}lim")(*ends)
    which = axes.xaxis if direction == "x" else axes.yaxis
    places = list(range(len(axis.names))) if axis.names else scale.ticks()
    which.set_ticks(places, labels=list(axis.names) or [axis.number(tick) for tick in places], parse_math=False)
    which.set_ticks([], minor=True)
    which.set_tick_params(labelsize=7)


def _layer(axes: Axes, layer: Layer) -> None:
    colour, name = "#98a2ae" if isinstance(layer, Limit) else _TONES[layer.tone], layer.name or None
    match layer:
        case Marks():
            _marks(axes, layer, colour)
        case Line(points=points, steps=steps):
            style: Any = {"drawstyle": "steps-post"} if steps else {}
            axes.plot([x for x, _ in points], [y for _, y in points], color=colour, label=name, **style)
        case Links(ends=ends):
            from matplotlib.collections import LineCollection

            axes.add_collection(LineCollection([(e[:2], e[2:]) for e in ends], colors=colour, lw=0.8, label=name))
            axes.autoscale_view()
        case Limit(direction=direction, value=value):
            across = axes.axvline if direction == "x" else axes.axhline
            across(value, color=colour, linestyle="--", linewidth=1, label=name)
        case Bars(values=values):
            axes.barh(range(len(values)), values, color=colour, label=name)


def _marks(axes: Axes, layer: Marks, colour: str) -> None:
    marks = layer.marks
    style: Any = {"facecolors": "none", "edgecolors": colour} if layer.shape == "ring" else {"color": colour}
    style |= {"label": layer.name or None, "linewidths": 0.8, "zorder": 3, "marker": _SHAPES[layer.shape]}
    size = {"star": 70, "ring": 60}.get(layer.shape, 22 if len(marks) < 300 else 8)
    axes.scatter([mark.x for mark in marks], [mark.y for mark in marks], s=size, **style)
    for mark in marks:
        if mark.x_ends is not None:
            axes.hlines(mark.y, *mark.x_ends, color=colour, alpha=0.6, linewidth=1)
        if mark.y_ends is not None:
            axes.vlines(mark.x, *mark.y_ends, color=colour, alpha=0.6, linewidth=1)
        if mark.label:
            axes.annotate(
                mark.label, (mark.x, mark.y), (5, 5), textcoords="offset points", fontsize=7, parse_math=False
            )


def _graph(axes: Axes, drawing: Drawing) -> None:
    from matplotlib.path import Path as Outline

    for wire in drawing.wires:
        (x, y), *rest = wire.places
        places, codes = [(x, y)], [Outline.MOVETO]
        for index, (u, v) in enumerate(rest):
            half = (y + v) / 2
            straight = index % 2 == 1
            places += [(u, v)] if straight else [(x, half), (u, half), (u, v)]
            codes += [Outline.LINETO] if straight else [Outline.CURVE4] * 3
            x, y = u, v
        _patch(axes, Outline(places, codes), wire.skip)
    for box in drawing.boxes:
        _box(axes, box)
    axes.set(xlim=(0, drawing.width), ylim=(drawing.height, 0), aspect="equal")
    axes.set_axis_off()


def _patch(axes: Axes, outline: Any, skip: bool) -> None:
    from matplotlib.patches import PathPatch

    style: Any = {"color": _TONES["front"], "ls": "--"} if skip else {"color": "#566173"}
    axes.add_patch(PathPatch(outline, fill=False, lw=1, **style))


def _box(axes: Axes, box: Box) -> None:
    from matplotlib.patches import FancyBboxPatch

    corner = (box.x - BOX[0] / 2, box.y - BOX[1] / 2)
    rounded = "round,pad=0,rounding_size=6"
    style: Any = {"facecolor": _FAMILIES[box.family], "edgecolor": "#566173", "lw": 0.8}
    axes.add_patch(FancyBboxPatch(corner, *BOX, boxstyle=rounded, **style))
    words: Any = {"ha": "center", "va": "center", "color": _INK, "parse_math": False}
    axes.text(box.x, box.y - 6 if box.detail else box.y, box.name, fontsize=7, weight="bold", **words)
    axes.text(box.x, box.y + 9, box.detail, fontsize=6, **words)
    if box.merge:
        frame = {"boxstyle": "round,pad=0.25", "facecolor": "white", "edgecolor": _TONES["front"], "lw": 0.6}
        axes.text(box.x, box.y - BOX[1] / 2, box.merge, fontsize=5, bbox=frame, **words)
