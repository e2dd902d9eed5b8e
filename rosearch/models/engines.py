"""Files that other engines than transformers run, as functions from arrays to logits. Each engine is loaded when asked.

>>> names, run = ENGINES["onnx"].open(Path("student/onnx/model.onnx"))
>>> run({name: np.ones((1, 5), np.int64) for name in names})
array([[-1.2,  1.4]], dtype=float32)

They lie inside an exported folder; `rosearch.export.formats` writes them. Neither torch nor transformers is loaded
here, but by the engine that is torch's own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from rosearch.errors import MissingResource
from rosearch.models.timing import engine_threads

Array = np.ndarray[Any, Any]
Run = Callable[[Mapping[str, Array]], Array]
"""From arrays (texts, tokens) of int64, by name, to logits (texts, labels)."""
Opened = tuple[tuple[str, ...], Run]  # the names of the arrays, and the function

FOLDER = "hf"  # the Hugging Face folder itself, which torch runs
FACTS = "facts.json"  # in a .pt2 file: what the metadata of an ONNX file say, and the names of its inputs
GRAPH_PACKAGES = ("onnx", "onnxscript", "onnxruntime")  # that make an ONNX graph and run it
EXACT = 1e-4  # of the largest logit, or of 1: float32 sums in another order differ by some 1e-6


@dataclass(frozen=True)
class Engine:
    """A format of an exported folder."""

    file: str  # its place in the folder
    package: str  # that runs it
    extra: str  # of rosearch, that brings the package; "": rosearch needs it anyway
    open: Callable[[Path], Opened]
    apart: float = EXACT  # that its logits may differ from torch's, as a share of the largest

    @property
    def install(self) -> str:
        """The command that brings its package."""
        return f"pip install 'rosearch[{self.extra}]'" if self.extra else "pip install rosearch"


def is_there(package: str) -> bool:
    """True where a package is installed; it is not imported."""
    return find_spec(package) is not None


def require_packages(packages: Sequence[str], wanted_by: str, install: str, where: str = "") -> None:
    """Raises `MissingResource` with the packages that are not installed, and the command that brings them."""
    if absent := [package for package in packages if not is_there(package)]:
        raise MissingResource(f"{wanted_by} needs {', '.join(absent)}", install, where)


def open_onnx(path: Path) -> Opened:
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
    given = graph if isinstance(graph, bytes) else str(graph)
    return onnxruntime.InferenceSession(given, settings, providers=["CPUExecutionProvider"])


def open_int8(path: Path) -> Opened:
    """A dynamically quantised ONNX file. It is asked one text at a time, without padding.

    One scale serves a whole batch, so a text's answer would follow from the texts beside it and from their length.
    """
    names, run = open_onnx(path)

    def each(given: Mapping[str, Array]) -> Array:
        lengths = np.maximum(1, given["attention_mask"].sum(axis=1))
        if len(lengths) == 1 and lengths[0] == given["attention_mask"].shape[1]:
            return run(given)
        alone = [{name: given[name][row : row + 1, :length] for name in names} for row, length in enumerate(lengths)]
        return np.concatenate([run(one) for one in alone])

    return names, each


def open_openvino(path: Path) -> Opened:
    """OpenVINO's files, in float32 on the processor: the names of the inputs, and the function."""
    import openvino

    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": engine_threads()}  # 0: it chooses
    compiled: Any = openvino.compile_model(path, "CPU", settings)
    return tuple(one.any_name for one in compiled.inputs), lambda given: compiled(dict(given))[0]


def open_torch_export(path: Path) -> Opened:
    """A program of `torch.export`, whose graph needs no class of the model. Tensors go in by their order."""
    import torch

    told = {FACTS: ""}
    module = torch.export.load(path, extra_files=told).module()
    names = tuple(json.loads(told[FACTS])["inputs"])

    def run(given: Mapping[str, Array]) -> Array:
        with torch.inference_mode():
            found: Array = module(*(torch.from_numpy(np.ascontiguousarray(given[name])) for name in names)).numpy()
        return found

    return names, run


# The fastest that keep float32 first: `auto` takes the first that lies there and runs.
ENGINES: dict[str, Engine] = {
    "onnx": Engine("onnx/model.onnx", "onnxruntime", "onnx", open_onnx),
    "openvino": Engine("openvino/openvino_model.xml", "openvino", "openvino", open_openvino),
    "transformersjs": Engine("transformersjs/onnx/model.onnx", "onnxruntime", "onnx", open_onnx),
    "torch_export": Engine("torch_export/model.pt2", "torch", "", open_torch_export),
    "fp16": Engine("onnx/model_fp16.onnx", "onnxruntime", "onnx", open_onnx, apart=1e-2),
    "int8": Engine("onnx/model_quantized.onnx", "onnxruntime", "onnx", open_int8, apart=float("inf")),
}
