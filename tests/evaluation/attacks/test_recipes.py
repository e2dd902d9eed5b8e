import json
import logging
import os
import random
import string
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rosearch.evaluation.attacks import recipes
from rosearch.evaluation.attacks.recipes import ATTACKS, AttackedRow, StockAttack, open_attack
from rosearch.evaluation.robustness import TextVictim

Texts = list[tuple[str, ...]]
OFFLINE_IMPORT = Path(__file__).with_name("offline_import.py")


@pytest.fixture(params=sorted(ATTACKS))
def attack(request: pytest.FixtureRequest, victim: TextVictim, cache: Path) -> StockAttack:
    """The contract below holds for every attack that is listed."""
    return open_attack(request.param, victim, cache)


def attack_all(attack: StockAttack, texts: Texts, labels: Any, seed: int = 1) -> list[AttackedRow]:
    with torch.inference_mode():
        return [attack.run(row, int(label), seed) for row, label in zip(texts, labels, strict=True)]


def predictions(victim: TextVictim, rows: list[AttackedRow]) -> list[int]:
    with torch.inference_mode():
        return [int(victim([row.texts[0] if len(row.texts) == 1 else row.texts]).argmax()) for row in rows]


def test_equal_seeds_give_equal_results_and_other_seeds_other_letters(
    attack: StockAttack, sentences: Texts, labels: Any
) -> None:
    first = attack_all(attack, sentences, labels)
    assert attack_all(attack, sentences, labels) == first
    other = attack_all(attack, sentences, labels, seed=2)
    assert [row.texts for row in other] != [row.texts for row in first]
    assert [row.outcome == "misclassified" for row in other] == [row.outcome == "misclassified" for row in first]


def test_a_row_does_not_depend_on_the_rows_before_it(attack: StockAttack, sentences: Texts, labels: Any) -> None:
    forwards = attack_all(attack, sentences, labels)
    backwards = attack_all(attack, sentences[::-1], labels[::-1])
    assert backwards[::-1] == forwards


def test_outcomes_say_what_the_model_says(
    attack: StockAttack, victim: TextVictim, sentences: Texts, labels: Any
) -> None:
    rows = attack_all(attack, sentences, labels)
    outcomes = {row.outcome for row in rows}
    assert outcomes == {"misclassified", "broken", "survived"}
    for row, said, text, label in zip(rows, predictions(victim, rows), sentences, labels, strict=True):
        assert (said == label) == (row.outcome == "survived")
        if row.outcome == "misclassified":
            assert (row.texts, row.queries, row.changed) == (text, 1, 0)
        else:
            assert row.queries > 1


def test_changed_words_are_counted(attack: StockAttack, sentences: Texts, labels: Any) -> None:
    for row, (text,) in zip(attack_all(attack, sentences, labels), sentences, strict=True):
        before, after = text.split()[:-1], row.texts[0].split()[:-1]
        assert row.words == len(before) == len(after)
        assert row.changed == sum(old != new for old, new in zip(before, after, strict=True))
        assert row.changed >= (row.outcome == "broken")


def test_stop_words_stay(attack: StockAttack, sentences: Texts, labels: Any) -> None:
    changed = set()
    for row, (text,) in zip(attack_all(attack, sentences, labels), sentences, strict=True):
        changed |= {old for old, new in zip(text.split(), row.texts[0].split(), strict=True) if old != new}
    assert changed
    assert not changed & {"the", "a", "of", "and", "this", "isn't", "very"}


def test_words_of_both_texts_of_a_pair_are_attacked(attack: StockAttack, victim: TextVictim, pairs: Texts) -> None:
    with torch.inference_mode():
        labels = victim(pairs).argmax(dim=1).tolist()
    rows = attack_all(attack, pairs, labels)
    assert all(len(row.texts) == 2 for row in rows)
    for column in (0, 1):
        assert any(row.texts[column] != pair[column] for row, pair in zip(rows, pairs, strict=True))
    for row, pair in zip(rows, pairs, strict=True):
        assert row.words == sum(len(text.split()) - 1 for text in pair)


def test_a_text_without_words_survives(attack: StockAttack, victim: TextVictim) -> None:
    with torch.inference_mode():
        label = int(victim(["!"]).argmax())
        row = attack.run(("!",), label, 1)
    assert row == AttackedRow("survived", ("!",), queries=1, words=0, changed=0)


def test_the_global_generators_are_left_alone(attack: StockAttack, sentences: Texts, labels: Any) -> None:
    random.seed(11)
    np.random.seed(11)
    expected = (random.random(), np.random.random())
    random.seed(11)
    np.random.seed(11)
    attack_all(attack, sentences[:4], labels[:4])
    assert (random.random(), np.random.random()) == expected


def test_a_text_that_textattack_would_cut_is_refused(attack: StockAttack) -> None:
    with pytest.raises(ValueError, match="<SPLIT>"):
        attack.run(("good <SPLIT> film",), 0, 1)


def test_an_unknown_attack_names_the_known(victim: TextVictim, cache: Path) -> None:
    with pytest.raises(ValueError, match="'deepwordbugs': known are deepwordbug"):
        open_attack("deepwordbugs", victim, cache)


def test_words_are_split_as_textattack_splits_them(victim: TextVictim, cache: Path) -> None:
    attack = open_attack("deepwordbug", victim, cache)
    from textattack.shared.utils import words_from_text

    rng = random.Random(1)
    alphabet = string.ascii_letters + string.digits + string.punctuation + "  \t\n'-_*@é中文ɑ"
    for _ in range(300):
        text = "".join(rng.choices(alphabet, k=rng.randint(0, 60)))
        assert attack._words(text) == attack._words(text) == words_from_text(text)
    attack._words("film").append("changed by its caller")
    assert attack._words("film") == ["film"]


@pytest.fixture
def stock_stopwords(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, victim: TextVictim) -> Any:
    """NLTK's own reader, over the same list: what TextAttack finds without us."""
    open_attack("deepwordbug", victim, cache)  # TextAttack is imported
    import nltk

    lines = recipes._STOPWORDS.read_text(encoding="utf-8").splitlines()
    folder = tmp_path / "corpora" / "stopwords"
    folder.mkdir(parents=True)
    (folder / "english").write_text("\n".join(line for line in lines if line[0] != "#"), encoding="utf-8")
    monkeypatch.setattr(nltk.data, "path", [str(tmp_path)])
    nltk.corpus.stopwords._unload()
    logger = logging.getLogger("textattack.shared.utils.install")
    monkeypatch.setattr(logger, "level", logger.level)  # a silent Attacker leaves it talkative
    yield
    nltk.corpus.stopwords._unload()


@pytest.mark.usefixtures("stock_stopwords")
@pytest.mark.filterwarnings("ignore:The 'warn' method is deprecated:DeprecationWarning")
@pytest.mark.parametrize("kind", ["sentences", "pairs"])
def test_results_equal_those_of_the_stock_attacker_with_the_stock_wrapper(
    kind: str,
    request: pytest.FixtureRequest,
    victim: TextVictim,
    cache: Path,
    model: Any,
    tokenizer: Any,
    capfd: pytest.CaptureFixture[str],
) -> None:
    import textattack
    from textattack.models.wrappers import HuggingFaceModelWrapper

    texts: Texts = request.getfixturevalue(kind)
    columns = {"sentences": ["text"], "pairs": ["premise", "hypothesis"]}[kind]
    with torch.inference_mode():
        right = victim([row[0] if len(row) == 1 else row for row in texts]).argmax(dim=1).tolist()
    labels = [1 - label if row % 4 == 3 else label for row, label in enumerate(right)]

    class Seeded(textattack.datasets.Dataset):
        """Seeds the generators when a row is fetched, which is right before it is attacked."""

        def __getitem__(self, row: int) -> Any:
            item = super().__getitem__(row)
            random.seed(row)
            np.random.seed(row)
            return item

    rows = [(row[0] if len(row) == 1 else row, label) for row, label in zip(texts, labels, strict=True)]
    stock = textattack.attack_recipes.DeepWordBugGao2018.build(HuggingFaceModelWrapper(model, tokenizer))
    arguments = textattack.AttackArgs(num_examples=len(rows), disable_stdout=True, silent=True)
    with torch.random.fork_rng():
        expected = textattack.Attacker(stock, Seeded(rows, columns), arguments).attack_dataset()
    capfd.readouterr()

    kinds = {"Skipped": "misclassified", "Failed": "survived", "Successful": "broken"}
    ours = open_attack("deepwordbug", victim, cache)
    for number, (row, label, reference) in enumerate(zip(texts, labels, expected, strict=True)):
        with torch.inference_mode():
            result = ours.run(row, label, number)
        assert result.outcome == kinds[type(reference).__name__.removesuffix("AttackResult")]
        assert "\n".join(result.texts) == reference.perturbed_result.attacked_text.text
        assert result.queries == reference.num_queries
    assert {"Skipped", "Successful"} <= {type(result).__name__.removesuffix("AttackResult") for result in expected}


@pytest.fixture(scope="module")
def offline(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, Any]]:
    """What the import did in a process of its own, with flair and without."""
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


def test_attacks_are_the_same_where_flair_is_absent(offline: Callable[[str], dict[str, Any]]) -> None:
    report = offline("without-flair")
    assert not report["flair"]
    assert report["rows"] == offline("with-flair")["rows"]
    assert all(queries > 1 for _, _, queries in report["rows"])
