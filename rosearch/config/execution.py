"""The `execution` section: where candidates run, and how many at a time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from rosearch.config.section import Device, Section, broken_rule, in_words, unit


def _listed(names: Any) -> Any:
    return [names] if isinstance(names, str) else names


def _gpus(names: tuple[str, ...]) -> tuple[str, ...]:
    if names != ("auto",) and (any(not re.fullmatch(r"cuda:\d+", name) for name in names) or _repeated(names)):
        raise broken_rule("", "auto, or GPUs such as [cuda:0, cuda:1], each once", in_words(list(names)))
    return names


def _repeated(names: tuple[str, ...]) -> bool:
    return len({*names}) < len(names)


def _once(names: tuple[str, ...]) -> tuple[str, ...]:
    if _repeated(names):
        raise broken_rule("", "trackers such as [tensorboard, mlflow], each once", in_words(list(names)))
    return names


def _address(name: str) -> str:
    if not re.fullmatch(r"auto|[^/:\s]+:\d{1,5}", name):
        raise broken_rule("", "auto, or HOST:PORT of a cluster's head, such as node1:6379", in_words(name))
    return name


def _workers_each(given: Any) -> Any:
    if given == "auto" or (isinstance(given, int) and not isinstance(given, bool) and given >= 1):
        return given
    raise broken_rule("", "a whole number of at least 1, or auto", in_words(given))


_NUMBER = WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1}, {"const": "auto"}]})
WorkersEach = Annotated[int | Literal["auto"], BeforeValidator(_workers_each), _NUMBER]
_EITHER = WithJsonSchema({"anyOf": [{"const": "auto"}, {"type": "array", "items": {"type": "string"}}]})
Gpus = Annotated[tuple[str, ...], BeforeValidator(_listed), AfterValidator(_gpus), _EITHER]
TrackerName = Literal["tensorboard", "mlflow", "wandb", "trackio"]
Trackers = Annotated[tuple[TrackerName, ...], BeforeValidator(_listed), AfterValidator(_once)]


class ExecutionConfig(Section):
    """Where candidates run. One device setting covers teacher, training, attack and timing."""

    backend: Literal["local", "ray"] = Field(
        "local", description="local: processes of this machine; ray: tasks of a Ray cluster (the extra `ray`)."
    )
    address: Annotated[str, AfterValidator(_address)] | None = Field(
        None,
        description="The Ray cluster, as HOST:PORT; auto: that of this machine or of RAY_ADDRESS; none: an instance is "
        "started on this machine.",
    )
    device: Device = Field("auto", description="auto (the GPU where there is one), cpu, cuda, cuda:1, ...")
    devices: Gpus = Field(
        (),
        description="Several GPUs, each of whose workers sees it alone: [cuda:0, cuda:1], or auto for all that torch "
        "sees; none: `device`.",
    )
    workers: int = Field(
        1,
        ge=0,
        description="Candidates at a time; 0: in the driver's own process. Not read where `devices` or Ray say it.",
        json_schema_extra=unit("processes"),
    )
    workers_per_device: WorkersEach | None = Field(
        None,
        description="Candidates at a time on each of `devices`, or GPU of a cluster; auto: as many as have room, by "
        "the memory of the first candidate; none: 1. Without GPUs both mean one a core.",
        json_schema_extra=unit("processes"),
    )
    threads: int = Field(1, ge=1, description="Torch threads of each worker.", json_schema_extra=unit("threads"))
    timeout_minutes: float = Field(
        60.0, gt=0, description="A candidate that takes longer has failed.", json_schema_extra=unit("minutes")
    )
    stop_after_failures: int = Field(
        5, ge=1, description="So many equal failures in a row stop the run.", json_schema_extra=unit("failures")
    )
    keep_students: Literal["front", "all"] = Field(
        "front",
        description="Students whose weights stay on disk. front: also the best, the baselines and the finalists.",
    )

    track: Trackers = Field(
        (),
        description="Trackers of experiments that are told of each finished student: tensorboard, mlflow, wandb, which "
        "come with the extra `track`, and trackio, on transformers 5. What they keep lies in the run's folder, below "
        "tracking/.",
    )

    @property
    def own_device(self) -> str:
        """The device of the driver, and of everything that is no worker: the first of several."""
        return self.devices[0] if self.devices else self.device

    @property
    def at_a_time(self) -> int | None:
        """Candidates at a time; None where only the machine can tell."""
        if self.devices == ("auto",) or self.backend == "ray" or self.workers_per_device == "auto":
            return None
        return len(self.devices) * self.each if self.devices else max(1, self.workers)

    @property
    def each(self) -> int:
        """Candidates at a time on each device, at first."""
        return self.workers_per_device if isinstance(self.workers_per_device, int) else 1

    def of_worker(self, device: str) -> Self:
        """The section as a worker that sees one device reads it."""
        return self.model_copy(update={"device": device, "devices": (), "workers_per_device": None})

    def _rules(self) -> Iterator[PydanticCustomError]:
        if self.backend == "ray":
            yield from self._rules_of_ray()
            return
        if self.address is not None:
            yield broken_rule("address", "execution.backend ray beside it", self.address, "backend")
        if self.devices and self.device != "auto":
            yield broken_rule("device", "nothing, as execution.devices names the devices", self.device, "devices")
        if self.devices and not self.workers:
            expected = "at least 1, for execution.devices: one process sees one device"
            yield broken_rule("workers", expected, 0, "devices")
        if self.workers_per_device and not self.devices:
            expected = "execution.devices beside it, such as auto"
            yield broken_rule("workers_per_device", expected, self.workers_per_device, "devices", "backend")

    def _rules_of_ray(self) -> Iterator[PydanticCustomError]:
        if self.devices:
            expected = "nothing, for execution.backend ray: Ray gives a task its GPU"
            yield broken_rule("devices", expected, self.devices[0], "backend")
        if self.workers_per_device == "auto":
            expected = "a number, for execution.backend ray: a task asks for its part of a GPU before it runs"
            yield broken_rule("workers_per_device", expected, "auto", "backend")
        if ":" in self.device:
            yield broken_rule("device", "auto, cpu or cuda, for execution.backend ray", self.device, "backend")
        if not self.workers:
            yield broken_rule("workers", "at least 1, or execution.backend local", 0, "backend")
