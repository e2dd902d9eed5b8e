from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import torch
from small_students import padded_batch, small_student

from rosearch.student import AUTO_MAP, TRAVELLING_FILES

# A process that has transformers but no rosearch.
STRANGER = """
import json, sys
sys.modules["rosearch"] = None
import torch
from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification
torch.set_num_threads(1)
folder, batch = sys.argv[1], {name: torch.tensor(rows) for name, rows in json.loads(sys.argv[2]).items()}
model = AutoModelForSequenceClassification.from_pretrained(folder, trust_remote_code=True).eval()
encoder = AutoModel.from_pretrained(folder, trust_remote_code=True).eval()
assert AutoConfig.from_pretrained(folder, trust_remote_code=True).model_type == "rosearch_student"
with torch.no_grad():
    logits = model(**batch).logits
    assert torch.equal(model.classifier(encoder(**batch).pooler_output), logits)
print(json.dumps(logits.tolist()))
"""


def test_the_travelling_files_import_only_each_other_torch_transformers_and_the_standard_library() -> None:
    ours = {path.stem for path in TRAVELLING_FILES}
    assert len(ours) == 3
    for path in TRAVELLING_FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level:
                assert node.level == 1 and node.module in ours, path.name
            elif isinstance(node, ast.Import | ast.ImportFrom):
                names = [node.module] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
                for name in names:
                    root = str(name).partition(".")[0]
                    assert root in {"torch", "transformers"} | sys.stdlib_module_names, path.name


def test_a_folder_with_the_travelling_files_loads_where_rosearch_is_not(tmp_path: Path) -> None:
    student, batch = small_student(), padded_batch()
    folder = tmp_path / "exported"
    student.config.auto_map = AUTO_MAP
    student.save_pretrained(folder)
    for path in TRAVELLING_FILES:
        shutil.copy(path, folder)
    data = json.dumps({name: rows.tolist() for name, rows in batch.items()})
    stranger = subprocess.run(
        [
            sys.executable,
            "-W",
            "error::DeprecationWarning:transformers_modules",
            "-c",
            STRANGER,
            folder,
            data,
        ],
        env={
            "HF_HOME": str(tmp_path / "cache"),
            "HF_HUB_OFFLINE": "1",
            "OMP_NUM_THREADS": "1",
            **path_only(),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert stranger.returncode == 0, stranger.stderr
    with torch.no_grad():
        logits = student(**batch).logits
    assert json.loads(stranger.stdout.splitlines()[-1]) == logits.tolist()


def path_only() -> dict[str, str]:
    return {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH") if name in os.environ}
