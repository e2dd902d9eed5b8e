"""The formats that may lie beside a Hugging Face folder, by their names; each is loaded when it is asked for.

>>> for format in formats_of("hf,onnx"):
...     format.require()
...     format.export(Path("student"))
Exported(path=PosixPath('student/onnx/model.onnx'), apart=1.2e-07)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rosearch.errors import BadInput, Problem, nearest
from rosearch.models.engines import ENGINES, FOLDER, GRAPH_PACKAGES, require_packages

if TYPE_CHECKING:
    from rosearch.export.targets.int8 import Compare
    from rosearch.export.targets.parity import Exported


@dataclass(frozen=True)
class Measured:
    """The means to measure a format that changes answers: it is written only where it passes its gates.

    `compare` is None where there are no rows to ask. `force` writes what fails a gate as well.
    """

    compare: Compare | None = None
    force: bool = False


NOT_MEASURED = Measured()


@dataclass(frozen=True)
class Format:
    """A format by its name. One that is `measured` changes answers, and is written only through gates."""

    name: str
    packages: tuple[str, ...]
    write: Callable[[Path, Measured], Exported]
    measured: bool = False

    def require(self) -> None:
        """Raises `MissingResource` where a package is not installed."""
        require_packages(self.packages, f"--target {self.name}", ENGINES[self.name].install)

    def export(self, folder: Path, measured: Measured = NOT_MEASURED) -> Exported:
        """Writes it beside the folder. Raises `BadInput` where it has to be measured and there are no rows."""
        if self.measured and measured.compare is None:
            expected, fix = "labelled rows to measure it by", "Name them: --task EXPERIMENT_OR_FILE"
            raise BadInput(Problem("command line", f"--target {self.name}", expected, "none", fix))
        return self.write(folder, measured)


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


def _onnx(folder: Path, measured: Measured) -> Exported:
    from rosearch.export.targets.onnx import export_onnx

    return export_onnx(folder)


def _openvino(folder: Path, measured: Measured) -> Exported:
    from rosearch.export.targets.openvino import export_openvino

    return export_openvino(folder)


def _transformersjs(folder: Path, measured: Measured) -> Exported:
    from rosearch.export.targets.transformersjs import export_transformersjs

    return export_transformersjs(folder)


def _torch_export(folder: Path, measured: Measured) -> Exported:
    from rosearch.export.targets.torch_export import export_torch_export

    return export_torch_export(folder)


def _fp16(folder: Path, measured: Measured) -> Exported:
    from rosearch.export.targets.onnx import export_fp16

    return export_fp16(folder)


def _int8(folder: Path, measured: Measured) -> Exported:
    from rosearch.export.targets.int8 import export_int8

    assert measured.compare is not None
    return export_int8(folder, measured.compare, force=measured.force)


FORMATS: dict[str, Format] = {
    "onnx": Format("onnx", GRAPH_PACKAGES, _onnx),
    "openvino": Format("openvino", ("openvino", "onnx", "onnxscript"), _openvino),
    "transformersjs": Format("transformersjs", GRAPH_PACKAGES, _transformersjs),
    "torch_export": Format("torch_export", ("torch",), _torch_export),
    "fp16": Format("fp16", GRAPH_PACKAGES, _fp16),
    "int8": Format("int8", GRAPH_PACKAGES, _int8, measured=True),
}
