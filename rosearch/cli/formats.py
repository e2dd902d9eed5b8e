"""The options of `rosearch export` for further formats, what those that change answers are measured by, and the print.

>>> gates = GateOptions(Path("sst2"), "deepwordbug").of_run(results)
>>> finish(Path("student"), formats_of("onnx,int8"), gates, push=None, as_json=False, facts={})
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rosearch.cli.options import complete_experiment
from rosearch.errors import BadInput, Problem, RunError

if TYPE_CHECKING:
    from rosearch.cli.push import Push
    from rosearch.export.formats import Format, Measured
    from rosearch.export.targets.parity import Exported
    from rosearch.progress import Progress
    from rosearch.run.results import Results

GateTask = Annotated[
    Path | None,
    typer.Option(
        "--task",
        help="Rows that int8 is measured on: an experiment's name or file, or a table. Default: the run's own task.",
        autocompletion=complete_experiment,
    ),
]
GateAttacks = Annotated[
    str, typer.Option("--attack", help="Attacks of int8's gates, with commas; default: those of the run's report.")
]
GateRows = Annotated[int | None, typer.Option("--n", min=1, help="Rows to attack for int8; default: all of the split.")]
GateSplit = Annotated[str, typer.Option("--split", help="Split of --task for int8: train, validation or test.")]
Int8 = Annotated[
    str, typer.Option("--int8", help="gates; or force: write int8 although it misses a gate. The card says so.")
]
_ALL = 10**9
_ATTACKS = "deepwordbug"  # where no report names any


@dataclass(frozen=True)
class GateOptions:
    """The options by which int8 is measured; of a run, what is left open is the run's own."""

    task: Path | None = None
    attacks: str = ""
    rows: int | None = None
    split: str = "test"
    data_root: Path | None = None
    resources: Path | None = None
    int8: str = "gates"

    def of_run(self, results: Results) -> GateOptions:
        """The same with the task and the attacks of a run's report."""
        if results.experiment.task is None or self.task is not None:
            return self
        attacks = self.attacks or ",".join(results.experiment.evaluation.robustness.report.attacks)
        return replace(self, task=results.run.experiment_file, attacks=attacks)

    def refuse_unused(self, formats: Sequence[Format]) -> None:
        """Raises `BadInput` for a value of --int8 that is none, and for options of int8 where it is not written."""
        if self.int8 not in ("gates", "force"):
            raise BadInput(Problem("command line", "--int8", "gates or force", repr(self.int8)))
        force = self.int8 if self.int8 != "gates" else None
        given = {"--task": self.task, "--attack": self.attacks, "--n": self.rows, "--int8": force}
        unused = [f"{name} {value}" for name, value in given.items() if value]
        if unused and not any(one.measured for one in formats):
            fix = "Leave it out, or add --target int8"
            raise BadInput(Problem("command line", unused[0], "--target int8 with it", "none", fix))

    def require(self, formats: Sequence[Format]) -> None:
        """Raises `BadInput` where a format has to be measured and no rows are named; torch is not loaded."""
        if (measured := [one.name for one in formats if one.measured]) and self.task is None:
            expected, fix = "labelled rows to measure it by", "Name them: --task EXPERIMENT_OR_FILE"
            raise BadInput(Problem("command line", f"--target {','.join(measured)}", expected, "none", fix))
        if measured:
            from rosearch.attack.first_look import look_first

            assert self.task is not None
            look_first((), self._attacks, (self.task,))

    @property
    def _attacks(self) -> tuple[str, ...]:
        return tuple(name for part in (self.attacks or _ATTACKS).split(",") if (name := part.strip()))

    def measured(self, folder: Path, progress: Progress) -> Measured:
        """The means to measure a folder's formats."""
        from rosearch.export.formats import Measured

        if self.task is None:
            return Measured()
        from rosearch.attack.formats import FormatComparison
        from rosearch.attack.request import AttackRequest

        request = AttackRequest(
            models=(str(folder),),
            attacks=self._attacks,
            task=self.task,
            split=self.split,
            rows=self.rows or _ALL,
            data_root=self.data_root,
            resources=self.resources,
            device="cpu",
        )
        return Measured(FormatComparison(request, progress), force=self.int8 == "force")


def finish(
    folder: Path,
    formats: Sequence[Format],
    gates: GateOptions,
    push: Push | None,
    as_json: bool,
    facts: Mapping[str, object],
) -> None:
    """Writes formats beside a folder, prints where each lies, and pushes it; as JSON, behind the facts of the folder.

    Raises `RunError` for one that misses its gates, and `BadInput` for one that this student cannot have, once all
    others are written and told; then nothing is pushed.
    """
    from rosearch.terminal.console import print_json, print_line, print_message

    written, refused = {}, []
    for one in sorted(formats, key=lambda one: one.measured):
        try:
            written[one.name] = _written(one, folder, gates)
        except (BadInput, RunError) as error:
            refused.append(error)
    told = {name: {"file": str(one.path), "apart": one.apart, **one.facts} for name, one in written.items()}
    if not as_json:
        for name, file in written.items():
            close = f"its logits differ from torch's by {file.apart:.1e} of the largest"
            print_line(f"{name}: {file.path}; {file.told or close}")
    pushed = push.send(folder) if push is not None and not refused else None
    if as_json:
        print_json({**facts, **({"formats": told} if told else {}), **({"pushed": pushed} if pushed else {})})
    for line in dict.fromkeys(line for error in refused[1:] for line in error.lines):
        if line not in refused[0].lines:
            print_message("error", "red", line)
    if refused:
        raise refused[0]


def _written(one: Format, folder: Path, gates: GateOptions) -> Exported:
    if not one.measured:
        return one.export(folder)
    from rosearch.terminal.attack import watched

    with watched() as progress:
        return one.export(folder, gates.measured(folder, progress))
