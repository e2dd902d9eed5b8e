"""A run at a glance: its records side by side, its fitness in words, how well its controller has predicted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from rosearch.evolution.agreement import EpisodeAgreement
from rosearch.evolution.fitness import Fitness
from rosearch.measurements import Estimate, Measurements, TeacherFacts
from rosearch.records.record import Record
from rosearch.report.data import (
    FOUR_DECIMALS,
    HUNDREDTHS,
    MILLIONS,
    MILLISECONDS,
    PERCENT,
    SHARE,
    THOUSANDTHS,
    TIMES,
    Cell,
    Column,
    Row,
    Table,
    Unit,
    Value,
    metric_unit,
)
from rosearch.report.features import training_notes
from rosearch.run.results import Results

Measured = Measurements | TeacherFacts


@dataclass(frozen=True)
class _Figure:
    """A column, and how its cell is read from what was measured."""

    name: str
    unit: Unit
    read: Callable[[Measured], Value | Cell]
    spare: int = 0  # of the column


def results_table(
    title: str, results: Results, records: Sequence[Record], *, teacher: TeacherFacts | None = None
) -> Table:
    """Records side by side, after the `teacher` and pretrained baselines on the same rows. Intervals: Wilson's, 95 %.

    Under several attacks, the worst case of each row comes first, then each attack alone. A figure that no record has
    (attacks of regression and of encoders, the loss that a reward needs) has no column.
    """
    beside = [] if teacher is None else [teacher, *teacher.neighbours]
    judged = [(record, record.measurements, results.fitness.get(record.number)) for record in records]
    shown = [(one, found, fitness) for one, found, fitness in judged if found is not None and fitness is not None]
    measured: list[Measured] = [*beside, *(found for _, found, _ in shown)]
    figures = _figures(results, measured)
    rows = [Row((one.called, "", *(figure.read(one) for figure in figures))) for one in beside]
    for one, found, fitness in shown:
        figured = (figure.read(found) for figure in figures)
        rows.append(Row((f"#{one.number} {one.label}", _scalar(fitness, found), *figured)))
    columns = (
        Column("id", align="left", whole=True),
        Column("fitness", THOUSANDTHS),
        *(Column(figure.name, figure.unit, spare=figure.spare) for figure in figures),
    )
    notes = (*_footnotes(measured), *training_notes((f"#{one.number}", one.genotype) for one, *_ in shown))
    return Table(title, columns, tuple(rows), (*(teacher.notes if teacher else ()), *notes))


def ranked_table(results: Results, most: int | None = None) -> Table:
    """The teacher, and the measured candidates (the first `most` of them), highest fitness first."""
    title, count = "Candidates so far, by fitness", results.counts["candidate", "done"]
    if most is not None and count > most:
        title += f" (the best {most} of {count:,}; --json tells all)"
    return results_table(title, results, results.fitness.highest(most), teacher=results.teacher)


def _figures(results: Results, measured: Sequence[Measured]) -> list[_Figure]:
    task = results.experiment.task
    metric = "fidelity" if task is None else task.metric
    figures = [_Figure(metric, metric_unit(metric), _quality)]
    if any(isinstance(found, Measurements) and found.held_out_loss is not None for found in measured):
        figures += [_Figure("held-out loss", FOUR_DECIMALS, _loss), _Figure("latency", MILLISECONDS, _latency)]
    if any(found.robustness is not None for found in measured):
        names = list(dict.fromkeys(attack.attack for found in measured for attack in found.attacks))
        alone = names if len(names) > 1 else []
        figures.append(_Figure("worst case" if alone else "under attack", PERCENT, _worst))
        figures += [_Figure(name, SHARE, lambda found, name=name: _alone(found, name), 2) for name in alone]  # type: ignore[misc]
        figures.append(_Figure("words to break", SHARE, _words, 4))
    return [
        *figures,
        _Figure("parameters", MILLIONS, _parameters, 3),
        _Figure("smaller", TIMES, lambda found: _smaller(found, results.teacher)),
    ]


def _scalar(fitness: Fitness, found: Measurements) -> Value | Cell:
    if found.stopped_at:
        return Cell(f"rung {found.stopped_at}", emphasis="warning")
    return fitness.scalar if fitness.eligible else Cell("gated", emphasis="warning")


def _quality(found: Measured) -> Cell:
    """`!` has a footnote."""
    return Cell(found.quality.value, note="!" if found.quality.collapse else "")


def _loss(found: Measured) -> Value:
    return found.held_out_loss if isinstance(found, Measurements) else None


def _latency(found: Measured) -> Value:
    """At the first batch size that is timed."""
    if isinstance(found, TeacherFacts):
        return found.latency_ms
    return found.efficiency.latency[0].median_ms if found.efficiency.latency else None


def _worst(found: Measured) -> Value | Cell:
    if (robustness := found.robustness) is None:
        return None
    stopped = robustness.stopped
    note = "" if stopped is None else f" ({stopped.rows} of {stopped.planned} rows)"
    return Cell(robustness.under_attack, note=note)


def _alone(found: Measured, attack: str) -> Value:
    return next((one.under_attack for one in found.attacks if one.attack == attack), None)


def _words(found: Measured) -> Value:
    return None if found.robustness is None else found.robustness.words_to_break


def _parameters(found: Measured) -> Value:
    return (found.cost if isinstance(found, TeacherFacts) else found.efficiency).parameters


def _smaller(found: Measured, teacher: TeacherFacts | None) -> Value:
    if isinstance(found, TeacherFacts):
        return (teacher or found).cost.parameters / found.cost.parameters
    return found.efficiency.compression


def _footnotes(measured: Sequence[Measured]) -> list[str]:
    """Variants of recipes, collapse, early stops, rows that went wrong: what the figures leave out."""
    attacks = [attack for found in measured for attack in found.attacks]
    notes = [f"{attack.attack}: {attack.differs}" for attack in attacks if attack.differs]
    if flags := [found.quality.collapse for found in measured if found.quality.collapse]:
        notes.append(f"! collapsed: {'; '.join(dict.fromkeys(flags))}")
    stopped = [found.robustness.stopped for found in measured if found.robustness and found.robustness.stopped]
    notes += [f"not all rows: surely below {stop.below:.0%}, with error rate {stop.error_rate:.0%}" for stop in stopped]
    for name in dict.fromkeys(attack.attack for attack in attacks):
        same = [attack for attack in attacks if attack.attack == name]
        counts = {
            "rows whose attack raised": sum(attack.errors for attack in same),
            "rows out of time": sum(attack.out_of_time for attack in same),
            "rows out of queries": sum(attack.out_of_queries for attack in same),
        }
        notes += [f"{name}: {what}, over all shown here: {count}" for what, count in counts.items() if count]
        weaker = sorted({attack.weaker_than for attack in same if attack.weaker_than})
        notes += [f"{name}: broken, as {other}, which does not adapt, breaks more rows of a model" for other in weaker]
    return list(dict.fromkeys(notes))


def finalists_table(results: Results) -> Table:
    """The teacher, the finalists and the baselines under the same attacks on test rows, and what was gained."""
    title = "Finalists (fresh seeds, test split)"
    table = results_table(title, results, results.measured("finalist"), teacher=results.teacher_on_test)
    gain = gain_in_words(results)
    return replace(table, notes=(*table.notes, gain)) if gain else table


def retrained_table(results: Results, identity: str) -> Table:
    """The retrainings of one student under the report's attacks on test rows, beside the teacher."""
    found = [record for record in results.measured("finalist") if record.id == identity]
    table = results_table("Retrained (fresh seeds, test split)", results, found, teacher=results.teacher_on_test)
    return replace(table, notes=(*table.notes, never_searched(results)))


def never_searched(results: Results) -> str:
    """The attacks of the report that the search never used, in words."""
    suites = results.experiment.evaluation.robustness
    if results.experiment.task is None or not suites.report.attacks:
        return "no attack was asked for"
    new = [name for name in suites.report.attacks if name not in suites.search.attacks]
    return f"the search never saw these rows, nor the attack{'s' * (len(new) > 1)} {' and '.join(new) or '(none)'}"


def gain_in_words(results: Results) -> str:
    """One sentence: what the winner, the baselines and the teacher keep under attack; "" without any attack."""
    teacher, finalists, first = results.teacher_on_test, results.measured("finalist"), results.fitness.best
    best = "" if first is None else first.id  # a search that went on has earlier winners, too
    winner = min((one for one in finalists if not one.name), key=lambda one: one.id != best, default=None)
    if teacher is None or winner is None or (kept := _kept(winner.measurements)) is None:
        return ""
    assert winner.measurements is not None
    others = {record.name: _kept(record.measurements) for record in reversed(finalists) if record.name}
    others |= {f"the {teacher.called}": _kept(teacher)} | {one.called: _kept(one) for one in teacher.neighbours}
    told = ", ".join(f"{name} {share.value:.0%}" for name, share in others.items() if share)
    beside = f" ({told})" if told else ""  # soft labels are not attacked
    attacks = " and ".join(attack.attack for attack in winner.measurements.attacks)
    metric, size = winner.measurements.quality.metric, size_in_words(winner.measurements.efficiency.compression)
    ours, theirs = (metric_unit(metric).text(one.quality.value) for one in (winner.measurements, teacher))
    return (
        f"{winner.label} is {size} than {teacher.whose_cost}, keeps {kept.value:.0%} of {kept.n} test rows under "
        f"{attacks}{beside}, and has {ours} {metric} (the {teacher.called} {theirs})"
    )


def size_in_words(compression: float) -> str:
    """Such as `31 times smaller`, `1.4 times smaller`, or `2.0 times larger` for a student above its teacher."""
    times, word = (compression, "smaller") if compression >= 1 else (1 / compression, "larger")
    return f"{times:.0f} times {word}" if times >= 10 else f"{times:.1f} times {word}"


def _kept(found: Measured | None) -> Estimate | None:
    return None if found is None or found.robustness is None else found.robustness.under_attack


def rungs_line(results: Results) -> str:
    """`Rungs: 9 of 24 candidates were stopped before the end of their training`; "" without rungs."""
    if not results.experiment.evolution.rungs:
        return ""
    judged = (results.fitness.get(record.number) for record in results.measured("candidate"))
    stopped = sum(found is not None and "rung" in found.gates for found in judged)
    told = "were stopped before the end of their training; their figures are those of a rung"
    return f"Rungs: {stopped} of {results.counts['candidate', 'done']} candidates {told}" if stopped else ""


def predictions_table(episodes: Sequence[EpisodeAgreement]) -> Table:
    """Rank correlations of predicted and observed reward, a row for each episode of kd_nas that had predictions."""
    columns = ("episode", "drawn", "tau-b (drawn)", "rho (drawn)", "chosen", "tau-b (chosen)", "rho (chosen)")
    rows = [
        Row((one.episode, *(value for a in (one.drawn, one.chosen) for value in (a.n, a.kendall, a.spearman))))
        for one in episodes
    ]
    notes = (
        "predicted before any of the episode was distilled; encoders drawn at random tell how good the predictor is,",
        "those it chose are all predicted to be good: little is left to rank",
    )
    return Table(
        "Predicted against observed reward",
        tuple(Column(name, HUNDREDTHS if "(" in name else Unit()) for name in columns),
        tuple(rows),
        notes,
    )


def seconds_line(results: Results) -> str:
    """`distil 71%, attack 20%, ... of 1234 s in workers; attack / training 0.28`; "" before a student is finished."""
    total = sum(results.seconds.values())
    if not total:
        return ""
    shares = ", ".join(f"{stage} {seconds / total:.0%}" for stage, seconds in results.seconds.items())
    ratio = results.attack_over_training
    told = "" if ratio is None else f"; attack / training {ratio:.2f}"
    return f"{shares} of {total:.0f} s in workers{told}"


def explanation(results: Results) -> str:
    """The terms of a run's fitness, and the gates that candidates may miss."""
    config = results.experiment
    terms, fitness, suite = _terms(results), config.fitness, config.evaluation.robustness.search
    limits = _limits(results)
    if not config.attacked:
        return f"fitness: {terms}" + (f". Gated: {limits}" if limits else "")
    meaning = f"{fitness.min_purity:g} purity, {fitness.min_invariance:g} invariance, {fitness.min_contrast:g} contrast"
    return (
        f"fitness: {terms}. "
        f"Attack: {', '.join(suite.attacks)} on {suite.rows} rows. Gated: below {fitness.min_quality:g} of the "
        f"teacher's quality, above {fitness.max_class_share:g} of predictions in one class, hopeless under attack, "
        f"or below {meaning}" + (f"; {limits}" if limits else "")
    )


def _limits(results: Results) -> str:
    """The hard limits that an experiment sets, in words."""
    fitness = results.experiment.fitness
    least, most, slowest = fitness.min_under_attack, fitness.max_parameters, fitness.max_latency_ms
    told = (
        f"below {least:.0%} under attack" if least else "",
        "" if most is None else f"above {most:,} parameters",
        "" if slowest is None else f"above {slowest:g} ms",
    )
    return ", ".join(filter(None, told))


def _terms(results: Results) -> str:
    fitness = results.experiment.fitness
    if (reward := fitness.reward) is not None:
        return f"(1 - held-out loss) x (latency / ({reward.beta:g} x the teacher's))^{reward.alpha:g}"
    weights = fitness.weights
    others = f"{weights.accuracy:g} x accuracy + {weights.efficiency:g} x efficiency ({fitness.efficiency})"
    attacked = f"{weights.robustness:g} x {fitness.robustness} + {others}, over the weights' sum"
    return attacked if results.experiment.attacked else others
