from __future__ import annotations

import onnx
import pytest
import torch
from student.small_students import BRANCHING, padded_batch, small_student

from rosearch.export.product_graph import product_graph
from rosearch.models.engines import onnx_session
from rosearch.models.products import Call, make, products_of


def test_the_graph_of_a_students_products_runs_and_holds_each_of_them() -> None:
    calls = products_of(small_student(BRANCHING, pieces=None), padded_batch())
    graph, inputs = product_graph(calls)
    nodes = onnx.load_from_string(graph).graph.node
    assert len(nodes) == len(calls) and {node.op_type for node in nodes} == {"MatMul", "Conv"}
    expected = [kernel(*arguments, **settings) for kernel, arguments, settings in make(calls)]
    assert [one.shape for one in onnx_session(graph).run(None, inputs)] == [tuple(one.shape) for one in expected]


def test_a_product_that_is_not_known_is_told() -> None:
    with pytest.raises(ValueError, match=r"not known: aten\.dot"):
        product_graph([Call(torch.ops.aten.dot.default, (), {})])
