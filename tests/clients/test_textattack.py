"""Stock `textattack attack` on an exported folder, in the way that its card says."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest
from clients.students import MEANT, TYPOS, Kind, exported, tokenizer
from export.exported import exported as exported_stock

from rosearch.resources.word_lists import stop_words

pytestmark = pytest.mark.clients

ROWS = """
import textattack
dataset = textattack.datasets.Dataset([("a very good film", 1), ("the text was bad", 0)])
"""
ATTACK = (
    "--recipe", "deepwordbug", "--num-examples", "2", "--dataset-from-file", "rows.py", "--disable-stdout",
    "--log-to-csv", "log.csv", "--random-seed", "1",
)  # fmt: skip
START = "import sys; from textattack.commands.textattack_cli import main; main()"


def textattack(folder: Path, *model: str) -> subprocess.CompletedProcess[str]:
    """Stock TextAttack beside a folder, offline and without rosearch."""
    place = folder.parent
    (place / "rows.py").write_text(ROWS)
    path = place / "nltk_data/corpora/stopwords/english"  # TextAttack would download the same list
    path.parent.mkdir(parents=True)
    path.write_text("\n".join(sorted(stop_words())) + "\n")
    caches = {"HF_HOME": str(place / "hf"), "TA_CACHE_DIR": str(place / "ta"), "NLTK_DATA": str(place / "nltk_data")}
    environment = {**os.environ, **caches, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    environment.pop("PYTHONPATH", None)
    return subprocess.run(
        [sys.executable, "-c", f"import sys; sys.modules['rosearch'] = None\n{START}", "attack", *model, *ATTACK],
        cwd=place, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=900,
    )  # fmt: skip


def attacked(folder: Path) -> list[dict[str, str]]:
    with (folder.parent / "log.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("kind", ["texts", "encoded"])
def test_the_snippet_of_the_card_lets_it_be_attacked(kind: Kind, tmp_path: Path) -> None:
    folder = exported(tmp_path, kind)
    snippet = (folder / "README.md").read_text().split("```python\n")[2].split("```")[0]
    if kind == "encoded":  # and its texts are read by their codes
        texts = f"read = tokenizer({TYPOS!r})['input_ids']\n"
        snippet += texts + f"assert read == {tokenizer('texts')(MEANT)['input_ids']!r}, read\n"
    (tmp_path / "textattack_model.py").write_text(snippet)
    done = textattack(folder, "--model-from-file", "textattack_model.py")
    assert done.returncode == 0, done.stderr[-3000:]
    rows = attacked(folder)
    assert len(rows) == 2 and {row["result_type"] for row in rows} <= {"Successful", "Failed", "Skipped"}
    assert any(int(float(row["num_queries"])) > 1 for row in rows)


def test_a_model_of_transformers_own_is_attacked_by_its_folder(tmp_path: Path) -> None:
    folder = exported_stock(tmp_path)
    assert "--model-from-huggingface" in (folder / "README.md").read_text()
    done = textattack(folder, "--model-from-huggingface", str(folder))
    assert done.returncode == 0, done.stderr[-3000:]
    assert len(attacked(folder)) == 2


def test_without_the_snippet_no_answer_is_given(tmp_path: Path) -> None:
    folder = exported(tmp_path, "encoded")
    done = textattack(folder, "--model-from-huggingface", str(folder))
    assert done.returncode != 0 and "trust_remote_code=True" in done.stderr
