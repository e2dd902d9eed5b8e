"""A perceptron tagger trained on four sentences, as one JSON file and as NLTK's packages."""

from __future__ import annotations

import json
import lzma
import random
from pathlib import Path
from typing import Any

_SENTENCES = [
    [("the", "DT"), ("film", "NN"), ("moves", "VBZ"), ("slowly", "RB"), (".", ".")],
    [("a", "DT"), ("good", "JJ"), ("actor", "NN"), ("saved", "VBD"), ("it", "PRP"), (".", ".")],
    [("they", "PRP"), ("film", "VBP"), ("good", "JJ"), ("stories", "NNS"), ("in", "IN"), ("1999", "CD"), (".", ".")],
    [("well-made", "JJ"), ("plots", "NNS"), ("move", "VBP"), ("the", "DT"), ("story", "NN"), ("!", ".")],
]
_MAP = "DT\tDET\nNN\tNOUN\nNNS\tNOUN\nVBZ\tVERB\nVBD\tVERB\nVBP\tVERB\nRB\tADV\nJJ\tADJ\nPRP\tPRON\nCD\tNUM\n.\t.\n"


def trained() -> dict[str, Any]:
    """Weights, tagdict and classes; IN is missing from the map, so that it becomes X."""
    from nltk.tag.perceptron import PerceptronTagger

    state = random.getstate()
    random.seed(0)
    try:
        tagger = PerceptronTagger(load=False)
        tagger.train(_SENTENCES, nr_iter=4)
    finally:
        random.setstate(state)
    return {"weights": tagger.model.weights, "tagdict": {".": "."}, "classes": sorted(tagger.classes)}


def write_tagger(folder: Path) -> None:
    """`averaged_perceptron_tagger.json.xz` and NLTK's universal_tagset."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "averaged_perceptron_tagger.json.xz").write_bytes(lzma.compress(json.dumps(trained()).encode()))
    _write_map(folder)


def write_nltk_tagger(folder: Path) -> None:
    """Both as NLTK unpacks them under `taggers/`."""
    name = "averaged_perceptron_tagger_eng"
    (folder / name).mkdir(parents=True)
    for part, value in trained().items():
        (folder / name / f"{name}.{part}.json").write_text(json.dumps(value))
    _write_map(folder)


def _write_map(folder: Path) -> None:
    (folder / "universal_tagset").mkdir()
    (folder / "universal_tagset" / "en-ptb.map").write_text(_MAP)
