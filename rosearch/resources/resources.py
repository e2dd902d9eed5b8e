"""Local files in place of the downloads of recipes: found in one folder, loaded on demand, once in a process.

Nothing is downloaded and nothing is written. Making `Resources` costs nothing; `require` names in one line, before a
run starts, all that is missing.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from rosearch.errors import BadInput, MissingResource, Problem
from rosearch.files import content_key
from rosearch.resources.places import RESOURCES, Found, Places
from rosearch.resources.reading import files_fingerprint

if TYPE_CHECKING:
    import torch

    from rosearch.resources.sentence_encoder import SentenceEncoder
    from rosearch.resources.tagger import Tagger
    from rosearch.resources.vectors import Vectors
    from rosearch.resources.word_lists import Neighbours
    from rosearch.resources.wordnet import WordNet

VARIABLE = "ROSEARCH_RESOURCES"


@dataclass(frozen=True)
class ResourceState:
    """One line of `rosearch attack resources --check`."""

    name: str
    found: bool
    place: str  # "" where it was not found
    edition: str
    purpose: str
    hint: str  # how to get it


class Resources:
    """The resources of one folder; None is the folder that `ROSEARCH_RESOURCES` names, if any.

    All `Resources` of a process share what is loaded. Methods that load raise `MissingResource` where a resource is
    not there, and `BadInput` where it cannot be read.
    """

    def __init__(self, folder: Path | None = None, *, withhold: bool = False) -> None:
        """With `withhold`, WordNet and the neighbours are without the half of their pairs that no defence may read."""
        self.withhold = withhold
        named = os.environ.get(VARIABLE, "") if folder is None else ""
        self.folder = Path(named) if named else folder
        self._places = Places(None if self.folder is None else self.folder.expanduser().absolute())

    def wordnet(self, edition: str = "wordnet") -> WordNet:
        """`wordnet-3.0`, `oewn`, or `wordnet`: the first of the two that is there."""
        return _wordnet(self._found(edition), self.withhold)

    def neighbours(self) -> Neighbours:
        """Each word's nearest words in the counter-fitted space."""
        return _neighbours(self._found("neighbours"), False if self.withhold else None)

    def withheld_neighbours(self) -> Neighbours:
        """The pairs of `neighbours` that no defence reads which `withholds`."""
        return _neighbours(self._found("withheld_neighbours"), True)

    def sentence_encoder(self, device: str | torch.device = "cpu") -> SentenceEncoder:
        """The encoder on a device, one for each device."""
        return _sentence_encoder(self._found("sentence_encoder"), str(device))

    def tagger(self) -> Tagger:
        """NLTK's English part-of-speech tagger with the universal tagset."""
        return _tagger(self._found("tagger"))

    def homoglyphs(self) -> dict[str, tuple[str, ...]]:
        """Each character's look-alikes."""
        return _homoglyphs(self._found("homoglyphs"))

    def masked_lm(self) -> Path:
        """The folder of a masked language model, for `from_pretrained`."""
        return self._found("masked_lm").place

    def vectors(self) -> Vectors:
        """The counter-fitted vectors."""
        return _vectors(self._found("vectors"))

    def corpus_vectors(self) -> Vectors:
        """Vectors that were trained on plain text alone."""
        return _vectors(self._found("corpus_vectors"))

    def antonyms(self) -> dict[str, frozenset[str]]:
        """The opposites of each word, either way round."""
        return _antonyms(self._found("antonyms").files)

    def has(self, name: str) -> bool:
        """True where a resource is there. Raises `BadInput` for an unknown name."""
        return self.find(name) is not None

    def find(self, name: str) -> Found | None:
        """The place of a resource, looked up anew each time. Raises `BadInput` for an unknown name."""
        if name == "wordnet":
            return self.find("wordnet-3.0") or self.find("oewn")
        if name not in RESOURCES:
            known = ", ".join(("wordnet", *RESOURCES))
            raise BadInput(Problem("attack resources", "name", f"one of {known}", repr(name)))
        return RESOURCES[name].find(self._places)

    def check(self) -> list[ResourceState]:
        """The state of every resource, in the order of `RESOURCES`."""
        states = []
        for name, kind in RESOURCES.items():
            found = kind.find(self._places)
            place, edition = (str(found.place), found.edition) if found is not None else ("", "")
            states.append(ResourceState(name, found is not None, place, edition, kind.purpose, kind.hint))
        return states

    def require(self, names: Sequence[str], where: str) -> None:
        """Raises one `MissingResource` with all that is missing; `where` names who asks, such as `attack pwws`."""
        self.require_all({where: names})

    def require_all(self, wanted: Mapping[str, Sequence[str]]) -> None:
        """Does the same as `require` for several who ask, in one line.

        Raises `BadInput` for a model that is there and not whole.
        """
        missing = {name: None for names in wanted.values() for name in names if not self.has(name)}
        if not missing:
            for name in dict.fromkeys(name for names in wanted.values() for name in names if name in _MODELS):
                if (found := self.find(name)) is not None:
                    _opened(name, found)
            return
        asking = [where for where, names in wanted.items() if missing.keys() & set(names)]
        told = "; ".join(f"{name} ({_hint(name)})" for name in missing)
        raise MissingResource(
            f"{', '.join(asking)} need{'s' * (len(asking) == 1)} local files that are not there: {told}. "
            f"{self._looked()}; `rosearch attack resources --check` shows all of them"
        )

    def fingerprint(self, names: Sequence[str]) -> str:
        """32 hex digits of the contents of these resources. Raises `MissingResource`."""
        self.require(names, "a fingerprint")
        parts = sorted(f"{name}\x1f{files_fingerprint(self._found(name).files)}" for name in set(names))
        parts += ["withheld"] if self.withhold else []
        return content_key(parts, "\x1e")

    def _found(self, name: str) -> Found:
        found = self.find(name)
        if found is None:
            self.require([name], "this attack")
        assert found is not None
        return found

    def _looked(self) -> str:
        if self.folder is None:
            return f"Name a folder with them in the environment variable {VARIABLE}"
        return f"Looked in {self.folder}" + ("" if self._places.within()[0].is_dir() else ", which is no folder")


def _hint(name: str) -> str:
    return "; or ".join(RESOURCES[n].hint for n in (("wordnet-3.0", "oewn") if name == "wordnet" else (name,)))


_MODELS = ("sentence_encoder", "masked_lm")


@lru_cache(maxsize=8)
def _opened(name: str, found: Found) -> None:
    """Looks at a model without loading it. Raises `BadInput`."""
    from transformers import AutoModelForMaskedLM

    from rosearch.models.saved import asked_by, open_model
    from rosearch.resources.sentence_encoder import open_sentence_encoder

    with asked_by(f"resource {name}", str(found.place)):
        if name == "masked_lm":
            open_model(AutoModelForMaskedLM, found.place)
        else:
            open_sentence_encoder(found.place)


@lru_cache(maxsize=8)
def _wordnet(found: Found, half: bool) -> WordNet:
    from rosearch.resources.wordnet import read_oewn, read_wndb

    if half:
        return _wordnet(found, False).half()
    return read_oewn(found.place) if found.package is None else read_wndb(found.package, found.edition)


@lru_cache(maxsize=8)
def _neighbours(found: Found, withheld: bool | None) -> Neighbours:
    from rosearch.resources.word_lists import read_neighbours

    return read_neighbours(found.place) if withheld is None else _neighbours(found, None).half(withheld=withheld)


@lru_cache(maxsize=4)
def _sentence_encoder(found: Found, device: str) -> SentenceEncoder:
    from rosearch.resources.sentence_encoder import read_sentence_encoder

    return read_sentence_encoder(found.place, device)


@lru_cache(maxsize=4)
def _tagger(found: Found) -> Tagger:
    from rosearch.resources.tagger import read_tagger

    assert found.universal is not None
    return read_tagger(found.package or found.place, found.universal)


@lru_cache(maxsize=4)
def _homoglyphs(found: Found) -> dict[str, tuple[str, ...]]:
    from rosearch.resources.word_lists import read_homoglyphs

    return read_homoglyphs(found.place)


@lru_cache(maxsize=4)
def _antonyms(files: tuple[Path, ...]) -> dict[str, frozenset[str]]:
    from rosearch.resources.word_lists import read_antonyms

    return read_antonyms(files)


@lru_cache(maxsize=2)
def _vectors(found: Found) -> Vectors:
    from rosearch.resources.vectors import read_vectors

    return read_vectors(found.place)
