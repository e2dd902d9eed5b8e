"""Two pictures of a finished quickstart for the README, each an SVG: a figure, and the terminal as it was.

Usage: `python -m tests.benchmarks.quickstart_pictures FOLDER [--to docs/results]`, where FOLDER is that of one seed, as
`python -m tests.benchmarks.quickstart --keep` leaves it. The recording shows the lines that the run printed while it
went on, every student's, and the tables that it ended with, at 80 columns.
"""

from __future__ import annotations

import argparse
import io
import re
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

from rosearch.records.run_directory import RunDirectory
from rosearch.report.overview import finalists_table
from rosearch.report.summary import describe_run
from rosearch.run.results import Results, load_results
from rosearch.terminal.console import rendered
from tests.benchmarks.quickstart import figures

COLUMNS = 80
CLEAN, UNDER_ATTACK, INK = "#9db8d2", "#1f4e79", "#24292f"
LEFT, BAR, FULL, ROW = 190, 15, 380, 58  # pixels
_FONT_FACES = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)  # fetched from elsewhere: a picture needs no network


def figure(found: dict[str, Any]) -> str:
    """Clean accuracy and accuracy under attack of the teacher, the baseline and the winner, as bars."""
    plain = f"plain ({found['baseline']['name']})"
    rows = (("teacher", "the teacher"), ("baseline", plain), ("winner", "found by rosearch"))
    height = ROW * len(rows) + 46
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 {height}" font-family="sans-serif" font-size="13">',
        f"<title>{escape(_told(found))}</title>",
        f'<rect width="640" height="{height}" fill="white"/>',
        *_legend(found["winner"]["rows"]),
    ]
    for place, (key, name) in enumerate(rows):
        lines += _bars(found[key], name, 46 + ROW * place)
    return "\n".join([*lines, "</svg>", ""])


def _legend(rows: int) -> list[str]:
    attacked = f"right under DeepWordBug ({rows} test rows)"
    told = ((CLEAN, "right on clean text", LEFT), (UNDER_ATTACK, attacked, LEFT + 150))
    return [
        f'<rect x="{x}" y="14" width="12" height="12" fill="{colour}"/>'
        f'<text x="{x + 18}" y="25" fill="{INK}">{text}</text>'
        for colour, text, x in told
    ]


def _bars(found: dict[str, Any], name: str, top: int) -> list[str]:
    size = f"{found['parameters'] / 1e6:.2f} M parameters"
    lines = [
        f'<text x="{LEFT - 12}" y="{top + 13}" text-anchor="end" font-weight="bold" fill="{INK}">{escape(name)}</text>',
        f'<text x="{LEFT - 12}" y="{top + 30}" text-anchor="end" fill="#57606a">{size}</text>',
    ]
    for place, (key, colour) in enumerate((("clean", CLEAN), ("under_attack", UNDER_ATTACK))):
        share, y = found[key], top + place * (BAR + 3)
        width = round(FULL * share, 1)
        lines.append(f'<rect x="{LEFT}" y="{y}" width="{width}" height="{BAR}" fill="{colour}"/>')
        lines.append(f'<text x="{LEFT + width + 6}" y="{y + 12}" fill="{INK}">{100 * share:.1f} %</text>')
    return lines


def _told(found: dict[str, Any]) -> str:
    kept = (f"{who} {found[who]['under_attack']:.1%}" for who in ("winner", "baseline", "teacher"))
    return f"Accuracy under DeepWordBug: {', '.join(kept)}"


def recording(results: Results, printed: str) -> str:
    """The terminal of `rosearch search quickstart`: a line for each student, then the last table."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, emoji=False, markup=False)
    console.print(Text.assemble(("$ ", "bold green"), ("rosearch search quickstart", "bold")))
    for line in printed.splitlines():
        if re.match(r"  #\d|baselines:|generation \d|finalists |fine-tuning the teacher: done", line):
            console.print(Text(line), overflow="ellipsis", no_wrap=True)
    console.print()
    console.print(rendered(finalists_table(results), console))
    made = console.export_svg(title="rosearch search quickstart", theme=MONOKAI, unique_id="quickstart")
    return _FONT_FACES.sub("", made)


def main() -> None:
    """Write both pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--to", type=Path, default=Path("docs/results"))
    given = parser.parse_args()
    results = load_results(RunDirectory.open(given.folder / "quickstart-0001"))
    printed = (given.folder / "printed.txt").read_text(encoding="utf-8")
    pictures = {
        "quickstart.svg": figure(figures(describe_run(results))),
        "quickstart_terminal.svg": recording(results, printed),
    }
    for name, made in pictures.items():
        (given.to / name).write_text(made, encoding="utf-8")
        print(f"{given.to / name}: {len(made):,} bytes")


if __name__ == "__main__":
    main()
