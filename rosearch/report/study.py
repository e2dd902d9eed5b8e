"""A run as a study of Optuna in one SQLite file, which optuna-dashboard opens: `rosearch export RUN --format optuna`.

>>> write_study(results, Path("study.db"))
12

A trial is a candidate that is over; Optuna numbers them, and the attribute `record` has the number of the record. Its
values are the terms of fitness, all to be maximised. What Optuna takes and what it draws decide the rest:

- A failed candidate is a failed trial, without values, as Optuna allows none.
- One that missed a gate is a pruned trial with its values. Optuna has constraints for that, and they are given too;
  but optuna-dashboard 0.21 counts a complete trial as best whatever its constraints are.
- A graph is no vector. Parameters are what can be counted or chosen of one: width, rank, pooling, settings of the
  source, nodes, operations of each kind. Each has all its values from the first trial on: Optuna refuses a choice that
  grows. The graph itself is an attribute.
- Optuna commits each trial, and asks before it writes an attribute: 75 ms a trial, even in memory. All are therefore
  inserted at once into the tables that Optuna has made in memory, read back by Optuna and compared, and written once.
"""

from __future__ import annotations

import json
import math
import sqlite3
import warnings
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rosearch.errors import MissingResource, RunError
from rosearch.evolution.fitness import Fitness
from rosearch.files import whole
from rosearch.records.record import Record
from rosearch.report.features import architecture_features
from rosearch.run.results import Results
from rosearch.run.tracking.row import Rows
from rosearch.space.genes import in_words
from rosearch.space.genotype import SOURCE_DEFAULTS, Genotype
from rosearch.space.loading import load_space
from rosearch.space.node import Setting
from rosearch.space.rules import OPERATIONS
from rosearch.space.search_space import SearchSpace

_TABLES = {
    "trials": ("trial_id", "number", "study_id", "state", "datetime_start", "datetime_complete"),
    "trial_params": ("trial_id", "param_name", "param_value", "distribution_json"),
    "trial_values": ("trial_id", "objective", "value", "value_type"),
    "trial_user_attributes": ("trial_id", "key", "value_json"),
    "trial_system_attributes": ("trial_id", "key", "value_json"),
}
TERMS = ("robustness", "accuracy", "efficiency")
_EPOCH = datetime(2000, 1, 1)  # of all trials: durations are known, times are not recorded


def require_optuna() -> None:
    """Raises `MissingResource` where Optuna is not installed."""
    if find_spec("optuna") is None:
        raise MissingResource("--format optuna needs optuna", 'pip install "rosearch[optuna]"')


def write_study(results: Results, path: Path) -> int:
    """Write the candidates that are over; a file before is replaced in one step. The number of trials.

    Raises `RunError` where none is over, `MissingResource` without Optuna.
    """
    require_optuna()
    over = [one for one in results.of("candidate") if one.status in ("done", "failed")]
    if not over or results.yardstick is None:
        raise RunError(f"{results.run.path}: no candidate is over yet: there is nothing to export")
    import optuna
    from sqlalchemy.pool import StaticPool

    memory = sqlite3.connect(":memory:", check_same_thread=False)
    made_by = {"creator": lambda: memory, "poolclass": StaticPool}
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        storage = optuna.storages.RDBStorage("sqlite://", engine_kwargs=made_by)
        name = results.run.path.resolve().name
        terms = _terms(results)
        study = optuna.create_study(storage=storage, study_name=name, directions=["maximize"] * len(terms))
        with warnings.catch_warnings(action="ignore", category=optuna.exceptions.ExperimentalWarning):
            study.set_metric_names(list(terms))
        for key, value in _facts(results).items():
            study.set_user_attr(key, value)
        storage.remove_session()
        trials = _trials(results, over)
        _insert(memory, study._study_id, trials)
        _compare(study.get_trials(deepcopy=False), trials)
        storage.remove_session()
        _write(memory, path)
    finally:
        optuna.logging.set_verbosity(before)
        memory.close()
    return len(over)


def _insert(memory: sqlite3.Connection, study: int, trials: Sequence[Any]) -> None:
    """All trials in one transaction, as Optuna's tables have them since its version 3.2."""
    from optuna.distributions import distribution_to_json

    told: dict[str, list[tuple[Any, ...]]] = {name: [] for name in _TABLES}
    texts = {name: distribution_to_json(one) for name, one in trials[0].distributions.items()}
    for key, trial in enumerate(trials, start=1):
        times = (str(trial.datetime_start), str(trial.datetime_complete))
        told["trials"].append((key, key - 1, study, trial.state.name, *times))
        told["trial_params"] += [
            (key, name, trial.distributions[name].to_internal_repr(value), texts[name])
            for name, value in trial.params.items()
        ]
        told["trial_values"] += [(key, place, value, "FINITE") for place, value in enumerate(trial.values or ())]
        told["trial_user_attributes"] += [(key, name, json.dumps(one)) for name, one in trial.user_attrs.items()]
        told["trial_system_attributes"] += [(key, name, json.dumps(one)) for name, one in trial.system_attrs.items()]
    with memory:
        for table, rows in told.items():
            columns = _TABLES[table]
            places = ", ".join("?" * len(columns))
            memory.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})", rows)


def _compare(found: Sequence[Any], told: Sequence[Any]) -> None:
    """Raises `RunError` where Optuna reads other trials than were meant, as one of other tables would."""
    parts = ("state", "values", "params", "distributions", "user_attrs", "constraints")
    if [[getattr(trial, part, None) for part in parts] for trial in found] != [
        [getattr(trial, part, None) for part in parts] for trial in told
    ]:
        import optuna

        raise RunError(f"Optuna {optuna.__version__} reads the study otherwise than it was written: use Optuna 5.0")


def _write(memory: sqlite3.Connection, path: Path) -> None:
    with whole(path) as draft:
        target = sqlite3.connect(draft)
        try:
            memory.backup(target)
        finally:
            target.close()


def _terms(results: Results) -> tuple[str, ...]:
    """The terms that this run measures; where nothing is attacked, robustness is none."""
    attacked = any(one.robustness is not None for one in map(results.fitness.get, _numbers(results)) if one)
    return TERMS if attacked else TERMS[1:]


def _numbers(results: Results) -> Iterable[int]:
    return (record.number for record in results.of("candidate"))


def _facts(results: Results) -> dict[str, str | int | float]:
    experiment = results.experiment
    return {
        "run": str(results.run.path),
        "strategy": experiment.evolution.strategy,
        "seed": experiment.seed,
        "state": results.state,
        "teacher": experiment.teacher.name,
        "full compression": experiment.fitness.full_compression,
    }


def _trials(results: Results, over: Sequence[Record]) -> list[Any]:
    from optuna.distributions import CategoricalDistribution, IntDistribution

    parameters = [_parameters(record.anew().genotype) for record in over]
    ranges: dict[str, Any] = {}
    for name, values in _choices(results, parameters).items():
        counted = name == "nodes" or name in OPERATIONS
        ranges[name] = IntDistribution(0, max(map(int, values))) if counted else CategoricalDistribution(values)
    assert results.yardstick is not None
    rows, terms = Rows(results.yardstick), _terms(results)
    return [
        _trial(record.anew(), results.fitness.get(record.number), rows, terms, ranges, chosen)
        for record, chosen in zip(over, parameters, strict=True)
    ]


def _trial(
    record: Record,
    fitness: Fitness | None,
    rows: Rows,
    terms: Sequence[str],
    ranges: Mapping[str, Any],
    chosen: Mapping[str, Setting],
) -> Any:
    """A finished trial. Its number is Optuna's to give: the record's is an attribute."""
    from optuna.trial import FrozenTrial, TrialState

    values, state = None, TrialState.FAIL
    if fitness is not None and fitness.finite:
        values = [getattr(fitness, term) or 0.0 for term in terms]
        state = TrialState.COMPLETE if fitness.eligible else TrialState.PRUNED
    missed = 0.0 if fitness is None or fitness.eligible else max(fitness.violation, 1e-9)
    return FrozenTrial(
        number=-1,
        state=state,
        value=None,
        values=values,
        datetime_start=_EPOCH,
        datetime_complete=_EPOCH + timedelta(seconds=sum(record.seconds.values())),
        params={name: chosen[name] for name in ranges},
        distributions=dict(ranges),
        user_attrs=_attributes(record, rows),
        # A list, as Optuna 4 and 5 and optuna-dashboard read it: above 0 is missed.
        system_attrs={} if values is None else {"constraints": [missed]},
        intermediate_values={},
        trial_id=-1,
    )


def _attributes(record: Record, rows: Rows) -> dict[str, str | float]:
    """Figures and words as trackers get them, the features of the graph, and the graph."""
    row, features = rows.of(record), architecture_features(record.genotype)
    return {
        "record": record.number,
        **row.words,
        **{name.removeprefix(f"{record.role}/"): value for name, value in row.figures.items()},
        **{f"feature/{name}": value for name, value in features.items() if math.isfinite(value)},
        "architecture": str(record.genotype),
        "genotype": row.genotype,
    }


def _parameters(genotype: Genotype) -> dict[str, Setting]:
    """All that can be counted or chosen of a graph."""
    canonical = genotype.canonical()
    counted = dict.fromkeys(OPERATIONS, 0)
    for node in canonical.nodes:
        counted[node.op] += 1
    return {
        "width": genotype.width,
        "rank": genotype.rank,
        "pooling": genotype.pooling,
        **{f"source {name}": value for name, value in genotype.source_setting.items()},
        **{name: in_words(value) for name, value in genotype.training},
        "nodes": len(canonical.nodes),
        **counted,
    }


def _choices(results: Results, parameters: Sequence[Mapping[str, Setting]]) -> dict[str, list[Setting]]:
    """All values of each parameter: those of the search space, and those that candidates have besides."""
    space = load_space(results.run.search_space)
    allowed: dict[str, Iterable[Setting]] = {}
    if isinstance(space, SearchSpace):
        allowed = {"width": space.widths, "rank": space.ranks, "pooling": space.poolings, "nodes": (space.max_nodes,)}
        allowed |= {f"source {name}": space.source[name] for name in SOURCE_DEFAULTS}
        allowed |= {name: tuple(map(in_words, values)) for name, values in space.training.items()}
        allowed |= dict.fromkeys(space.operations, (space.max_nodes,))
    found = {name: {one[name] for one in parameters} | set(allowed.get(name, ())) for name in parameters[0]}
    # An operation that the space does not have, and no candidate, is no parameter.
    return {name: sorted(values, key=_order) for name, values in found.items() if values != {0}}


def _order(value: Setting) -> tuple[bool, Any]:
    return isinstance(value, str), value
