"""The formats that may lie beside a Hugging Face folder, by their names; each is loaded when it is asked for.

>>> for format in formats_of("hf,onnx"):
...     format.require()
...     format.export(Path("student"))
Exported(path=PosixPath('student/onnx/model.onnx'), apart=1.2e-07)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from rosearch.errors import BadInput, MissingResource, Problem, nearest

if TYPE_CHECKING:
    from rosearch.export.targets.parity import Exported

FOLDER = "hf"  # the Hugging Face folder itself


@dataclass(frozen=True)
class Format:
    """A format by its name, which is that of the extra that brings its packages."""

    name: str
    packages: tuple[str, ...]
    export: Callable[[Path], Exported]

    def require(self) -> None:
        """Raises `MissingResource` where a package is not installed."""
        if absent := [package for package in self.packages if find_spec(package) is None]:
            told = f"--target {self.name} needs {', '.join(absent)}"
            raise MissingResource(told, f"pip install 'rosearch[{self.name}]'")


def formats_of(names: str) -> tuple[Format, ...]:
    """The formats that names with commas stand for; `hf` is none of them. Raises `BadInput` with every wrong name."""
    given = [name for part in names.split(",") if (name := part.strip())]
    known = (FOLDER, *FORMATS)
    problems = [
        Problem("command line", "--target", f"names of {', '.join(known)}", repr(name), nearest(name, known))
        for name in given
        if name not in known
    ]
    if problems:
        raise BadInput(problems)
    return tuple(FORMATS[name] for name in dict.fromkeys(given) if name != FOLDER)


def _onnx(folder: Path) -> Exported:
    from rosearch.export.targets.onnx import export_onnx

    return export_onnx(folder)


def _openvino(folder: Path) -> Exported:
    from rosearch.export.targets.openvino import export_openvino

    return export_openvino(folder)


def _transformersjs(folder: Path) -> Exported:
    from rosearch.export.targets.transformersjs import export_transformersjs

    return export_transformersjs(folder)


FORMATS: dict[str, Format] = {
    "onnx": Format("onnx", ("onnx", "onnxscript", "onnxruntime"), _onnx),
    "openvino": Format("openvino", ("openvino", "onnx", "onnxscript"), _openvino),
    "transformersjs": Format("transformersjs", ("onnx", "onnxscript", "onnxruntime"), _transformersjs),
}
