"""Charts and architectures as SVG for a page: colours by class from its stylesheet, a record's number on each mark.

Every word is escaped. Nothing is styled inline, so a page may forbid it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from html import escape

from rosearch.report.chart import Bars, Chart, Layer, Limit, Line, Links, Mark, Marks, Shape
from rosearch.report.layers import BOX, Box, Drawing, Wire
from rosearch.report.scale import Scale

_LETTER = 6.4  # mean width of a letter, in pixels
_CROWDED = 300  # marks from which they are drawn smaller
_PATHS: dict[Shape, str] = {
    "diamond": "M0-5.5L5.5 0L0 5.5L-5.5 0Z",
    "star": "M0-8L2-2.6L7.6-2.5L3.1 1L4.7 6.5L0 3.2L-4.7 6.5L-3.1 1L-7.6-2.5L-2-2.6Z",
    "cross": "M-3.2-3.2L3.2 3.2M-3.2 3.2L3.2-3.2",
}
_OFFSETS = ((8.0, -7.0), (8.0, 14.0), (-8.0, -7.0), (-8.0, 14.0))  # of a label: the first that is free


def chart_svg(chart: Chart) -> str:
    """The picture of a chart, called by its title. What it says in words, `Chart.text`, belongs beside it."""
    return _Picture(chart).svg


def drawing_svg(drawing: Drawing, name: str) -> str:
    """The picture of an architecture, called `name` for those who do not see it."""
    size = f'viewBox="0 0 {drawing.width:.0f} {drawing.height:.0f}" width="{drawing.width:.0f}"'
    parts = [_wire(wire) for wire in drawing.wires] + [_box(box) for box in drawing.boxes]
    return f'<svg class="graph" role="img" aria-label="{escape(name)}" {size}>{"".join(parts)}</svg>'


def swatch_svg(layer: Layer) -> str:
    """The sign of a layer in a legend."""
    match layer:
        case Marks(tone=tone, shape=shape):
            inner = _sign(shape, 8, 8, 4, "")
        case Line(tone=tone) | Links(tone=tone):
            inner = '<path class="line" d="M1 8H15"/>'
        case Limit():
            tone, inner = "gated", '<path class="limit" d="M1 8H15"/>'
        case Bars(tone=tone):
            inner = '<rect x="1" y="4" width="14" height="8"/>'
    return f'<svg class="swatch" viewBox="0 0 16 16" aria-hidden="true"><g class="t-{tone}">{inner}</g></svg>'


@dataclass(frozen=True)
class _Picture:
    chart: Chart

    @property
    def width(self) -> float:
        return 900.0 if self.chart.wide else 440.0

    @property
    def height(self) -> float:
        named = len(self.chart.y.names)
        return 80.0 + 34.0 * named if named else 360.0 if self.chart.wide else 320.0

    @cached_property
    def left(self) -> float:
        longest = max((len(name) for name in self.chart.y.names), default=0)
        return min(230.0, 22 + longest * _LETTER) if longest else 62.0

    @cached_property
    def x(self) -> Scale:
        return self.chart.x.scale(self.chart.extent("x"), self.left, self.width - 14)

    @cached_property
    def y(self) -> Scale:
        foot, top = self.height - 46, 10
        ends = (top, foot) if self.chart.y.names else (foot, top)  # the first name at the top
        return self.chart.y.scale(self.chart.extent("y"), *ends)

    @property
    def svg(self) -> str:
        label = escape(self.chart.title)
        size = f'viewBox="0 0 {self.width:.0f} {self.height:.0f}"'
        parts = [*self._axes(), *(f'<g class="t-{_tone(one)}">{self._layer(one)}</g>' for one in self.chart.layers)]
        return f'<svg class="plot" role="img" aria-label="{label}" {size}>{"".join(parts)}{self._labels()}</svg>'

    def _axes(self) -> Iterator[str]:
        """A grid, its numbers or names, and the titles."""
        foot, right = self.height - 46, self.width - 14
        lines, words = [], []
        for tick in self.x.ticks(5 if not self.chart.wide else 9):
            place = self.x.place(tick)
            lines.append(f"M{place:.1f} 10V{foot:.0f}")
            words.append(_text(place, foot + 16, self.chart.x.number(tick), "middle"))
        names = self.chart.y.names
        for tick in list(map(float, range(len(names)))) if names else self.y.ticks():
            place = self.y.place(tick)
            lines.append(f"M{self.left:.0f} {place:.1f}H{right:.0f}")
            told = _shortened(names[int(tick)]) if names else self.chart.y.number(tick)
            words.append(_text(self.left - 7, place + 4, told, "end"))
        words.append(_text((self.left + right) / 2, self.height - 8, self.chart.x.title, "middle", "title"))
        middle = (10 + foot) / 2
        turned = f'transform="rotate(-90 13 {middle:.0f})"'
        words.append(_text(13, middle, self.chart.y.title, "middle", "title", turned) if self.chart.y.title else "")
        yield f'<path class="grid" d="{"".join(lines)}"/><g class="ticks">{"".join(words)}</g>'

    def _layer(self, layer: Layer) -> str:
        match layer:
            case Marks(marks=marks, shape=shape):
                size = 2.6 if len(marks) > _CROWDED else 4
                return self._whiskers(marks) + "".join(self._mark(mark, shape, size) for mark in marks)
            case Line(points=points, steps=steps):
                return f'<path class="line" d="{self._path(points, steps)}"/>'
            case Links(ends=ends):
                paths = (f"M{self._at(x, y)}L{self._at(u, v)}" for x, y, u, v in ends)
                return f'<path class="links" d="{"".join(paths)}"/>'
            case Limit(direction="x", value=value):
                return f'<path class="limit" d="M{self.x.place(value):.1f} 10V{self.height - 46:.0f}"/>'
            case Limit(value=value):
                return f'<path class="limit" d="M{self.left:.0f} {self.y.place(value):.1f}H{self.width - 14:.0f}"/>'
            case Bars(values=values):
                return "".join(self._bar(place, value) for place, value in enumerate(values))

    def _at(self, x: float, y: float) -> str:
        return f"{self.x.place(x):.1f} {self.y.place(y):.1f}"

    def _path(self, points: tuple[tuple[float, float], ...], steps: bool) -> str:
        if not points:
            return ""
        told = [f"M{self._at(*points[0])}"]
        for x, y in points[1:]:
            told.append(f"H{self.x.place(x):.1f}V{self.y.place(y):.1f}" if steps else f"L{self._at(x, y)}")
        return "".join(told)

    def _whiskers(self, marks: tuple[Mark, ...]) -> str:
        """The intervals of the marks, as one path."""
        told = []
        for mark in marks:
            x, y = self.x.place(mark.x), self.y.place(mark.y)
            if mark.x_ends:
                told.append(f"M{self.x.place(mark.x_ends[0]):.1f} {y:.1f}H{self.x.place(mark.x_ends[1]):.1f}")
            if mark.y_ends:
                told.append(f"M{x:.1f} {self.y.place(mark.y_ends[0]):.1f}V{self.y.place(mark.y_ends[1]):.1f}")
        return f'<path class="whiskers" d="{"".join(told)}"/>' if told else ""

    def _mark(self, mark: Mark, shape: Shape, size: float) -> str:
        opened = "" if mark.number is None else f' data-n="{mark.number}"'
        return _sign(shape, self.x.place(mark.x), self.y.place(mark.y), size, opened)

    def _bar(self, place: int, value: float) -> str:
        start, end, middle = self.x.place(0.0), self.x.place(value), self.y.place(place)
        return f'<rect x="{start:.1f}" y="{middle - 9:.1f}" width="{max(end - start, 1):.1f}" height="18"/>'

    def _labels(self) -> str:
        """Words beside marks; one that would lie on another is left out."""
        taken: list[tuple[float, float, float, float]] = []
        told = []
        for mark in (mark for layer in self.chart.layers if isinstance(layer, Marks) for mark in layer.marks):
            if mark.label and (found := self._free(mark, taken)) is not None:
                (x, y, anchor), box = found
                taken.append(box)
                told.append(_text(x, y, mark.label, anchor))
        return f'<g class="labels">{"".join(told)}</g>' if told else ""

    def _free(self, mark: Mark, taken: list[tuple[float, float, float, float]]) -> tuple[
        tuple[float, float, str], tuple[float, float, float, float]
    ] | None:  # fmt: skip
        width = len(mark.label) * _LETTER
        for right, down in _OFFSETS:
            x, y = self.x.place(mark.x) + right, self.y.place(mark.y) + down
            left = x if right > 0 else x - width
            box = (left, y - 10, left + width, y + 2)
            inside = box[0] > self.left and box[2] < self.width - 4 and box[1] > 6 and box[3] < self.height - 44
            if inside and not any(_overlap(box, other) for other in taken):
                return (x, y, "start" if right > 0 else "end"), box
        return None


def _tone(layer: Layer) -> str:
    return "gated" if isinstance(layer, Limit) else layer.tone


def _overlap(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _sign(shape: Shape, x: float, y: float, size: float, opened: str) -> str:
    if shape in _PATHS:
        return f'<path class="{shape}" transform="translate({x:.1f} {y:.1f})" d="{_PATHS[shape]}"{opened}/>'
    ring = ' class="ring"' if shape == "ring" else ""
    return f'<circle{ring} cx="{x:.1f}" cy="{y:.1f}" r="{size:g}"{opened}/>'


def _shortened(name: str) -> str:
    most = int(208 / _LETTER)
    return name if len(name) <= most else name[: most - 1] + "…"


def _text(x: float, y: float, words: str, anchor: str, kind: str = "", more: str = "") -> str:
    named = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{named} {more}>{escape(words)}</text>'


def _wire(wire: Wire) -> str:
    """Relative to its start: what looks alike is written alike, and a page packs it well."""
    (x, y), *rest = [(round(u), round(v)) for u, v in wire.places]
    told = [f"M{x} {y}"]
    for place, (u, v) in enumerate(rest):
        across, down = u - x, v - y
        told.append(f"v{down}" if place % 2 == 1 else f"c0 {down / 2:g} {across} {down / 2:g} {across} {down}")
        x, y = u, v
    return f'<path class="{"skip" if wire.skip else "wire"}" d="{"".join(told)}"/>'


def _box(box: Box) -> str:
    """Around its own middle, likewise."""
    wide, high = BOX
    shape = f'<rect x="{-wide / 2:g}" y="{-high / 2:g}" width="{wide:g}" height="{high:g}" rx="6"/>'
    words = f'<text class="op" y="{-2 if box.detail else 5}">{escape(box.name)}</text>'
    if box.detail:
        words += f'<text y="13">{escape(box.detail)}</text>'
    place = f'transform="translate({box.x:.0f} {box.y:.0f})"'
    return f'<g class="f-{box.family}" {place}>{shape}{words}{_merge(box)}</g>'


def _merge(box: Box) -> str:
    """A sign at the head of a box that reads several: mean, gate or concatenation."""
    if not box.merge:
        return ""
    wide, top = round(len(box.merge) * 5.6 + 8), -BOX[1] / 2
    shape = f'<rect class="merge" x="{-wide / 2:g}" y="{top - 7:g}" width="{wide}" height="13" rx="6.5"/>'
    return f'{shape}<text class="merge" y="{top + 3:g}">{escape(box.merge)}</text>'
