"""The commands and snippets of the README and of docs/, as blocks that can be run in a short form.

`bash` blocks hold commands, a line each; `console` blocks commands behind `$ ` and what they print; `python` blocks
hold snippets, also with `>>>`; a `yaml` block whose first line is `# NAME.yaml` is that file. Everything else is text.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_SIGNATURE = re.compile(r"\w+\(.*\) -> .*\n")
_CONTINUED = re.compile(r" *\\\n *")
_FILE = re.compile(r"# ([\w-]+\.yaml)\n")

_TEACHER = ("teacher.model=./my-bert", "teacher.fine_tune.max_steps=2")
_SOFT = ("teacher.tokenizer=./my-bert",)  # beside soft labels
_GENERATED = ("task.generated.train=64", "task.generated.validation=24", "task.generated.test=24", "task.max_length=16")
_READ = ("task.train_rows=64", "task.validation_rows=24", "task.max_length=16")
_TRAINING = ("distillation.epochs=1", "distillation.max_steps=2", "distillation.batch_size=4")
_SUITES = ("evaluation.robustness.search.rows=4", "evaluation.robustness.report.rows=4")
_METHODS = ("distillation.mate_kd.generator_steps_before=1", "distillation.robust_kd.sources=[characters]")
_EFFICIENCY = ("evaluation.efficiency.tokens=8", "evaluation.efficiency.repeats=2")
_GATES = ("fitness.min_quality=0", "fitness.max_class_share=1", "fitness.min_invariance=0", "fitness.min_purity=0")
_SEARCH = ("evolution.candidates=4", "evolution.population=2", "evolution.elite=1")
_FINALISTS = ("baselines=[]", "finalists.count=1", "finalists.replicates=1", "finalists.epochs=1")
_PLACE = ("execution.workers=0", "execution.device=cpu")


@dataclass(frozen=True)
class Block:
    """A fenced block; `line` is that of its fence, from 1."""

    page: Path
    line: int
    language: str
    text: str

    @property
    def place(self) -> str:
        return f"{self.page.relative_to(ROOT).as_posix()}:{self.line}"

    @property
    def commands(self) -> list[str]:
        """Commands of the shell, without comments; continued lines are one."""
        lines = _CONTINUED.sub(" ", self.text).splitlines()
        if self.language == "console":
            lines = [line[2:] for line in lines if line.startswith("$ ")]
        elif self.language != "bash":
            return []
        return [line.strip() for line in _whole(lines) if words(line)]

    @property
    def code(self) -> str:
        """The statements of a Python block, which may be a dialogue; a signature alone has none."""
        if self.language != "python" or _SIGNATURE.fullmatch(self.text):
            return ""
        if not self.text.lstrip().startswith(">>>"):
            return self.text
        return "\n".join(line[4:] for line in self.text.splitlines() if line.startswith((">>> ", "... ")))

    @property
    def file(self) -> str:
        """The name of the file that a block of YAML is; empty: it is none."""
        found = _FILE.match(self.text) if self.language == "yaml" else None
        return found[1] if found else ""

    def output(self, command: str) -> str:
        """What stands below a command of a `console` block, as far as the next."""
        parts = re.split(r"^\$ (.*)\n", _CONTINUED.sub(" ", self.text), flags=re.MULTILINE)
        below = {shown.strip(): text for shown, text in zip(parts[1::2], parts[2::2])}
        return below.get(command, "")


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in their order."""
    text = page.read_text(encoding="utf-8")
    return [Block(page, text.count("\n", 0, found.start()) + 1, found[1], found[2]) for found in _FENCE.finditer(text)]


def words(line: str) -> list[str]:
    """A line of the shell as words, without its comment."""
    return shlex.split(line, comments=True)


def _whole(lines: list[str]) -> Iterator[str]:
    """Lines as commands: one whose quote is open goes on in the next."""
    open_line = ""
    for line in lines:
        try:
            words(open_line + line)
        except ValueError:
            open_line += f"{line}\n"
        else:
            yield open_line + line
            open_line = ""


def overrides(experiment: str) -> tuple[str, ...]:
    """What makes an experiment short: tiny data and teacher, few steps; encoders keep their own space and loss."""
    short = (*_TRAINING, *_EFFICIENCY, *_SEARCH, *_FINALISTS, *_PLACE)
    if experiment.startswith("kd_nas"):
        return (*short, *_CORPUS)
    task = _GENERATED if experiment == "quickstart" else _READ
    teacher = _TEACHER if experiment else ()  # without one, a flag names the teacher
    teacher = _SOFT if experiment.startswith("soft") else teacher
    return (*short, *teacher, *task, *_SUITES, *_METHODS, *_GATES)


_CORPUS = ("teacher.model=./my-bert", "corpus.sources=[{path: text.txt}]", "corpus.held_out_blocks=2")
_CORPUS += ("corpus.block_length=16", "search_space=encoders.yaml", "evolution.strategy=random")


def in_short(command: list[str]) -> list[str]:
    """The words of a `rosearch` command with what makes it short behind them; the last value of an option wins."""
    match command[1:]:
        case ["search" | "check", experiment, *own]:
            unless_own = ["-o", "search_space=small.yaml", "-o", "evolution.warm_start=[]"]
            placed = any("execution.devices" in word for word in own)  # it says where workers are; the rest is as short
            short = [one for one in overrides(experiment) if not (placed and one in _PLACE)]
            return [*command[:3], *unless_own, *own, *_as_options(short)]
        case ["distil", *rest]:
            experiment = rest[rest.index("--task") + 1] if "--task" in rest else ""
            return [*command, *_options(experiment), *_own(rest), "--device", "cpu"]
        case ["teacher", experiment, *_]:
            return [*command, *_options(experiment)]
        case ["bench", *_]:
            return [*command, "--seconds", "0.01"]
        case ["attack", model, *_] if model != "resources":
            return [*command, "--n", "4", "--device", "cpu"]
        case ["status", *_]:
            return [word for word in command if word != "--watch"]
    return command


def _own(words: list[str]) -> list[str]:
    """The overrides that name functions of the reader's own: a page tries them, too."""
    given = [word for option, word in pairwise(words) if option == "-o" and re.search(r"=\[\w+:", word)]
    return [word for one in given for word in ("-o", one)]


def _options(experiment: str) -> list[str]:
    return _as_options(overrides(experiment))


def _as_options(given: Iterable[str]) -> list[str]:
    return [word for override in given for word in ("-o", override)]
