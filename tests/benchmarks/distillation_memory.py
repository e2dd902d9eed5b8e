"""How much more memory MATE-KD takes than plain knowledge distillation.

    python -m tests.benchmarks.distillation_memory [--json] [--device cuda]

Each way to distil runs in processes of its own, `--repeats` times in turn: `kd` as shipped, which reads the teacher's
outputs from the disk; `kd_with_teacher`, which asks the teacher at each step; and `mate_kd`, which opens the teacher,
cuts a generator from it, trains that, and trains both in turn. All is measured from the models' loading to the last
step. The batches are of 32 rows of 128 tokens; student, teacher and tokens have random numbers in them, since no
number's size depends on its value.

On the CPU a peak is the largest resident size of the process (`VmHWM`) less what it was after the imports; on a GPU
it is `torch.cuda.max_memory_allocated`. Medians over the repeats are given in MiB; `mate_kd_over_kd` and
`mate_kd_over_kd_with_teacher` are their ratios.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, Self

import numpy as np
import torch
from tokenizers import Tokenizer, models
from transformers import (
    AutoTokenizer,
    BertConfig,
    BertForSequenceClassification,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from rosearch.config.distillation import DistillationConfig
from rosearch.data.batches import Batch
from rosearch.data.tokens import TokenisedSplit
from rosearch.models import device as devices
from rosearch.models.saved import load_classifier
from rosearch.space.known import known_architecture
from rosearch.student.build import build_student
from rosearch.training.kd import KnowledgeDistillation
from rosearch.training.mate_kd import MateKd
from rosearch.training.method import Method, TrainingInputs
from rosearch.training.outputs import TeacherOutputs, TeacherRows
from rosearch.training.trainer import METHODS, distil

_ROOT = Path(__file__).parents[2]
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_BATCH = 32
_SHAPES = {  # layers, width, heads, FFN
    "minilm": (6, 384, 12, 1536),
    "bert_base": (12, 768, 12, 3072),
    "tiny": (2, 32, 2, 48),
}


@dataclass(frozen=True)
class Setting:
    """What is measured."""

    student: str = "nas_bert_10m"
    teacher: str = "minilm"
    vocabulary: int = 30522  # BERT's
    tokens: int = 128
    steps: int = 4
    precision: str = "auto"
    device: str = "cpu"


class OnlineKd(KnowledgeDistillation):
    """Plain distillation that asks the teacher at each step in place of the disk."""

    teacher: PreTrainedModel

    @classmethod
    def make(cls, inputs: TrainingInputs, student: PreTrainedModel) -> Self:
        made = super().make(inputs, student)
        assert inputs.teacher is not None
        made.teacher, _ = load_classifier(inputs.teacher)
        return made

    def losses(self, student: PreTrainedModel, batch: Batch, teacher: TeacherRows) -> Iterator[torch.Tensor]:
        with torch.no_grad():
            logits = self.teacher(**batch.inputs).logits
        yield from super().losses(student, batch, TeacherRows(logits, None))


WAYS: dict[str, type[Method]] = {"kd": KnowledgeDistillation, "kd_with_teacher": OnlineKd, "mate_kd": MateKd}


def save_teacher(folder: Path, setting: Setting) -> None:
    """A classifier of the teacher's shape with random weights, and a tokenizer of as many words as it has."""
    layers, width, heads, ffn = _SHAPES[setting.teacher]
    config = BertConfig(
        vocab_size=setting.vocabulary,
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=ffn,
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    words = [*_SPECIAL, *(f"word{number}" for number in range(setting.vocabulary - len(_SPECIAL)))]
    backend = Tokenizer(models.WordLevel({word: index for index, word in enumerate(words)}, unk_token="[UNK]"))
    special = {f"{word.strip('[]').lower()}_token": word for word in _SPECIAL}
    PreTrainedTokenizerFast(tokenizer_object=backend, **special).save_pretrained(folder)


def peak(way: str, folder: Path, setting: Setting) -> float:
    """MiB that one way to distil takes at most in this process; only the first call in a process is exact on a CPU."""
    device = devices.resolve_device(setting.device)
    torch.ones(64, 64) @ torch.ones(64, 64)  # torch's own buffers are there before
    before = 0.0 if device.type == "cuda" else _resident("VmRSS")
    inputs = _inputs(way, folder, setting, device)
    student = build_student(
        known_architecture(setting.student).genotype,
        labels=("negative", "positive"),
        problem="classification",
        vocabulary=setting.vocabulary,
        positions=setting.tokens,
        token_types=2,
        pad_token_id=0,
        dropout=0.1,
        seed=1,
    )
    METHODS[inputs.config.method] = WAYS[way]
    distil(student, inputs)
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    return _resident("VmHWM") - before


def _inputs(way: str, folder: Path, setting: Setting, device: torch.device) -> TrainingInputs:
    """Two epochs of the generator's schedule, shortened: its memory does not grow with its steps."""
    random = np.random.default_rng(1)
    rows = _BATCH * setting.steps
    ids = random.integers(len(_SPECIAL), setting.vocabulary, rows * setting.tokens).astype(np.int32)
    labels = random.integers(0, 2, rows)
    offsets = np.arange(rows + 1) * setting.tokens
    tokenised = TokenisedSplit("0" * 32, ids, np.zeros(len(ids), np.int8), offsets, labels, 0, 0)
    logits = random.standard_normal((rows, 2)).astype(np.float32)
    mate_kd = {"generator_steps_before": 2, "generator_steps": 2, "student_steps": 2}
    config = {"method": "mate_kd" if way == "mate_kd" else "kd", "epochs": 1, "precision": setting.precision}
    return TrainingInputs(
        config=DistillationConfig.model_validate({**config, "mate_kd": mate_kd}),
        problem="classification",
        tokenised=tokenised,
        outputs=TeacherOutputs("", logits, None, (), _SHAPES[setting.teacher][0]),
        texts=(),
        labels=labels,
        tokenizer=AutoTokenizer.from_pretrained(folder),
        max_length=setting.tokens,
        teacher=folder,
        cache=Path(tempfile.mkdtemp(dir=folder)),
        device=device,
        seed=1,
    )


def _resident(what: str) -> float:
    """MiB of `VmRSS` (now) or `VmHWM` (at most so far). Linux alone has them."""
    for line in Path("/proc/self/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == what:
            return int(value.split()[0]) / 1024
    raise OSError(f"/proc/self/status without {what}")


def measure(setting: Setting, repeats: int) -> dict[str, Any]:
    """The benchmark's object."""
    found: dict[str, list[float]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory() as name:
        save_teacher(Path(name), setting)
        for _ in range(repeats):
            for way, peaks in found.items():
                peaks.append(_peak_of_a_process(way, Path(name), setting))
    mib = {way: median(peaks) for way, peaks in found.items()}
    cuda = setting.device.startswith("cuda")
    return {
        "mate_kd_over_kd": mib["mate_kd"] / mib["kd"],
        "mate_kd_over_kd_with_teacher": mib["mate_kd"] / mib["kd_with_teacher"],
        "mib": mib,
        "spread_mib": {way: max(peaks) - min(peaks) for way, peaks in found.items()},
        "repeats": repeats,
        "batch": _BATCH,
        **asdict(setting),
        "precision": devices.resolve_precision(devices.resolve_device(setting.device), setting.precision),
        "device": torch.cuda.get_device_name(setting.device) if cuda else "cpu",
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }


def _peak_of_a_process(way: str, folder: Path, setting: Setting) -> float:
    command = [sys.executable, "-m", "tests.benchmarks.distillation_memory", "--one", way, "--folder", str(folder)]
    command += ["--setting", json.dumps(asdict(setting))]
    done = subprocess.run(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return float(done.stdout.splitlines()[-1])


def main(arguments: Sequence[str] | None = None) -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one object on standard output")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--teacher", choices=_SHAPES, default=Setting.teacher)
    parser.add_argument("--student", default=Setting.student, help="a known architecture")
    parser.add_argument("--precision", choices=("auto", "float32", "bfloat16"), default=Setting.precision)
    parser.add_argument("--device", default=Setting.device)
    for hidden in ("--one", "--folder", "--setting"):  # of the processes that are measured
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.one is not None:
        print(peak(given.one, Path(given.folder), Setting(**json.loads(given.setting))))
        return
    setting = Setting(student=given.student, teacher=given.teacher, precision=given.precision, device=given.device)
    result = measure(setting, given.repeats)
    if given.json:
        print(json.dumps(result))
        return
    for way, mib in result["mib"].items():
        print(f"{way:16} {mib:7.0f} MiB  {mib / result['mib']['kd']:.2f} x kd")


if __name__ == "__main__":
    main()
