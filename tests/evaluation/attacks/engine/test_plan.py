import dataclasses
import errno
import json
import subprocess
import sys
import threading
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from damaged_files import DAMAGES
from evaluation.attacks.attacked_case import Victims
from evaluation.attacks.attacked_texts import pair_rows, single_rows
from evaluation.attacks.letter_victim import LetterVictim

from rosearch.evaluation.attacks.engine import plan as planning
from rosearch.evaluation.attacks.engine.plan import Plan, compile_plan, plan_key
from rosearch.evaluation.attacks.prepared import prepare_attack
from rosearch.evaluation.attacks.recipes import RECIPES, build
from rosearch.evaluation.attacks.stock.forms import form_of
from rosearch.files import content
from rosearch.resources.resources import Resources

Texts = list[tuple[str, ...]]
TEXTS = single_rows(44)[32:]


class Compile:
    """`compile_plan` with everything filled in."""

    def __init__(self, textattack: ModuleType, resources: Resources, victims: Victims, cache: Path) -> None:
        self.textattack, self.resources, self.victims, self.cache = textattack, resources, victims, cache

    def attack(self, name: str) -> Any:
        return build(RECIPES[name], self.victims("wordpiece"), self.resources, self.cache)

    def __call__(self, folder: Path, texts: Texts = TEXTS, seed: int = 1, name: str = "deepwordbug") -> Plan:
        attack = self.attack(name)
        form = form_of(attack)
        assert form is not None
        return compile_plan(self.textattack, attack, form, name, texts, seed, fingerprint="f", cache=folder)


@pytest.fixture
def compiled(textattack: ModuleType, attack_resources: Resources, victims: Victims, cache: Path) -> Compile:
    return Compile(textattack, attack_resources, victims, cache)


def path_of(folder: Path, plan: Plan) -> Path:
    return folder / "plans" / f"{plan.key}.json"


@pytest.mark.parametrize("name", ["deepwordbug", "pruthi", "textbugger-lite", "pwws", "textfooler-minilm"])
def test_a_plan_is_the_same_from_disk(
    name: str, compiled: Compile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = compiled(tmp_path, name=name)
    assert any(any(row.candidates) for row in made.rows)
    monkeypatch.setattr(planning, "_compile_row", None)  # it is not compiled again
    assert compiled(tmp_path, name=name) == made


@pytest.mark.parametrize("damage", ["", "{", "[]", "[{}]", '[{"texts": ["other"]}]', "not at all"])
def test_a_damaged_plan_is_compiled_again(damage: str, compiled: Compile, tmp_path: Path) -> None:
    made = compiled(tmp_path)
    path_of(tmp_path, made).write_text(damage)
    assert compiled(tmp_path) == made
    assert len(json.loads(content(path_of(tmp_path, made)))) == len(TEXTS)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_plan_that_the_disk_damaged_is_compiled_again(damage: str, compiled: Compile, tmp_path: Path) -> None:
    made = compiled(tmp_path)
    before = path_of(tmp_path, made).read_bytes()
    DAMAGES[damage](path_of(tmp_path, made))
    assert compiled(tmp_path) == made
    assert path_of(tmp_path, made).read_bytes() == before


def test_a_plan_of_other_rows_under_the_same_name_is_compiled_again(compiled: Compile, tmp_path: Path) -> None:
    made, other = compiled(tmp_path), compiled(tmp_path, TEXTS[::-1])
    path_of(tmp_path, made).write_bytes(path_of(tmp_path, other).read_bytes())
    assert compiled(tmp_path) == made


@pytest.mark.parametrize("name", ["deepwordbug", "textbugger-lite", "pruthi"])
def test_a_rows_plan_depends_on_no_other_row(name: str, compiled: Compile, tmp_path: Path) -> None:
    whole = compiled(tmp_path, name=name).rows
    assert compiled(tmp_path, TEXTS[::-1], name=name).rows == whole[::-1]
    assert compiled(tmp_path, TEXTS[5:7], name=name).rows == whole[5:7]


def test_another_seed_draws_other_letters_for_the_same_words(compiled: Compile, tmp_path: Path) -> None:
    first, second = compiled(tmp_path).rows, compiled(tmp_path, seed=2).rows
    assert [row.candidates for row in first] != [row.candidates for row in second]
    assert [(row.words, row.order, row.left_out) for row in first] == [
        (row.words, row.order, row.left_out) for row in second
    ]


def test_the_key_tells_apart_all_that_a_plan_depends_on() -> None:
    keys = [
        plan_key("a", [("x", "y")], 1, "f"),
        plan_key("b", [("x", "y")], 1, "f"),
        plan_key("a", [("x", "z")], 1, "f"),
        plan_key("a", [("x",), ("y",)], 1, "f"),
        plan_key("a", [("y", "x")], 1, "f"),
        plan_key("a", [("x", "y")], 2, "f"),
        plan_key("a", [("x", "y")], 1, "g"),
        plan_key("a", [("x\x1ey",)], 1, "f"),
        plan_key("a", [("x\x1fy",)], 1, "f"),
        plan_key("a", [("\ud800",)], 1, "f"),
    ]
    assert len(set(keys)) == len(keys)
    assert all(len(key) == 32 for key in keys)


def test_the_constraints_of_the_attack_are_as_before(compiled: Compile, tmp_path: Path) -> None:
    attack = compiled.attack("textfooler-minilm")
    form = form_of(attack)
    assert form is not None
    before = list(attack.constraints)
    compile_plan(compiled.textattack, attack, form, "x", TEXTS, 1, fingerprint="", cache=tmp_path)
    assert attack.constraints == before


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("İstanbul has a good film", "lower case"),
        ("good <SPLIT> film", "<SPLIT>"),
        ("电影 good film", "Chinese"),
    ],
)
def test_a_row_that_the_engine_cannot_follow_is_marked_with_the_reason(
    text: str, reason: str, compiled: Compile, tmp_path: Path
) -> None:
    odd, plain = compiled(tmp_path, [(text,), ("a good film",)]).rows
    assert reason in odd.odd
    assert (odd.texts, odd.candidates) == ((text,), ())
    assert plain.odd == ""


@pytest.mark.parametrize(
    ("candidates", "reason"),
    [
        (["goo\td"], "white space"),
        (["goods "], "white space"),
        (["..."], "more than the word"),
        (["电影"], "what stands around"),
    ],
)
def test_a_candidate_that_would_break_an_assumption_makes_its_row_odd(
    candidates: list[str], reason: str, compiled: Compile, tmp_path: Path
) -> None:
    attack = compiled.attack("deepwordbug")
    form = form_of(attack)
    assert form is not None

    class Swap(compiled.textattack.transformations.WordSwap):  # type: ignore[misc,name-defined]
        def _get_replacement_words(self, word: str) -> list[str]:
            return candidates if word == "good" else []

    attack.transformation = Swap()
    texts: Texts = [("a good film",), ("a film",)]
    odd, plain = compile_plan(compiled.textattack, attack, form, "swap", texts, 1, fingerprint="", cache=tmp_path).rows
    assert reason in odd.odd
    assert plain.odd == ""


def test_an_error_of_a_transformation_is_its_rows_reason_unless_memory_is_full(
    compiled: Compile, tmp_path: Path
) -> None:
    attack = compiled.attack("deepwordbug")
    form = form_of(attack)
    assert form is not None

    class Raising(compiled.textattack.transformations.WordSwap):  # type: ignore[misc,name-defined]
        error: BaseException = RuntimeError("no such word")

        def _get_replacement_words(self, word: str) -> list[str]:
            raise self.error

    attack.transformation = Raising()
    texts: Texts = [("good film",)]
    (row,) = compile_plan(compiled.textattack, attack, form, "r", texts, 1, fingerprint="", cache=tmp_path).rows
    assert row.odd == "RuntimeError: no such word"
    for error in (MemoryError(), OSError(errno.EMFILE, "Too many open files")):
        Raising.error = error
        with pytest.raises(type(error)):
            compile_plan(compiled.textattack, attack, form, "m", texts, 1, fingerprint="", cache=tmp_path)
    assert not list((tmp_path / "plans").glob("*m*.json.*"))


def test_candidates_that_other_swaps_can_reorder_are_marked(compiled: Compile, tmp_path: Path) -> None:
    """One candidate begins another that goes on with the character after the word: `plot`, `plot s`."""
    attack = compiled.attack("deepwordbug")
    form = form_of(attack)
    assert form is not None

    class Swap(compiled.textattack.transformations.WordSwap):  # type: ignore[misc,name-defined]
        def _get_replacement_words(self, word: str) -> list[str]:
            return {"film": ["plot", "plot s"], "good": ["fine", "finer"]}.get(word, [])

    attack.transformation = Swap()
    texts: Texts = [("film good",), ("good film",), ("a film-good",)]
    rows = compile_plan(compiled.textattack, attack, form, "u", texts, 1, fingerprint="", cache=tmp_path).rows
    assert [row.unsorted for row in rows] == [(0,), (), ()]


def test_two_threads_that_compile_the_same_get_the_same(compiled: Compile, tmp_path: Path) -> None:
    """They take turns: TextAttack draws from global generators."""
    made: list[Plan] = []
    threads = [threading.Thread(target=lambda: made.append(compiled(tmp_path))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made[0] == made[1]


COMPILED_AT_ONCE = ("deepwordbug", "pwws", "synonym-swap", "textbugger-lite")
SOME: Texts = [("The film was good and the plot never dull.",), ("I loved the gripping story, it's well-made",)]
SCRIPT = f"""
import sys
from pathlib import Path
from evaluation.attacks.letter_victim import LetterVictim
from rosearch.evaluation.attacks.prepared import prepare_attack
from rosearch.resources.resources import Resources
for name in {COMPILED_AT_ONCE}:
    prepared = prepare_attack(name, {SOME}, 3, LetterVictim(), Resources(Path(sys.argv[2])), Path(sys.argv[1]))
    print(prepared.key, prepared.plan.rows)
"""


def test_processes_that_compile_at_once_and_any_hash_seed_make_the_same_plan(
    attack_resources: Resources, tmp_path: Path, cache: Path
) -> None:
    """Two in one folder, and this one, whose hash seed is another, in another."""
    tests = Path(__file__).parents[3]
    variables = {"PYTHONPATH": f"{tests}:{tests.parent}", "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "PATH": ""}
    started = [
        subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", SCRIPT, str(tmp_path / "both"), str(attack_resources.folder)],
            env=variables | {"PYTHONHASHSEED": seed, "HOME": str(tmp_path / "home")},
            stdout=subprocess.PIPE,
            text=True,
        )
        for seed in ("1", "2")
    ]
    told = [process.communicate(timeout=240)[0] for process in started]
    assert [process.returncode for process in started] == [0, 0]
    own = [
        prepare_attack(name, SOME, 3, LetterVictim(), attack_resources, tmp_path / "own") for name in COMPILED_AT_ONCE
    ]
    expected = [f"{prepared.key} {prepared.plan.rows}" for prepared in own if prepared.plan is not None]
    assert told[0].splitlines() == told[1].splitlines() == expected
    assert len(expected) == 4
    assert not (tmp_path / "home").exists()


def test_pairs_are_compiled_over_both_texts(compiled: Compile, tmp_path: Path) -> None:
    for row in compiled(tmp_path, [texts for texts in pair_rows(9) if "<SPLIT>" not in "".join(texts)]).rows:
        if not row.odd:
            joined = "\n".join(row.texts)
            assert [joined[start : start + len(word)] for start, word in zip(row.starts, row.words, strict=True)] == [
                *row.words
            ]
            assert all(len(texts) == 2 for texts in row.left_out)


def test_a_row_is_plain_data(compiled: Compile, tmp_path: Path) -> None:
    row = compiled(tmp_path).rows[0]
    assert json.loads(json.dumps(dataclasses.asdict(row)))["words"] == list(row.words)
