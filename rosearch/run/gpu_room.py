"""The candidates that a GPU has room for at a time, by the memory that the first one took.

>>> room = GpuRoom(devices, visible, most=16)
>>> room.look()  # again and again while the first candidate is at work
>>> room.workers()  # once it is over
('0', '1', '0', '1', '0', '1')

Students of a search differ in size, and torch keeps memory that it has had: what stands here is an estimate, with a
part of each GPU left free. A candidate that finds no memory is recorded as `oom`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import torch

_LOG = logging.getLogger("rosearch")
_LEFT_FREE = 0.1  # of the memory that was free before the first candidate
_LARGER = 1.5  # a later candidate may need so many times the memory of the first


class GpuRoom:
    """The room of several GPUs, each with one worker at first.

    `visible` is the name of each device for a worker that sees it alone. `most` limits the workers of each device, as
    every worker needs cores, too. `free` gives the free bytes of a device.
    """

    def __init__(
        self,
        devices: Sequence[torch.device],
        visible: Sequence[str],
        most: int,
        free: Callable[[torch.device], int] = lambda device: int(torch.cuda.mem_get_info(device)[0]),
    ) -> None:
        self.devices, self.visible, self.most, self._free = tuple(devices), tuple(visible), most, free
        for device in devices:
            free(device)  # the first question takes memory of its own
        self.before = [free(device) for device in devices]
        self.taken = 0  # bytes, on the device where most was taken

    def look(self) -> None:
        """Sees what workers hold now: call it while the first candidates are at work."""
        now = [self._free(device) for device in self.devices]
        self.taken = max(self.taken, *(had - has for had, has in zip(self.before, now, strict=True)))

    def workers(self) -> tuple[str, ...]:
        """The GPU that each worker is to see alone, of as many workers as there is room for; at least one each."""
        each = [self._on(had) for had in self.before]
        _LOG.info(
            "the first candidate took %d MiB of a GPU: %d workers on %d GPUs", self.taken >> 20, sum(each), len(each)
        )
        turns = [(turn, place) for turn in range(max(each)) for place, most in enumerate(each) if turn < most]
        return tuple(self.visible[place] for _, place in turns)

    def _on(self, had: int) -> int:
        if self.taken <= 0:
            return 1
        return max(1, min(self.most, int((1 - _LEFT_FREE) * had / (_LARGER * self.taken))))
