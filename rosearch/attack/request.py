"""The request to `rosearch attack`, and its inputs: found, read, and checked against each other."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from itertools import product
from pathlib import Path

import torch

from rosearch.attack.first_look import check_attacks, check_cache, check_targets
from rosearch.attack.inputs import FoundClassifier, LabelledRows, find_classifier, is_experiment, read_rows
from rosearch.data.columns import COLUMNS_BY_NAME
from rosearch.data.columns import Columns as Columns
from rosearch.data.tasks import Labels
from rosearch.errors import BadInput, Problem, Problems
from rosearch.evaluation.attacks.memory import AttackMemory
from rosearch.evaluation.attacks.result import NO_LIMITS
from rosearch.evaluation.attacks.result import Limits as Limits
from rosearch.evaluation.heldout import HeldOut
from rosearch.evaluation.heldout_files import ADVGLUE, Wanted, known_task, read_held_out
from rosearch.files import content_key, file_hash
from rosearch.models.engines import ENGINES, FOLDER
from rosearch.models.lengths import longest_input
from rosearch.models.places import folder_fingerprint
from rosearch.resources.resources import Resources


@dataclass(frozen=True)
class AttackRequest:
    """The request to `rosearch attack`; `task` and `attacks` go together, `held_out` are files of their own."""

    models: tuple[str, ...]
    attacks: tuple[str, ...] = ()
    task: Path | None = None
    split: str = "test"
    columns: Columns = COLUMNS_BY_NAME
    drop_bad_rows: bool = False  # leave out rows of a file without a text or a label
    rows: int = 500
    seed: int = 1
    data_root: Path | None = None
    resources: Path | None = None
    limits: Limits = NO_LIMITS
    single_swaps: tuple[str, ...] = ()
    held_out: tuple[Path, ...] = ()
    held_out_task: str = ""
    examples: int = 5  # of each model, over all attacks
    device: str = "auto"
    max_length: int | None = None
    trust_remote_code: bool = False
    cache: Path | None = None
    targets: tuple[str, ...] = (FOLDER,)  # the formats of each folder that are attacked


@dataclass(frozen=True, eq=False)
class Inputs:
    """The inputs of a request, found and read; for each classifier, its labels of the rows and its held-out sets."""

    classifiers: tuple[FoundClassifier, ...]
    rows: LabelledRows | None
    labels: tuple[Labels, ...]
    held_out: tuple[tuple[HeldOut, ...], ...]
    lengths: tuple[int, ...]  # tokens that texts are cut to
    memories: tuple[AttackMemory, ...] = ()  # of each classifier; none without attacks


def read_inputs(request: AttackRequest, resources: Resources) -> Inputs:
    """Raises `BadInput` with every problem of attacks, models, rows and sets; `MissingResource`."""
    problems = Problems(missing=True)
    found: list[FoundClassifier] = []
    rows: LabelledRows | None = None
    if request.held_out_task and not known_task(request.held_out_task):
        expected = f"a task of AdvGLUE ({', '.join(ADVGLUE)})"
        problems.add(Problem("command line", "--suite-task", expected, repr(request.held_out_task)))
    with problems:
        check_cache(request.cache)
    with problems:
        check_attacks((*request.attacks, *request.single_swaps), resources)
    with problems:
        check_targets(request.targets)
    for name, target in product(request.models, [one for one in request.targets if one in (FOLDER, *ENGINES)]):
        with problems:
            found.append(find_classifier(name, trust_remote_code=request.trust_remote_code, target=target))
    if request.task is not None and found:
        with problems:
            # An experiment names its own columns: those that a user names beside it belong to the held-out sets.
            columns = COLUMNS_BY_NAME if request.held_out and is_experiment(request.task) else request.columns
            rows = read_rows(
                request.task, request.split, columns, request.data_root, found[0], drop=request.drop_bad_rows
            )
    labels, held_out, lengths = [], [], []
    task = request.held_out_task or (rows.task if rows is not None and rows.task in ADVGLUE else "")
    for one in found:
        with problems:
            lengths.append(_length(one, request.max_length, rows))
        if rows is not None:
            with problems:
                labels.append(rows.labels_of(one))
        with problems:
            wanted = Wanted(one.labels, task, bool(request.held_out_task), request.columns, request.drop_bad_rows)
            held_out.append(tuple(_held_out(path, one, wanted, request) for path in request.held_out))
    problems.raise_found()
    # Models are compared on the same texts: without a length that is asked for, the shortest limit cuts them for all.
    lengths = [min(lengths)] * len(lengths)
    return Inputs(tuple(found), rows, tuple(labels), tuple(held_out), tuple(lengths))


def _held_out(path: Path, one: FoundClassifier, wanted: Wanted, request: AttackRequest) -> HeldOut:
    """A set of a file, or the rows of an experiment's task."""
    if not is_experiment(path):
        return read_held_out(path, wanted)
    rows = read_rows(path, request.split, COLUMNS_BY_NAME, request.data_root, one)
    labels = tuple(map(int, rows.labels_of(one)))
    return HeldOut(rows.where, "", rows.texts, labels, ("",) * len(labels), ("",) * len(labels), dropped=rows.dropped)


def open_memories(
    inputs: Inputs, request: AttackRequest, cache: Path, device: torch.device
) -> tuple[AttackMemory, ...]:
    """The rows of each classifier that a stopped command was done with: all that they follow from is their name."""
    if inputs.rows is None or not request.attacks:
        return ()
    versions = [f"{name} {version(name)}" for name in ("rosearch", "torch", "transformers", "textattack")]
    made = []
    for place, found in enumerate(inputs.classifiers):
        parts = (
            folder_fingerprint(found.folder),
            *([] if found.file is None else [found.target, file_hash(found.file)]),
            str(inputs.lengths[place]),
            str(device),
            repr(request.limits),
            content_key(map(str, inputs.labels[place])),
            *versions,
        )
        made.append(AttackMemory.open(cache, content_key(parts)))
    return tuple(made)


def _length(found: FoundClassifier, asked: int | None, rows: LabelledRows | None) -> int:
    longest = longest_input(found.config, found.tokenizer)
    if asked is not None and not 8 <= asked <= longest:
        expected = f"8 to {longest} tokens, what {found.name} reads"
        raise BadInput(Problem("command line", "--max-length", expected, str(asked)))
    task = longest if rows is None or rows.max_length is None else rows.max_length
    return asked or min(task, longest)
