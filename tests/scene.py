"""A folder as the pages have it before a reader: a model, files of rows, local data sets, finished runs. All tiny."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import yaml
from command_line import rosearch
from small_run import SPACE, WORDS, write_teacher

from tests import pages

LABELS = ["negative", "positive"]
MODELS = ("model", "teacher", "student")  # copies of my-bert, which pages name
RUNS = ("quickstart-0002", "sst2-0001", "kd_nas-0001")  # copies of the quickstart's
ENCODERS = {"layers": [1], "heads": [2], "hidden": [16, 24], "ffn": [16, 32], "activation": ["gelu"]}


def prepare(folder: Path) -> None:
    """Fill an empty folder; one short search is run in it."""
    write_teacher(folder / "my-bert", LABELS)
    for name in MODELS:
        shutil.copytree(folder / "my-bert", folder / name)
    _write_rows(folder)
    _write_data_sets(folder / "data")
    rosearch(*pages.in_short(["rosearch", "search", "quickstart"])[1:], cwd=folder)
    for name in RUNS:
        shutil.copytree(folder / "runs/quickstart-0001", folder / "runs" / name)


def _texts(count: int) -> list[tuple[str, int]]:
    """Different texts, with 1 where a word of praise stands in them."""
    rng = random.Random(count)
    texts = [" ".join(rng.choices(WORDS, k=7)) for _ in range(count)]
    return [(text, int(any(word in text for word in ("good", "bright", "clever")))) for text in dict.fromkeys(texts)]


def _table(rows: list[tuple[str, object]], header: str, gap: str) -> str:
    return "\n".join([header, *(f"{text}{gap}{label}" for text, label in rows), ""])


def _write_rows(folder: Path) -> None:
    named = [(text, LABELS[label]) for text, label in _texts(200)]
    (folder / "reviews.csv").write_text(_table(named, "review,sentiment", ","))
    for name, count in (("tickets", 150), ("later", 40)):
        rows = [(text, LABELS[label]) for text, label in _texts(count)]
        (folder / f"{name}.csv").write_text(_table(rows, "message,queue", ","))
    (folder / "dev.tsv").write_text(_table(named[:30], "text\tlabel", "\t"))
    (folder / "contrast.csv").write_text(_table(named[:10], "text,label", ","))
    (folder / "text.txt").write_text("\n".join(f"{text}." for text, _ in _texts(400)))
    (folder / "small.yaml").write_text(yaml.safe_dump(SPACE))
    (folder / "encoders.yaml").write_text(yaml.safe_dump({"name": "encoders", "encoder": ENCODERS}))
    (folder / "advglue").mkdir()
    rows = [{"sentence": text, "label": label, "idx": index} for index, (text, label) in enumerate(_texts(10))]
    (folder / "advglue/dev.json").write_text(json.dumps({"sst2": rows}))


def _write_data_sets(folder: Path) -> None:
    """SST-2 and RTE with GLUE's own names of files and columns."""
    sentences, pairs = folder / "glue/SST-2", folder / "glue/RTE"
    for place in (sentences, pairs):
        place.mkdir(parents=True)
    for name, count in (("train", 2600), ("dev", 30)):
        rows = _texts(count)
        (sentences / f"{name}.tsv").write_text(_table(list(rows), "sentence\tlabel", "\t"))
        entailed = [f"{i}\t{text}\t{text}\t{['not_entailment', 'entailment'][k]}" for i, (text, k) in enumerate(rows)]
        (pairs / f"{name}.tsv").write_text("\n".join(["index\tsentence1\tsentence2\tlabel", *entailed, ""]))
