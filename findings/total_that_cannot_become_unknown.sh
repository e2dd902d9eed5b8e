#!/usr/bin/env bash
# rich 15.0.0: None as the total of a progress bar means "unknown" to `add_task`, and "as it was" to `update` and `reset`.
#
# Expected: a task whose total turns out to be unknown after all is told so by `update(task, total=None)`, as a new task is by
#   `add_task(..., total=None)`; or another value says "unchanged", so that both can be said.
# Seen: `update` and `reset` take None as "leave it", which the lines on their parameters do say, and have no value for
#   "unknown". The bar keeps the old total and its percentage, without an error. Only the attribute of the
#   task itself can be set.
# Why it matters: code that hands on a total it may not know shows a wrong number from an earlier phase. Remove the task and
#   add another, or set `progress.tasks[i].total`.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "rich==15.0.0" 2>/dev/null
cat >"$folder/ask.py" <<'PYTHON'
import io

from rich.console import Console
from rich.progress import Progress

progress = Progress(console=Console(file=io.StringIO()))
known = progress.add_task("known", total=10, completed=5)


def told(name):
    print(f"{name}: total {progress.tasks[0].total}, {progress.tasks[0].percentage:.0f} %")


told("add_task with 10")
progress.update(known, total=None)
told("update with None")
progress.reset(known, total=None, completed=5)
told("reset with None")
progress.tasks[0].total = None
told("attribute set to None")
progress.add_task("unknown", total=None)
print("add_task with None: total", progress.tasks[1].total)
PYTHON
result=$("$folder/venv/bin/python" "$folder/ask.py")
echo "$result"
test "$result" = "add_task with 10: total 10, 50 %
update with None: total 10, 50 %
reset with None: total 10, 50 %
attribute set to None: total None, 0 %
add_task with None: total None"
