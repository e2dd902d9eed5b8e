"""Every column of the tables that a run is written to: its type, its unit, its meaning.

`rosearch stats` writes them into the run, `open_run` gives those of `RECORDS` as frames, and docs/reference/tables.md
is made from them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rosearch.report.features import FEATURES


@dataclass(frozen=True)
class Described:
    """A column: its pandas type, what it means, and the unit of its numbers."""

    dtype: str
    meaning: str
    unit: str = ""


def dtypes(columns: Mapping[str, Described]) -> dict[str, str]:
    """The pandas type of each column, as `DataFrame.astype` takes them."""
    return {name: column.dtype for name, column in columns.items()}


def _words(meaning: str) -> Described:
    return Described("string", meaning)


def _count(meaning: str, unit: str = "") -> Described:
    return Described("Int64", meaning, unit)


def _figure(meaning: str, unit: str = "") -> Described:
    return Described("float64", meaning, unit)


def _share(meaning: str) -> Described:
    return _figure(meaning, "share")


def _estimate(name: str, meaning: str, unit: str) -> dict[str, Described]:
    return {
        name: _figure(meaning, unit),
        f"{name}_low": _figure(f"lower end of the 95 % interval of `{name}`", unit),
        f"{name}_high": _figure(f"upper end of the 95 % interval of `{name}`", unit),
        f"{name}_n": _count(f"rows behind `{name}`", "rows"),
    }


# A row a record. Robustness is the worst case over the suite. What a record does not have is missing.
RECORDS: dict[str, Described] = {
    "number": _count("order of the proposal in the run, from 1"),
    "role": _words("`candidate`, `baseline` or `finalist`"),
    "name": _words("of a named architecture; else empty"),
    "generation": _count("0 the first, steady: candidates that were over before it was proposed; -1: no candidate"),
    "replicate": _count("which retraining of a finalist; 0 for all others"),
    "id": _words("16 hex digits, the same for equal architectures"),
    "origin": _words("how it was made: `sample`, `warm_start:NAME`, `mutation:NAME`, `crossover`, `chosen:REWARD`"),
    "parents": _words("ids, divided by spaces"),
    "seed": _count("of its training"),
    "status": _words("`pending`, `running`, `done` or `failed`"),
    "failure_kind": _words("`nan`, `oom`, `timeout`, `exception`, `worker_lost` or `attack_error`"),
    "failure_stage": _words("the part of its life that failed: `build`, `distil`, `attack` ..."),
    "failure_message": _words("in one line"),
    "fitness": _figure("the scalar that ranks: the weighted terms, or the reward; larger is better"),
    "fitness_robustness": _figure("the term, from 0 to 1"),
    "fitness_accuracy": _figure("the term, from 0 to 1"),
    "fitness_efficiency": _figure("the term, from 0 to 1"),
    "gates": _words("the missed gates, divided by spaces; empty: none"),
    "rung": _count("number of the rung at which its training was stopped; missing: it was trained to the end"),
    "metric": _words("the task's metric"),
    "quality": _figure("the task's metric on clean rows; of encoders 1 / (1 + loss)"),
    "quality_n": _count("clean rows", "rows"),
    **_estimate("accuracy", "clean rows that are right", "share"),
    "macro_f1": _figure("mean F1 of the classes"),
    "matthews": _figure("Matthews' correlation"),
    "pearson": _figure("Pearson's correlation with the true scores"),
    "spearman": _figure("Spearman's correlation with the true scores"),
    "largest_class_share": _share("predictions in the class that is predicted most; 1 is a constant predictor"),
    "collapse": _words("a constant predictor or given-up classes, in words; empty: neither"),
    "calibration_error": _share("expected calibration error of the probabilities, 15 bins"),
    "calibration_temperature": _figure("fitted on validation rows; above 1 the probabilities are too sure"),
    "scaled_calibration_error": _share("the calibration error after that temperature; only of test rows"),
    "attack": _words("the attack, or the worst case of several"),
    **_estimate("clean", "attacked rows that were right before the attack", "share"),
    **_estimate("under_attack", "attacked rows that are right after the worst of the attacks", "share"),
    **_estimate("success_rate", "rows that were broken, of those that were right", "share"),
    **_estimate("queries", "mean of a row, as TextAttack counts them", "queries"),
    **_estimate("perturbed_words", "mean part of the words that was changed, of broken rows", "share"),
    **_estimate(
        "words_to_break", "mean part of the words to change: 0 where misclassified, 1 where it survives", "share"
    ),
    **_estimate("distinct_queries", "as `queries`, without repeats of a text", "queries"),
    **_estimate("similarity", "mean cosine of what broke a row and its original, by a sentence encoder", "cosine"),
    "attack_rows": _count("rows of the attack", "rows"),
    "attack_rows_planned": _count("more than `attack_rows` where the attack was stopped early", "rows"),
    "attack_errors": _count("rows whose attack raised; they count as broken", "rows"),
    "out_of_queries": _count("rows that spent their query budget; they count as survived", "rows"),
    "out_of_time": _count("rows whose time was up; they count as broken", "rows"),
    "invariance": _share("exchanges that keep the answer: the least of names, religions and nationalities"),
    "contrast": _share("small changes that turn the teacher's answer and the student's too"),
    "purity": _share("words at which the teacher's opinion stays when they are read as their code"),
    **{name: _figure(meaning) for name, meaning in FEATURES.items()},
    "compression": _figure("the teacher's parameters over the student's", "times"),
    "encoder_compression": _figure("the same without the embedding tables", "times"),
    "flops": _count("of one text of `evaluation.efficiency.tokens` tokens; a multiply-add counts as two", "FLOPs"),
    "flops_compression": _figure("the teacher's FLOPs over the student's", "times"),
    "size_mb": _figure("weights on disk", "MB"),
    "device": _words("where it was trained and timed"),
    "threads": _count("torch threads", "threads"),
    "steps": _count("of its training", "steps"),
    "rows_seen": _count("in its training, repeats counted", "rows"),
    "final_loss": _figure("mean over the last tenth of the steps"),
    "held_out_loss": _figure("distillation loss on unseen rows; of encoders, and where a reward asks for it"),
    "precision": _words("`float32` or `bfloat16`"),
    "inherited_from": _words("where its first weights came from: a parent's id, `teacher`, or empty for a fresh start"),
    "inherited_share": _share("parameters that were taken over"),
    "inherited_steps": _count("of its training and of all that led to its first weights", "steps"),
    "architecture": _words("one readable line"),
    "genotype": _words("JSON"),
    "operation_pairs": _words("pairs of operations, the first read by the second: `conv>ffn`, divided by spaces"),
}

# Columns of the records' table that are there where something was measured, by patterns of their names.
OCCURRING: dict[str, Described] = {
    "under_attack_ATTACK": _share("rows that are right after this attack alone"),
    "words_to_break_ATTACK": _share("as `words_to_break`, of this attack alone"),
    "single_swap_worst_ATTACK": _share("rows right on the original and on every single swap"),
    "single_swap_margin_ATTACK": _figure(
        "mean of a row's smallest margin over its single swaps, from -4 to 4", "logits"
    ),
    "latency_ms_BATCH": _figure("median time of a batch of so many texts, in the runtime of the run", "milliseconds"),
    "seconds_STAGE": _figure("a worker's time in this stage", "seconds"),
}


def _correlation(prefix: str, held: str, whole: bool = True) -> dict[str, Described]:
    """A rank correlation with its test; `held` says what is held fixed."""
    of_all = {f"{prefix}rho": _figure(f"Spearman's rank correlation over all candidates{held}")} if whole else {}
    return {
        **of_all,
        f"{prefix}sibling_rho": _figure(f"the same among siblings: what is tested{'' if whole else held}"),
        f"{prefix}sibling_rho_low": _figure(f"lower end of the 95 % interval of `{prefix}sibling_rho`"),
        f"{prefix}sibling_rho_high": _figure(f"upper end of the 95 % interval of `{prefix}sibling_rho`"),
        f"{prefix}p": _figure(f"p of `{prefix}sibling_rho`, two-sided"),
        f"{prefix}p_holm": _figure(f"`{prefix}p` adjusted by Holm over all rows of the table that have one"),
    }


# A row an outcome and a feature.
STATISTICS: dict[str, Described] = {
    "outcome": _words("`under_attack`, `words_to_break`, `quality`, and `under_attack_ATTACK` where there are several"),
    "feature": _words("of the architecture"),
    "control": _words("the feature that partial correlations hold fixed"),
    "n": _count("candidates that have feature and outcome", "candidates"),
    "failed": _count("left out because they have no measurements", "candidates"),
    "comparisons": _count("independent comparisons of siblings that differ in both", "comparisons"),
    "lineages": _count("founders of these candidates, by first parents", "lineages"),
    "effective_lineages": _figure("lineages of equal size that are as diverse", "lineages"),
    **_correlation("", ""),
    **_correlation("partial_", ", with `control` held fixed"),
    **_correlation("beyond_", ", with `control` and `quality` held fixed; missing where `quality` is the outcome"),
    "detectable": _figure("the |rho| that so many comparisons find in 80 % of samples, in one test"),
    "detectable_holm": _figure("the same for the smallest p of all rows, after Holm's adjustment"),
    "note": _words("why a value is missing"),
}


# A row a pair of operations.
MOTIFS: dict[str, Described] = {
    "motif": _words("an operation and one that reads it: `conv>ffn`"),
    "n": _count("candidates that could be on the front or not", "candidates"),
    "front": _count("on the front", "candidates"),
    "share": _share("candidates that have the pair"),
    "front_share": _share("candidates of the front that have it"),
    "comparable": _count(
        "of the front, with siblings that are not, and some but not all of whom have it", "candidates"
    ),
    "observed": _count("of these, those that have it", "candidates"),
    "expected": _figure("the mean of `observed` over all permutations among siblings", "candidates"),
    "p": _figure("of `observed`, two-sided, over all permutations among siblings"),
    "smallest_p": _figure("the smallest p that so many could give"),
    "p_holm": _figure("`p` adjusted by Holm over all pairs that have one"),
}

# A row an outcome and a set of predictors.
REGRESSIONS: dict[str, Described] = {
    "outcome": _words("as in `statistics`"),
    "predictors": _words("`parameters`, `architecture` (all features), or either with clean `quality`"),
    "held_out": _words("what a fold holds out whole: `lineage`, or `run` where there are several"),
    "n": _count("candidates", "candidates"),
    "groups": _count("lineages or runs", "groups"),
    "folds": _count("parts in which the groups were held out", "folds"),
    "r2": _figure("1 less the squared errors on what was held out, over those of the mean of the rest"),
    "r2_low": _figure("lower end of the 95 % interval of `r2`"),
    "r2_high": _figure("upper end of the 95 % interval of `r2`"),
    "strongest": _words("the features of largest weight when all rows are known, in standard deviations of both"),
    "note": _words("why a value is missing"),
}


# A row an outcome and a feature, over several runs.
POOLED: dict[str, Described] = {
    "outcome": _words("as in `statistics`"),
    "feature": _words("of the architecture"),
    "runs": _count("in which siblings differ in feature and outcome", "runs"),
    "comparisons": _count("of all these runs", "comparisons"),
    "same_sign": _count("in which the correlation has the more frequent sign", "runs"),
    "tau": _figure("standard deviation of atanh(rho) between runs"),
    **_correlation("", "", whole=False),
    **_correlation("partial_", ", with the parameters held fixed", whole=False),
    **_correlation("beyond_", ", with parameters and clean quality held fixed", whole=False),
    "note": _words("why a value is missing"),
}


def _difference(name: str, meaning: str, test: str) -> dict[str, Described]:
    return {
        name: _figure(meaning, "share"),
        f"{name}_low": _figure("lower end of its 95 % interval, of one comparison", "share"),
        f"{name}_high": _figure("upper end of its 95 % interval, of one comparison", "share"),
        f"{name}_p": _figure(test),
        f"{name}_p_holm": _figure(f"`{name}_p` adjusted by Holm over all pairs of the role"),
    }


# A row a student and the best, on the same attacked rows. Differences are the student's less the other's.
COMPARISONS: dict[str, Described] = {
    "role": _words("`candidate` or `finalist`"),
    "student": _words("the one"),
    "against": _words("the other: the best candidate, or its retraining of the same number"),
    "attack": _words("the attack, or the worst case of several"),
    "n": _count("rows that both were attacked on", "rows"),
    "only_student": _count("that survive in the student alone", "rows"),
    "only_other": _count("that survive in the other alone", "rows"),
    **_difference("survival", "difference of the parts of the rows that survive", "p of McNemar's exact test"),
    **_difference("words_to_break", "difference of the mean parts of words to change", "p by random flips of signs"),
    "separated": Described("boolean", "true where `survival_p_holm` is below 5 %"),
    "rows_needed": _count("about how many would separate them, if the difference is the one seen", "rows"),
    "warning": _words("one line where the rows cannot separate them"),
}
