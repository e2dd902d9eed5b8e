"""The writers that the product uses, each where it cannot write; prints what `machine_fault` says of each error.

Called as: python failing_writers.py WAY FOLDER, with a WAY of `full` (a device without space), `size` (a limit of a
file's size) or `files` (a limit of open files).
"""

from __future__ import annotations

import json
import os
import resource
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet  # noqa: F401 (loaded before there are too few files to load it)
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models

from rosearch.errors import is_out_of_memory, machine_fault

NUMBERS = np.random.default_rng(0).random(50_000)  # compression helps none of them
TABLE = pd.DataFrame({"a": NUMBERS})


def database(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE texts (text)")
        connection.executemany("INSERT INTO texts VALUES (?)", [("x" * 100,)] * 1000)


def torch_file(path: Path) -> None:
    with path.open("wb") as file:
        torch.save(torch.zeros(50_000), file)


def mapped(path: Path) -> None:
    np.lib.format.open_memmap(path, mode="w+", dtype="f8", shape=(50_000,))


def many_words(path: Path) -> None:
    words = {f"word{number}": number for number in range(5000)}
    Tokenizer(models.WordLevel({**words, "[UNK]": 5000}, unk_token="[UNK]")).save(str(path))


WRITERS: dict[str, Callable[[Path], object]] = {
    "text": lambda path: path.write_text("x" * 100_000),
    "torch": lambda path: torch.save(torch.zeros(50_000), path),
    "torch_file": torch_file,
    "numpy": lambda path: np.save(path, NUMBERS),
    "tofile": NUMBERS.tofile,
    "csv": lambda path: TABLE.to_csv(path),
    "parquet": lambda path: TABLE.to_parquet(path),
    "memmap": mapped,
    "safetensors": lambda path: save_file({"a": torch.zeros(50_000)}, path),
    "tokenizer": many_words,
    "sqlite": database,
}
ON_A_DEVICE = ("text", "torch", "torch_file", "tofile", "csv", "parquet")  # the others would put a file in its place


def main(way: str, folder: Path) -> None:
    held = []
    if way == "size":
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
    elif way == "files":
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
        for _ in range(64):
            try:
                held.append(os.open(os.devnull, os.O_RDONLY))
            except OSError:
                break
    told = {}
    for name in ON_A_DEVICE if way == "full" else WRITERS:
        try:
            WRITERS[name](Path("/dev/full") if way == "full" else folder / f"{name}.npy")
        except Exception as error:
            told[name] = [machine_fault(error), is_out_of_memory(error), repr(error)]
        else:
            told[name] = ["written", False, ""]
    for handle in held:
        os.close(handle)
    print(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
