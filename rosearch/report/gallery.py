"""The figures of a run by name: those of the page, drawn by matplotlib, and written as SVG, PNG or PDF.

>>> from rosearch import open_run
>>> open_run("runs/quickstart-0001").figures.front().savefig("front.pdf")
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rosearch.report.attack_charts import attack_charts
from rosearch.report.chart import Chart
from rosearch.report.curves import curve, curve_charts
from rosearch.report.front_charts import front_charts
from rosearch.report.layers import lay_out
from rosearch.report.lineage import Lineage, lineage_charts
from rosearch.report.plotting import draw_charts, draw_graphs
from rosearch.report.points import Shown
from rosearch.report.spending import spending_chart
from rosearch.report.tables import replace_file
from rosearch.run.results import Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Format = Literal["svg", "png", "pdf"]
FORMATS: tuple[Format, ...] = ("svg", "png", "pdf")
FIGURES = ("front", "course", "descent", "attacks", "spending", "winners")
_MOST_WINNERS = 4


@dataclass(frozen=True)
class Gallery:
    """The figures of one run, as its records were when it was opened; each method draws a new one.

    A figure is matplotlib's: change it, show it, save it. Each raises `ValueError` where nothing was measured that it
    could show, and `MissingResource` without matplotlib.
    """

    results: Results

    def front(self) -> Figure:
        """The front in each pair of objectives, with teacher, baselines, gates and 95 % intervals."""
        return draw_charts(front_charts(self._shown))

    def course(self) -> Figure:
        """Best fitness and hypervolume so far, over candidates and over the workers' time."""
        return draw_charts(curve_charts([curve(self._shown, self.results.run.path.resolve().name)]))

    def descent(self) -> Figure:
        """Who came from whom, and what each kind of variation has gained."""
        return draw_charts(lineage_charts(Lineage.of(self._shown)))

    def attacks(self) -> Figure:
        """Teacher, front, baselines and finalists under each attack."""
        return draw_charts(attack_charts(self.results))

    def spending(self) -> Figure:
        """The workers' time by stage."""
        chart: Chart = spending_chart(self.results)
        return draw_charts(() if chart.empty else (chart,))

    def winners(self) -> Figure:
        """The architectures of highest fitness on the front."""
        best = self.results.front[:_MOST_WINNERS]
        return draw_graphs([(f"#{record.number} {record.label}", lay_out(record.genotype)) for record in best])

    def write(self, folder: Path, formats: Sequence[Format] = ("svg",)) -> list[Path]:
        """Write every figure that can be drawn into a folder, in each format; the paths written."""
        written = []
        for name in FIGURES:
            try:
                figure: Figure = getattr(self, name)()
            except ValueError:  # nothing was measured that it could show
                continue
            written += write_figure(figure, folder, name, formats)
        return written

    @cached_property
    def _shown(self) -> Shown:
        return Shown.of(self.results)


def write_figure(figure: Figure, folder: Path, name: str, formats: Sequence[Format]) -> list[Path]:
    """Write one figure into a folder, in each format; equal figures give equal files."""
    return [
        replace_file(folder / f"{name}.{kind}", partial(figure.savefig, format=kind, metadata=_NO_DATE[kind]))
        for kind in formats
    ]


_NO_DATE: dict[Format, dict[str, None]] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}
