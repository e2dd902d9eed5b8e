"""TextAttack's library, offline and quiet. No other module imports textattack.

Its import takes seconds, so it happens when the first attack is opened. By itself it would download NLTK packages,
write below the home folder, redirect the Hugging Face caches, and reset the logging of the whole process. Here it gets
a folder of ours and the stop words that travel with this package, and leaves everything else as it was. Other modules
take the package from `load` and reach its classes as attributes.
"""

from __future__ import annotations

import logging
import os
import random
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

from rosearch.resources.word_lists import stop_words

_REMEMBERED = 2**16  # strings that `remembered_words` keeps: some 20 MB
_LONGEST_WORD = 32  # characters: longer strings are whole texts, which are hardly ever split twice


def load(folder: Path) -> ModuleType:
    """The package `textattack`, imported on the first call; its files go below `folder`.

    The process is left as it was: environment, logging, warnings, random generators. The first call takes
    seconds; the folders of later calls are ignored.
    """
    with quietly():
        return _imported(folder / "textattack")


@contextmanager
def quietly() -> Iterator[None]:
    """Inside, attacks are built without downloads, warnings, or logging set-up by third parties.

    TextAttack is silent about model classes that it does not know, and finds our stop words when it asks NLTK.
    """
    import logging.config as logging_config

    import nltk
    import nltk.corpus

    logger = logging.getLogger("textattack.shared.utils.install")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        # TextAttack and flair call dictConfig, which would disable loggers and close handlers of others.
        with (
            warnings.catch_warnings(),
            replaced(logging_config, "dictConfig", lambda config: None),
            replaced(nltk.corpus, "stopwords", _Stopwords()),
            replaced(nltk, "download", lambda *_, **__: False),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def loaded() -> ModuleType:
    """The package after `load`. Raises `RuntimeError` before it."""
    if "textattack" not in sys.modules:
        raise RuntimeError("TextAttack is used before it is loaded")
    return sys.modules["textattack"]


@contextmanager
def kept_histories() -> Iterator[None]:
    """Inside, a result keeps the chain of texts that led to it; TextAttack would cut it to save memory."""
    with replaced(loaded().shared.AttackedText, "free_memory", lambda text: None):
        yield


@contextmanager
def remembered_words() -> Iterator[None]:
    """Inside, TextAttack remembers words that it would split again for each candidate. Results are equal."""
    module = loaded().shared.attacked_text
    current = module.words_from_text
    if getattr(current, "remembers", False):
        yield
        return
    with replaced(module, "words_from_text", remembering(current)):
        yield


@cache
def remembering(words_from_text: Callable[[str], list[str]]) -> Callable[[str], list[str]]:
    """The same function with a memory for words.

    The function depends on the string alone, and each caller gets a list of its own.
    """

    @lru_cache(maxsize=_REMEMBERED)
    def remembered(text: str) -> tuple[str, ...]:
        return tuple(words_from_text(text))

    def words(text: str) -> list[str]:
        return list(remembered(text)) if len(text) <= _LONGEST_WORD else words_from_text(text)

    vars(words)["remembers"] = True
    return words


_REPLACING = threading.RLock()  # two overlapping threads would leave a replacement behind


@contextmanager
def replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Inside, `value` is the attribute `name` of `owner`; one thread at a time."""
    with _REPLACING:
        original = getattr(owner, name)
        setattr(owner, name, value)
        try:
            yield
        finally:
            setattr(owner, name, original)


Generators = tuple[Any, Any, Any]


def generators() -> Generators:
    """The states of the global generators that attacks draw from: `random`, NumPy, torch on the CPU."""
    import numpy as np  # late, as torch: names of attacks are read without them
    import torch

    return random.getstate(), np.random.get_state(), torch.random.get_rng_state()


def set_generators(states: Generators) -> None:
    """Restore the states that `generators` gave."""
    import numpy as np
    import torch

    random.setstate(states[0])
    np.random.set_state(states[1])
    torch.random.set_rng_state(states[2])


def seed_generators(seed: int) -> None:
    """Seed all three; NumPy takes the lowest 32 bits."""
    import numpy as np
    import torch

    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.default_generator.manual_seed(seed % 2**63)


@contextmanager
def generators_at(seed: int) -> Iterator[None]:
    """Inside, the global generators that attacks draw from are seeded; restored on exit."""
    before = generators()
    seed_generators(seed)
    try:
        yield
    finally:
        set_generators(before)


def _imported(folder: Path) -> ModuleType:
    if "textattack" in sys.modules:
        return sys.modules["textattack"]
    # TextAttack changes HF_HOME. These two read it once, at their import, so they must come first.
    import datasets  # noqa: F401
    import transformers  # noqa: F401

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "post_install_check_3").touch()  # its sign that the downloads were done
    # Matplotlib, which is imported too, may keep its user's folder; a user's TextAttack folder may lack the sign.
    variables = {"MPLCONFIGDIR": str(folder)} | os.environ | {"TA_CACHE_DIR": str(folder)}
    with _environment(variables), generators_at(0), _flair():
        import textattack
    logging.getLogger("jieba").setLevel(logging.WARNING)  # else it tells stderr of its dictionary
    module: ModuleType = textattack
    return module


@contextmanager
def _flair() -> Iterator[None]:
    """Inside, TextAttack can be imported where flair is absent or needs another transformers (below 5).

    TextAttack names three of flair's classes at its import, and uses them for tags that none of our recipes asks for.
    """
    if _has_flair():
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
        for name in modules:  # for others flair must still be absent
            del sys.modules[name]


def _has_flair() -> bool:
    try:
        import flair  # noqa: F401
    except ImportError:
        for name in [name for name in sys.modules if name.partition(".")[0] == "flair"]:
            del sys.modules[name]  # modules imported before it failed
        return False
    return True


class _Stopwords:
    """Stands in for NLTK's reader of stop words, so that no data package and no version of it matters."""

    def words(self, language: str) -> list[str]:
        """The English list."""
        if language != "english":
            raise LookupError(f"no stop words for {language}")
        return sorted(stop_words())


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    """Inside, the environment has these variables; on exit it is restored, whatever was written to it."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        for name in set(os.environ) - set(before):
            del os.environ[name]
        os.environ.update(before)
