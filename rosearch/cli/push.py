"""`--push-to-hub`: what it would send is listed and confirmed, then sent.

>>> push = Push.asked("me/student", public=False, yes=False, as_json=False)
>>> push.send(Path("student"))
{'repository': 'me/student', 'url': 'https://huggingface.co/me/student', 'private': True, 'files': ['README.md', ...]}
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

PushToHub = Annotated[
    str | None, typer.Option(metavar="NAME", help="Send the folder to a new, private repository of the hub.")
]
Public = Annotated[bool, typer.Option("--public", help="With --push-to-hub: everybody may read it.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="With --push-to-hub: send without asking.")]


@dataclass(frozen=True)
class Push:
    """A push that was asked for on the command line."""

    name: str
    public: bool
    yes: bool
    as_json: bool

    @classmethod
    def asked(cls, name: str | None, public: bool, yes: bool, as_json: bool) -> Push | None:
        """The push of some options; None without a name.

        Raises before anything else is done: `typer.BadParameter` where nobody could confirm it or an option has no
        push, `BadInput` and `MissingResource` as `require_hub` does.
        """
        if name is None:
            if public or yes:
                raise typer.BadParameter("it goes with --push-to-hub", param_hint="--public" if public else "--yes")
            return None
        if not yes and (as_json or not sys.stdin.isatty()):
            raise typer.BadParameter("give --yes with it: nobody can be asked here", param_hint="--push-to-hub")
        from rosearch.export.hub import require_hub

        require_hub(name)
        return cls(name, public, yes, as_json)

    def send(self, folder: Path) -> dict[str, Any]:
        """Lists what lies in the folder, asks, and sends it; the facts for `--json`. Raises `typer.Abort` at no."""
        from rosearch.export.hub import plan_push
        from rosearch.terminal.console import print_line
        from rosearch.terminal.folders import size_words
        from rosearch.terminal.progress import loading

        plan = plan_push(folder, self.name, public=self.public)
        kind = "public" if self.public else "private"
        if not self.as_json:
            for path, size in plan.files:
                print_line(f"  {path}  {size_words(size)}")
            told = f"{len(plan.files)} files, {size_words(plan.size)}, to the new {kind} repository {self.name}"
            print_line(f"{told} of the Hugging Face hub")
            if not self.yes:
                typer.confirm("Send them?", abort=True)
        with loading("sending"):
            address = plan.send()
        if not self.as_json:
            print_line(f"Sent: {address}")
        files = [path for path, _ in plan.files]
        return {"repository": self.name, "url": address, "private": not self.public, "files": files}
