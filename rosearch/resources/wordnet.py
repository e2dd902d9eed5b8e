"""WordNet's synonyms, from Princeton's database files or from the Open English WordNet as JSON.

NLTK's reader needs its own folder of data, the sense index and seconds to load it. This one reads what synonyms need:
`synsets` gives the same as `nltk.corpus.wordnet.synsets`, in the same order.
"""

from __future__ import annotations

import gc
import re
from collections import defaultdict
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from rosearch.resources.reading import Package, damaged, read_json
from rosearch.resources.word_lists import is_withheld

_REMEMBERED = 2**16  # words
_SUFFIXES = {"n": "noun", "v": "verb", "a": "adj", "r": "adv"}  # in NLTK's order of parts of speech
WNDB_FILES = tuple(f"{kind}.{suffix}" for suffix in _SUFFIXES.values() for kind in ("index", "data")) + tuple(
    f"{suffix}.exc" for suffix in _SUFFIXES.values()
)
# Morphy's rules of detachment (man 7 morphy) as NLTK has them, which applies them once.
_DETACHMENTS = {
    "n": [
        ("s", ""),
        ("ses", "s"),
        ("ves", "f"),
        ("xes", "x"),
        ("zes", "z"),
        ("ches", "ch"),
        ("shes", "sh"),
        ("men", "man"),
        ("ies", "y"),
    ],
    "v": [
        ("s", ""),
        ("ies", "y"),
        ("es", "e"),
        ("es", ""),
        ("ed", "e"),
        ("ed", ""),
        ("ing", "e"),
        ("ing", ""),
    ],
    "a": [("er", ""), ("est", ""), ("er", "e"), ("est", "e")],
    "r": [],
}
_MARKER = re.compile(r"\([^()]*\)$")  # the marker of an adjective's place: "galore(ip)"

Names = tuple[str, ...]  # the names of one synset, in its order, `_` for spaces


class WordNet:
    """Synsets by word, after lemmatisation. `edition` is "WordNet 3.0" or "Open English WordNet".

    `index` maps a part of speech (n, v, a, r) and a lemma (lower case, `_` for spaces) to keys of synsets in the
    order of their senses, `exceptions` an irregular form to its lemmas, and `names_of` a part of speech and a key
    to the names of the synset.
    """

    def __init__(
        self,
        edition: str,
        index: dict[str, Any],
        exceptions: dict[str, dict[str, list[str]]],
        keys_of: Callable[[Any], tuple[Any, ...]],
        names_of: Callable[[str, Any], Names],
        hides: Callable[[str, str], bool] = lambda one, other: False,
    ) -> None:
        self.edition = edition
        self._index = index
        self._exceptions = exceptions
        self._keys_of = keys_of
        self._names_of = names_of
        self.hides = hides
        self._remembered = lru_cache(maxsize=_REMEMBERED)(self._synsets)

    def synsets(self, word: str) -> list[Names]:
        """The names of each synset of a word, as NLTK orders them: nouns, verbs, adjectives, adverbs.

        The word is lower-cased. An irregular form is looked up as itself and its lemmas, any other form as itself and
        with each ending detached that `morphy` knows.
        """
        return list(self._remembered(word.lower()))

    def synonyms(self, word: str) -> list[str]:
        """All names of all synsets of a word, sorted and once each; the word itself and phrases (`_`) included.

        TextAttack's `WordSwapWordNet` takes out the word itself, phrases, and names that its tokenizer cuts. The rest
        are its candidates, in an order that hangs on Python's hash seed.
        """
        names = {name for names in self._remembered(word.lower()) for name in names}
        return sorted(name for name in names if not self.hides(word, name))

    def half(self) -> WordNet:
        """The same without the synonyms that are withheld from a defence; synsets are whole: ask `hides` of a pair."""
        return WordNet(self.edition, self._index, self._exceptions, self._keys_of, self._names_of, is_withheld)

    def main_synsets(self, word: str, senses: int) -> list[Names]:
        """The names of the first `senses` synsets of each lemma and part of speech: WordNet's most frequent senses."""
        return list(self._synsets(word.lower(), senses))

    def _synsets(self, word: str, senses: int | None = None) -> tuple[Names, ...]:
        return tuple(
            self._names_of(pos, key)
            for pos in _SUFFIXES
            for lemma in self._lemmas(word, pos)
            for key in self._keys_of(self._index[pos][lemma])[:senses]
        )

    def _lemmas(self, form: str, pos: str) -> list[str]:
        bases = self._exceptions[pos].get(form)
        if bases is None:
            bases = [form[: -len(old)] + new for old, new in _DETACHMENTS[pos] if form.endswith(old)]
        return [base for base in dict.fromkeys([form, *bases]) if base in self._index[pos]]


def edition_of(package: Package) -> str:
    """ "WordNet 3.0" by the licence at the head of its data; "" where there is none."""
    told = re.search(rb"Word[nN]et (\d+\.\d+\+?|\d+\+?) Copyright", package.head("data.adj", 4096))
    return f"WordNet {told[1].decode()}" if told else ""


def read_wndb(package: Package, edition: str) -> WordNet:
    """Read Princeton's files (man 5 wndb): index.*, data.* and *.exc. Raises `BadInput`."""
    index = {pos: _index_lines(_whole(package, f"index.{suffix}").decode()) for pos, suffix in _SUFFIXES.items()}
    data = {pos: _whole(package, f"data.{suffix}") for pos, suffix in _SUFFIXES.items()}
    exceptions = {pos: _exceptions(_whole(package, f"{suffix}.exc").decode()) for pos, suffix in _SUFFIXES.items()}

    def names_of(pos: str, offset: int) -> Names:
        line = data[pos][offset : data[pos].find(b"\n", offset)]
        if line[:8] != b"%08d" % offset:
            raise damaged(package.path / f"data.{_SUFFIXES[pos]}", f"a synset at byte {offset}", "something else")
        fields = line.split(b"|", 1)[0].decode().split()
        return tuple(_MARKER.sub("", name) for name in fields[4 : 4 + 2 * int(fields[3], 16) : 2])

    return WordNet(edition, index, exceptions, _offsets, names_of)


def _whole(package: Package, name: str) -> bytes:
    content = package.read(name)
    if not content.endswith(b"\n"):
        raise damaged(package.path, f"whole lines in {name}", "one that is cut off")
    return content


def _index_lines(content: str) -> dict[str, str]:
    """Lines by lemma, parsed on demand: there are 155,000, and an attack needs some 5,000."""
    lines = (line.partition(" ") for line in content.split("\n") if line and not line.startswith(" "))
    return {lemma: rest for lemma, _, rest in lines}


def _offsets(line: str) -> tuple[int, ...]:
    """The offsets in `pos synset_cnt p_cnt [ptr_symbol...] sense_cnt tagsense_cnt synset_offset [...]`."""
    fields = line.split()
    return tuple(int(field) for field in fields[len(fields) - int(fields[1]) :])


def _exceptions(content: str) -> dict[str, list[str]]:
    terms = (line.split() for line in content.split("\n"))
    return {form[0]: form[1:] for form in terms if form}


def read_oewn(path: Path) -> WordNet:
    """Read the Open English WordNet from one JSON file, plain or `.xz`. Raises `BadInput`.

    The file holds `synsets` (id: {"members": [...], ...}) and `lemmas` (lemma: {pos: {"senses": [{"synset": id}],
    "forms": [...]}}), pos being n, v, a (with satellites) or r, numbered (`n-2`) where homographs are apart. Its
    irregular forms take the place of Princeton's exception lists. They are fewer: a form in those lists alone is not
    found.
    """
    expected = "the Open English WordNet as one JSON object of lemmas and synsets"
    collecting = gc.isenabled()
    gc.disable()  # a million new containers, none of them garbage: looking for some would take half of the time
    try:
        content = read_json(path, expected)
        index, exceptions = _oewn_index(content["lemmas"])
        members = {
            key: tuple(name.replace(" ", "_") for name in synset["members"])
            for key, synset in content["synsets"].items()
        }
    except (KeyError, TypeError, AttributeError) as error:
        raise damaged(path, expected, error) from None
    finally:
        if collecting:
            gc.enable()
    return WordNet("Open English WordNet", index, exceptions, lambda keys: keys, lambda pos, key: members[key])


def _oewn_index(lemmas: dict[str, Any]) -> tuple[dict[str, Any], dict[str, dict[str, list[str]]]]:
    senses: dict[str, dict[str, list[str]]] = {pos: defaultdict(list) for pos in _SUFFIXES}
    exceptions: dict[str, dict[str, list[str]]] = {pos: defaultdict(list) for pos in _SUFFIXES}
    for lemma, entries in lemmas.items():
        key = lemma.lower().replace(" ", "_")
        for place, entry in entries.items():
            pos = "a" if place[0] == "s" else place[0]
            senses[pos][key] += [sense["synset"] for sense in entry["senses"]]
            for form in entry.get("forms", ()):
                exceptions[pos][form.lower().replace(" ", "_")].append(key)
    index = {pos: {lemma: tuple(dict.fromkeys(keys)) for lemma, keys in of.items()} for pos, of in senses.items()}
    return index, {pos: dict(of) for pos, of in exceptions.items()}
