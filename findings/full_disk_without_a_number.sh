#!/usr/bin/env bash
# numpy 2.4.6, torch 2.13.0, safetensors 0.8.0: a full disk, or too many open files, comes without the number of the error.
#
# Expected: an OSError whose `errno` says ENOSPC (no space left) or EMFILE (too many open files), as Python's own files give
#   it, so that a program can tell a fault of the machine from one of its data.
# Seen, on Linux, where /dev/full refuses every write as a full disk does:
#   - `ndarray.tofile` raises an OSError without errno: how many items were asked for and how many were written.
#   - `torch.save` to a path raises a RuntimeError about an unexpected position in its zip file, and nothing of space.
#   - `safetensors.numpy.load_file` of a file that is there raises FileNotFoundError without errno while no further file can
#     be opened.
# Why it matters: a retry or clean-up that asks for `errno` takes all of these for damaged data or a missing model.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "numpy==2.4.6" "torch==2.13.0" "safetensors==0.8.0" 2>/dev/null
cat >"$folder/ask.py" <<'PYTHON'
import os
import resource
import sys

import numpy as np
import torch
from safetensors.numpy import load_file, save_file


def told(name, call):
    try:
        call()
    except Exception as error:
        print(f"{name}: {type(error).__name__}, errno {getattr(error, 'errno', None)}, 'space' named: {'space' in str(error)}")


model = os.path.join(sys.argv[1], "model.safetensors")
save_file({"weight": np.zeros(8, np.float32)}, model)
told("ndarray.tofile", lambda: np.zeros(50_000).tofile("/dev/full"))
told("torch.save", lambda: torch.save({"weight": torch.zeros(50_000)}, "/dev/full"))
resource.setrlimit(resource.RLIMIT_NOFILE, (60, 60))
kept = []
try:
    while True:
        kept.append(open(os.devnull))
except OSError:
    pass
told("safetensors.load_file", lambda: load_file(model))
PYTHON
result=$("$folder/venv/bin/python" "$folder/ask.py" "$folder" 2>/dev/null)
echo "$result"
test "$result" = "ndarray.tofile: OSError, errno None, 'space' named: False
torch.save: RuntimeError, errno None, 'space' named: False
safetensors.load_file: FileNotFoundError, errno None, 'space' named: False"
