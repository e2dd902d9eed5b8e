"""OpenVINO beside a Hugging Face folder: `FOLDER/openvino/openvino_model.xml` and its weights.

>>> export_openvino(Path("student"))
Exported(path=PosixPath('student/openvino/openvino_model.xml'), apart=3.4e-07)

It is made from the ONNX graph, and keeps float32: OpenVINO itself would write float16.
"""

from __future__ import annotations

from pathlib import Path

from rosearch.errors import RunError, one_line
from rosearch.export.targets.onnx import own_graphs
from rosearch.export.targets.parity import Exported, require_parity
from rosearch.files import whole
from rosearch.models.engines import open_openvino
from rosearch.models.graphs import write_graph
from rosearch.models.lengths import longest_input
from rosearch.models.saved import load_classifier

_NAME = "openvino_model.xml"  # Optimum's


def export_openvino(folder: Path) -> Exported:
    """Writes the OpenVINO files of the classifier in a Hugging Face folder; those that are there are replaced.

    It needs the extra `openvino`. Raises as `export_onnx` does.
    """
    import openvino

    model, tokenizer = load_classifier(folder)
    with whole(folder / "openvino") as draft:
        draft.mkdir()
        there = [path for path in own_graphs(folder) if path.name == "model.onnx"]
        graph = there[0] if there else draft / "graph.onnx"
        if not there:
            write_graph(model, graph, {})
        try:
            openvino.save_model(openvino.convert_model(graph), draft / _NAME, compress_to_fp16=False)
        except Exception as error:  # of OpenVINO, which has no class of its own for them
            raise RunError(f"OpenVINO cannot read this model ({one_line(error)})") from error
        (draft / "graph.onnx").unlink(missing_ok=True)
        longest = longest_input(model.config, tokenizer)
        apart = require_parity(model, longest, open_openvino(draft / _NAME)[1], _NAME)
    return Exported(folder / "openvino" / _NAME, apart)
