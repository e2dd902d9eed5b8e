"""Pairs of operations, one read by the other: are they more frequent on the front than among those that were tried?

The front is compared with its siblings. If a pair has no part in who comes onto the front, each choice of as many
siblings is equally probable; the number of carriers among them is hypergeometric in each family, and their sum is known
exactly: a permutation test over all permutations (Mantel and Haenszel 1959, in its exact form).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from rosearch.evaluation.comparison import ALPHA, holm
from rosearch.report.columns import MOTIFS, dtypes
from rosearch.report.data import COUNT, SHARE, TENTHS, THOUSANDTHS, Column, Row, Table
from rosearch.report.kinship import Kinship
from rosearch.report.pareto import front
from rosearch.report.statistics import usable_rows

_MOST = 12  # rows that a table shows
_TIE = 1 + 1e-9


def motif_statistics(table: pd.DataFrame, *, max_class_share: float = 0.9) -> pd.DataFrame:
    """One row per pair of operations with the columns `MOTIFS`, smallest p first, from `tables.records_table`.

    A column `run` keeps several runs apart: each has its own front. Empty where nobody is on a front.
    """
    runs = [one for _, one in table.groupby("run")] if "run" in table else [table]
    on_front = pd.concat([front(one) for one in runs]).reindex(table.index)
    rows = usable_rows(table, max_class_share=max_class_share).rows
    kin = Kinship.of(table)[table.index.get_indexer(rows.index)]
    chosen = on_front.loc[rows.index].to_numpy(dtype=bool)
    carried = [set(str(pairs).split()) for pairs in rows["operation_pairs"]]
    names = sorted(set().union(*carried)) if chosen.any() else []
    found = [_row(name, np.array([name in one for one in carried]), chosen, kin.families) for name in names]
    result = pd.DataFrame(found).reindex(columns=list(MOTIFS)).astype(dtypes(MOTIFS))
    result["p_holm"] = holm(result["p"].to_numpy())
    return result.sort_values(["p", "motif"], kind="stable").reset_index(drop=True)


def _row(
    name: str, carries: npt.NDArray[np.bool_], chosen: npt.NDArray[np.bool_], families: npt.NDArray[np.int64]
) -> dict[str, object]:
    sizes, carriers, places = (np.bincount(families, part) for part in (np.ones(len(families)), carries, chosen))
    both = np.bincount(families, carries & chosen)
    told = (carriers > 0) & (carriers < sizes) & (places > 0) & (places < sizes)
    p, smallest = permutation_p(*(part[told].astype(int) for part in (sizes, carriers, places, both)))
    return {
        "motif": name,
        "n": len(carries),
        "front": int(chosen.sum()),
        "share": carries.mean(),
        "front_share": carries[chosen].mean(),
        "comparable": int(places[told].sum()),
        "observed": int(both[told].sum()),
        "expected": float((places * carriers / np.maximum(sizes, 1))[told].sum()),
        "p": p,
        "smallest_p": smallest,
    }


def permutation_p(
    sizes: Sequence[int] | npt.NDArray[np.int64],
    carriers: Sequence[int] | npt.NDArray[np.int64],
    chosen: Sequence[int] | npt.NDArray[np.int64],
    both: Sequence[int] | npt.NDArray[np.int64],
) -> tuple[float, float]:
    """The two-sided p of the sum of `both` over families, and the smallest that these margins can give.

    Each family has `sizes` members, of whom some are `carriers`, some `chosen`, and some both. NaN without a family.
    """
    if not len(sizes):
        return np.nan, np.nan
    total, least = np.ones(1), 0
    for size, carrying, places in zip(sizes, carriers, chosen, strict=True):
        low, high = max(0, places - (size - carrying)), min(places, carrying)
        total = np.convolve(total, _hypergeometric(int(low), int(high), int(size), int(carrying), int(places)))
        least += low
    seen = total[int(np.sum(both)) - least]
    return min(1.0, float(total[total <= seen * _TIE].sum())), float(total[total <= total.min() * _TIE].sum())


def _hypergeometric(low: int, high: int, size: int, carrying: int, places: int) -> npt.NDArray[np.float64]:
    """The probabilities of `low` to `high` carriers among those chosen, from the ratios of each to the one before."""
    k = np.arange(low, high, dtype=np.float64)
    ratios = (carrying - k) * (places - k) / ((k + 1) * (size - carrying - places + k + 1))
    logs = np.r_[0.0, np.cumsum(np.log(ratios))]
    found = np.exp(logs - logs.max())
    return np.asarray(found / found.sum())


def motif_verdict(motifs: pd.DataFrame) -> str:
    """The sentence that a reader may quote: the pairs that are surely more or less frequent on the front."""
    tested = motifs[motifs["p"].notna()]
    if tested.empty:
        return "No pair of operations can be tested: nobody on the front has siblings that differ in one."
    sure = tested[tested["p_holm"] < ALPHA]
    possible = int((len(tested) * tested["smallest_p"] < ALPHA).sum())
    seen = f"{possible:,} of the {len(tested):,} pairs could have been found, even had all of the front carried them"
    if sure.empty:
        least = float(tested["p_holm"].min())
        return f"No pair of operations is surely more frequent on the front: smallest p after Holm {least:.3f}; {seen}."
    told = ", ".join(f"{row.motif} ({row.observed} where {row.expected:.1f} are expected)" for row in sure.itertuples())
    return f"At p below {ALPHA:g} after Holm's adjustment, the front differs in: {told}; {seen}."


def motif_tables(motifs: pd.DataFrame) -> list[Table]:
    """The pairs with the smallest p; none where nobody is on the front."""
    if motifs.empty:
        return []
    figures = ("share", "front_share", "observed", "expected", "p", "p_holm")
    rows = [
        Row((str(row["motif"]), *(float(row[name]) for name in figures)))
        for row in motifs[motifs["p"].notna()].head(_MOST).to_dict(orient="records")
    ]
    columns = (
        Column("read by", align="left", whole=True),
        Column("of all", SHARE),
        Column("of the front", SHARE),
        Column("on the front", COUNT, spare=1),
        Column("expected", TENTHS, spare=1),
        Column("p", THOUSANDTHS, spare=2),
        Column("p (Holm)", THOUSANDTHS),
    )
    notes = (motif_verdict(motifs), "counts and p are of siblings, of whom some are on the front and some are not")
    return [Table("Pairs of operations on the front", columns if rows else (), tuple(rows), notes)]
