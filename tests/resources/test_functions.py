from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rosearch.errors import BadInput
from rosearch.resources.functions import find_function, find_functions, is_function


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current folder, with a module and a package of the user's own."""
    (tmp_path / "my_attacks").mkdir()
    (tmp_path / "my_attacks" / "__init__.py").write_text("")
    (tmp_path / "my_attacks" / "edits.py").write_text("def build(model):\n    return model\nNUMBER = 3\n")
    (tmp_path / "own_edits.py").write_text("from my_attacks.edits import build\nclass Recipe:\n    make = len\n")
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0] in ("my_attacks", "own_edits", "broken_own")]:
        del sys.modules[name]


@pytest.mark.parametrize("name", ["a:b", "package.module:function", "module:Class.method"])
def test_a_function_is_a_module_a_colon_and_a_name(name: str) -> None:
    assert is_function(name)


@pytest.mark.parametrize("name", ["deepwordbug", "a:", ":b", "a:b:c", "a b:c", "../a:b", "a.:b", "C:\\x", "1a:b"])
def test_what_is_no_name_of_python_is_no_function(name: str) -> None:
    assert not is_function(name)
    with pytest.raises(BadInput, match="expected module:function"):
        find_function(name)


def test_it_is_found_in_the_current_folder_and_loaded_only_when_it_is_called(folder: Path) -> None:
    found = find_function("my_attacks.edits:build")
    assert found.source == folder / "my_attacks" / "edits.py" and "my_attacks.edits" not in sys.modules
    assert found.load()(7) == 7
    assert find_function("own_edits:build").load()(8) == 8
    assert find_function("own_edits:Recipe.make").load()("abc") == 3
    assert str(folder) not in sys.path


def test_a_module_of_the_current_folder_stands_in_for_no_other(folder: Path) -> None:
    (folder / "random.py").write_text("def choice(values):\n    raise SystemExit\n")
    assert find_function("random:choice").source != folder / "random.py"


def test_its_digest_follows_its_source(folder: Path) -> None:
    before = find_function("my_attacks.edits:build").digest
    assert find_function("my_attacks.edits:build").digest == before
    (folder / "my_attacks" / "edits.py").write_text("def build(model):\n    return None\n")
    assert find_function("my_attacks.edits:build").digest != before


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("no_such_module:build", "expected a module no_such_module, got no such module"),
        ("no_such_package.inner:build", "expected a module no_such_package.inner, got ModuleNotFoundError"),
        ("my_attacks.edits:other", "expected a function other in"),
        ("my_attacks.edits:biuld", "got no such name. Did you mean build?"),
        ("my_attacks.edits:nunber", "got no such name. It must be defined"),
        ("own_edit:build", "expected a module own_edit, got no such module. Did you mean own_edits?"),
        ("my_atacks:build", "got no such module. Did you mean my_attacks?"),
        ("my_attacks.edit:build", "got no such module. Did you mean my_attacks.edits?"),
        ("sys:exit", "with a source file"),
        ("broken_own:build", "expected Python"),
    ],
)
def test_what_cannot_be_found_is_one_line(name: str, expected: str, folder: Path) -> None:
    (folder / "broken_own.py").write_text("def build(:\n")
    with pytest.raises(BadInput) as told:
        find_function(name, "the.key")
    (problem,) = told.value.problems
    assert expected in str(problem) and str(problem).startswith("the.key: ") and "\n" not in str(problem)


def test_all_that_an_experiment_names_is_told_at_once_with_its_keys(folder: Path) -> None:
    named = {"my_attacks.edits:build": "a.0", "own_edits:biuld": "a.1", "gone:build": "b.0"}
    with pytest.raises(BadInput) as told:
        find_functions(named)
    assert [problem.key for problem in told.value.problems] == ["a.1: own_edits:biuld", "b.0: gone:build"]
    assert [problem.where for problem in told.value.problems] == ["experiment", "experiment"]
    assert list(find_functions({"own_edits:build": "a.0"})) == ["own_edits:build"]


def test_what_cannot_be_loaded_is_one_line(folder: Path) -> None:
    with pytest.raises(BadInput, match="expected a function, got int"):
        find_function("my_attacks.edits:NUMBER").load()
    (folder / "broken_own.py").write_text("def build(model): pass\nraise RuntimeError('two\\nlines')\n")
    with pytest.raises(BadInput, match="a module that can be imported, got RuntimeError: two lines"):
        find_function("broken_own:build").load()
