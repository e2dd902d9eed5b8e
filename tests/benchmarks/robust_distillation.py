"""How robust are students, by how they were distilled? One task, several arms, equal rows for all, clean and attacked.

    python -m tests.benchmarks.robust_distillation experiments/robustness/sst2.yaml --data-root FOLDER \
        --resources FOLDER --arm plain,kd,wordpiece --arm robust,robust_kd,typos+synonyms
    python -m tests.benchmarks.robust_distillation experiments/robustness/sst2.yaml --data-root FOLDER \
        --arms tests/benchmarks/defences.yaml --split validation --rows 300 -o distillation.epochs=0.5

An arm is NAME,METHOD,ENCODING and then any KEY=VALUE of the experiment, parted by ;. Arms differ in nothing else.
`--arms` is a file of them, of which `--only` names some. Each student is a `rosearch distil` of its own below `--runs`,
and its attacks are kept beside it, so that an interrupted run goes on. Figures are of test rows that no training and no
choice has seen; arms are chosen on validation rows (`--split validation`). The JSON is a list with one object for each
student: arm, task, seed, split, parameters, compression (against BERT-base's 109.48 M, all weights), compression_layers
(against its layers' 85.05 M), clean (on all rows of the split), seconds (of training), and of each attack the accuracy
under it by its name with NAME_interval, NAME_success, NAME_adaptive and NAME_adaptive_strict (where an attack that
adapts to the same kind of swap was run: edits or words) and NAME_adaptive_void (a plain attack that broke more rows);
invariance (mean over kinds), invariance_KIND and contrast_consistency of the student, on validation rows.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import yaml
from transformers import AutoModelForSequenceClassification

import rosearch.student  # noqa: F401  (its import teaches the Auto classes our students)
from rosearch.attack import attack
from rosearch.config.experiment import Experiment
from rosearch.config.file import load_experiment
from rosearch.data.loading import load_task, task_seed
from rosearch.distil import Options, distil_student
from rosearch.distil.inputs import find_student
from rosearch.evaluation.attacks.recipes import EDITS, RECIPES
from rosearch.evaluation.intervals import wilson
from rosearch.evaluation.robustness import Suite
from rosearch.measurements import SURVIVED
from rosearch.models.saved import load_tokenizer
from rosearch.space.known import known_architecture

_SEED = 7  # of the attacked rows and letters: one for all arms
ATTACKS = ["deepwordbug", "synonym-swap", "pwws", "textbugger-lite"]


def main(arguments: list[str] | None = None) -> None:
    """Run all arms and print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiment", type=Path)
    parser.add_argument("--arm", action="append", default=[], metavar="NAME,METHOD,ENCODING[,KEY=VALUE;...]")
    parser.add_argument("--arms", type=Path, help="YAML: NAME: {method, encoding, set: {KEY: VALUE}, student, pooling}")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="of the arms of the file")
    parser.add_argument("--split", choices=["test", "validation"], default="test")
    parser.add_argument("--student", default="layers:0,2,4,5")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--attacks", nargs="+", default=ATTACKS)
    parser.add_argument("--rows", type=int, default=500)
    parser.add_argument("--data-root", type=Path)
    parser.add_argument("--resources", type=Path)
    parser.add_argument("--runs", type=Path, default=Path("runs/robust_distillation"))
    parser.add_argument("-o", "--override", action="append", default=[], metavar="KEY=VALUE", help="of every arm")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    arms = [*(told(arm) for arm in options.arm), *listed(options.arms, options.only)]
    if not arms:
        parser.error("expected an arm: --arm, or --arms with a file")
    rows = [run(options, arm, seed) for arm in arms for seed in options.seeds]
    print(json.dumps(rows, indent=1))


@dataclass(frozen=True)
class Arm:
    """What is distilled: a method, an encoding of words, changes of the experiment as KEY=VALUE; another student."""

    name: str
    method: str
    encoding: str
    changes: tuple[str, ...] = ()
    student: str = ""  # "": that of all arms
    pooling: str = ""  # of a published architecture in the place of its own

    def of(self, student: str, folder: Path) -> str:
        """What `rosearch distil --student` takes: `student`, or the arm's own. One with another pooling is written."""
        if not self.pooling:
            return self.student or student
        file = folder / f"{self.student}-{self.pooling}.json"
        genotype = replace(known_architecture(self.student).genotype, pooling=self.pooling)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(genotype.to_dict()), encoding="utf-8")
        return str(file)


def told(arm: str) -> Arm:
    """The arm of a line NAME,METHOD,ENCODING[,KEY=VALUE;...]."""
    name, method, encoding, *rest = arm.split(",", 3)
    return Arm(name, method, encoding, tuple(change for part in rest for change in part.split(";")))


def listed(file: Path | None, only: list[str] | None) -> Iterator[Arm]:
    """The arms of a file, in its order. Raises `SystemExit` for a name that is not in it."""
    found = {} if file is None else yaml.safe_load(file.read_text(encoding="utf-8"))
    if absent := set(only or ()) - set(found):
        raise SystemExit(f"--only: expected arms of {file}, got {', '.join(sorted(absent))}; it has {', '.join(found)}")
    for name in only or found:
        arm = found[name]
        changes = (f"{key}={json.dumps(value)}" for key, value in arm.get("set", {}).items())
        yield Arm(name, arm["method"], arm["encoding"], tuple(changes), arm.get("student", ""), arm.get("pooling", ""))


def run(options: argparse.Namespace, arm: Arm, seed: int) -> dict[str, Any]:
    """One student: distilled where it is not there yet, then attacked where it was not yet."""
    resources = [f"evaluation.robustness.resources={options.resources}"] if options.resources else []
    overrides = (f"distillation.method={arm.method}", *arm.changes, *options.override, *resources)
    experiment = load_experiment(options.experiment, overrides, options.data_root)
    folder = options.runs / f"{experiment.name}-{arm.name}-{seed}"
    if not (folder / "distillation.json").is_file():
        print(f"{folder.name}: distilling ...", file=sys.stderr, flush=True)
        student = find_student(arm.of(options.student, options.runs), arm.encoding)
        distil_student(experiment, student, folder, Options(seed, True, options.runs / "cache"))
    record = json.loads((folder / "distillation.json").read_text(encoding="utf-8"))
    return {
        "arm": arm.name,
        "task": experiment.require_task().name,
        "seed": seed,
        "split": options.split,
        "parameters": record["efficiency"]["parameters"],
        "compression": record["compression"]["bert_base"],
        "compression_layers": record["compression"]["bert_base_encoder"],
        "clean": record["quality"][options.split]["student"]["value"],
        "teacher": record["quality"][options.split]["teacher"]["value"],
        "seconds": round(record["seconds"]["distil"]),
        **meaning(record),
        **attacked(options, experiment, folder),
    }


def meaning(record: Mapping[str, Any]) -> dict[str, float]:
    """What the student tells apart, of its record."""
    found = record["meaning"]["student"]
    if found is None:
        return {}
    kinds = {kind: one["value"] for kind, one in found["invariance"].items()}
    contrast = {} if found["contrast"] is None else {"contrast_consistency": found["contrast"]["value"]}
    mean = sum(kinds.values()) / len(kinds)
    return {"invariance": mean, **{f"invariance_{kind}": value for kind, value in kinds.items()}, **contrast}


def attacked(options: argparse.Namespace, experiment: Experiment, folder: Path) -> dict[str, Any]:
    """Accuracy under each attack on the same sample of the split's rows; each is kept beside the student."""
    place = folder / "attacked"
    place.mkdir(exist_ok=True)
    kept = {name: place / f"{options.split}-{options.rows}-{name}.json" for name in options.attacks}
    if todo := [name for name, file in kept.items() if not file.is_file()]:
        print(f"{folder.name}: attacking ...", file=sys.stderr, flush=True)
        model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
        tokenizer = load_tokenizer(folder)
        split = getattr(load_task(experiment.task, task_seed(experiment)), options.split)
        rows = [(text[0] if len(text) == 1 else text, int(label)) for text, label in zip(split.texts, split.labels)]
        for name in todo:
            suite, cache = Suite((name,), options.rows), options.runs / "cache"
            result = attack(model, tokenizer, rows, suite, seed=_SEED, resources=options.resources, cache=cache)
            one = result.attacks[0]
            kept[name].write_text(json.dumps({"attack": one.attack, "outcomes": one.outcomes}), encoding="utf-8")
    stored = [json.loads(file.read_text(encoding="utf-8")) for file in kept.values()]
    outcomes = {one["attack"]: one["outcomes"] for one in stored}
    plain = [letters for name, letters in outcomes.items() if not adapts(name)] or list(outcomes.values())
    worst = "".join("s" if set(row) <= set(SURVIVED) else "m" if "m" in row else "b" for row in zip(*plain))
    found: dict[str, Any] = {"rows": len(worst)}
    for name, letters in {**outcomes, "worst_case": worst}.items():
        found |= share(name, letters)
    return found | {key: value for name in outcomes for key, value in adaptive(name, found).items()}


def share(name: str, outcomes: str) -> dict[str, Any]:
    """Accuracy under an attack with its interval, and the share of the attacked rows that were broken."""
    right = sum(letter in SURVIVED for letter in outcomes)
    asked = sum(letter != "m" for letter in outcomes)
    value = wilson(right, len(outcomes))
    success = (asked - right) / asked if asked else 0.0
    return {name: value.value, f"{name}_interval": [value.low, value.high], f"{name}_success": success}


def adapts(name: str) -> bool:
    """True for an attack that knows the student's encoding; an attack of the user's own is not in the registry."""
    return name in RECIPES and RECIPES[name].adapts


def adaptive(name: str, found: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of the attacks that adapt to the kind of swaps of a plain one: the lower where it has both kinds."""
    if adapts(name) or name not in RECIPES:
        return {}
    recipe = RECIPES[name]
    kinds = ["adaptive-characters"] if recipe.edits else []
    kinds += ["adaptive-words"] if set(recipe.reads) - {EDITS} else []
    values = {form: [found[kind + form] for kind in kinds if kind + form in found] for form in ("", "-strict")}
    least = {form: min(of) for form, of in values.items() if of}
    keys = {"": f"{name}_adaptive", "-strict": f"{name}_adaptive_strict"}
    void = {f"{name}_adaptive_void": True} if least.get("", 0.0) > found[name] else {}
    return {keys[form]: value for form, value in least.items()} | void


if __name__ == "__main__":
    main()
