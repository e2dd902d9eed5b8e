"""What does a child save that starts with its parent's weights, and are old lineages favoured?

    python -m tests.benchmarks.inheritance [--folder FOLDER] [--json]

Lineages of students on the generated task of `quickstart`: a founder, then children by the product's own mutations.
Each architecture is trained in three arms with one seed: from a fresh start, from the teacher's layers, and (children)
from the weights that its parent ended with after `STEPS` steps of the same arm. `LONG` steps from a fresh start with
another seed stand for what an architecture is worth. Quality is the distillation loss on validation rows: it is finer
than the accuracy, which stands beside it. Every training is a line in FOLDER, so a run that was cut short goes on.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy.stats import spearmanr, wilcoxon

from rosearch.config.file import load_experiment
from rosearch.evaluation.quality import predict
from rosearch.evolution.operators import mutate, operators_of
from rosearch.materials.lineage import begin
from rosearch.materials.task import TaskMaterials, prepare_materials
from rosearch.materials.training_inputs import fresh_student, training_inputs
from rosearch.models.saved import save_whole
from rosearch.randomness import derive_seed
from rosearch.space.genotype import Genotype
from rosearch.space.loading import load_space
from rosearch.space.search_space import SearchSpace
from rosearch.student.build import load_student
from rosearch.student.inherit import inherit_parent
from rosearch.training.losses import soft_label_loss
from rosearch.training.trainer import distil

Row = dict[str, Any]
Numbers = npt.NDArray[np.float64]

STEPS, LONG = 96, 384
FRESH, INHERITED = (48, 96, 192), (24, 48, 96)  # budgets of the arms, each a training of its own
OVERRIDES = ("task.generated.validation=600", "distillation.epochs=100", "execution.device=cpu")


@dataclass(frozen=True)
class Place:
    """One training: an architecture by its lineage and depth, an arm and a budget."""

    lineage: int
    depth: int
    arm: str  # fresh, teacher, parent, long
    steps: int


class Bench:
    """The trainings of all places, each once."""

    def __init__(self, folder: Path, overrides: Sequence[str] = ()) -> None:
        torch.set_num_threads(1)
        self.folder = folder
        self.experiment = load_experiment("quickstart", [*OVERRIDES, *overrides])
        space = load_space(self.experiment.search_space)
        assert isinstance(space, SearchSpace)
        self.space = replace(
            space, source={**space.source, "encoding": ("wordpiece",)}
        )  # one tokenizer for all: rows are tokenised once
        self.materials: TaskMaterials = prepare_materials(self.experiment, folder / "cache")
        facts = self.materials.measure_teacher(self.experiment)
        self.tables = {"positions": facts.positions, "token_types": facts.token_types}
        self.rows = folder / "trainings.jsonl"
        lines = self.rows.read_text(encoding="utf-8").splitlines() if self.rows.exists() else []
        self.done = {_key(row): row for row in map(json.loads, lines)}

    def lineage(self, number: int, depth: int) -> list[tuple[Genotype, str]]:
        """The architectures of a lineage, each with the mutations that made it of the one before."""
        rng = random.Random(f"lineage {number}")
        found = [(self.space.sample(rng).canonical(), "sample")]
        while len(found) <= depth:
            count = rng.randint(1, self.experiment.evolution.mutations)
            child, names = mutate(found[-1][0], operators_of(self.space), rng, count)
            if (child := child.canonical()).id not in {genotype.id for genotype, _ in found}:
                found.append((child, names))
        return found

    def run(self, place: Place, genotype: Genotype, made: str) -> Row:
        """The row of a training, from the file where it was run before."""
        weights = self.folder / "students" / f"{place.lineage}-{place.depth}"
        keeps = place.steps == STEPS and place.arm == ("parent" if place.depth else "fresh")
        row = self.done.get((place.lineage, place.depth, place.arm, place.steps))
        if row is not None and (weights.is_dir() or not keeps):
            return row
        seed = derive_seed(1 if place.arm != "long" else 2, genotype.id)
        arm = {"inherit": "teacher" if place.arm == "teacher" else "none", "max_steps": place.steps}
        config = self.experiment.distillation.model_copy(update=arm)
        student = fresh_student(genotype, self.materials, config, seed=seed, **self.tables)
        taken = begin(student, config, None, self.materials.teacher)
        if place.arm == "parent":
            parent = self.folder / "students" / f"{place.lineage}-{place.depth - 1}"
            taken = inherit_parent(student, load_student(parent, head=True))
        row = {**vars(place), "id": genotype.id, "made": made, "share": 0.0 if taken is None else taken.share}
        row |= {f"start_{name}": value for name, value in self.measure(student).items()}
        distil(student, training_inputs(self.materials, config, seed=seed))
        row |= self.measure(student)
        if keeps:
            save_whole(weights, student)
        self.done[_key(row)] = row
        with self.rows.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        return row

    def measure(self, student: Any) -> dict[str, float]:
        """Distillation loss and accuracy on the validation rows."""
        student.eval()
        logits = torch.from_numpy(predict(student, self.materials.tokenised("validation"), self.materials.device, 64))
        teacher = torch.from_numpy(np.array(self.materials.teacher_logits("validation")))
        labels = torch.tensor(self.materials.task.validation.labels)
        temperature = self.experiment.distillation.temperature
        return {
            "loss": soft_label_loss(logits, teacher, "classification", temperature).item(),
            "accuracy": (logits.argmax(1) == labels).float().mean().item(),
        }


def places(lineage: int, depth: int) -> Iterator[Place]:
    """All trainings of one architecture; a parent's stand before its child's."""
    yield from (Place(lineage, depth, "fresh", steps) for steps in FRESH)
    yield Place(lineage, depth, "teacher", STEPS)
    yield from (Place(lineage, depth, "parent", steps) for steps in INHERITED if depth)
    yield Place(lineage, depth, "long", LONG)


class Curves:
    """The losses of all trainings, by architecture (lineage, depth), arm and steps."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.of = {_key(row): row for row in rows}
        self.every = sorted({(row["lineage"], row["depth"]) for row in rows})
        self.children = [one for one in self.every if one[1]]
        self.depth = np.array([one[1] for one in self.children])

    def losses(self, arm: str, steps: int, among: Sequence[tuple[int, int]] | None = None) -> Numbers:
        """The loss of each child, or of each of `among`."""
        chosen = self.children if among is None else among
        return np.array([self.of[*one, arm, steps]["loss"] for one in chosen])

    def curves(self, arm: str) -> tuple[tuple[int, ...], Numbers]:
        """The budgets of an arm and the loss of each child at each; a fresh start goes on with the long training."""
        points = [(arm, steps) for steps in (FRESH if arm == "fresh" else INHERITED)]
        points += [("long", LONG)] if arm == "fresh" else []
        return tuple(steps for _, steps in points), np.array([self.losses(*point) for point in points]).T

    def steps_to(self, arm: str, wanted: Numbers) -> Numbers:
        """Steps in which each child's curve reaches a loss, between budgets on a logarithmic scale; else its ends."""
        budgets, curves = self.curves(arm)
        pairs = zip(wanted, np.minimum.accumulate(curves, axis=1), strict=True)
        return np.array([np.exp(np.interp(-loss, -curve, np.log(budgets))) for loss, curve in pairs])

    def fresh_at(self, steps: Numbers) -> Numbers:
        """The loss of each child from a fresh start after so many steps, likewise."""
        budgets, curves = self.curves("fresh")
        return np.array(
            [np.interp(np.log(at), np.log(budgets), curve) for at, curve in zip(steps, curves, strict=True)]
        )

    def within_depth(self, values: Numbers) -> Numbers:
        """Values of children without the mean of their depth."""
        means = {depth: values[self.depth == depth].mean() for depth in self.depth}
        return values - np.array([means[depth] for depth in self.depth])


def summary(rows: Sequence[Row]) -> dict[str, Any]:
    """Flat figures of all children; losses are medians, gains are above 0 where a start from a parent is better."""
    curves = Curves(rows)
    fresh, heir, long = curves.losses("fresh", STEPS), curves.losses("parent", STEPS), curves.losses("long", LONG)
    depth, begun = curves.depth, [curves.of[*one, "parent", STEPS]["start_loss"] for one in curves.children]
    layered = [one for one in curves.every if curves.of[*one, "teacher", STEPS]["share"]]
    taught = curves.losses("fresh", STEPS, layered) - curves.losses("teacher", STEPS, layered)
    arms = {"fresh": fresh, "inherited": heir, "long": long}
    accuracy = {
        arm: [curves.of[*one, arm, STEPS]["accuracy"] for one in curves.children] for arm in ("fresh", "parent")
    }
    return {
        "children": len(heir),
        "loss_fresh": float(np.median(fresh)),
        "loss_inherited": float(np.median(heir)),
        "loss_long": float(np.median(long)),
        "accuracy_fresh": float(np.median(accuracy["fresh"])),
        "accuracy_inherited": float(np.median(accuracy["parent"])),
        **_paired("gain", fresh - heir),
        "steps_of_fresh_for_inherited": _spread(curves.steps_to("fresh", heir)),
        "steps_of_inherited_for_fresh": _spread(curves.steps_to("parent", fresh)),
        "better_before_training": float((begun < fresh).mean()),
        **_paired("gain_over_all_steps_of_the_lineage", curves.fresh_at(STEPS * (depth + 1)) - heir),
        **_paired("teacher_gain", taught),
        **{
            f"spearman_{name}": _rank(*pair)
            for name, pair in {
                "fresh_to_long": (fresh, long),
                "inherited_to_long": (heir, long),
                "inherited_to_fresh": (heir, fresh),
                "inherited_to_long_within_depth": (curves.within_depth(heir), curves.within_depth(long)),
                "fresh_to_long_within_depth": (curves.within_depth(fresh), curves.within_depth(long)),
                "gain_to_depth": (fresh - heir, depth),
                "advance_to_depth": (long - heir, depth),
            }.items()
        },
        "loss_by_depth": {
            str(one): {arm: float(np.median(values[depth == one])) for arm, values in arms.items()}
            for one in np.unique(depth)
        },
        "by_mutation": _by_mutation(curves),
    }


def _by_mutation(curves: Curves) -> dict[str, Any]:
    """For each mutation: children, inherited share, the loss before training, that of the parent's end, the gain."""
    found: dict[str, list[tuple[float, ...]]] = {}
    for lineage, depth in curves.children:
        child, fresh = (curves.of[lineage, depth, arm, STEPS] for arm in ("parent", "fresh"))
        parent = curves.of[lineage, depth - 1, "parent" if depth > 1 else "fresh", STEPS]
        numbers = (child["share"], child["start_loss"], parent["loss"], fresh["loss"] - child["loss"])
        found.setdefault("several" if "+" in child["made"] else child["made"], []).append(numbers)
    names = ("share", "start_loss", "parents_loss", "gain")
    return {
        made: {"children": len(rows)} | dict(zip(names, np.median(np.array(rows), axis=0).tolist(), strict=True))
        for made, rows in sorted(found.items())
    }


def _paired(name: str, gains: Numbers) -> dict[str, Any]:
    """Median and quartiles of paired differences, the share above 0, and the p of Wilcoxon's signed ranks."""
    p = float(wilcoxon(gains).pvalue) if len(gains) > 1 and gains.any() else None
    return {name: _spread(gains), f"{name}_better": float((gains > 0).mean()), f"{name}_p_value": p}


def _rank(a: Numbers, b: Numbers) -> float | None:
    """Spearman's rank correlation; None where one of the two is constant."""
    return float(spearmanr(a, b).statistic) if np.ptp(a) and np.ptp(b) else None


def _spread(values: Numbers) -> dict[str, float]:
    low, middle, high = np.percentile(values, [25, 50, 75])
    return {"median": float(middle), "low": float(low), "high": float(high)}


def _key(row: Row) -> tuple[int, int, str, int]:
    return row["lineage"], row["depth"], row["arm"], row["steps"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is missing and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("runs/inheritance"))
    parser.add_argument("--lineages", type=int, default=4)
    parser.add_argument("--depth", type=int, default=4)
    parser.add_argument("-o", "--override", action="append", default=[])
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    options.folder.mkdir(parents=True, exist_ok=True)
    bench = Bench(options.folder, options.override)
    rows = []
    for number in range(options.lineages):
        for depth, (genotype, made) in enumerate(bench.lineage(number, options.depth)):
            rows += [bench.run(place, genotype, made) for place in places(number, depth)]
        print(f"lineage {number + 1} of {options.lineages}", file=sys.stderr, flush=True)
    found = summary(rows)
    print(
        json.dumps(found, indent=1) if options.json else "\n".join(f"{name}: {value}" for name, value in found.items())
    )


if __name__ == "__main__":
    main()
