from __future__ import annotations

import errno
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import pytest
import yaml
from cli.documented_keys import Page
from command_line import rosearch
from report.made_run import make_run
from small_run import finished_count, write_experiment

from rosearch.config.file import load_experiment
from rosearch.records.run_directory import RunDirectory
from rosearch.run.results import Results

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A finished run of the small classification experiment, made by the program, and what it printed."""
    folder = tmp_path_factory.mktemp("searched")
    write_experiment(folder, "classification", baselines=["bert_mini"], finalists={"count": 1})
    return folder, rosearch("search", "experiment.yaml", cwd=folder).stdout


def test_a_search_prints_the_front_the_run_and_what_to_type_next(searched: tuple[Path, str]) -> None:
    folder, printed = searched
    assert "Front (validation rows)" in printed and "Baselines" in printed and "Finalists" in printed
    assert (folder / "runs/small-0001").is_dir() and "runs/small-0001" in printed
    for command in ("rosearch stats", "rosearch show", "rosearch export"):
        assert f"{command} runs/small-0001" in printed


def test_the_next_commands_that_a_search_prints_work(searched: tuple[Path, str]) -> None:
    folder, printed = searched
    commands = [line.split()[1:] for line in printed.splitlines() if line.startswith("  rosearch ")]
    assert len(commands) == 3
    for command in commands:
        rosearch(*command, cwd=folder)
    assert (folder / "runs/small-0001/tables/statistics.parquet").is_file()
    assert (folder / "runs/small-0001/tables/front.png").stat().st_size > 1000


def test_everything_that_inspects_speaks_json(searched: tuple[Path, str]) -> None:
    folder, _ = searched
    run = "runs/small-0001"

    def ask(*arguments: str) -> Any:
        return json.loads(rosearch(*arguments, "--json", cwd=folder).stdout)

    status = ask("status", run)
    assert status["finished"] and status["counts"] == {"done": 7, "failed": 0, "running": 0, "pending": 0}
    best = status["front"][0]["id"]
    shown = ask("show", run, best)
    assert shown["id"] == best and shown["measurements"]["robustness"]["n"] == 4
    assert ask("show", run, "bert_mini")["role"] == "baseline"
    told = ask("stats", run)
    statistics = told["statistics"]
    assert {row["role"] for row in told["comparisons"]} <= {"candidate", "finalist"}
    assert "comparisons.csv" in {Path(path).name for path in told["files"]}
    assert {row["outcome"] for row in statistics} >= {"quality", "under_attack"}
    assert ask("check", "experiment.yaml")["ok"] is True
    exported = ask("export", run, "bert_mini", "--to", "student")
    assert (folder / "student/config.json").is_file() and Path(exported["folder"]).name == "student"


def test_an_export_is_not_overwritten_unless_told(searched: tuple[Path, str]) -> None:
    folder, _ = searched
    export = ("export", "runs/small-0001", "--best", "--to", "twice")
    rosearch(*export, cwd=folder)
    refused = rosearch(*export, cwd=folder, expect=5)
    assert "twice" in refused.stderr and "overwrite" in refused.stderr
    rosearch(*export, "--overwrite", cwd=folder)


def test_an_export_is_chosen_by_a_term_by_the_knee_or_within_a_condition(searched: tuple[Path, str]) -> None:
    folder, _ = searched
    run = "runs/small-0001"
    for name, wish in {
        "by": ("--best", "--by", "accuracy"),
        "knee": ("--knee",),
        "within": ("--where", "accuracy>=0 and latency_ms<1e9 or parameters>0 and parameters<1e12"),
    }.items():
        told = rosearch("export", run, *wish, "--to", name, cwd=folder).stdout
        assert told.startswith("Chosen by ") and (folder / name / "evidence.json").is_file()
    wrong = rosearch("export", run, "--where", "acuracy>0 and parametres>0", "--to", "none", cwd=folder, expect=3)
    assert "Did you mean accuracy?" in wrong.stderr and "Did you mean parameters?" in wrong.stderr
    assert "goes with --best" in rosearch("export", run, "3", "--where", "accuracy>0", cwd=folder, expect=2).stderr
    assert "none of" in rosearch("export", run, "--where", "accuracy>2", cwd=folder, expect=5).stderr


@pytest.mark.parametrize("arguments", [(), ("--best", "--id", "a"), ("3", "--best"), ("3", "--id", "3")])
def test_an_export_wants_exactly_one_choice(arguments: tuple[str, ...], searched: tuple[Path, str]) -> None:
    folder, _ = searched
    said = rosearch("export", "runs/small-0001", *arguments, cwd=folder, expect=2).stderr
    assert "name one student: --best, or a RECORD" in said


def test_an_export_that_is_there_gets_further_formats_and_nothing_else(searched: tuple[Path, str]) -> None:
    folder, _ = searched
    rosearch("export", "runs/small-0001", "--best", "--to", "further", cwd=folder)
    told = rosearch("export", "further", "--target", "onnx", cwd=folder).stdout
    assert told.startswith("onnx: further/onnx/model.onnx; its logits differ from torch's by ")
    assert "takes further formats alone" in rosearch("export", "further", "--best", cwd=folder, expect=2).stderr
    wrong = rosearch("export", "runs/small-0001", "--best", "--to", "none", "--target", "onx", cwd=folder, expect=3)
    assert "Did you mean onnx?" in wrong.stderr and not (folder / "none").exists()


def test_all_errors_of_a_file_are_printed_at_once_and_no_run_is_made(tmp_path: Path) -> None:
    path = write_experiment(tmp_path)
    data = yaml.safe_load(path.read_text())
    data["evolution"]["populaton"] = 4
    data["task"]["max_length"] = "long"
    path.write_text(yaml.safe_dump(data))
    failed = rosearch("search", path, "-o", "seed=-1", cwd=tmp_path, expect=3)
    lines = path.read_text().splitlines()
    for key, name in (("evolution.populaton", "  populaton: 4"), ("task.max_length", "  max_length: long")):
        assert f"{path}:{lines.index(name) + 1}: {key}: expected" in failed.stderr
    assert "command line: -o seed: expected" in failed.stderr
    assert not (tmp_path / "runs").exists()


def test_names_that_do_not_exist_are_refused_together_before_a_run_is_made(tmp_path: Path) -> None:
    path = write_experiment(tmp_path, baselines=["bert_mini", "bert_maxi"])
    space = yaml.safe_load((tmp_path / "space.yaml").read_text())
    space["operations"]["warp"] = {}
    (tmp_path / "space.yaml").write_text(yaml.safe_dump(space))
    failed = rosearch("search", path, cwd=tmp_path, expect=3)
    assert "warp" in failed.stderr and "bert_maxi" in failed.stderr
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("override", "code", "expected"),
    [
        ("task.path=nowhere", 4, "nowhere is not there"),
        ("teacher.model=some/hub-model", 4, "some/hub-model"),
        ("teacher.model=package:no-such-package", 4, "pip install"),
        ("task.text=[sentence]", 3, "sentence"),
        ("task.label=mark", 3, "mark"),
        ("task.labels=[bad, good]", 3, "positive"),
        ("task.max_length=500", 3, "at most 32"),
        ("execution.device=cuda", 4, "GPU"),
        ("execution.device=tpu", 3, "tpu"),
        ("evaluation.robustness.search.attacks=[deepwordbux]", 3, "search.attacks.0: expected one of deepwordbug,"),
        ("evaluation.robustness.report.single_swaps=[nothing]", 3, "report.single_swaps.0: expected one of"),
        ("evaluation.robustness={report: {attacks: [synonym-swap]}, resources: nowhere}", 4, "needs local files"),
    ],
)
def test_what_is_missing_or_does_not_fit_is_one_clear_line(
    override: str, code: int, expected: str, tmp_path: Path
) -> None:
    path = write_experiment(tmp_path, "classification")
    failed = rosearch("search", path, "-o", override, cwd=tmp_path, expect=code)
    assert expected in failed.stderr
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("resume", "x", "--hours", "-1"), "'--hours': expected at least 0, got -1"),
        (("resume", "x", "--hours", "soon"), "'--hours': expected a number, got soon"),
        (("attack", "x", "--n", "few"), "'--n': expected a whole number, got few"),
    ],
)
def test_a_wrong_number_is_told_in_words_that_say_what_is_taken(
    arguments: tuple[str, ...], told: str, tmp_path: Path
) -> None:
    assert told in rosearch(*arguments, cwd=tmp_path, expect=2).stderr


@pytest.mark.parametrize("option", ["--runs", "--records"])
def test_a_place_that_can_be_no_folder_is_told_before_anything_is_loaded(option: str, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("")
    printed = rosearch("search", "quickstart", option, "mine.yaml/inside", cwd=tmp_path, expect=3)
    line = f"command line: {option}: expected a folder, there or to be made, got the file {tmp_path / 'mine.yaml'}"
    assert line in " ".join(printed.stderr.split())


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    for command in (("resume", "gone"), ("status", "gone"), ("stats", "gone"), ("show", "gone", "x")):
        assert "gone: expected the folder of a run" in rosearch(*command, cwd=tmp_path, expect=5).stderr


def test_a_run_that_cannot_go_on_is_told_before_torch_is_loaded(searched: tuple[Path, str], tmp_path: Path) -> None:
    folder, _ = searched
    shutil.copytree(folder / "runs/small-0001", tmp_path / "run")
    code = (
        "import sys\n"
        "from rosearch.cli import main\n"
        "sys.argv = ['rosearch', 'resume', 'run']\n"
        "try:\n    main()\nexcept SystemExit as ended:\n    print(ended.code)\n"
        "print(*sorted({'torch', 'transformers', 'textattack'} & set(sys.modules)))\n"
    )

    def resumed() -> tuple[list[str], str]:
        done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
        return done.stdout.split(), done.stderr

    with RunDirectory.open(tmp_path / "run").lock():
        printed, said = resumed()
    assert printed == ["5"] and "another process is working on it (pid" in said
    experiment = tmp_path / "run/experiment.yaml"
    experiment.write_text(re.sub(r"^seed: .*", "seed: 99", experiment.read_text(), flags=re.MULTILINE))
    printed, said = resumed()
    assert printed == ["5"] and "changed since the run began: seed (was 3, is 99)" in said


def test_a_teacher_that_cannot_be_read_is_one_clear_line(tmp_path: Path) -> None:
    path = write_experiment(tmp_path, "classification")
    (tmp_path / "teacher/config.json").write_text("{")
    assert (
        "teacher.model: expected a config.json of a model that transformers knows"
        in rosearch("check", path, cwd=tmp_path, expect=3).stderr
    )
    for file in (tmp_path / "teacher").glob("tokenizer*"):
        file.unlink()
    assert "teacher.model: expected" in rosearch("check", path, cwd=tmp_path, expect=3).stderr


RECORDED = ROOT / "tests/compatibility/recorded/small-0001"


def started(command: str, cwd: Path, **options: Any) -> subprocess.CompletedProcess[str]:
    """A shell's command in which `rosearch` is the program."""
    program = f'rosearch() {{ {sys.executable} -m rosearch.cli "$@"; }}\n'
    return subprocess.run(["bash", "-c", program + command], cwd=cwd, capture_output=True, text=True, **options)


@pytest.mark.parametrize("command", ["status run", "status run --json", "show run 6dbbdd", "--help", "status --help"])
def test_output_that_nobody_reads_on_ends_the_program_as_a_closed_pipe_does(command: str, tmp_path: Path) -> None:
    shutil.copytree(RECORDED, tmp_path / "run")
    ended = started(f"(sleep 0.2; rosearch {command}; echo $? >code) | true", tmp_path)
    assert (tmp_path / "code").read_text().strip() == "141"
    assert "Traceback" not in ended.stderr and "Broken pipe" not in ended.stderr


@pytest.mark.parametrize("closed", [">&-", "<&-", "2>&-", ">&- 2>&- <&-"])
@pytest.mark.parametrize("command", ["status run", "status run --json", "status nowhere"])
def test_a_stream_that_is_closed_from_the_start_is_no_traceback(command: str, closed: str, tmp_path: Path) -> None:
    shutil.copytree(RECORDED, tmp_path / "run")
    ended = started(f"rosearch {command} {closed}", tmp_path)
    assert ended.returncode == (5 if "nowhere" in command else 0)
    assert "Traceback" not in ended.stderr
    assert bool(ended.stdout) == (">&-" not in closed.split() and "nowhere" not in command)


def test_what_an_encoding_cannot_say_is_printed_as_an_escape(tmp_path: Path) -> None:
    shutil.copytree(RECORDED, tmp_path / "r\u0142n")
    ended = started("PYTHONIOENCODING=latin-1 rosearch status r*", tmp_path)
    assert ended.returncode == 0 and "r\\u0142n" in ended.stdout


@pytest.mark.parametrize("name", ["[bold]x[/]", "[red]", "a[0]", "$x^$"])
def test_the_name_of_a_run_is_printed_and_drawn_as_it_stands(name: str, tmp_path: Path) -> None:
    shutil.copytree(RECORDED, tmp_path / name)
    assert f"{name}: " in rosearch("status", name, cwd=tmp_path).stdout
    assert f"  {name}/tables/front.png" in rosearch("stats", name, cwd=tmp_path).stdout
    assert f"{name}x: expected the folder" in rosearch("status", f"{name}x", cwd=tmp_path, expect=5).stderr


@pytest.mark.parametrize("kind", [errno.EROFS, errno.EACCES])
def test_stats_of_a_read_only_run_prints_and_says_what_was_not_written(
    kind: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rosearch.report import tables

    shutil.copytree(RECORDED, tmp_path / "run")
    told = rosearch("stats", "run", "--json", cwd=tmp_path)

    def refuse(path: Path) -> Any:
        raise OSError(kind, os.strerror(kind), str(path))

    monkeypatch.setattr(tables, "whole", refuse)
    printed = rosearch("stats", "run", cwd=tmp_path)
    assert "(Spearman)" in printed.stdout and "Written:" not in printed.stdout
    assert printed.stderr == "warning run/tables is read-only; not written: tables and figures\n"
    data = json.loads(rosearch("stats", "run", "--json", cwd=tmp_path).stdout)
    assert data == json.loads(told.stdout) | {"files": []}


def test_several_runs_are_pooled_and_compared_and_one_is_not(tmp_path: Path) -> None:
    for name, count in (("one", 12), ("other", 14)):
        make_run(tmp_path, count, name=name).run.path.rename(tmp_path / name)
    pooled = json.loads(rosearch("stats", "one", "other", "--to", "new", "--json", cwd=tmp_path).stdout)
    assert {row["outcome"] for row in pooled["pooled"]} >= {"quality", "under_attack"} and pooled["runs"] == [
        "one",
        "other",
    ]
    assert {Path(path).name for path in pooled["files"]} >= {"pooled.csv", "motifs.parquet", "regressions.csv"}
    told = json.loads(rosearch("compare", "one", "other", "--to", "new", "--json", cwd=tmp_path).stdout)
    assert [run["group"] for run in told["runs"]] == ["one", "other"] and told["differences"] == []
    page = Page((ROOT / "docs/json.md").read_text())
    assert page.differences("compare", told) == []
    assert [line for line in page.differences("stats", pooled) if "is not printed" not in line] == []
    assert (tmp_path / "new" / "compare.html").is_file()
    assert "At equal cost" not in rosearch("compare", "one", cwd=tmp_path, expect=2).stdout
    assert "expected strategy, space" in rosearch("compare", "one", "other", "--by", "x", cwd=tmp_path, expect=2).stderr
    assert "give several" in rosearch("stats", "one", "--to", "new", cwd=tmp_path, expect=2).stderr
    shutil.copytree(tmp_path / "one", tmp_path / "copied")
    (tmp_path / "file").touch()
    for command in ("stats", "compare"):
        assert "--to" in rosearch(command, "one", "other", "--to", "file", cwd=tmp_path, expect=2).stderr
        twice = rosearch(command, "one", "other", "copied", cwd=tmp_path, expect=5).stderr
        assert "copied: expected each run once, got the records of one again" in twice


def test_many_problems_of_a_file_are_counted_and_the_first_are_printed(tmp_path: Path) -> None:
    path = write_experiment(tmp_path)
    path.write_text(path.read_text() + "".join(f"\x1b[31m{n}: 1\n".replace("\x1b", "x") for n in range(150)))
    lines = rosearch("check", path, cwd=tmp_path, expect=3).stderr.splitlines()
    assert len(lines) == 101 and lines[-1] == "error and 50 more"


def test_ctrl_c_ends_cleanly_and_says_how_to_go_on(tmp_path: Path) -> None:
    write_experiment(tmp_path, execution={"workers": 1})
    searching = subprocess.Popen(
        [sys.executable, "-m", "rosearch.cli", "search", "experiment.yaml"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background jobs ignore it
    )
    store = tmp_path / "runs/small-0001/records.sqlite"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not (store.is_file() and finished_count(store)):
        time.sleep(0.005)
    searching.send_signal(signal.SIGINT)
    _, errors = searching.communicate(timeout=60)
    assert searching.returncode == 130
    assert "rosearch resume runs/small-0001" in errors and "Traceback" not in errors
    assert json.loads(rosearch("resume", "runs/small-0001", "--json", cwd=tmp_path).stdout)["counts"]["done"] == 7


ENDING = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@contextmanager
def waiting(way: str, ignored: Sequence[int] = ()) -> Iterator[subprocess.Popen[str]]:
    """The program while it waits for signals, of which it ignores some from its start on."""

    def begin() -> None:
        for number in ENDING:
            signal.signal(number, signal.SIG_IGN if number in ignored else signal.SIG_DFL)

    command = [sys.executable, str(Path(__file__).with_name("signalled.py")), "wait", way]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, preexec_fn=begin) as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        yield process
        process.kill()


@pytest.mark.parametrize("number", ENDING)
@pytest.mark.parametrize(
    ("way", "said"), [("loop", "interrupted\n"), ("grave", "interrupted\n"), ("patient", "ended its step\n")]
)
def test_a_signal_that_ends_is_heard_wherever_it_falls_and_the_exit_is_128_and_its_number(
    way: str, said: str, number: int
) -> None:
    with waiting(way) as process:
        process.send_signal(number)
        out, errors = process.communicate(timeout=30)
    assert (process.returncode, out) == (128 + number, said)
    assert "Traceback" not in errors or way == "grave"  # Python tells of what a `__del__` raises


@pytest.mark.parametrize("number", ENDING)
def test_a_signal_that_was_ignored_at_the_start_stays_ignored(number: int) -> None:
    with waiting("patient", ignored=[number]) as process:
        process.send_signal(number)
        time.sleep(0.2)
        process.send_signal(signal.SIGTERM if number != signal.SIGTERM else signal.SIGINT)
        process.communicate(timeout=30)
    assert process.returncode == 128 + (signal.SIGTERM if number != signal.SIGTERM else signal.SIGINT)


def test_a_second_ctrl_c_ends_at_once_whoever_swallows_the_first() -> None:
    with waiting("deaf") as process:
        process.send_signal(signal.SIGINT)
        assert process.stdout is not None and process.stdout.readline() == "interrupted\n"
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=5)[0] == ""
    assert process.returncode == 130


def test_the_status_of_a_run_whose_driver_is_gone_says_interrupted_and_how_to_go_on(tmp_path: Path) -> None:
    folder = tmp_path / "it's here"
    run = RunDirectory.create(folder, load_experiment(write_experiment(tmp_path)))
    (run.path / "driver").write_text("pid 1 on nowhere")  # as a killed driver leaves it
    printed = rosearch("status", run.path, cwd=tmp_path).stdout
    assert "Interrupted" in printed and f"\n  rosearch resume {shlex.quote(str(run.path))}\n" in printed
    assert json.loads(rosearch("status", run.path, "--json", cwd=tmp_path).stdout)["state"] == "interrupted"
    with run.lock():
        assert "Interrupted" not in rosearch("status", run.path, cwd=tmp_path).stdout
        assert json.loads(rosearch("status", run.path, "--json", cwd=tmp_path).stdout)["state"] == "running"


def test_records_elsewhere_are_found_by_all_that_opens_a_run(searched: tuple[Path, str], tmp_path: Path) -> None:
    shutil.copytree(searched[0] / "runs" / "small-0001", tmp_path / "runs" / "small-0001")
    run = "runs/small-0001"
    for change in ("data", "teacher"):
        shutil.copytree(searched[0] / change, tmp_path / change)
    before = json.loads(rosearch("status", run, "--json", cwd=tmp_path).stdout)
    RunDirectory(tmp_path / run).move_records(tmp_path / "disk")
    assert json.loads(rosearch("status", run, "--json", cwd=tmp_path).stdout) == before
    assert [one["state"] for one in json.loads(rosearch("runs", "--json", cwd=tmp_path).stdout)["runs"]] == ["finished"]
    for command in (("show", run, "1"), ("stats", run), ("export", run, "--best", "--to", "out")):
        rosearch(*command, cwd=tmp_path)


def test_a_search_on_a_network_file_system_is_refused_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rosearch.records.lock.network_file_system", lambda path: "" if "disk" in str(path) else "nfs4")
    refused = rosearch("search", "nonsense", cwd=tmp_path, expect=5)
    assert "`rosearch search ... --records DIR`" in refused.stderr and refused.stderr.count("\n") == 1
    write_experiment(tmp_path, evolution={"candidates": 2, "population": 2, "elite": 1})
    rosearch("search", "experiment.yaml", "--records", "disk", cwd=tmp_path)
    told = rosearch("resume", "runs/small-0001", cwd=tmp_path).stdout
    assert "2 candidates, 0 failed" in told and not (tmp_path / "runs/small-0001/records.sqlite").exists()


def test_a_finished_run_is_neither_running_nor_interrupted(searched: tuple[Path, str]) -> None:
    folder, _ = searched
    assert "Interrupted" not in rosearch("status", "runs/small-0001", cwd=folder).stdout
    assert json.loads(rosearch("status", "runs/small-0001", "--json", cwd=folder).stdout)["state"] == "finished"


def test_a_run_of_which_all_candidates_failed_is_printed_and_its_exit_is_not_0(tmp_path: Path) -> None:
    diverging = {"learning_rate": 1e9, "clip_norm": 1e9, "max_steps": 60}
    write_experiment(tmp_path, distillation=diverging, execution={"stop_after_failures": 100})
    for command in (("search", "experiment.yaml"), ("resume", "runs/small-0001", "--json")):
        ended = rosearch(*command, cwd=tmp_path, expect=6)
        assert "finished, but all 7 candidates failed, the last by nan while in distil" in ended.stderr
        assert "small-0001" in ended.stdout


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), 5),
        (RuntimeError("I/O error: Too many open files (os error 24)"), 5),
        (MemoryError(), 5),
        (PermissionError(errno.EACCES, "Permission denied"), 1),
    ],
)
def test_a_fault_of_the_machine_is_one_line_and_exit_5_before_there_is_a_run_too(
    error: Exception, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> NoReturn:
        raise error

    monkeypatch.setattr("rosearch.run.check.look_at", fail)
    failed = rosearch("search", write_experiment(tmp_path), cwd=tmp_path, expect=code)
    assert failed.stderr.count("\n") == 1 and failed.stderr.startswith("error ")


def test_help_groups_the_commands_on_one_line_each_and_names_the_exit_codes() -> None:
    printed = rosearch("--help", cwd=ROOT).stdout
    groups = {
        "Search": ["init", "search", "resume", "check", "experiments", "spaces", "explain"],
        "Look at a run": ["status", "show", "stats", "report", "figures", "compare", "recommend", "export", "doctor"],
        "One model": ["distil", "teacher", "attack", "encoding", "attack resources", "predict", "bench", "verify"],
    }
    for title, commands in groups.items():
        panel = printed.split(f"─ {title} ─")[1].split("╰")[0].splitlines()[1:]
        assert [line.strip("│ ").split("  ")[0] for line in panel if line] == commands
    assert "130 Ctrl-C" in " ".join(printed.split())


HEAVY = ("torch", "transformers", "textattack", "pandas", "numpy", "scipy", "deap", "networkx")


def loaded(*arguments: str, cwd: Path) -> set[str]:
    """The modules that the program has loaded when it ends, in a process of its own."""
    code = (
        "import sys\n"
        "from rosearch.cli import main\n"
        "try:\n"
        "    main()\n"
        "except SystemExit as ended:\n"
        "    assert not ended.code\n"
        "print(*sys.modules, file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], cwd=cwd, capture_output=True, text=True, check=True)
    return set(done.stderr.split())


def test_help_and_the_import_of_the_command_line_load_only_the_command_line() -> None:
    heavy = {*HEAVY, "sqlalchemy", "pydantic", "yaml", "rosearch.terminal", "rosearch.records", "rosearch.report"}
    assert not heavy & loaded("--help", cwd=ROOT)
    code = "import sys, rosearch.cli; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "rosearch.cli.app" in done.stdout.split() and not heavy & set(done.stdout.split())


@pytest.mark.parametrize("command", [("status",), ("status", "--json"), ("show", "bert_mini")])
def test_a_look_at_a_run_loads_only_its_records(command: tuple[str, ...], searched: tuple[Path, str]) -> None:
    first, *others = command
    modules = loaded(first, "runs/small-0001", *others, cwd=searched[0])
    assert "rosearch.records.store" in modules and not set(HEAVY) & modules


def test_looking_at_a_run_loads_no_torch(searched: tuple[Path, str]) -> None:
    folder, _ = searched
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from rosearch.run.results import load_results\n"
        "from rosearch.records.run_directory import RunDirectory\n"
        "import rosearch.cli, rosearch.report.run_files\n"
        "results = load_results(RunDirectory.open(Path('runs/small-0001')))\n"
        "rosearch.report.run_files.write_statistics(results)\n"
        "assert results.front\n"
        "print(sorted({'torch', 'transformers', 'textattack'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.slow  # .ci/run does the same with the wheel
def test_the_quickstart_runs_from_one_command(tmp_path: Path) -> None:
    """The real teacher out of its package and the real file, cut short."""
    short = "task.generated.train=160 teacher.fine_tune.max_steps=3 distillation.max_steps=2"
    fewer = "evolution.candidates=2 evolution.population=2 evolution.elite=1 evaluation.robustness.search.rows=3"
    more = "baselines=[] evaluation.robustness.report.rows=3 execution.workers=1 evaluation.efficiency.repeats=1"
    gates = "finalists.epochs=1 fitness.min_quality=0 fitness.max_class_share=1"
    overrides = [part for text in f"{short} {fewer} {more} {gates}".split() for part in ("-o", text)]
    summary = rosearch("search", ROOT / "experiments/quickstart.yaml", *overrides, "--json", cwd=tmp_path).data
    assert summary["finished"] and summary["counts"]["done"] == 2 and len(summary["finalists"]) == 1
    exported = rosearch("export", summary["run"], "--best", "--json", cwd=tmp_path)
    assert (Path(json.loads(exported.stdout)["folder"]) / "model.safetensors").is_file()


def test_results_are_read_while_another_process_writes(searched: tuple[Path, str]) -> None:
    from rosearch.records.store import Store
    from rosearch.run.results import load_results

    run = RunDirectory.open(searched[0] / "runs/small-0001")
    with run.lock(), Store.open(run.store) as store:
        store.set_meta("note", "a driver at work")
        found = load_results(run)
    assert isinstance(found, Results) and len(found.of("candidate")) == 7
