"""int8 beside a Hugging Face folder: `FOLDER/onnx/model_quantized.onnx`, and what it was measured by.

>>> export_int8(Path("student"), compare)
Exported(path=PosixPath('student/onnx/model_quantized.onnx'), apart=0.031)

Weights of matrix products and of the word table become int8; what goes into a product is quantised as it comes
(dynamically). Convolutions stay float32: quantised, they are slower. Answers change, so that the file is written only
where it passes the gates of `rosearch.export.gates`. The `WAYS` are tried in turn until one passes.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from rosearch.errors import RunError, one_line
from rosearch.export.gates import Gates, first_that_passes, gates_of
from rosearch.export.targets.onnx import onnx_draft, plain_graph
from rosearch.export.targets.parity import Exported
from rosearch.measurements import FormatFigures
from rosearch.models.engines import ENGINES, onnx_facts
from rosearch.models.lengths import longest_input
from rosearch.models.saved import load_classifier

Compare = Callable[[Path, Path], FormatFigures]
"""From the float32 file and the quantised one to their figures on the same rows."""

# The operations whose weights become int8. A table that is looked up gets one scale for all of it, whatever is asked,
# so that its rows lose more than the columns of a matrix. It is half of a small student.
WAYS = {
    "word table in int8": ("MatMul", "Gemm", "Gather"),
    "word table in float32": ("MatMul", "Gemm"),
}


def export_int8(folder: Path, compare: Compare, *, force: bool = False) -> Exported:
    """Writes the quantised file of the classifier in a Hugging Face folder; one that is there is replaced.

    `compare` measures it beside the float32 file, which is written as well where none of these weights lies there.
    The first of the `WAYS` that passes every gate is written. Raises `RunError` with every gate that each way fails,
    and by how much; with `force`, the way that fails the fewest is written.
    """
    model, tokenizer = load_classifier(folder)
    longest, engine = longest_input(model.config, tokenizer), ENGINES["int8"]
    with onnx_draft(folder) as draft, TemporaryDirectory(prefix="rosearch-int8-") as trial:
        plain, path = plain_graph(model, longest, folder, draft), draft / Path(engine.file).name
        files, tried = {way: Path(trial) / f"{place}.onnx" for place, way in enumerate(WAYS)}, list[Gates]()
        for way, file in files.items():
            quantise(plain, file, WAYS[way])
            tried.append(gates_of(compare(plain, file), way))
            if not tried[-1].failed:
                break
        gates = first_that_passes(tried, path.name, force=force)
        shutil.copyfile(files[gates.way], path)
        gates.write(path.with_suffix(".json"))
    return Exported(folder / engine.file, gates.apart, str(gates), gates.to_dict())


def quantise(plain: Path, path: Path, operations: Sequence[str]) -> None:
    """Writes an ONNX file with int8 weights of some operations, one scale for each column of a matrix.

    The metadata stay.
    """
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    root, level = logging.getLogger(), logging.getLogger().level
    root.setLevel(logging.ERROR)  # it advises a pre-processing that cannot be done for files of this exporter
    try:
        quantize_dynamic(plain, path, op_types_to_quantize=[*operations], per_channel=True, weight_type=QuantType.QInt8)
    except Exception as error:  # of onnx and onnxruntime, without a class of their own for it
        raise RunError(f"ONNX Runtime cannot quantise this model ({one_line(error)})") from error
    finally:
        root.setLevel(level)
    made, facts = onnx.load(path), onnx_facts(plain)
    onnx.helper.set_model_props(made, facts)  # without a word that the quantiser leaves for itself
    onnx.save(made, path)
