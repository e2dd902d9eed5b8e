"""TextAttack's stock recipes, offline, one row at a time. No other module imports textattack.

Its import takes seconds, so it happens when the first attack is opened. Left to itself it would download NLTK
packages, write below the home folder, redirect the Hugging Face caches, and reset the logging of the whole
process; here it gets a folder of ours and the stop words that travel with this package, and leaves all else
as it was.
"""

from __future__ import annotations

import importlib.util
import logging
import logging.config
import os
import random
import sys
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, Protocol

import numpy as np
import torch

# What TextAttack's own recipes call the two texts of a pair; DeepWordBug changes words of both.
_COLUMNS = {1: ("text",), 2: ("premise", "hypothesis")}
_STOPWORDS = Path(__file__).with_name("stopwords_english.txt")
_REMEMBERED = 2**16  # strings that `_remembering` keeps: some 20 MB
_LONGEST_WORD = 32  # characters; whole texts are hardly ever split twice

Outcome = Literal["misclassified", "broken", "survived", "error"]


class Victim(Protocol):
    """The model under attack. TextAttack looks at the class of `model` and calls the victim itself."""

    model: torch.nn.Module

    def __call__(self, texts: list[str] | list[tuple[str, ...]]) -> torch.Tensor:
        """Float32 logits (n, labels) of n texts, or of n pairs as tuples."""


@dataclass(frozen=True)
class AttackedRow:
    """What became of one row.

    A row that was misclassified before is not attacked: 1 query, nothing changed. `queries` are counted as
    TextAttack does, with repeated texts; `words` are all of the row's, over both texts of a pair, and
    `changed` those that differ afterwards. `error` is for callers, where the attack raised.
    """

    outcome: Outcome
    texts: tuple[str, ...]
    queries: int
    words: int
    changed: int


class StockAttack:
    """A recipe around a victim. No row depends on those before it: it has its own seed and no cache."""

    def __init__(self, attack: Any) -> None:
        from textattack.shared import attacked_text

        self._attack = attack
        self._module = attacked_text
        self._words = _remembering(attacked_text.words_from_text)

    def run(self, texts: tuple[str, ...], label: int, seed: int) -> AttackedRow:
        """Attack one row. The same seed draws the same letters; whatever TextAttack raises, this raises.

        Not for several threads at once: the global generators of `random` and NumPy are borrowed, then
        restored.
        """
        split = self._module.AttackedText.SPLIT_TOKEN
        if any(split in text for text in texts):
            raise ValueError(f"TextAttack cuts texts at {split!r}, so it cannot attack one that has it")
        row = OrderedDict(zip(_COLUMNS[len(texts)], texts, strict=True))
        with _generators_at(seed), _replaced(self._module, "words_from_text", self._words):
            try:
                result = self._attack.attack(row, label)
            finally:
                self._attack.clear_cache()  # TextAttack does not after a row that it skips
            return _row_of(result)


def _row_of(result: Any) -> AttackedRow:
    from textattack.attack_results import FailedAttackResult, SkippedAttackResult

    before, after = result.original_result.attacked_text, result.perturbed_result.attacked_text
    outcome: Outcome = "broken"
    if isinstance(result, SkippedAttackResult):
        outcome = "misclassified"
    elif isinstance(result, FailedAttackResult):
        outcome = "survived"
    texts, changed = after.tokenizer_input, len(before.all_words_diff(after))
    texts = (texts,) if isinstance(texts, str) else texts
    return AttackedRow(outcome, texts, result.num_queries, before.num_words, changed)


def _deepwordbug(victim: Victim) -> Any:
    """Gao et al. 2018 (arXiv 1801.04354): letters swapped, replaced, dropped, added, by a word's weight."""
    from textattack.attack_recipes import DeepWordBugGao2018

    return DeepWordBugGao2018.build(victim)


ATTACKS: dict[str, Callable[[Victim], Any]] = {"deepwordbug": _deepwordbug}


def open_attack(name: str, victim: Victim, cache: Path) -> StockAttack:
    """The recipe `name` of `ATTACKS` around a victim.

    TextAttack is imported where it was not yet; what it writes goes below `cache`. Raises `ValueError` for an
    unknown name.
    """
    if name not in ATTACKS:
        raise ValueError(f"unknown attack {name!r}: known are {', '.join(sorted(ATTACKS))}")
    with _quietly(), _our_stopwords():
        _import_textattack(cache / "textattack")
        return StockAttack(ATTACKS[name](victim))


def _import_textattack(folder: Path) -> None:
    if "textattack" in sys.modules:
        return
    # TextAttack points HF_HOME elsewhere, and these read it once, at their import: they must come first.
    import datasets  # noqa: F401
    import transformers  # noqa: F401

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "post_install_check_3").touch()  # its sign that the downloads were done
    # Matplotlib, which comes along, may keep the folder of its user; TextAttack's may lack the sign.
    variables = {"MPLCONFIGDIR": str(folder)} | os.environ | {"TA_CACHE_DIR": str(folder)}
    with _environment(variables), _generators_at(0), _flair():
        import textattack  # noqa: F401
    logging.getLogger("jieba").setLevel(logging.WARNING)  # else it tells stderr of its dictionary


@contextmanager
def _flair() -> Iterator[None]:
    """Lets TextAttack be imported without flair, which caps transformers below 5.

    It names three of flair's classes at its import, and uses them for part-of-speech tags, which no recipe of
    `ATTACKS` asks for.
    """
    if importlib.util.find_spec("flair") is not None:
        yield
        return
    modules = {name: ModuleType(name) for name in ("flair", "flair.data", "flair.models")}
    for module, name in (("data", "Sentence"), ("data", "Tokenizer"), ("models", "SequenceTagger")):
        setattr(modules[f"flair.{module}"], name, type(name, (), {}))
    vars(modules["flair"]).update(data=modules["flair.data"], models=modules["flair.models"])
    sys.modules.update(modules)
    try:
        yield
    finally:
        for name in modules:  # others must go on finding that flair is absent
            del sys.modules[name]


@contextmanager
def _quietly() -> Iterator[None]:
    """No warnings of third-party imports, no logging set-up of theirs, no word on unknown model classes."""
    logger = logging.getLogger("textattack.shared.utils.install")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        # TextAttack's and flair's dictConfig would disable loggers and close handlers that are not theirs.
        with warnings.catch_warnings(), _replaced(logging.config, "dictConfig", lambda config: None):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


class _Stopwords:
    """Stands for NLTK's reader of its stop words: no data package is needed, and no version of it matters."""

    def words(self, language: str) -> list[str]:
        """The English list; `#` lines say where it is from."""
        if language != "english":
            raise LookupError(f"no stop words for {language}")
        lines = _STOPWORDS.read_text(encoding="utf-8").splitlines()
        return [line for line in lines if line and not line.startswith("#")]


@contextmanager
def _our_stopwords() -> Iterator[None]:
    import nltk.corpus

    with _replaced(nltk.corpus, "stopwords", _Stopwords()):
        yield


def _remembering(words_from_text: Callable[[str], list[str]]) -> Callable[[str], list[str]]:
    """The same function with a memory for words: TextAttack splits all of a text's words for each candidate.

    It is a pure function of the string, and each caller gets a list of its own, so results are equal.
    """

    @lru_cache(maxsize=_REMEMBERED)
    def remembered(text: str) -> tuple[str, ...]:
        return tuple(words_from_text(text))

    return lambda text: list(remembered(text)) if len(text) <= _LONGEST_WORD else words_from_text(text)


@contextmanager
def _replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    original = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, original)


@contextmanager
def _generators_at(seed: int) -> Iterator[None]:
    """The global generators that TextAttack's letters come from, seeded, and afterwards as they were."""
    python, numpy = random.getstate(), np.random.get_state()
    random.seed(seed)
    np.random.seed(seed % 2**32)
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    """With these variables; afterwards as it was, whatever was written to it meanwhile."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        for name in set(os.environ) - set(before):
            del os.environ[name]
        os.environ.update(before)
