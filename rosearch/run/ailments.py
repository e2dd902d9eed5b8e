"""The things that can be wrong with a run, each with the hand that mends it.

>>> for ailment in of_records(run):
...     ailment.mend and ailment.mend()

Each function reads alone; only `mend` writes, under the lock of the run. An ailment without `mend` says what to type.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rosearch.config.plain_data import parse_yaml, read_yaml
from rosearch.errors import BadInput, RosearchError, RunError, one_line
from rosearch.files import damage, halves, sweep, write_whole
from rosearch.randomness import derive_seed
from rosearch.records.record import Record
from rosearch.records.run_directory import RunDirectory
from rosearch.records.salvage import Plan, plan_of, read_left, write_whole_store
from rosearch.records.sqlite import DAMAGED_FIX
from rosearch.records.store import Store
from rosearch.run.cache import KINDS, damaged_entries, remove_entry, users_of
from rosearch.run.results import Results, load_results

Mend = Callable[[], object]


@dataclass(frozen=True)
class Ailment:
    """One thing that is wrong: its kind and place, in words what it is and what mends it, and the next command."""

    kind: str
    where: Path
    what: str
    done: str
    mend: Mend | None = None
    next: str = ""


def of_leftovers(run: RunDirectory) -> Iterator[Ailment]:
    """Files that a killed process left, which nobody reads any more. The lock of the run removes most of them."""
    folders = [run.path, *(path for path in run.path.iterdir() if path.is_dir() and not path.is_symlink())]
    for half in (half for folder in folders for half in halves(folder)):
        yield Ailment("half", half, "half written when its process was killed", "removed", partial(sweep, half.parent))
    if (driver := run.place("driver")).is_file():
        told = driver.read_text(encoding="utf-8", errors="replace").strip()
        yield Ailment("stale lock", driver, f"names a driver that is gone ({told})", "removed", _nothing)
    if run.standing.is_file():
        yield Ailment("stale progress", run.standing, "of a driver that is gone", "removed", _nothing)


def of_records(run: RunDirectory) -> Iterator[Ailment]:
    """The store, its log, and records that were at work when their driver died."""
    here, store = run.path / "records.sqlite", run.store
    if run.elsewhere is not None and here.exists():
        told = f"lies beside records.json, which says that the records are {store}"
        yield Ailment("records twice", here, told, "put into aside/", partial(_aside, run, here))
    if not store.is_file():
        yield _missing(run, store)
        return
    yield from _log(store)
    if trouble := _trouble(run, store):
        yield _torn(run, store, trouble)
        return
    yield from _at_work(run, store)


def of_snapshots(run: RunDirectory) -> Iterator[Ailment]:
    """The snapshots of experiment and search space, which the records hold too, and the folders of a run."""
    with run.open_store(read_only=True) as store:
        for path in (run.experiment_file, run.search_space):
            began = store.get_meta(path.stem)
            if isinstance(began, str) and (what := _difference(path, began)):
                mend = partial(_restore, run, path, began)
                yield Ailment("snapshot", path, what, "written again as the run began with it", mend)
            elif not path.is_file():
                yield Ailment(
                    "snapshot", path, "missing, and the records hold no copy", "take it from a copy of the run"
                )
    for folder in (run.students, run.tables):
        if not folder.is_dir():
            yield Ailment("folder missing", folder, "no such folder", "made", partial(folder.mkdir, exist_ok=True))


def of_weights(run: RunDirectory) -> Iterator[Ailment]:
    """Weights without a record, records without their weights, checkpoints that nobody goes on from, exports."""
    results = load_results(run)
    known = {run.student_folder(record).name for record in results.records}
    for folder in _folders(run.students):
        if folder.name not in known:
            told = "weights that belong to no record"
            yield Ailment("weights without record", folder, told, "put into aside/", partial(_aside, run, folder))
    ended = [record for record in results.records if record.status in ("done", "failed")]
    for record in ended:
        if (folder := run.unfinished_folder(record)).is_dir():
            told = "checkpoint of a training that ended"
            yield Ailment("checkpoint", folder, told, "removed", partial(run.remove_unfinished, record))
    for folder in _folders(run.place("unfinished")):
        if folder.name not in known:
            told = "checkpoint that belongs to no record"
            yield Ailment("checkpoint without record", folder, told, "put into aside/", partial(_aside, run, folder))
    yield from _lost_weights(results)
    if ended and (what := _unlike(run.tokenizer)):
        yield Ailment("tokenizer", run.tokenizer, what, "written again by resume", next=run.resume_command)
    for folder in _folders(run.place("export")):
        if problem := damage(folder):
            again = f"rosearch export {shlex.quote(str(run.path))} {folder.name[:8]} --overwrite"
            yield Ailment("export", Path(problem.where), f"damaged: {problem.got}", "can be exported again", next=again)


def of_cache(run: RunDirectory) -> Iterator[Ailment]:
    """Half-written and damaged entries of the cache beside the run, while no search beside it runs."""
    cache = run.path.parent / ".cache"
    if not cache.is_dir() or any(running for path, running in users_of(cache) if not path.samefile(run.path)):
        return
    for folder in (cache / kind for kind in KINDS if (cache / kind).is_dir()):
        for half in halves(folder):
            yield Ailment("half", half, "half written when its process was killed", "removed", partial(sweep, folder))
    for entry, what in damaged_entries(cache):
        yield Ailment("cache", entry, f"damaged: {what}", "removed: it is made again", partial(remove_entry, entry))


def _missing(run: RunDirectory, store: Path) -> Ailment:
    if (told := run.elsewhere) is not None:
        fix = f"put them back, or write their place into {run.path / 'records.json'}"
        return Ailment("records missing", store, f"no such file; they lay on {told.machine}", fix)
    kept = sorted((run.path / "aside").glob("records.sqlite*")) if (run.path / "aside").is_dir() else []
    if kept:
        again = f"cp {shlex.quote(str(kept[-1]))} {shlex.quote(str(store))}"
        return Ailment("records missing", store, "no such file", "a copy lies in aside/", next=again)
    again = _begin_again(run)
    return Ailment("records missing", store, "no such file", "restore a copy, or begin again", next=again)


def _begin_again(run: RunDirectory) -> str:
    """The command for it; "" where the folder holds no experiment."""
    return f"rosearch search {shlex.quote(str(run.experiment_file))}" if run.experiment_file.is_file() else ""


def _log(store: Path) -> Iterator[Ailment]:
    beside = [path for end in ("-wal", "-shm") if (path := store.with_name(store.name + end)).exists()]
    if beside:
        names = " and ".join(path.name for path in beside)
        yield Ailment("log", beside[0], f"{names} of a driver that was killed", "merged", partial(_merge, store))


def _merge(store: Path) -> None:
    """Opens and closes a store for writing: SQLite takes over what the log holds, and removes it."""
    try:
        Store.open(store).close()
    except RunError:  # torn: told by whoever reads it next
        return
    store.with_name(f"{store.name}-shm").unlink(missing_ok=True)  # without a log it holds nothing


def _trouble(run: RunDirectory, store: Path) -> str:
    try:
        with run.open_store(read_only=True) as opened:
            opened.check()
    except RunError as error:
        return one_line(error, 300).removeprefix(f"{store}: ")
    return ""


def _torn(run: RunDirectory, store: Path, trouble: str) -> Ailment:
    what = trouble.removesuffix(DAMAGED_FIX)
    try:
        plan = plan_of(read_left(store), partial(_seed_of, run))
    except RosearchError as error:
        again = _begin_again(run)
        done = f"cannot be mended ({one_line(error, 200)}): restore a copy, or begin again"
        return Ailment("torn records", store, what, done, next=again)
    return Ailment("torn records", store, what, _plan_words(plan), partial(_rewrite, run, store, plan))


def _plan_words(plan: Plan) -> str:
    words = [f"{len(plan.records)} records are kept"]
    if plan.again:
        words.append(f"{', '.join(map(str, plan.again))} will run again")
    if plan.cut:
        words.append(f"those from {plan.cut} on are left out, and are proposed again")
    if lost := [name for name in plan.lost_facts if name not in ("format", "contents")]:
        words.append(f"made again: {', '.join(lost)}")
    return f"{'; '.join(words)}; the damaged file is put into aside/"


def _rewrite(run: RunDirectory, store: Path, plan: Plan) -> None:
    for path in (store, *(store.with_name(store.name + end) for end in ("-wal", "-shm"))):
        if path.exists():
            run.put_aside(path, keep=path == store)
    write_whole_store(plan, store)
    if (told := run.elsewhere) is not None:
        with Store.open(store) as opened:
            told.sign(opened)


def _seed_of(run: RunDirectory, record: Record) -> int:
    return derive_seed(run.experiment().seed, record.role, record.id, record.replicate)


def _at_work(run: RunDirectory, store: Path) -> Iterator[Ailment]:
    with run.open_store(read_only=True) as opened:
        numbers = [f"#{record.number}" for record in opened.records() if record.status == "running"]
    if numbers:
        what = f"{', '.join(numbers)} at work when the driver died"
        yield Ailment("cut short", store, what, "they will run again", partial(_reset, store))


def _reset(store: Path) -> None:
    with Store.open(store) as opened:
        opened.reset_running()


def _difference(path: Path, began: str) -> str:
    try:
        same = path.read_text(encoding="utf-8") == began or read_yaml(path) == parse_yaml(began)
    except FileNotFoundError:
        return "no such file"
    except (OSError, ValueError, BadInput):
        return "cannot be read"
    return "" if same else "changed since the run began"


def _restore(run: RunDirectory, path: Path, began: str) -> None:
    if path.exists():
        _aside(run, path)
    write_whole(path, began)


def _lost_weights(results: Results) -> Iterator[Ailment]:
    """Weights that the run keeps: those of the front, the best, baselines and finalists, or all."""
    run, done = results.run, [record for record in results.records if record.status == "done"]
    best = {
        record.number for record in (*results.front, *results.ranking[: max(1, results.experiment.finalists.count)])
    }
    everything = results.experiment.execution.keep_students == "all"
    for record in done:
        kept = everything or record.role != "candidate" or record.number in best
        if kept and (what := _unlike(run.student_folder(record))):
            student = shlex.quote(f"{run.path}:{record.id[:8]}")
            again = (
                f"rosearch distil --task {shlex.quote(str(run.experiment_file))} --student {student} --to NEW_FOLDER"
            )
            where = run.student_folder(record)
            yield Ailment("weights", where, f"of record {record.number}: {what}", "can be trained again", next=again)


def _unlike(folder: Path) -> str:
    if not folder.is_dir():
        return "missing"
    problem = damage(folder)
    return f"damaged: {Path(problem.where).name}: {problem.got}" if problem else ""


def _folders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def _aside(run: RunDirectory, path: Path) -> None:
    run.put_aside(path)


def _nothing() -> None:
    """The lock of the run has done it."""
