"""Weights & Biases: a run below the run's folder, offline unless `WANDB_MODE` says otherwise.

`WANDB_PROJECT` and the other variables of W&B are honoured. W&B drops rows whose own step goes back, and students end
in any order, so its steps are left to it and charts are drawn over `number`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from typing import Any

from rosearch.run.tracking.row import Row
from rosearch.run.tracking.tracker import Tracked


class WandB:
    """A `Tracker` that writes one run of W&B, under the same id at each start.

    An offline run cannot be asked what it has, so a file beside it has the numbers of the records that it was given.
    """

    def __init__(self, told: Tracked) -> None:
        import wandb

        self._given = told.folder / "given.txt"
        self._run: Any = wandb.init(
            project=os.environ.get("WANDB_PROJECT") or project_name(told.experiment),
            name=told.run.name,
            id=told.word,
            resume="allow",
            reinit="create_new",  # a run of the user's own in this process is left alone
            mode=_mode(),
            dir=told.folder.parent,  # W&B adds a folder `wandb` of its own
            config={**told.parameters, "run": str(told.run)},
            settings=wandb.Settings(console="off", silent=True, x_disable_stats=True, disable_git=True),
        )
        self._run.define_metric("number")
        self._run.define_metric("*", step_metric="number")

    def known(self) -> Collection[int]:
        """See `Tracker`. A line that a kill has cut counts as none."""
        if not self._given.is_file():
            return set()
        lines = self._given.read_text().splitlines(keepends=True)
        return {int(line) for line in lines if line.endswith("\n") and line.strip().isdigit()}

    def write(self, row: Row) -> None:
        """See `Tracker`."""
        words = {f"{row.role}/{name}": text for name, text in row.words.items()}
        self._run.log({"number": row.number, **row.figures, **words, f"{row.role}/genotype": row.genotype})
        with self._given.open("a") as file:
            file.write(f"{row.number}\n")

    def close(self, ended: bool) -> None:
        """See `Tracker`."""
        self._run.finish(exit_code=0 if ended else 1)


def _mode() -> Any:
    return os.environ.get("WANDB_MODE") or "offline"


def project_name(name: str) -> str:
    """A name with `-` for what W&B refuses in names of projects, of at most 128 characters."""
    return re.sub(r"[/\\#?%:]", "-", name)[:128]
