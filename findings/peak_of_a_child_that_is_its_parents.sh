#!/usr/bin/env bash
# CPython 3.11 (standard library), psutil 7.1.3, Linux 6.18: the peak memory that a fresh child process reads of itself by
#   getrusage is that of the process that started it.
#
# Expected: resource.getrusage(RUSAGE_SELF).ru_maxrss of a program that was just started is what this program took, so that a
#   measurement in a process of its own is clean of whoever measures.
# Seen: the child of a small parent tells less than 100 MiB. The same child, started by a process that once held 400 MiB more, tells more
#   than 400, also where the parent has given them back. VmHWM in /proc/self/status and psutil's resident size tell the child's own
#   in all cases: the kernel keeps the largest peak across exec, which until then is that of the copy of the parent.
# Why it matters: a benchmark starts a child for each size or each rival "in a process of its own" and reads ru_maxrss there. All that
#   is smaller than the parent, which has imported the libraries, gets the parent's figure, and what is beyond it looks too small
#   where a start value is subtracted. Nothing fails.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "psutil==7.1.3" 2>/dev/null
cat >"$folder/child.py" <<'PYTHON'
import re
import resource
from pathlib import Path

import psutil

told = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
peak = int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1024
resident = psutil.Process().memory_info().rss / 2**20
print(*("above 400" if mib > 400 else "below 100" if mib < 100 else "between" for mib in (told, peak, resident)), sep=", ")
PYTHON
cat >"$folder/parent.py" <<'PYTHON'
import subprocess
import sys

CHILD = [sys.executable, sys.argv[1]]


def child(parent: str) -> None:
    told = subprocess.run(CHILD, capture_output=True, text=True, check=True).stdout.strip()
    print(f"{parent}: MiB by getrusage, VmHWM, psutil: {told}")


child("a small parent")
held = bytearray(b"x") * (400 << 20)
child("a parent of 400 MiB")
del held
child("one that gave them back")
PYTHON
cat >"$folder/seen.txt" <<'SEEN'
a small parent: MiB by getrusage, VmHWM, psutil: below 100, below 100, below 100
a parent of 400 MiB: MiB by getrusage, VmHWM, psutil: above 400, below 100, below 100
one that gave them back: MiB by getrusage, VmHWM, psutil: above 400, below 100, below 100
SEEN
"$folder/venv/bin/python" "$folder/parent.py" "$folder/child.py" | tee "$folder/now.txt"
diff "$folder/seen.txt" "$folder/now.txt"
