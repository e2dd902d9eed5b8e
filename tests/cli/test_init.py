from __future__ import annotations

import errno
import json
import re
from pathlib import Path

import pytest
from command_line import rosearch
from jsonschema import Draft202012Validator
from own_data import FLAGS, QUEUES, write_own_data

from rosearch.cli.init import SCHEMA
from rosearch.cli.options import load_own
from rosearch.config.file import load_experiment
from rosearch.config.plain_data import read_yaml
from rosearch.run.own_data import OwnData

SHORT = ("-o", "distillation.max_steps=2", "-o", "distillation.batch_size=8")
SMALL = (
    "-o",
    "evolution.candidates=2",
    "-o",
    "evolution.population=2",
    "-o",
    "evolution.elite=1",
    "-o",
    "baselines=[]",
)
UNTRAINED = (*SHORT, *SMALL, "-o", "execution.workers=0", "-o", "finalists.count=0", "-o", "fitness.min_quality=0")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's files, and `mine/tickets.yaml`, which `rosearch init` wrote of them."""
    folder = write_own_data(tmp_path_factory.mktemp("made"))
    rosearch("init", "mine/tickets.yaml", *FLAGS, cwd=folder)
    return folder


def test_what_is_written_passes_its_check_and_the_next_command_is_told(made: Path, tmp_path: Path) -> None:
    write_own_data(tmp_path)
    printed = rosearch("init", "my.yaml", *FLAGS, cwd=tmp_path).stdout
    assert printed.startswith("Wrote my.yaml. What you did not give:\n")
    for told in (
        "labels billing, returns, shipping: those of the teacher",
        "max_length 24: 99 in 100 of 120 training texts have at most",
        "test: 15% of the training file",
        "metric accuracy: a guess; ",
        "120 train, 16 validation, 24 test rows",
        "doubts: the teacher is right on ",  # it was never taught
        "my.yaml: it would run; see the doubts first. Next:\n  rosearch search my.yaml\n",
    ):
        assert told in printed


def test_the_file_says_all_that_was_derived_with_paths_of_its_own_folder(made: Path) -> None:
    task = read_yaml(made / "mine" / "tickets.yaml")["task"]
    assert task["files"] == {"train": "../tickets.csv", "validation_share": 0.1, "test_share": 0.15}
    assert (task["labels"], task["max_length"], task["metric"]) == (list(QUEUES), 24, "accuracy")
    assert rosearch("check", "mine/tickets.yaml", "--json", cwd=made).data["ok"] is True
    assert load_experiment(made / "mine/tickets.yaml").teacher.model == str(made / "my-bert")


def test_an_editor_finds_the_schema_and_the_file_fits_it(made: Path) -> None:
    file = made / "mine" / "tickets.yaml"
    first = file.read_text().splitlines()[0]
    named = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", first)
    assert named is not None
    schema = json.loads((file.parent / named[1]).read_text())
    assert [error.message for error in Draft202012Validator(schema).iter_errors(read_yaml(file))] == []


def test_a_file_that_is_there_stays_unless_it_is_to_be_replaced(tmp_path: Path) -> None:
    write_own_data(tmp_path)
    (tmp_path / "my.yaml").write_text("precious\n")
    (tmp_path / SCHEMA).write_text('{"title": "of somebody else"}\n')
    refused = rosearch("init", "my.yaml", *FLAGS, cwd=tmp_path, expect=5)
    assert refused.stderr == "error my.yaml: exists already; name another file, or add --overwrite\n"
    assert (tmp_path / "my.yaml").read_text() == "precious\n"
    rosearch("init", "my.yaml", "--overwrite", *FLAGS, cwd=tmp_path)
    assert "name: my " in (tmp_path / "my.yaml").read_text()
    assert "yaml-language-server" not in (tmp_path / "my.yaml").read_text()
    assert "somebody else" in (tmp_path / SCHEMA).read_text()


LINES = {
    "nothing": ((), "expected --train-file FILE, --text COLUMN, --label COLUMN and --teacher FOLDER, or a terminal"),
    "a part": (FLAGS[:2], "got no --text, --label, --teacher"),
    "no file to write": (FLAGS, "FILE: expected the experiment to write, such as my.yaml, got none"),
    "another kind of file": (("my.txt", *FLAGS), "FILE: expected a file that ends in .yaml, got 'my.txt'"),
    "a file that is not there": (
        ("my.yaml", *FLAGS, "--test-file", "no.csv"),
        "--test-file: expected a file, got no.csv",
    ),
    "three texts": (("my.yaml", *FLAGS, "--text", "a", "--text", "b"), "--text: expected a column, or two different"),
    "one column twice": (("my.yaml", *FLAGS, "--text", "queue"), "--label: expected another column than --text"),
    "a misspelt column": (
        ("my.yaml", "--train-file", "tickets.csv", "--text", "mesage", "--label", "queue", "--teacher", "./my-bert"),
        "expected a column 'mesage', got only 'id', 'message', 'queue'. Did you mean --text message?",
    ),
    "no classes": (
        ("my.yaml", *FLAGS[:4], "--label", "id", *FLAGS[6:]),
        "expected billing, returns, shipping, or their integers 0 to 2, got",
    ),
}


@pytest.mark.parametrize("case", LINES)
def test_what_cannot_be_begun_with_is_one_clear_line(case: str, made: Path) -> None:
    flags, expected = LINES[case]
    printed = rosearch("init", *flags, cwd=made, expect=3)
    assert expected in printed.stderr and printed.stderr.count("\n") == 1 and printed.stdout == ""
    assert not list(made.glob("my.*"))


def test_a_teacher_that_is_not_there_is_one_line(made: Path) -> None:
    printed = rosearch("init", "my.yaml", *FLAGS[:6], "--teacher", "./nobody", cwd=made, expect=4)
    assert printed.stderr.startswith("error --teacher: there is no folder ./nobody; give the folder of your BERT")


def test_the_flags_alone_are_the_experiment_that_init_writes(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(made)
    own = OwnData(Path("tickets.csv"), text=("message",), label="queue", teacher="./my-bert")
    written = load_experiment(made / "mine" / "tickets.yaml")
    assert written.task is not None and written.task.files is not None
    same = written.task.model_copy(
        update={"files": written.task.files.model_copy(update={"train": made / "tickets.csv"})}
    )
    assert load_own(None, own, (), None) == written.model_copy(update={"task": same})


def test_a_search_needs_no_experiment(made: Path) -> None:
    printed = rosearch("search", *FLAGS, *UNTRAINED, "--runs", "free", cwd=made)
    assert "labels billing, returns, shipping: those of the teacher" in printed.stderr
    snapshot = read_yaml(made / "free/tickets-0001/experiment.yaml")
    assert (snapshot["task"]["labels"], snapshot["task"]["max_length"]) == (list(QUEUES), 24)
    assert snapshot["task"]["files"]["train"] == str(made / "tickets.csv")
    assert rosearch("status", "free/tickets-0001", "--json", cwd=made).data["finished"] is True


def test_flags_put_data_and_teacher_into_an_experiment_and_what_it_lacks_is_derived(made: Path) -> None:
    printed = rosearch("search", "quickstart", *FLAGS, *UNTRAINED, "--runs", "named", cwd=made)
    assert "derived: labels billing, returns, shipping: those of the teacher; max_length 24" in printed.stderr
    snapshot = read_yaml(made / "named/quickstart-0001/experiment.yaml")
    assert (snapshot["task"]["name"], snapshot["task"]["max_length"]) == ("tickets", 24)
    assert snapshot["evaluation"]["efficiency"]["tokens"] == 16  # of the quickstart
    assert "was stopped" not in rosearch("resume", "named/quickstart-0001", cwd=made).stderr


def test_one_student_needs_no_experiment_either(made: Path, tmp_path: Path) -> None:
    (tmp_path / "test.csv").write_text("message,queue\n" + "".join(f"good {row},billing\n" for row in range(8)))
    student = ("--student", "layers:0", "--to", tmp_path / "out")
    files = ("--test-file", tmp_path / "test.csv")
    printed = rosearch("distil", *student, *FLAGS, *files, *SHORT, "--test", cwd=made).stdout
    assert "accuracy, 8 test rows" in printed
    assert f"--task {tmp_path / 'test.csv'} --text message --label queue" in printed
    missing = rosearch("distil", *student, cwd=made, expect=3).stderr
    assert "or --task EXPERIMENT, got no --train-file, --text, --label, --teacher" in missing


def test_rows_that_two_splits_share_are_doubts_that_check_and_search_tell(made: Path, tmp_path: Path) -> None:
    lines = (made / "tickets.csv").read_text().splitlines()
    (made / "held.csv").write_text(
        "\n".join([lines[0], "1,good day,billing", "2,bad day,returns", "3,dull day,shipping"])
    )
    flags = ("--validation-file", "held.csv", "--test-file", "held.csv")
    told = rosearch("init", tmp_path / "leaky.yaml", *FLAGS, *flags, cwd=made).stdout
    assert "doubts: 3 of 3 test rows are validation rows too" in told and "all well" not in told
    assert "it would run; see the doubts first" in told


def test_a_place_that_cannot_be_written_is_named(made: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    failed = rosearch("init", tmp_path / "file/my.yaml", *FLAGS, cwd=made, expect=5)
    assert str(tmp_path / "file/my.yaml") in failed.stderr and failed.stderr.count("\n") == 1


def test_an_experiment_that_is_replaced_stays_where_the_new_one_cannot_be_written(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my.yaml").write_text("mine")

    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("rosearch.files.write_whole", fail)
    failed = rosearch("init", tmp_path / "my.yaml", *FLAGS, "--overwrite", cwd=made, expect=5)
    assert "No space left on device" in failed.stderr and (tmp_path / "my.yaml").read_text() == "mine"
