"""The plain matrix products of a model as an ONNX graph of nothing else: the limit of an ONNX file in its own runtime.

>>> graph, inputs = product_graph(products_of(model, inputs))
>>> onnx_session(graph).run(None, inputs)

Products stand side by side, each with a weight of its own, which a runtime may pack beforehand as it does a model's.
It needs the package `onnx`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rosearch.models.engines import Array
from rosearch.models.products import Call, Like

_OPSET = 17


def product_graph(calls: Sequence[Call]) -> tuple[bytes, dict[str, Array]]:
    """The graph as the bytes of a file, and inputs for it. Raises `ValueError` for a product that it does not know."""
    from onnx import TensorProto, helper, numpy_helper

    nodes, weights, outputs = [], [], []
    inputs: dict[str, Array] = {}
    for place, call in enumerate(calls):
        left, right, op, settings = _node(call)
        given, weight, made = "x" + "_".join(map(str, left.shape)), f"w{place}", f"y{place}"
        inputs[given] = np.full(left.shape, 0.01, np.float32)
        if settings.pop("reads", False):  # both are states
            weight = "x" + "_".join(map(str, right.shape))
            inputs[weight] = right
        else:
            weights.append(numpy_helper.from_array(right, weight))
        nodes.append(helper.make_node(op, [given, weight], [made], **settings))
        outputs.append(helper.make_tensor_value_info(made, TensorProto.FLOAT, None))
    declared = [helper.make_tensor_value_info(name, TensorProto.FLOAT, one.shape) for name, one in inputs.items()]
    graph = helper.make_graph(nodes, "products", declared, outputs, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=8)
    return model.SerializeToString(), inputs


def _node(call: Call) -> tuple[Like, Array, str, dict[str, Any]]:
    """The left operand of a product, the right one, the operator and its settings."""
    name = str(call.kernel).split(".")[1]
    operands = call.operands
    if name in ("addmm", "mm", "bmm", "baddbmm"):
        left, right = operands[-2:]
        return left, _filled(right.shape), "MatMul", {"reads": name in ("bmm", "baddbmm")}
    if name == "convolution":
        _, _, _, stride, padding, dilation, transposed, _, groups = call.arguments
        if not transposed:
            settings = {"strides": stride, "pads": [*padding, *padding], "dilations": dilation, "group": groups}
            return operands[0], _filled(operands[1].shape), "Conv", settings
    raise ValueError(f"a product that is not known: {call.kernel}")


def _filled(shape: tuple[int, ...]) -> Array:
    return np.full(shape, 0.01, np.float32)
