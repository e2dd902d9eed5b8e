"""A folder of every resource that recipes with a plan ask for, made of the words of `attacked_texts`."""

from __future__ import annotations

import json
import random
from pathlib import Path

from resources import tiny_wordnet
from resources.tiny_encoder import write_encoder
from resources.tiny_tagger import write_tagger

from rosearch.data.grammar import ADJECTIVES, NOUNS, VERBS
from rosearch.resources.resources import Resources

_CONTENT = [word for words in ADJECTIVES.values() for word in words]
_OTHERS = ["good", "bad", "ugly", "film", "actor", "rainy", "train", "late", "long", "very", "well", "best", "hours"]


def write_resources(folder: Path) -> Resources:
    """Nothing in it means anything; what the words have is candidates, some with spaces and other traps."""
    nouns = [noun for noun in NOUNS if " " not in noun]
    verbs = [form for forms in VERBS.values() for pair in forms for form in pair]
    _write_wordnets(folder, nouns, verbs)
    write_tagger(folder / "taggers")
    write_encoder(folder / "sentence_encoder")
    words = [*_CONTENT, *nouns, *verbs, *_OTHERS]
    rng = random.Random(1)
    lists = {word: rng.sample([other for other in words if other != word], 8) for word in words}
    lists["story"][2:2] = ["story line", "plot-line", "plots", "plot s", "plot,line"]
    lists["film"][:0] = ["films", "fil m", "film.", "movie", "film-ish", "'film'"]
    (folder / "counterfitted_neighbors.json").write_text(json.dumps(lists))
    vectors = "".join(f"{word} {rng.random():.3f} {rng.random():.3f} {rng.random():.3f}\n" for word in words[::4])
    (folder / "counter-fitted-vectors.txt").write_text(vectors)
    (folder / "corpus-vectors.txt").write_text(vectors)
    (folder / "wordnet_antonyms.txt").write_text("good bad\ngood ugly\n")
    return Resources(folder)


def _write_wordnets(folder: Path, nouns: list[str], verbs: list[str]) -> None:
    synsets = list(tiny_wordnet.SYNSETS)
    for kind, words in (("a", _CONTENT), ("n", nouns), ("v", verbs)):
        synsets += [(kind, words[start : start + 5]) for start in range(0, len(words), 4)]
    kept, tiny_wordnet.SYNSETS = tiny_wordnet.SYNSETS, synsets
    try:
        tiny_wordnet.write_wndb(folder / "corpora" / "wordnet")
        tiny_wordnet.write_oewn(folder / "oewn" / "oewn_compact.json.xz")
    finally:
        tiny_wordnet.SYNSETS = kept
