import json
import os
import random
import string
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from rosearch.evaluation.attacks.stock import library
from rosearch.resources.word_lists import stop_words

OFFLINE_IMPORT = Path(__file__).with_name("offline_import.py")


def draws() -> tuple[float, float, float]:
    return random.random(), float(np.random.random()), float(torch.rand(1))


def test_loading_again_gives_the_same_package(cache: Path) -> None:
    assert library.load(cache) is library.load(cache / "elsewhere") is library.loaded()
    assert not (cache / "elsewhere").exists()


def test_the_global_generators_are_seeded_and_then_as_they_were() -> None:
    with library.generators_at(0):
        with library.generators_at(11):
            inside = draws()
        expected = draws()
    with library.generators_at(0):
        with library.generators_at(11):
            assert draws() == inside
        with library.generators_at(2**70 + 3):
            assert draws() != inside
        assert draws() == expected


def test_words_are_split_as_textattack_splits_them(cache: Path) -> None:
    words_from_text = library.load(cache).shared.utils.words_from_text
    remembered = library.remembering(words_from_text)
    rng = random.Random(1)
    alphabet = string.ascii_letters + string.digits + string.punctuation + "  \t\n'-_*@é中文ɑ"
    for _ in range(300):
        text = "".join(rng.choices(alphabet, k=rng.randint(0, 60)))
        assert remembered(text) == remembered(text) == words_from_text(text)
    remembered("film").append("changed by its caller")
    assert remembered("film") == ["film"]


def test_words_are_remembered_inside_only_and_also_where_that_is_nested(cache: Path) -> None:
    module = library.load(cache).shared.attacked_text
    stock = module.words_from_text
    with library.remembered_words():
        remembering = module.words_from_text
        with library.remembered_words():
            assert module.words_from_text is remembering is not stock
        assert module.words_from_text is remembering
    assert module.words_from_text is stock


def test_a_result_keeps_its_history_inside_only(cache: Path) -> None:
    textattack = library.load(cache)
    text = textattack.shared.AttackedText("a good film").replace_word_at_index(1, "bad")
    with library.kept_histories():
        text.free_memory()
        assert text.attack_attrs["previous_attacked_text"].text == "a good film"
    text.free_memory()
    assert "previous_attacked_text" not in text.attack_attrs


def test_stop_words_are_those_of_textattack_where_it_asks_nltk(cache: Path) -> None:
    textattack = library.load(cache)
    with library.quietly():
        constraint = textattack.constraints.pre_transformation.StopwordModification()
    assert constraint.stopwords == stop_words()
    assert {"the", "isn't", "very"} <= constraint.stopwords
    with library.quietly(), pytest.raises(LookupError, match="no stop words for klingon"):
        textattack.constraints.pre_transformation.StopwordModification(language="klingon")


def test_two_threads_that_overlap_leave_nothing_replaced() -> None:
    owner = SimpleNamespace(name="original")
    entered, seen = threading.Event(), []

    def first() -> None:
        with library.replaced(owner, "name", "first"):
            entered.set()
            time.sleep(0.05)  # the second one waits meanwhile
            seen.append(owner.name)

    thread = threading.Thread(target=first)
    thread.start()
    entered.wait()
    with library.replaced(owner, "name", "second"):
        thread.join(0.1)
        seen.append(owner.name)
    thread.join()
    assert (seen, owner.name) == (["first", "second"], "original")


@pytest.fixture(scope="module")
def offline(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, Any]]:
    """The effects of the import in a process of its own, with flair and without."""
    reports: dict[str, dict[str, Any]] = {}

    def report(mode: str) -> dict[str, Any]:
        if mode not in reports:
            home, cache = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("own") / "cache"
            hidden = (
                "HF_HOME",
                "TA_CACHE_DIR",
                "NLTK_DATA",
                "XDG_CACHE_HOME",
                "XDG_CONFIG_HOME",
                "MPLCONFIGDIR",
            )
            environment = {name: value for name, value in os.environ.items() if name not in hidden}
            environment |= {"HOME": str(home), "OMP_NUM_THREADS": "1"}
            done = subprocess.run(
                [sys.executable, str(OFFLINE_IMPORT), str(cache), mode],
                env=environment,
                capture_output=True,
                text=True,
                check=False,
                timeout=240,
            )
            assert (done.returncode, done.stderr) == (0, "")
            written = [str(path.relative_to(home)) for path in home.rglob("*")]
            reports[mode] = json.loads(done.stdout) | {"home": str(home), "written": written}
        return reports[mode]

    return report


def test_importing_the_evaluation_imports_no_textattack(offline: Callable[[str], dict[str, Any]]) -> None:
    assert offline("with-flair")["imported"] == []


def test_opening_an_attack_needs_no_network_and_leaves_no_trace(
    offline: Callable[[str], dict[str, Any]],
) -> None:
    report = offline("with-flair")
    assert report["connections"] == []
    assert report["written"] == []
    assert report["changed"] == []
    assert all(place.startswith(report["home"]) for place in report["hub"])


@pytest.mark.parametrize("mode", ["without-flair", pytest.param("broken-flair", marks=pytest.mark.slow)])
def test_attacks_are_the_same_where_flair_is_absent_or_does_not_fit(
    mode: str, offline: Callable[[str], dict[str, Any]]
) -> None:
    report = offline(mode)
    assert not report["flair"]
    assert report["rows"] == offline("with-flair")["rows"]
    assert all(queries > 1 for _, _, queries in report["rows"])
