from __future__ import annotations

import dataclasses
import math
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from records import sample_records as samples
from sqlalchemy import event

from rosearch.errors import RunError
from rosearch.measurements import TeacherCost, TeacherFacts, to_json
from rosearch.records.migrations import MIGRATIONS
from rosearch.records.record import Failure, Outcome, Record
from rosearch.records.rows import FORMAT, OUTCOMES, PROPOSALS, STATES, sealed
from rosearch.records.run_directory import RunDirectory
from rosearch.records.sqlite import writing_engine
from rosearch.records.store import Store
from rosearch.search import run_search
from rosearch.space.genotype import Genotype
from rosearch.space.node import Node

HERE = Path(__file__).parent


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "records.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store.create(path) as store:
        yield store


def fields(record: Record) -> dict[str, object]:
    """Every field of a record, the genotype as it is written: genotypes are equal if their ids are."""
    found = {field.name: getattr(record, field.name) for field in dataclasses.fields(record)}
    return {**found, "id": record.id, "genotype": record.genotype.to_dict()}


def numbers(store: Store, **where: object) -> list[int]:
    return [record.number for record in store.records(**where)]


def test_every_field_of_a_record_survives(store, path):
    genotype = Genotype(
        128,
        64,
        "attention",
        (
            Node.of("attention", heads=4, conv=True),
            Node.of("ffn", (1, 0), "concat", ratio=0.5, activation="relu2"),
            Node.of("identity", (2, 1, 0), "gate"),
        ),
    )
    failure = Failure("oom", "attack", "no memory\nleft: \0 \ud800 é")
    common = {"genotype": genotype, "origin": "mutation:x é", "parents": ("a", "b"), "seed": 2**63 - 1}
    written = [
        samples.pending(1, **common),
        samples.pending(2, status="running", name="bert é", role="baseline", generation=-1),
        samples.pending(3, role="finalist", replicate=7, **common)
        | Changed(status="done", measurements=samples.measured(1 / 3).measurements, seconds={"a": 0.1}),
        samples.pending(4) | Changed(status="failed", failure=failure, seconds={"b": 1e-300}),
    ]
    store.propose(written)
    with Store.open(path, read_only=True) as reader:
        assert [fields(record) for record in reader.records()] == [fields(record) for record in written]


class Changed(dict):
    """`record | Changed(...)` is a changed copy."""

    def __ror__(self, record: Record) -> Record:
        return replace(record, **self)


def test_records_are_sorted_by_number_and_chosen_by_role_and_generation(store):
    records = [
        samples.pending(5, 1),
        samples.pending(3, 0),
        samples.pending(1, -1, role="baseline"),
        samples.pending(4, 0, role="finalist"),
        samples.pending(2, 0),
    ]
    store.propose(records)
    assert numbers(store) == [1, 2, 3, 4, 5]
    assert numbers(store, role="candidate") == [2, 3, 5]
    assert numbers(store, generation=0) == [2, 3, 4]
    assert numbers(store, role="candidate", generation=0) == [2, 3]
    assert numbers(store, role="baseline", generation=0) == []


def test_a_record_goes_from_pending_over_running_to_done_or_failed(store):
    store.propose(samples.generation_of(0))
    store.start(1)
    store.start(2)
    assert [record.status for record in store.records()] == ["running", "running", "pending", "pending"]
    store.finish(1, samples.measured(0.75))
    store.finish(2, samples.FAILED)
    store.finish(3, samples.FAILED)  # lost before it began: never started
    first, second, third, fourth = store.records()
    assert (first.status, first.measurements, first.failure) == (
        "done",
        samples.measured(0.75).measurements,
        None,
    )
    assert first.seconds == {"build": 0.25}
    assert (second.status, second.measurements, second.failure) == ("failed", None, samples.FAILED.failure)
    assert (third.status, fourth.status) == ("failed", "pending")


def test_an_outcome_is_counted_once(store):
    store.propose(samples.generation_of(0))
    store.start(1)
    store.finish(1, samples.measured(0.5))
    for again in (lambda: store.finish(1, samples.measured(0.9)), lambda: store.start(1)):
        with pytest.raises(RunError, match=r"expected record 1 to be pending.*, got done"):
            again()
    with pytest.raises(RunError, match="got no such record"):
        store.start(99)
    assert store.records()[0].measurements.quality.value == 0.5


@pytest.mark.parametrize(
    "outcome",
    [
        Outcome(None, None),
        Outcome(samples.measured().measurements, samples.FAILED.failure),
        samples.measured(math.nan),
        Outcome(None, samples.FAILED.failure, {"distil": math.inf}),
    ],
    ids=["neither", "both", "nan", "infinite_seconds"],
)
def test_an_outcome_that_is_no_outcome_is_refused_and_changes_nothing(store, outcome):
    store.propose(samples.generation_of(0))
    store.start(1)
    with pytest.raises(ValueError):
        store.finish(1, outcome)
    assert [record.status for record in store.records()] == ["running", "pending", "pending", "pending"]


def test_what_was_running_is_pending_again_after_a_reset(store):
    store.propose(samples.generation_of(0, 5))
    for number in (4, 2, 1):
        store.start(number)
    store.finish(2, samples.FAILED)
    assert store.reset_running() == (1, 4)
    assert store.reset_running() == ()
    assert [record.status for record in store.records()] == ["pending", "failed"] + ["pending"] * 3


@pytest.mark.parametrize(
    ("changes", "refused"),
    [
        ({"number": 2}, True),
        ({"genotype": samples.chain(2)}, True),
        ({"genotype": samples.chain(2), "role": "baseline"}, False),
        ({"genotype": samples.chain(2), "replicate": 1}, False),
    ],
    ids=["same_number", "same_genotype", "other_role", "other_replicate"],
)
def test_a_genotype_is_proposed_once_for_a_role_and_replicate(store, changes, refused):
    store.propose([samples.pending(2)])
    newcomer = replace(samples.pending(9), **changes)
    if refused:
        with pytest.raises(RunError, match="refused"):
            store.propose([newcomer])
        assert numbers(store) == [2]
    else:
        store.propose([newcomer])
        assert numbers(store) == [2, 9]


def test_a_generation_with_one_refused_record_is_not_proposed_at_all(store):
    store.propose(samples.generation_of(0))
    generation = samples.generation_of(1)
    generation[2] = replace(generation[2], genotype=samples.chain(1))
    with pytest.raises(RunError, match="refused"):
        store.propose(generation)
    assert numbers(store) == [1, 2, 3, 4]


@pytest.mark.parametrize("table", ["states", "proposals", "meta"])
def test_a_crash_between_writing_a_generation_and_its_commit_leaves_none_of_it(store, table):
    store.propose(samples.generation_of(0))

    def interrupt(connection: object, cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("INSERT") and f"INTO {table} " in statement:
            raise KeyboardInterrupt

    event.listen(store._engine, "after_cursor_execute", interrupt)
    with pytest.raises(KeyboardInterrupt):
        store.propose(samples.generation_of(1))
    event.remove(store._engine, "after_cursor_execute", interrupt)
    assert numbers(store) == [1, 2, 3, 4]
    store.propose(samples.generation_of(1))
    assert numbers(store) == list(range(1, 9))


def test_a_full_disk_is_a_clear_line_and_loses_nothing_that_was_recorded(store):
    store.propose(samples.generation_of(0))
    with store._engine.connect() as connection:  # of the one connection that the store keeps
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(RunError, match=r"disk is full\. Free some space"):
        store.propose(samples.generation_of(1, 500))
    assert numbers(store) == [1, 2, 3, 4]


def test_nothing_proposed_is_nothing_done(store):
    store.propose([])
    assert store.records() == []


@pytest.mark.parametrize(
    ("moment", "statuses"),
    [
        ("inserted", ["done", "running", "pending", "pending"]),
        ("finishing", ["done", "running", "pending", "pending"]),
        ("proposed", ["done", "running"] + ["pending"] * 6),
    ],
)
def test_a_killed_driver_leaves_whole_generations_and_whole_outcomes(path, moment, statuses):
    assert run_killed(moment, path) == -signal.SIGKILL
    with Store.open(path, read_only=True) as reader:  # inspected before anybody resumes it
        assert [record.status for record in reader.records()] == statuses
    with Store.open(path) as store:
        assert store.reset_running() == (2,)
        if len(store.records()) == 4:
            store.propose(samples.generation_of(1))
        assert numbers(store) == list(range(1, 9))
        assert store.records()[0].measurements == samples.measured(0.5).measurements


def test_a_driver_killed_while_it_makes_a_store_leaves_none(path):
    assert run_killed("create", path) == -signal.SIGKILL
    assert not path.exists()
    Store.create(path).close()


def run_killed(moment: str, path: Path) -> int:
    command = [sys.executable, str(HERE / "killed_driver.py"), moment, str(path)]
    return subprocess.run(command, timeout=60).returncode


def test_a_log_torn_at_any_byte_gives_back_whole_generations(tmp_path, path):
    with Store.create(path) as store, Store.open(path, read_only=True) as reader, reader._engine.connect() as look:
        look.exec_driver_sql("BEGIN")  # a long look: what is written meanwhile stays in the log
        look.exec_driver_sql("SELECT count(*) FROM records").fetchall()
        for index in range(3):
            store.propose(samples.generation_of(index))
        log = path.with_name("records.sqlite-wal").read_bytes()
        seen = set()
        for cut in (*range(0, len(log), len(log) // 40), len(log)):
            copy = tmp_path / str(cut) / "records.sqlite"
            copy.parent.mkdir()
            shutil.copy(path, copy)
            copy.with_name("records.sqlite-wal").write_bytes(log[:cut])
            with Store.open(copy) as torn:
                count = len(torn.records())
                assert numbers(torn) == list(range(1, count + 1))
                seen.add(count)
    assert seen == {0, 4, 8, 12}


def test_readers_see_each_commit_while_the_driver_writes_and_can_change_nothing(store, path):
    with Store.open(path, read_only=True) as reader:
        for index in range(3):
            store.propose(samples.generation_of(index))
            assert len(reader.records()) == 4 * (index + 1)
        store.start(1)
        for change in (
            lambda: reader.propose(samples.generation_of(9)),
            lambda: reader.start(2),
            lambda: reader.set_meta("x", 1),
            reader.reset_running,
        ):
            with pytest.raises(RunError, match="readonly"):
                change()
    assert len(store.records()) == 12


def test_a_reader_in_the_middle_of_a_long_look_does_not_hold_up_the_driver(store, path):
    store.propose(samples.generation_of(0))
    with sqlite3.connect(path) as look:
        look.execute("BEGIN")
        assert look.execute("SELECT count(*) FROM records").fetchone() == (4,)
        store.propose(samples.generation_of(1))
        assert look.execute("SELECT count(*) FROM records").fetchone() == (4,)
    look.close()
    assert len(store.records()) == 8


@pytest.fixture
def protected(path: Path) -> Iterator[Path]:
    """A store with one generation, in a folder where this process may read and not write."""
    with tempfile.TemporaryDirectory() as name:  # not tmp_path: nobody but its owner gets into that
        folder, user = Path(name), os.geteuid()
        with Store.create(folder / path.name) as store:
            store.propose(samples.generation_of(0))
        folder.chmod(0o555)
        if user == 0:
            os.seteuid(65534)  # nothing is write-protected for root
        try:
            yield folder / path.name
        finally:
            os.seteuid(user)
            folder.chmod(0o755)


def test_a_finished_run_is_read_in_a_folder_that_is_write_protected(protected):
    with Store.open(protected, read_only=True) as reader:
        assert numbers(reader) == [1, 2, 3, 4]
    with pytest.raises(RunError, match="Check that the file and its folder may be"), Store.open(protected):
        pass
    assert [file.name for file in protected.parent.iterdir()] == [protected.name]


def test_a_record_is_found_by_its_number_and_the_last_number_is_known(store):
    assert store.last_number() == 0
    store.propose(samples.generation_of(0))
    store.propose([samples.pending(9, 1)])
    assert store.last_number() == 9
    assert fields(store.record(9)) == fields(samples.pending(9, 1))
    with pytest.raises(RunError, match="expected record 5, got no such record"):
        store.record(5)


def test_the_facts_of_a_run_survive_and_are_none_before(store, path):
    assert (store.teacher(), store.materials(), store.finished()) == (None, None, False)
    quality = samples.measured().measurements.quality
    teacher = TeacherFacts(quality, TeacherCost(1000, 800, 4000), 512, 2, latency_ms=1 / 3)
    store.set_teacher(teacher)
    assert store.teacher("test") is None
    on_test = replace(teacher, latency_ms=None)
    store.set_teacher(on_test, "test")
    found = {"task": "a", "teacher": "b"}
    store.set_materials(found)
    store.set_finished()
    store.close()
    with Store.open(path, read_only=True) as reader:
        assert (reader.teacher(), reader.materials(), reader.finished()) == (
            teacher,
            {"task": "a", "teacher": "b"},
            True,
        )
        assert reader.teacher("test") == on_test


def test_a_teacher_of_another_shape_is_one_line(store):
    store.set_meta("teacher", {"quality": 3})
    with pytest.raises(RunError, match="the fact 'teacher' cannot be read") as caught:
        store.teacher()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [None, True, 3, 0.1, "é", [1, [2]], {"a": {"b": [None]}}])
def test_facts_are_kept_as_json_and_replaced(store, path, value):
    assert store.get_meta("fact") is None
    store.set_meta("fact", "old")
    store.set_meta("fact", value)
    store.close()
    with Store.open(path, read_only=True) as reader:
        assert reader.get_meta("fact") == value


@pytest.mark.parametrize("value", [math.nan, {"a": math.inf}])
def test_a_fact_that_json_cannot_hold_is_refused(store, value):
    with pytest.raises(ValueError):
        store.set_meta("fact", value)


def test_a_store_is_never_overwritten(store, path):
    store.propose(samples.generation_of(0))
    with pytest.raises(RunError, match="never overwritten"):
        Store.create(path)
    assert len(store.records()) == 4


def test_what_is_committed_is_in_a_write_ahead_log_with_full_synchronisation(store, path):
    with store._engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2


def refusal(path: Path, read_only: bool) -> str:
    """The one line that opening and reading a store ends with."""
    with pytest.raises(RunError) as caught, Store.open(path, read_only=read_only) as store:
        list(map(fields, store.records()))
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ")
    return str(caught.value)


@pytest.mark.parametrize("read_only", [True, False])
def test_a_missing_store_is_refused_and_not_made(path, read_only):
    assert "no such file" in refusal(path, read_only)
    assert not path.exists()


@pytest.mark.parametrize("read_only", [True, False])
@pytest.mark.parametrize("content", [b"", b"name: quickstart\n" * 100, b"SQLite format 3\0" + b"\xff" * 4096])
def test_a_file_that_is_no_store_is_refused(path, content, read_only):
    path.write_bytes(content)
    refusal(path, read_only)
    assert path.read_bytes() == content


@pytest.mark.parametrize("read_only", [True, False])
@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.7, 0.9, 0.99])
def test_a_truncated_store_is_refused(path, share, read_only):
    with Store.create(path) as store:
        store.propose(samples.generation_of(0, 60))
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    assert "damaged" in refusal(path, read_only)


@pytest.mark.parametrize("page", [0, 1, 4, 6])
def test_a_store_with_a_torn_page_is_refused_when_a_search_would_go_on(path, page):
    with Store.create(path) as store:
        store.propose(samples.generation_of(0, 60))
    content = bytearray(path.read_bytes())
    content[page * 4096 : (page + 1) * 4096] = b"\xa5" * 4096
    path.write_bytes(content)
    assert "damaged" in refusal(path, read_only=False)


def rewrite(path: Path, number: int, **columns: object) -> None:
    """Changes a record from outside, and gives its rows the digests that belong to them."""
    with sqlite3.connect(path) as connection:
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA ignore_check_constraints = ON")
        for table in (STATES, PROPOSALS, OUTCOMES):
            found = connection.execute(f"SELECT * FROM {table.name} WHERE number = ?", (number,)).fetchone()
            if found is not None:
                changed = {name: value for name, value in columns.items() if name in table.c}
                row = sealed(table, dict(found) | changed)
                names = ", ".join(f"{name} = :{name}" for name in row)
                connection.execute(f"UPDATE {table.name} SET {names} WHERE number = {number}", row)
    connection.close()


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("genotype", '{"width": 64'),
        ("genotype", "[]"),
        ("genotype", '{"width": 64, "rank": 8, "pooling": "mean", "nodes": []}'),
        ("genotype", '{"width": 64, "rank": 8, "pooling": "mean", "nodes": [1]}'),
        ("genotype", "[" * 100_000),
        ("genotype", b"{}"),
        ("parents", "4"),
        ("parents", "[4]"),
        ("measurements", '{"quality": null}'),
        ("failure", '{"why": "x"}'),
        ("failure", "[]"),
        ("failure", '{"kind": "oom", "stage": 4, "message": ""}'),
        ("seconds", ""),
        ("seconds", "[]"),
        ("seconds", '{"distil": "long"}'),
        ("seconds", '{"distil": -1}'),
        ("seconds", '{"distil": NaN}'),
        ("seconds", '{"distil": 1e999}'),
        ("generation", -2),
        ("generation", 0.5),
        ("replicate", "0/../../elsewhere"),
        ("replicate", -1),
        ("genotype_id", "0/../../elsewhere"),
        ("seed", "many"),
        ("role", "../candidate"),
        ("status", "lost"),
        ("origin", b"sample"),
        ("name", b"bert"),
    ],
)
def test_a_record_with_values_of_other_types_or_ranges_is_named(path, column, value):
    with Store.create(path) as store:
        store.propose(samples.generation_of(0))
        store.finish(1, samples.measured())
        store.finish(2, samples.FAILED)
    number = 2 if column == "failure" else 1
    rewrite(path, number, **{column: value})
    assert f"record {number} cannot be read" in refusal(path, read_only=True)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "1E+999", "9" * 400])
def test_a_measurement_that_is_not_finite_is_not_read(path, number):
    with Store.create(path) as store:
        store.propose(samples.generation_of(0))
        store.finish(1, samples.measured(0.75))
    text = to_json(samples.measured(0.75).measurements)
    rewrite(path, 1, measurements=text.replace("0.75", number, 1))
    assert "record 1 cannot be read" in refusal(path, read_only=True)


@pytest.mark.parametrize("read_only", [True, False])
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("UPDATE proposals SET seed = seed + 1 WHERE number = 3", "record 3 is not as it was written"),
        ("UPDATE states SET status = 'running' WHERE number = 3", "record 3 is not as it was written"),
        ("UPDATE states SET digest = '' WHERE number = 3", "record 3 is not as it was written"),
        ("UPDATE outcomes SET measurements = '{}' WHERE number = 1", "record 1 is not as it was written"),
        ("UPDATE meta SET value = '{}' WHERE key = 'teacher'", "the fact 'teacher' is not as it was written"),
        ("DELETE FROM states WHERE number = 3", "expected 4 records, got 3"),
        ("DELETE FROM proposals WHERE number = 3", "damaged: record 3"),
        ("DELETE FROM outcomes WHERE number = 1", "damaged: record 1"),
        ("DELETE FROM meta WHERE key = 'finished'", "the facts finished are lost"),
        ("DELETE FROM meta WHERE key = 'contents'", "the fact 'contents' cannot be read"),
        ("ALTER TABLE proposals RENAME COLUMN seed TO sead", "damaged: no such column"),
        ("DROP TABLE states", "damaged: no such table"),
    ],
)
def test_a_row_that_has_changed_or_is_lost_is_noticed(path, change, words, read_only):
    with Store.create(path) as store:
        store.propose(samples.generation_of(0))
        store.finish(1, samples.measured())
        store.set_meta("teacher", None)
        store.set_finished()
    with sqlite3.connect(path) as connection:
        connection.execute(change)
    connection.close()
    assert words in refusal(path, read_only)


@pytest.mark.parametrize("read_only", [True, False])
def test_any_bit_that_flips_is_noticed_or_changes_nothing(path, read_only):
    with Store.create(path) as store:
        store.propose(samples.generation_of(0, 8))
        for number in range(1, 6):
            store.finish(number, samples.measured(number / 10) if number % 2 else samples.FAILED)
        store.set_finished()
        written = [fields(record) for record in store.records()]
    content, rng, noticed = path.read_bytes(), random.Random(5), 0
    for _ in range(150):
        damaged = bytearray(content)
        damaged[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        path.write_bytes(damaged)
        try:
            with Store.open(path, read_only=read_only) as store:
                assert [fields(record) for record in store.records()] == written
                assert store.finished()
        except RunError:
            noticed += 1
    assert noticed > 10


def test_the_file_alone_holds_all_that_was_written_even_while_it_is_open(store, path, tmp_path):
    store.propose(samples.generation_of(0))
    store.finish(1, samples.measured())
    assert path.with_name("records.sqlite-wal").stat().st_size == 0
    copy = Path(shutil.copy(path, tmp_path / "copy.sqlite"))
    with Store.open(copy, read_only=True) as reader:
        assert [fields(record) for record in reader.records()] == [fields(record) for record in store.records()]


@pytest.fixture
def first_format(tmp_path: Path) -> Path:
    """A store as commit 903f695 wrote it: format 1."""
    return Path(shutil.copy(HERE.parent / "compatibility/recorded/small-0001/records.sqlite", tmp_path))


def test_an_older_store_is_read_as_it_is_and_said_once_to_carry_no_digests(first_format, caplog):
    before = first_format.read_bytes()
    for _ in range(2):
        with Store.open(first_format, read_only=True) as reader:
            assert len(reader.records()) == 5 and reader.finished() and reader.teacher() is not None
    assert first_format.read_bytes() == before
    assert [record.getMessage().split(": ")[0] for record in caplog.records] == [str(first_format)]
    assert "without digests" in caplog.text


def test_an_older_store_gets_digests_when_it_is_opened_for_writing(first_format, caplog):
    with Store.open(first_format, read_only=True) as reader:
        before = [fields(record) for record in reader.records()], reader.teacher(), reader.materials()
    with Store.open(first_format) as store:
        assert ([fields(record) for record in store.records()], store.teacher(), store.materials()) == before
        store.propose([samples.pending(100)])
        store.finish(100, samples.measured())
    caplog.clear()
    with Store.open(first_format, read_only=True) as reader:
        assert [fields(record) for record in reader.records()][:-1] == before[0] and reader.finished()
    assert not caplog.records
    with sqlite3.connect(first_format) as connection:
        connection.execute("UPDATE proposals SET seed = 1 WHERE number = 2")
    connection.close()
    assert "record 2 is not as it was written" in refusal(first_format, read_only=True)


def test_a_step_from_format_to_format_is_taken_whole_or_not_at_all(first_format, monkeypatch):
    def broken(connection: object) -> None:
        MIGRATIONS[1](connection)
        raise ZeroDivisionError

    before = first_format.read_bytes()
    with monkeypatch.context() as patch, pytest.raises(ZeroDivisionError):
        patch.setattr("rosearch.records.migrations.MIGRATIONS", {1: broken})
        Store.open(first_format)
    with Store.open(first_format, read_only=True) as reader:
        assert len(reader.records()) == 5
    with sqlite3.connect(first_format) as connection:
        assert connection.execute("SELECT value FROM meta WHERE key = 'format'").fetchone() == ("1",)
    connection.close()
    assert first_format.read_bytes() == before


@pytest.fixture
def second_format(first_format: Path) -> Path:
    """A store of format 2, as the step from format 1 leaves it."""
    engine = writing_engine(first_format, "mode=rw")
    with engine.begin() as connection:
        MIGRATIONS[1](connection)
    engine.dispose()
    return first_format


@pytest.mark.parametrize("read_only", [True, False])
def test_a_store_of_the_second_format_holds_the_same_in_the_third(first_format, second_format, read_only):
    recorded = HERE.parent / "compatibility/recorded/small-0001/records.sqlite"
    with Store.open(recorded, read_only=True) as old, Store.open(second_format, read_only=read_only) as store:
        assert list(map(fields, store.records())) == list(map(fields, old.records()))
        assert (store.teacher(), store.materials(), store.finished()) == (old.teacher(), old.materials(), True)


@pytest.mark.parametrize("read_only", [True, False])
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("UPDATE records SET seed = seed + 1 WHERE number = 3", "record 3 is not as it was written"),
        ("UPDATE meta SET value = '{}' WHERE key = 'teacher'", "the fact 'teacher' is not as it was written"),
        ("DELETE FROM records WHERE number = 3", "expected 5 records, got 4"),
        ("DELETE FROM meta WHERE key = 'finished'", "the facts finished are lost"),
        ("DELETE FROM meta WHERE key = 'contents'", "damaged: .*contents"),
        ("DROP TABLE records", "damaged: no such table"),
    ],
)
def test_damage_to_a_store_of_the_second_format_is_noticed(second_format, change, words, read_only):
    with sqlite3.connect(second_format) as connection:
        connection.execute(change)
    connection.close()
    before = second_format.read_bytes()
    assert re.search(words, refusal(second_format, read_only))
    assert second_format.read_bytes() == before


def test_a_copy_of_an_older_store_can_be_changed_no_more_than_a_file_that_is_read(first_format):
    with Store.open(first_format, read_only=True) as reader:
        first = reader.records()[0]
        with pytest.raises(RunError, match="readonly"):
            reader.set_finished()
    assert first.measurements is not None and first.genotype.id == first.id  # also after it is closed


def test_whoever_looks_into_the_file_finds_all_of_a_record_in_one_row(store, path):
    store.propose(samples.generation_of(0))
    store.finish(1, samples.measured())
    with sqlite3.connect(path) as connection:
        connection.row_factory = sqlite3.Row
        first, second, *_ = map(dict, connection.execute("SELECT * FROM records ORDER BY number"))
    connection.close()
    assert first["measurements"] == to_json(samples.measured().measurements)
    assert (second["genotype"], second["measurements"]) == (samples.chain(2).to_json(), None)


def test_every_older_format_has_a_step():
    assert sorted(MIGRATIONS) == list(range(1, FORMAT))


@pytest.mark.parametrize("read_only", [True, False])
@pytest.mark.parametrize(
    ("text", "words"),
    [
        (str(FORMAT + 1), "A newer rosearch wrote it"),
        ("0", "without a format number"),
        ('"x"', "without a format number"),
        ("{", "cannot be read"),
        (None, "without a format number"),
    ],
)
def test_a_store_of_another_format_is_refused(path, text, words, read_only):
    Store.create(path).close()
    with sqlite3.connect(path) as connection:
        if text is None:
            connection.execute("DELETE FROM meta")
        else:
            connection.execute("UPDATE meta SET value = ? WHERE key = 'format'", (text,))
    connection.close()
    assert words in refusal(path, read_only)


def test_a_path_with_odd_characters_is_no_trouble(tmp_path):
    path = tmp_path / "50% of a? #run é.sqlite"
    Store.create(path).close()
    with Store.open(path, read_only=True) as reader:
        assert reader.records() == []
    assert [file.name for file in tmp_path.iterdir() if file.suffix == ".sqlite"] == [path.name]


def test_a_record_that_names_a_place_outside_ends_a_resume_before_anything_is_deleted(tmp_path):
    recorded = HERE.parent / "compatibility/recorded/small-0001"
    run = RunDirectory(Path(shutil.copytree(recorded, tmp_path / "runs" / "small-0001")))
    with Store.open(run.store) as store:
        last = store.last_number()
    rewrite(run.store, last, role="finalist", replicate="0/../../../elsewhere")
    elsewhere = tmp_path / "runs" / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kept").touch()
    with pytest.raises(RunError, match="replicate: expected whole numbers from 0 on"):
        run_search(run)
    assert sorted(path.name for path in elsewhere.parent.iterdir()) == ["elsewhere", "small-0001"]
    assert (elsewhere / "kept").is_file()
