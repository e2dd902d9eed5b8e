"""The state of a training on disk: a training that was stopped or killed goes on as if nothing had happened.

The file is `torch.save`'s, sealed by `rosearch.files.seal`. It is read with `weights_only=True`: tensors and plain
data, nothing is unpickled. It is written whole or not at all, and the file before it is kept, for the case that a disk
damages the newer one. State that never changes once it is there (snapshots of weights) lies in files of its own beside
it, each written once.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from rosearch.errors import RunError, one_line
from rosearch.files import is_sealed, seal, whole
from rosearch.progress import check_stop, heard, patience

State = dict[str, Any]  # tensors and plain data

_CPU = torch.device("cpu")
_FORMAT = 1  # raise it when the file changes
_KEPT = "kept-"  # between the name of the file and that of a file beside it
_PAUSE = 20  # times the last write: so long a pause follows, lest a slow disk slows the training down


class _DamagedError(Exception):
    """A checkpoint that cannot be read; the text says why."""


@dataclass(frozen=True)
class Checkpoint:
    """A file to go on from, and the times at which it is written. Two processes must not share one.

    `content` names all that the result follows from. A file of other content is refused, unless `fresh`. Where it is
    `disposable`, it is removed with a note, and the training starts over.
    """

    path: Path
    every: float = 60.0  # seconds between two writes, more where writes are slow; 0: after each step
    fresh: bool = False  # start over, whatever the file holds
    note: Callable[[str], None] = logging.getLogger(__name__).warning  # takes notes in words
    content: Mapping[str, str] = field(default_factory=dict)
    disposable: bool = False  # the user did not choose the place, and cannot be told to choose another
    until: float = 1.0  # the share of all steps after which the training pauses: its state is then on disk
    expected: bool = False  # that there is a state to go on from: it is no news
    written: set[str] = field(default_factory=set)  # the names beside the file that this process has written or read

    @property
    def previous(self) -> Path:
        """The file before the last."""
        return self.path.with_name(f"{self.path.name}.previous")

    def of(self, content: Mapping[str, str]) -> Checkpoint:
        """The same checkpoint for a training that follows from `content` as well."""
        return replace(self, content={**self.content, **content})

    def last_step(self, steps: int) -> int:
        """The number of steps, of all, after which the training pauses; at least 1."""
        return min(steps, max(1, round(self.until * steps)))

    def load(self, device: torch.device = _CPU) -> State | None:
        """The newest state that is whole, on a device; None where there is none, or where it starts over.

        Damaged files are removed with a note. Raises `RunError` for the state of another training.
        """
        if self.fresh:
            self.remove()
        for path in (self.path, self.previous):
            try:
                stored = _read(path, device)
            except FileNotFoundError:
                continue
            except _DamagedError as error:
                self.note(f"{path}: damaged and removed ({error})")
                path.unlink()  # the next write must not keep it as the one before
                continue
            if differs := self._differences(stored["content"]):
                if not self.disposable:
                    advice = "go on with that one, or start over with --fresh"
                    raise RunError(f"{path}: of another training, which differs in {differs}; {advice}")
                self.note(f"{path}: of another training, which differs in {differs}; removed")
                self.remove()
                return None
            state: State = stored["state"]
            if lost := self._take_kept(stored.get("kept", ()), state, device):
                self.note(f"{lost}; {path.name} removed")
                path.unlink()
                continue
            return state
        return None

    def save(self, state: State) -> None:
        """Writes a state; a kill at any moment leaves this one or the one before.

        `state["kept"]`, if any, holds state by name that never changes: this process writes each once. A failure to
        write, as on a full disk, is noted: it is no reason to lose a training.
        """
        kept = state.get("kept", {})
        stored = {"content": dict(self.content), "state": {name: one for name, one in state.items() if name != "kept"}}
        try:
            for name in [name for name in kept if name not in self.written]:
                _write(self._beside(name), {"content": dict(self.content), "state": kept[name]})
                self.written.add(name)
            _write(self.path, {**stored, **({"kept": list(kept)} if kept else {})}, self.previous)
        except (OSError, RuntimeError) as error:
            self.note(f"{self.path}: cannot be written ({error}); the training goes on without")

    def remove(self) -> None:
        """Removes the file, the one before it, and what lies beside them."""
        for path in (self.path, self.previous, *self.path.parent.glob(f"{self.path.name}.{_KEPT}*")):
            path.unlink(missing_ok=True)
        self.written.clear()

    def _beside(self, name: str) -> Path:
        return self.path.with_name(f"{self.path.name}.{_KEPT}{name}")

    def _take_kept(self, names: Sequence[str], state: State, device: torch.device) -> str:
        """Adds what lies beside the file to its state; in words, what of it is lost: the state is then none."""
        for name in names:
            path = self._beside(name)
            try:
                stored = _read(path, device)
            except (FileNotFoundError, _DamagedError) as error:
                return f"{path}: lost or damaged ({one_line(error, 100)})"
            if self._differences(stored["content"]):
                return f"{path}: of another training"
            state.setdefault("kept", {})[name] = stored["state"]
        self.written.update(names)
        return ""

    def _differences(self, stored: Mapping[str, str]) -> str:
        """The differences in content, in words; "" where there are none."""
        names = [name for name in {**self.content, **stored} if self.content.get(name) != stored.get(name)]
        return ", ".join(_difference(name, stored.get(name), self.content.get(name)) for name in names)


def _difference(name: str, theirs: str | None, ours: str | None) -> str:
    there, here = (text or "not stated" for text in (theirs, ours))
    return f"{name} ({there} there, {here} here)" if max(len(there), len(here)) <= 30 else name


def _write(path: Path, stored: dict[str, Any], previous: Path | None = None) -> None:
    with whole(path, alone=True, previous=previous) as draft:
        torch.save({"format": _FORMAT, **stored}, draft)
        seal(draft)


def _read(path: Path, device: torch.device) -> dict[str, Any]:
    if not is_sealed(path):
        raise _DamagedError("its end is missing or its bytes have changed")
    try:
        stored = torch.load(path, map_location=device, weights_only=True)
    except Exception as error:  # a whole file of something else: torch raises a dozen kinds of errors
        raise _DamagedError(one_line(error, 100)) from None
    if not isinstance(stored, dict) or stored.get("format") != _FORMAT:
        raise _DamagedError("of another version")
    return stored


@contextmanager
def saved(checkpoint: Checkpoint | None, state: Callable[[], State]) -> Iterator[Callable[[bool], None]]:
    """Gives a function to call after each step; its argument is True after the last. It writes when it is time.

    Ctrl-C, or another signal that `progress.stoppable` hears, waits for the end of the step, since there is no state to
    go on from within one. Then the state is written and `KeyboardInterrupt` raised. A second Ctrl-C does not wait.
    """
    if checkpoint is None:
        yield lambda last: check_stop()
        return
    with patience():
        written, pause = time.monotonic(), checkpoint.every

        def after_step(last: bool) -> None:
            nonlocal written, pause
            if last or heard() or time.monotonic() - written >= pause:
                start = time.monotonic()
                checkpoint.save(state())
                written = time.monotonic()
                pause = checkpoint.every and max(checkpoint.every, _PAUSE * (written - start))
            if heard():
                raise KeyboardInterrupt

        yield after_step
