"""The records of a run as one pandas table, and tables as CSV and Parquet files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

import pandas as pd

from rosearch.files import whole
from rosearch.measurements import Calibration, Efficiency, Estimate, Measurements, Quality, Robustness
from rosearch.records.record import Record
from rosearch.report.columns import RECORDS, dtypes
from rosearch.report.features import Operators, architecture_features

Cell = str | int | float | None


class Scored(Protocol):
    """The fitness of one candidate; larger is better, `gates` names those that it misses."""

    @property
    def scalar(self) -> float: ...  # noqa: D102
    @property
    def robustness(self) -> float | None: ...  # noqa: D102
    @property
    def accuracy(self) -> float: ...  # noqa: D102
    @property
    def efficiency(self) -> float: ...  # noqa: D102
    @property
    def gates(self) -> tuple[str, ...]: ...  # noqa: D102


Score = Callable[[Measurements], Scored]

# Columns that are fields of `Quality` and of `Efficiency` under their own names.
_QUALITY = ("macro_f1", "matthews", "pearson", "spearman", "largest_class_share", "collapse")
_EFFICIENCY = (
    "parameters", "encoder_parameters", "compression", "encoder_compression", "flops", "flops_compression", "size_mb",
    "device", "threads",
)  # fmt: skip
_ESTIMATES = (
    "clean", "under_attack", "success_rate", "queries", "perturbed_words", "words_to_break", "distinct_queries",
    "similarity",
)  # fmt: skip


# Every column and its pandas type, the same for every run; `columns.RECORDS` says what each means. Those of
# `columns.OCCURRING` follow: by attack, then latencies, then stages.
COLUMNS = dtypes(RECORDS)


def records_table(records: Iterable[Record], score: Score | None = None) -> pd.DataFrame:
    """One row per record, ordered by number, with `COLUMNS`; what a record does not have is missing (NA).

    `score` gives the fitness of measurements; without it those columns are missing. Parameters are those
    measured of the built student or, where there are none, counted for the default vocabulary and two labels.
    """
    read = (record.anew() for record in sorted(records, key=lambda record: record.number))
    return table_of([whole_row(one, score) for one in read])


def table_of(rows: list[dict[str, Cell]], columns: Sequence[str] = ()) -> pd.DataFrame:
    """A table of rows with these columns in this order, or with all; what a row does not have is missing."""
    table = pd.DataFrame(rows).reindex(columns=list(columns) or [*COLUMNS, *_occurring(rows)])
    return table.astype({name: COLUMNS.get(name, "float64") for name in table.columns})


def write_tables(folder: Path, candidates: pd.DataFrame, statistics: pd.DataFrame) -> tuple[Path, ...]:
    """Write candidates and statistics as .csv (UTF-8) and .parquet into `folder`; returns the four paths.

    Each file is replaced in one step: a reader sees the old one or the new one, never half of either.
    """
    written = []
    for name, table in (("candidates", candidates), ("statistics", statistics)):
        written.append(replace_file(folder / f"{name}.csv", partial(table.to_csv, index=False)))
        written.append(replace_file(folder / f"{name}.parquet", partial(table.to_parquet, index=False)))
    return tuple(written)


def replace_file(path: Path, write: Callable[[Path], object]) -> Path:
    """Have `write` write a file beside `path`, then move it there in one step; folders are made."""
    with whole(path) as draft:
        write(draft)
    return path


def _occurring(rows: list[dict[str, Cell]]) -> list[str]:
    extra = {name for row in rows for name in row} - COLUMNS.keys()
    attacks = sorted(name for name in extra if not name.startswith(("latency_ms_", "seconds_")))
    latency = sorted(
        (name for name in extra if name.startswith("latency_ms_")), key=lambda name: int(name.rsplit("_", 1)[1])
    )
    return [*attacks, *latency, *sorted(extra - {*attacks, *latency})]


def record_row(record: Record, score: Score | None) -> dict[str, Cell]:
    """The cells of a record that it has, but for the architecture itself."""
    operators = Operators.working(record.genotype)
    row: dict[str, Cell] = {
        "number": record.number,
        "role": record.role,
        "name": record.name,
        "generation": record.generation,
        "replicate": record.replicate,
        "id": record.id,
        "origin": record.origin,
        "parents": " ".join(record.parents),
        "seed": record.seed,
        "status": record.status,
        "operation_pairs": " ".join(operators.pairs),
        **architecture_features(record.genotype, operators),
        **{f"seconds_{stage}": seconds for stage, seconds in record.seconds.items()},
    }
    if record.failure is not None:
        row |= {
            "failure_kind": record.failure.kind,
            "failure_stage": record.failure.stage,
            "failure_message": record.failure.message,
        }
    if record.measurements is not None:
        row |= _measured(record.measurements)
        if score is not None:
            row |= _fitness(score(record.measurements))
    return row


def whole_row(record: Record, score: Score | None) -> dict[str, Cell]:
    """The cells of a record with the architecture, in words and as JSON."""
    told = {"architecture": str(record.genotype), "genotype": record.genotype.to_json()}
    return {**record_row(record, score), **told}


def _measured(measurements: Measurements) -> dict[str, Cell]:
    training = measurements.training
    cells = _quality(measurements.quality) | _efficiency(measurements.efficiency)
    if (meaning := measurements.meaning) is not None:
        cells["invariance"] = min(share.value for share in meaning.invariance.values())
        cells["contrast"] = None if meaning.contrast is None else meaning.contrast.value
        cells["purity"] = meaning.purity
    if measurements.robustness is not None:
        cells |= _robustness(measurements.robustness)
    for alone in measurements.attacks:
        cells |= {
            f"under_attack_{alone.attack}": alone.under_attack.value,
            f"words_to_break_{alone.attack}": alone.words_to_break.value,
        }
    for swaps in measurements.single_swaps:
        cells |= {
            f"single_swap_worst_{swaps.attack}": swaps.worst.value,
            f"single_swap_margin_{swaps.attack}": swaps.margin.value,
        }
    if (lineage := measurements.lineage) is not None:
        cells["inherited_from"] = lineage.parent or lineage.origin
        cells |= {"inherited_share": lineage.share, "inherited_steps": lineage.inherited_steps}
    return cells | {
        "rung": measurements.stopped_at or None,
        "steps": training.steps,
        "rows_seen": training.rows_seen,
        "final_loss": training.final_loss,
        "held_out_loss": measurements.held_out_loss,
        "precision": training.precision,
    }


def _quality(quality: Quality) -> dict[str, Cell]:
    return {
        "metric": quality.metric,
        "quality": quality.value,
        "quality_n": quality.n,
        **_cells("accuracy", quality.accuracy),
        **{name: getattr(quality, name) for name in _QUALITY},
        **_calibration(quality.calibration),
    }


def _calibration(found: Calibration | None) -> dict[str, Cell]:
    if found is None:
        return {}
    return {
        "calibration_error": found.error,
        "calibration_temperature": found.temperature,
        "scaled_calibration_error": found.scaled_error,
    }


def _robustness(robustness: Robustness) -> dict[str, Cell]:
    cells: dict[str, Cell] = {
        "attack": robustness.attack,
        "attack_rows": robustness.n,
        "attack_rows_planned": robustness.n if robustness.stopped is None else robustness.stopped.planned,
        "attack_errors": robustness.errors,
        "out_of_queries": robustness.out_of_queries,
        "out_of_time": robustness.out_of_time,
    }
    for name in _ESTIMATES:
        cells |= _cells(name, getattr(robustness, name))
    return cells


def _efficiency(efficiency: Efficiency) -> dict[str, Cell]:
    return {
        **{name: getattr(efficiency, name) for name in _EFFICIENCY},
        **{f"latency_ms_{latency.batch_size}": latency.median_ms for latency in efficiency.latency},
    }


def _fitness(fitness: Scored) -> dict[str, Cell]:
    return {
        "fitness": fitness.scalar,
        **{f"fitness_{term}": getattr(fitness, term) for term in ("robustness", "accuracy", "efficiency")},
        "gates": " ".join(fitness.gates),
    }


def _cells(name: str, estimate: Estimate | None) -> dict[str, Cell]:
    if estimate is None:
        return {}
    return {
        name: estimate.value,
        f"{name}_low": estimate.low,
        f"{name}_high": estimate.high,
        f"{name}_n": estimate.n,
    }
