"""int8 beside a Hugging Face folder: `FOLDER/onnx/model_quantized.onnx`, and what it was measured by.

>>> export_int8(Path("student"), compare)
Exported(path=PosixPath('student/onnx/model_quantized.onnx'), apart=0.031)

Weights of matrix products and of the word table become int8; what goes into a product is quantised as it comes
(dynamically). Convolutions stay float32: quantised, they are slower. Answers change, so that the file is written only
where it passes the gates of `rosearch.export.gates`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from rosearch.errors import RunError, one_line
from rosearch.export.gates import gates_of, require_passed
from rosearch.export.targets.onnx import onnx_draft, plain_graph
from rosearch.export.targets.parity import Exported
from rosearch.measurements import FormatFigures
from rosearch.models.engines import ENGINES, onnx_facts
from rosearch.models.lengths import longest_input
from rosearch.models.saved import load_classifier

Compare = Callable[[Path, Path], FormatFigures]
"""From the float32 file and the quantised one to their figures on the same rows."""

_OPERATIONS = ["MatMul", "Gemm", "Gather"]


def export_int8(folder: Path, compare: Compare, *, force: bool = False) -> Exported:
    """Writes the quantised file of the classifier in a Hugging Face folder; one that is there is replaced.

    `compare` measures it beside the float32 file, which is written as well where none of these weights lies there.
    Raises `RunError` with every gate that fails, and by how much, unless it is to `force` them.
    """
    model, tokenizer = load_classifier(folder)
    longest, engine = longest_input(model.config, tokenizer), ENGINES["int8"]
    with onnx_draft(folder) as draft:
        plain, path = plain_graph(model, longest, folder, draft), draft / Path(engine.file).name
        quantise(plain, path)
        gates = gates_of(compare(plain, path), forced=force)
        require_passed(gates, path.name)
        gates.write(path.with_suffix(".json"))
    return Exported(folder / engine.file, gates.apart, str(gates))


def quantise(plain: Path, path: Path) -> None:
    """Writes an ONNX file with int8 weights, one scale for each column of a matrix; the metadata stay."""
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    root, level = logging.getLogger(), logging.getLogger().level
    root.setLevel(logging.ERROR)  # it advises a pre-processing that cannot be done for files of this exporter
    try:
        quantize_dynamic(plain, path, op_types_to_quantize=_OPERATIONS, per_channel=True, weight_type=QuantType.QInt8)
    except Exception as error:  # of onnx and onnxruntime, without a class of their own for it
        raise RunError(f"ONNX Runtime cannot quantise this model ({one_line(error)})") from error
    finally:
        root.setLevel(level)
    made, facts = onnx.load(path), onnx_facts(plain)
    onnx.helper.set_model_props(made, facts)  # without a word that the quantiser leaves for itself
    onnx.save(made, path)
