"""The formats of an exported folder as functions from arrays to logits; each loads what it needs when it is opened.

>>> runner = open_runner(Path("student"), "onnx", read_facts(Path("student")))
>>> runner.run(runner.read([("a fine film",)], runner.inputs))
array([[-1.2,  1.4]], dtype=float32)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from rosearch.errors import BadInput, MissingResource, Problem, RosearchError, nearest, one_line
from rosearch.export.facts import Facts
from rosearch.export.texts import Array, Reader, Run, open_tokenizer
from rosearch.models.places import require_undamaged
from rosearch.models.timing import engine_threads


@dataclass(frozen=True)
class Runner:
    """A classifier in one format."""

    target: str
    read: Reader
    inputs: tuple[str, ...]  # names of the arrays that it reads
    run: Run

    def logits(self, rows: Sequence[tuple[str, ...]]) -> Array:
        """(texts, labels) of float64."""
        return np.asarray(self.run(self.read(rows, self.inputs)), dtype=np.float64)


@dataclass(frozen=True)
class _Target:
    pattern: str  # of the file that it reads
    package: str  # that runs it
    open: Callable[[Path, Facts], tuple[Reader, tuple[str, ...], Run]]


def targets_in(folder: Path) -> list[str]:
    """The names of the formats that lie in a folder, the fastest first."""
    return [name for name, one in RUNNERS.items() if any(folder.glob(one.pattern))]


def choose_target(folder: Path, asked: str = "auto") -> str:
    """The name of a format: the one that was asked for, or the first that is there and can be run here.

    Raises `BadInput` where it is not there, `MissingResource` where its package is not installed.
    """
    known = ("auto", *RUNNERS)
    if asked not in known:
        raise BadInput(Problem("command line", "--target", ", ".join(known), asked, nearest(asked, known)))
    there = targets_in(folder)
    runs = [name for name in there if find_spec(RUNNERS[name].package) is not None]
    if asked == "auto" and runs:
        return runs[0]
    if asked not in ("auto", *there) or not there:
        expected = f"one of {', '.join(RUNNERS)}" if asked == "auto" else asked
        fix = f"rosearch export {folder} --target {asked}" if asked != "auto" and there else ""
        raise BadInput(Problem(str(folder), "", expected, ", ".join(there) or "none", fix))
    if asked not in runs:
        name = there[0] if asked == "auto" else asked
        raise MissingResource(f"{name} needs {RUNNERS[name].package}", f"pip install 'rosearch[{name}]'", str(folder))
    return asked


def open_runner(folder: Path, target: str, facts: Facts) -> Runner:
    """A format of a folder, ready to answer. Raises `BadInput` for files that are damaged or cannot be read."""
    for place in {folder, next(iter(folder.glob(RUNNERS[target].pattern))).parent}:
        require_undamaged(place)
    try:
        return Runner(target, *RUNNERS[target].open(folder, facts))
    except RosearchError:
        raise
    except Exception as error:  # of the engines, which have no class of their own for them
        raise BadInput(Problem(str(folder), target, "a model that can be opened", one_line(error))) from None


def open_onnx(path: Path) -> tuple[tuple[str, ...], Run]:
    """An ONNX file on the processor: the names of its inputs, and its function."""
    session = onnx_session(path)
    names = tuple(one.name for one in session.get_inputs())
    return names, lambda given: session.run(["logits"], dict(given))[0]


def onnx_facts(path: Path) -> dict[str, str]:
    """The metadata of an ONNX file."""
    return dict(onnx_session(path).get_modelmeta().custom_metadata_map)


def onnx_session(graph: Path | bytes) -> Any:
    """An ONNX file, or its bytes, in ONNX Runtime, on the processor, on as many threads as `on_threads` says."""
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = engine_threads()
    return onnxruntime.InferenceSession(
        graph if isinstance(graph, bytes) else str(graph), settings, providers=["CPUExecutionProvider"]
    )


def open_openvino(path: Path) -> tuple[tuple[str, ...], Run]:
    """OpenVINO's files, in float32 on the processor: the names of the inputs, and the function."""
    import openvino

    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": engine_threads()}  # 0: it chooses
    compiled: Any = openvino.compile_model(path, "CPU", settings)
    return tuple(one.any_name for one in compiled.inputs), lambda given: compiled(dict(given))[0]


def _onnx(folder: Path, facts: Facts) -> tuple[Reader, tuple[str, ...], Run]:
    return Reader(open_tokenizer(folder, facts), facts), *open_onnx(folder / "onnx" / "model.onnx")


def _openvino(folder: Path, facts: Facts) -> tuple[Reader, tuple[str, ...], Run]:
    path = folder / "openvino" / "openvino_model.xml"
    return Reader(open_tokenizer(folder, facts), facts), *open_openvino(path)


def _torch(folder: Path, facts: Facts) -> tuple[Reader, tuple[str, ...], Run]:
    from rosearch.export.targets.parity import open_torch

    names, run, backend = open_torch(folder)
    return Reader(backend, facts), names, run


RUNNERS: dict[str, _Target] = {
    "onnx": _Target("onnx/model.onnx", "onnxruntime", _onnx),
    "openvino": _Target("openvino/openvino_model.xml", "openvino", _openvino),
    "hf": _Target("*.safetensors", "torch", _torch),
}
