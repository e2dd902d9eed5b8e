"""Architectures of earlier runs that a search begins with: `run:PATH` in `evolution.warm_start`.

>>> read_founders("run:runs/quickstart-0001", space).proposals

A run takes over the front as it is at its first start, and notes it: from then on the earlier run is not read again.
Architectures alone are taken. They are distilled and measured anew, as every candidate is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rosearch.config.evolution import FROM_RUN
from rosearch.config.experiment import Experiment
from rosearch.errors import BadInput, Problem, Problems, RunError
from rosearch.records.record import Proposal
from rosearch.records.store import Store
from rosearch.records.whole_rows import UNREADABLE, unreadable
from rosearch.run.observer import Observer
from rosearch.run.results import open_results
from rosearch.space.genotype import Genotype
from rosearch.space.space import Space

_KEY = "warm_start"


@dataclass(frozen=True)
class Founders:
    """The front of a run: what a search space holds of it, best first, and in words why the rest was left out."""

    run: str  # its name
    proposals: tuple[Proposal, ...]
    left_out: tuple[str, ...] = ()

    def __str__(self) -> str:
        more = f"; left out: {'; '.join(self.left_out)}" if self.left_out else ""
        return f"{len(self.proposals)} architectures of the front of {self.run}{more}"


def founders_of(experiment: Experiment, space: Space, where: str = "experiment") -> dict[str, Founders]:
    """The founders of each entry of `evolution.warm_start` that names a run.

    Raises `BadInput` with every entry that is no run, has no front yet, or has none that the space holds.
    """
    found, problems = {}, Problems()
    for position, entry in enumerate(experiment.evolution.warm_start):
        if entry.startswith(FROM_RUN):
            with problems:
                found[entry] = read_founders(entry, space, where, f"evolution.warm_start.{position}")
    problems.raise_found()
    return found


def read_founders(entry: str, space: Space, where: str = "experiment", key: str = "evolution.warm_start") -> Founders:
    """The front of the run that an entry names. Raises `BadInput` as `founders_of` does."""
    path = Path(entry.removeprefix(FROM_RUN))
    try:
        front = open_results(path).front
    except RunError as error:
        raise BadInput(Problem(where, key, f"{FROM_RUN}FOLDER of a run", str(error))) from None
    left_out = {record.number: space.violations(record.genotype) for record in front}
    proposals = [
        Proposal(record.genotype.canonical(), f"warm_start:{path.name}#{record.number}")
        for record in front
        if not left_out[record.number]
    ]
    told = tuple(f"#{number} ({reasons[0]})" for number, reasons in left_out.items() if reasons)
    if not proposals:
        got = f"{path}: {'; '.join(told) or 'it has no front yet'}"
        raise BadInput(Problem(where, key, f"a run with architectures of the space {space.name} on its front", got))
    return Founders(path.name, tuple(proposals), told)


def noted_founders(
    store: Store, experiment: Experiment, space: Space, observer: Observer
) -> dict[str, Sequence[Proposal]]:
    """The architectures of each entry: those that the run has noted, or those of now, which it notes.

    The observer is told what is left out.
    """
    data = store.get_meta(_KEY)
    try:
        found = None if data is None else {entry: _from_data(founders) for entry, founders in data.items()}
    except UNREADABLE as error:
        raise unreadable(store.path, _KEY, error) from error
    if found is None:
        found = founders_of(experiment, space)
        if found:
            store.set_meta(_KEY, {entry: _to_data(founders) for entry, founders in found.items()})
    for founders in found.values():
        if founders.left_out:
            observer.note(f"evolution.warm_start: {founders}")
    return proposals_of(found)


def proposals_of(found: Mapping[str, Founders]) -> dict[str, Sequence[Proposal]]:
    """The architectures of each entry."""
    return {entry: founders.proposals for entry, founders in found.items()}


def _to_data(founders: Founders) -> dict[str, Any]:
    taken = [{"genotype": one.genotype.to_dict(), "origin": one.origin} for one in founders.proposals]
    return {"run": founders.run, "taken": taken, "left_out": list(founders.left_out)}


def _from_data(data: Any) -> Founders:
    taken = [Proposal(Genotype.from_dict(one["genotype"]), str(one["origin"])) for one in data["taken"]]
    return Founders(str(data["run"]), tuple(taken), tuple(map(str, data["left_out"])))
