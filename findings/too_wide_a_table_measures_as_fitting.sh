#!/usr/bin/env bash
# rich 15.0.0: `Measurement.get` and `Console.measure` never give more than the console's width, not even as a minimum.
#
# Expected: the minimum is the width that the content needs so that nothing is cut, as its description says (the range of
#   widths required), and a table that needs 67 columns can be told from one that fits into 20.
# Seen: both numbers are cut to `max_width` of the options that are handed in. At 20 columns a table that needs 67 measures
#   20 to 20, and so does a single word of 30 letters; then the table prints with its words cut off. Asked with options of 1000
#   columns, the same call says 67.
# Why it matters: "does it fit?" asked of the console at hand is always answered with yes. Ask with a width that is larger
#   than any content and compare the answer with the console's.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "rich==15.0.0" 2>/dev/null
cat >"$folder/ask.py" <<'PYTHON'
import io

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

console = Console(width=20, file=io.StringIO())
table = Table("name", "value")
table.add_row("x" * 30, "y" * 30)
print("table, 20 columns:", tuple(Measurement.get(console, console.options, table)))
print("Console.measure:", tuple(console.measure(table)))
print("word of 30, 20 columns:", tuple(console.measure("x" * 30)))
print("table, 1000 columns:", tuple(console.measure(table, options=console.options.update(width=1000))))
console.print(table)
printed = console.file.getvalue()
print("printed letters of 60:", printed.count("x") + printed.count("y"))
PYTHON
result=$("$folder/venv/bin/python" "$folder/ask.py")
echo "$result"
test "$result" = "table, 20 columns: (20, 20)
Console.measure: (20, 20)
word of 30, 20 columns: (20, 20)
table, 1000 columns: (67, 67)
printed letters of 60: 11"
