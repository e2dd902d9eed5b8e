from __future__ import annotations

from pathlib import Path

import pytest
import torch
from student.small_students import BRANCHING, padded_batch, small_student

from rosearch.export.product_graph import write_products
from rosearch.models.products import Call, Like, products_of


def test_the_graph_of_a_students_products_runs_and_holds_each_of_them(tmp_path: Path) -> None:
    import onnx
    import onnxruntime

    calls = products_of(small_student(BRANCHING, pieces=None), padded_batch())
    inputs = write_products(calls, tmp_path / "products.onnx")
    nodes = onnx.load(str(tmp_path / "products.onnx")).graph.node
    assert len(nodes) == len(calls) and {node.op_type for node in nodes} == {"MatMul", "Conv"}
    session = onnxruntime.InferenceSession(str(tmp_path / "products.onnx"), providers=["CPUExecutionProvider"])
    made = session.run(None, inputs)
    expected = [call.kernel(*torch.utils._pytree.tree_map_only(Like, Like.make, call.arguments)) for call in calls]
    assert [one.shape for one in made] == [tuple(one.shape) for one in expected]


def test_a_product_that_is_not_known_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"not known: aten\.dot"):
        write_products([Call(torch.ops.aten.dot.default, (), {})], tmp_path / "products.onnx")
