"""An exported folder loaded by stock transformers in a process of its own, where rosearch cannot be imported.

>>> ask_fresh_process(Path("student"), [("a fine film",)], trusted=True)
[[-1.2, 1.4]]
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from rosearch.errors import BadInput, Problem, one_line

_SECONDS = 600.0
_ASKING = """
import json, sys
sys.modules["rosearch"] = None
import torch, transformers
folder, rows, kind, trusted = json.load(sys.stdin)
options = {"trust_remote_code": trusted, "local_files_only": True}
tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **options)
model = getattr(transformers, kind).from_pretrained(folder, **options).eval()
columns = [list(column) for column in zip(*rows)]
found = []
if rows:
    with torch.inference_mode():
        found = model(**tokenizer(*columns, truncation=True, padding=True, return_tensors="pt")).logits.tolist()
print()  # behind what a library may have begun to say
print(json.dumps(found))
"""


def foreign_code(folder: Path) -> list[str]:
    """The Python files of a folder that are not those of this rosearch: whoever loads it runs them."""
    ours = files("rosearch").joinpath("student")
    return [
        path.name
        for path in sorted(folder.glob("*.py"))
        if not ours.joinpath(path.name).is_file() or ours.joinpath(path.name).read_bytes() != path.read_bytes()
    ]


def ask_fresh_process(folder: Path, rows: Sequence[tuple[str, ...]], *, trusted: bool) -> list[list[float]]:
    """The logits of rows of one text or two; without rows, an encoder is loaded alone.

    With `trusted`, the code in the folder is run. No hub is asked, and nothing is written to the user's home. Raises
    `BadInput` where it cannot be loaded, or does not answer.
    """
    kind = "AutoModelForSequenceClassification" if rows else "AutoModel"
    given = json.dumps([str(folder.resolve()), [list(row) for row in rows], kind, trusted])
    with tempfile.TemporaryDirectory() as place:
        offline = {"HF_HUB_OFFLINE": "1", "HF_MODULES_CACHE": place, "TRANSFORMERS_VERBOSITY": "error"}
        environment = os.environ | offline | {"PYTHONWARNINGS": "ignore"}
        command = [sys.executable, "-c", _ASKING]
        try:
            done = subprocess.run(
                command, input=given, cwd=place, env=environment, capture_output=True, text=True, timeout=_SECONDS
            )
        except subprocess.TimeoutExpired:
            raise BadInput(Problem(str(folder), "", "a model that loads", f"nothing in {_SECONDS:.0f} s")) from None
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise BadInput(Problem(str(folder), "", "a folder that transformers loads without rosearch", one_line(last)))
    found: list[list[float]] = json.loads(done.stdout.strip().splitlines()[-1])
    return found
