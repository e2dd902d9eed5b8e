#!/usr/bin/env bash
# ray 2.60.0: a raylet's error reaches the driver's standard output although `log_to_driver=False` and `logging_level=ERROR`.
#
# Expected: with `log_to_driver=False` nothing of the cluster's logs is printed by the driver, and what is an error goes to
#   standard error, so that a program whose standard output is data (JSON, a table) stays readable by a machine.
# Seen: a task ends its own process with exit code 3; the driver catches the exception that is documented for it; and a line
#   beginning with "(raylet)", coloured although nothing is a terminal, stands on standard output. Standard error is empty.
# Why it matters: `program --json | jq` breaks only on the day when a worker dies. Send the driver's own output through a copy
#   of the descriptor, or replace the function that prints what is published.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "ray==2.60.0" 2>/dev/null
cat >"$folder/driver.py" <<'PYTHON'
import logging
import os
import time

import ray

ray.init(num_cpus=1, object_store_memory=80_000_000, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)


@ray.remote(max_retries=0)
def end() -> None:
    os._exit(3)


try:
    ray.get(end.remote())
except ray.exceptions.WorkerCrashedError:
    print("caught")
time.sleep(5)
ray.shutdown()
PYTHON
"$folder/venv/bin/python" "$folder/driver.py" >"$folder/out" 2>"$folder/err"
result="own lines: $(grep -c '^caught$' "$folder/out")
raylet's lines on standard output: $(grep -c '(raylet)' "$folder/out")
raylet's lines on standard error: $(grep -c '(raylet)' "$folder/err" || true)"
echo "$result"
test "$result" = "own lines: 1
raylet's lines on standard output: 1
raylet's lines on standard error: 0"
