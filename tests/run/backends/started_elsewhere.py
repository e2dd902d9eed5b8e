"""A driver whose user stands in a folder with files named as Python's modules: it goes there once it is loaded.

Called as: python started_elsewhere.py FOLDER; prints the square that a worker made, and what was imported from FOLDER.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from run.backends import chores

from rosearch.run.backends.backend import Job
from rosearch.run.backends.local import LocalBackend

if __name__ == "__main__":
    folder = Path(sys.argv[1]).resolve()
    os.chdir(folder)
    sys.path.insert(0, "")  # as `python -c`, `python -m` and a notebook have it
    sys.path.insert(0, str(folder))
    with LocalBackend(1) as backend:
        (result,) = backend.run([Job(1, chores.square, 2)])
    found = [name for name, module in sys.modules.items() if str(folder) in str(getattr(module, "__file__", ""))]
    print(result.value, found)
