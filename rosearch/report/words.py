"""What the figures of a run mean: its fitness in words, and how well its controller has predicted."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from rosearch.evolution.kd_nas import EpisodeAgreement
from rosearch.run.results import Results


def explanation(results: Results) -> str:
    """What the fitness of a run is made of, and what misses its gates."""
    config = results.experiment
    terms, fitness, suite = _terms(results), config.fitness, config.evaluation.robustness.search
    if not config.attacked:
        return f"fitness: {terms}"
    return (
        f"fitness: {terms}. "
        f"Attack: {', '.join(suite.attacks)} on {suite.rows} rows. Gated: below {fitness.min_quality:g} of the "
        f"teacher's quality, above {fitness.max_class_share:g} of predictions in one class, or hopeless under attack"
    )


def _terms(results: Results) -> str:
    fitness = results.experiment.fitness
    if (reward := fitness.reward) is not None:
        return f"(1 - held-out loss) x (latency / ({reward.beta:g} x the teacher's))^{reward.alpha:g}"
    weights = fitness.weights
    others = f"{weights.accuracy:g} x accuracy + {weights.efficiency:g} x efficiency ({fitness.efficiency})"
    if not results.experiment.attacked:
        return others
    return f"{weights.robustness:g} x {fitness.robustness} + {others}, over the weights' sum"


def predictions_table(episodes: Sequence[EpisodeAgreement]) -> Table:
    """Rank correlations of predicted and observed reward, a row for each episode of kd_nas that had predictions."""
    table = Table(title="Predicted against observed reward", title_justify="left", caption_justify="left")
    for column in ("episode", "drawn", "tau-b", "rho", "chosen", "tau-b", "rho"):
        table.add_column(column, justify="right")
    for one in episodes:
        cells = [
            cell
            for found in (one.drawn, one.chosen)
            for cell in (str(found.n), _shown(found.kendall), _shown(found.spearman))
        ]
        table.add_row(str(one.episode), *cells)
    table.caption = (
        "predicted before any of the episode was distilled; encoders drawn at random tell how good the predictor is,\n"
        "those it chose are all predicted to be good: little is left to rank"
    )
    return table


def _shown(correlation: float | None) -> str:
    return "-" if correlation is None else f"{correlation:.2f}"
