"""A WordNet of a dozen synsets, as Princeton's files and as the Open English WordNet's JSON."""

from __future__ import annotations

import json
import lzma
from pathlib import Path

_SUFFIXES = {"n": "noun", "v": "verb", "a": "adj", "r": "adv"}
_LICENCE = (
    "  1 This software and database is being provided to you\n  2 WordNet 3.0 Copyright 2006 by Princeton University.\n"
)
# Part of speech (s: a satellite of the adjective before it) and names; senses are ordered as they stand here.
SYNSETS = [
    ("n", ["movie", "film", "motion_picture", "flick"]),
    ("n", ["film", "plastic_film"]),
    ("n", ["mouse", "computer_mouse"]),
    ("n", ["Polish"]),
    ("n", ["polish", "gloss"]),
    ("n", ["box", "case"]),
    ("v", ["film", "shoot", "take"]),
    ("v", ["move", "go"]),
    ("v", ["box", "package"]),
    ("a", ["large(a)", "big"]),
    ("s", ["bright(p)", "smart"]),
    ("a", ["glossy", "glazed"]),
    ("a", ["great"]),
    ("a", ["wonderful"]),
    ("r", ["well", "good"]),
]
IRREGULAR = {
    "n": {"mice": "mouse"},
    "v": {"went": "go", "shot": "shoot"},
    "a": {"better": "good"},
    "r": {"best": "well"},
}
WORDS = ["movie", "Movies", "film", "films", "filmed", "filming", "mice", "mouse", "polish", "boxes", "boxed", "went"]
WORDS += ["goes", "moved", "larger", "largest", "biggest", "brighter", "glossier", "well", "best", "taken", "taking"]
WORDS += ["shot", "computer_mouse", "the", "", "men", "s", "cases", "good", "better"]


def write_wndb(folder: Path) -> Path:
    """Princeton's files, with those (lexnames, index.sense) that only NLTK's reader asks for."""
    folder.mkdir(parents=True)
    for pos, suffix in _SUFFIXES.items():
        text, senses, head = _LICENCE, dict[str, list[int]](), 0
        for kind, names in SYNSETS:
            if ("a" if kind == "s" else kind) != pos:
                continue
            offset = len(text)
            # A satellite points to its head: NLTK makes its sense key of the head's.
            pointer = f"001 & {head:08d} a 0000" if kind == "s" else "000"
            head = head if kind == "s" else offset
            frames = " 01 + 08 00" if kind == "v" else ""
            fields = " ".join(f"{name} 0" for name in names)
            text += f"{offset:08d} 00 {kind} {len(names):02x} {fields} {pointer}{frames} | a gloss  \n"
            for name in names:
                senses.setdefault(name.lower().partition("(")[0], []).append(offset)
        (folder / f"data.{suffix}").write_text(text)
        lines = [
            f"{lemma} {pos} {len(offsets)} 1 @ {len(offsets)} 0 " + " ".join(f"{offset:08d}" for offset in offsets)
            for lemma, offsets in sorted(senses.items())
        ]
        (folder / f"index.{suffix}").write_text(_LICENCE + "".join(f"{line}  \n" for line in lines))
        exceptions = "".join(f"{form} {lemma}\n" for form, lemma in IRREGULAR[pos].items())
        (folder / f"{suffix}.exc").write_text(exceptions)
    (folder / "lexnames").write_text("00\tnoun.Tops\t1\n")
    (folder / "index.sense").write_text("")
    (folder / "cntlist.rev").write_text("")
    return folder


def write_oewn(path: Path) -> Path:
    """The same synsets as one JSON file, plain or `.xz`."""
    synsets, lemmas = dict[str, object](), dict[str, dict[str, dict[str, list[object]]]]()
    for number, (kind, marked) in enumerate(SYNSETS):
        names = [name.partition("(")[0].replace("_", " ") for name in marked]
        synsets[f"{number:08d}-{kind}"] = {"members": names, "pos": kind}
        for name in names:
            entry = lemmas.setdefault(name, {}).setdefault("a" if kind == "s" else kind, {"senses": []})
            entry["senses"].append({"synset": f"{number:08d}-{kind}"})
    for pos, forms in IRREGULAR.items():
        for form, lemma in forms.items():
            if pos in lemmas[lemma]:
                lemmas[lemma][pos].setdefault("forms", []).append(form)
    path.parent.mkdir(parents=True, exist_ok=True)
    content = json.dumps({"lemmas": lemmas, "synsets": synsets}).encode()
    path.write_bytes(lzma.compress(content) if path.suffix == ".xz" else content)
    return path
