"""`rosearch doctor`: parse, call, print."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from rosearch.cli.options import Json, RunFolder

if TYPE_CHECKING:
    from rosearch.run.doctor import Examination

_SHOWN = 3  # commands that the last line repeats

DOCTOR_EXAMPLES = """Examples:

`rosearch doctor runs/quickstart-0001 --dry-run`

`rosearch doctor runs/quickstart-0001 && rosearch resume runs/quickstart-0001`"""


def doctor(
    run: RunFolder,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what is wrong; change nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Find and mend what is damaged in a run.

    Torn records, missing files, leftovers of killed processes. What could hold data is put into RUN/aside, never
    deleted. Exit code 5 where something is left that cannot be mended here: its line says what to type.
    """
    from rosearch.run.doctor import examine
    from rosearch.terminal.console import print_json
    from rosearch.terminal.folders import print_examination
    from rosearch.terminal.progress import loading

    with loading("examining the run"):
        found = examine(run, dry_run=dry_run)
    if as_json:
        findings = [asdict(finding) for finding in found.findings]
        print_json({"run": str(run), "dry_run": dry_run, "sound": not findings, "findings": findings})
    else:
        print_examination(found)
    _refuse_rest(found)


def _refuse_rest(found: Examination) -> None:
    """Raises `RunError`, with the next commands, where something was not mended."""
    from rosearch.errors import RunError

    if found.left:
        count = "1 finding is" if len(found.left) == 1 else f"{len(found.left)} findings are"
        more = " ..." if len(found.left) > _SHOWN else ""
        told = "; ".join(finding.next or finding.done for finding in found.left[:_SHOWN])
        raise RunError(f"{found.run}: {count} not mended: {told}{more}")
