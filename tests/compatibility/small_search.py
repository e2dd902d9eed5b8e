"""A small search whose proposals follow from its seed alone, and what can be compared of it on any machine.

As a script, `python tests/compatibility/small_search.py` records the run again into `tests/compatibility/recorded/`.
With an older checkout and its `tests` folder in PYTHONPATH, it records that checkout.
"""

from __future__ import annotations

import functools
import json
import shutil
import sqlite3
import tempfile
from pathlib import Path
from typing import Any

import pytest
import torch
from command_line import rosearch
from small_run import write_experiment

RECORDED = Path(__file__).parent / "recorded"
KEPT = ("records.sqlite", "experiment.yaml", "search_space.yaml")
COLUMNS = "number, generation, replicate, genotype_id, genotype, origin, parents, seed, status, name"


def search(folder: Path) -> tuple[Path, dict[str, Any]]:
    """Run the search below a folder; returns the run and the shape of what each command prints as JSON."""
    evolution = {"strategy": "random", "candidates": 4, "population": 4}
    experiment = write_experiment(
        folder,
        problem="classification",
        seed=903,  # no other test's: plans that a process has compiled for the same rows and seed are not written again
        evolution=evolution,
        finalists={"count": 1},
    )
    printed: dict[str, Any] = {"check": rosearch("check", experiment, "--json", cwd=folder).data}
    printed["search"] = rosearch("search", experiment, "--json", cwd=folder).data
    run = folder / "runs" / "small-0001"
    printed["status"] = rosearch("status", run, "--json", cwd=folder).data
    best = printed["status"]["candidates"][0]["id"]
    printed["show"] = rosearch("show", run, best, "--json", cwd=folder).data
    printed["stats"] = rosearch("stats", run, "--json", cwd=folder).data
    printed["export"] = rosearch("export", run, "--id", best, "--to", folder / "exported", "--json", cwd=folder).data
    printed["attack"] = rosearch(
        "attack", folder / "exported", "--attack", "pruthi", "--task", experiment, "--n", "4", "--json", cwd=folder
    ).data
    printed["distil"], printed["checkpoint"] = _distilled(experiment, f"{run}:{best}", folder)
    return run, {name: shape(data) for name, data in printed.items()}


def _distilled(experiment: Path, student: str, folder: Path) -> tuple[Any, Any]:
    """What `distil` prints, and what it would go on from after a kill."""
    stored: list[Any] = []
    with pytest.MonkeyPatch.context() as patch:
        save = torch.save
        patch.setattr(torch, "save", lambda what, file: (stored.append(what), save(what, file)))
        arguments = ("--task", experiment, "--student", student, "--to", folder / "distilled", "--every", "0", "--json")
        printed = rosearch("distil", *arguments, cwd=folder).data
    checkpoint = stored[-1]
    checkpoint["state"]["optimisers"] = None  # torch's own
    return printed, checkpoint


def proposals(run: Path) -> list[list[Any]]:
    """What was proposed, in order: the rows of the candidates, without what was measured of them."""
    with sqlite3.connect(f"file:{run / 'records.sqlite'}?mode=ro", uri=True) as connection:
        rows = connection.execute(f"SELECT {COLUMNS} FROM records WHERE role = 'candidate' ORDER BY number")
        return [list(row) for row in rows]


def task_fingerprint(run: Path) -> str:
    """The key of the rows, which all that is cached of them follows from."""
    with sqlite3.connect(f"file:{run / 'records.sqlite'}?mode=ro", uri=True) as connection:
        ((materials,),) = connection.execute("SELECT value FROM meta WHERE key = 'materials'").fetchall()
        return str(json.loads(materials)["task"])


def cache_keys(run: Path) -> dict[str, list[str]]:
    """The names of cached plans and tokenised rows; those of weights and their outputs hold floats of training."""
    cache = run.parent / ".cache"
    return {
        folder: sorted(path.name for path in (cache / folder).iterdir() if path.suffix != ".lock")
        for folder in ("plans", "encoded")
    }


def shape(data: Any) -> Any:
    """JSON without its values: keys are kept, the entries of a list are one that has the keys of all."""
    if isinstance(data, dict):
        return {key: shape(value) for key, value in sorted(data.items())}
    if isinstance(data, list):
        entries = [shape(entry) for entry in data if isinstance(entry, dict | list)]
        return [functools.reduce(_merged, entries)] if entries else []
    return None


def key_paths(shaped: Any, where: str = "") -> set[str]:
    """The keys of a shape, dotted; `[]` stands for the entries of a list."""
    if isinstance(shaped, list):
        return set().union(*(key_paths(entry, f"{where}[]") for entry in shaped))
    if not isinstance(shaped, dict):
        return set()
    found = {f"{where}.{key}".lstrip(".") for key in shaped}
    return found.union(*(key_paths(value, f"{where}.{key}") for key, value in shaped.items()))


def _merged(one: Any, other: Any) -> Any:
    if isinstance(one, dict) and isinstance(other, dict):
        return {key: _merged(one.get(key), other.get(key)) for key in sorted({*one, *other})}
    if isinstance(one, list) and isinstance(other, list):
        return [functools.reduce(_merged, [*one, *other])] if one or other else []
    return one if other is None else other


def record() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        run, printed = search(Path(temporary))
        shutil.rmtree(RECORDED, ignore_errors=True)
        (RECORDED / "small-0001").mkdir(parents=True)
        with sqlite3.connect(run / "records.sqlite") as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        for name in KEPT:
            text = (run / name).read_bytes()
            if name == "experiment.yaml":
                text = text.replace(f"{Path(temporary).resolve()}/".encode(), b"/somewhere/")
            (RECORDED / "small-0001" / name).write_bytes(text)
        facts = {**printed, "cache": cache_keys(run)}
        lines = ",\n".join(f'"{name}": {json.dumps(value)}' for name, value in facts.items())
        (RECORDED / "printed.json").write_text(f"{{\n{lines}\n}}\n")


if __name__ == "__main__":
    record()
