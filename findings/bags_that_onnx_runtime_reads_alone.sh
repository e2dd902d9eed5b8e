#!/usr/bin/env bash
# torch 2.13.0, onnx 1.23.2, onnxscript 0.7.2, onnxruntime 1.32.0, openvino 2026.4.1: an EmbeddingBag exported by
#   torch.onnx.export(dynamo=True) is a Loop over a Sequence. ONNX Runtime answers as torch does; OpenVINO refuses the file.
#
# Expected: the mean of a fixed number of rows of a table has nothing dynamic in it but the batch, so that its graph is a Gather
#   and a ReduceMean, which every reader of ONNX knows; a file that one runtime loads at this opset, another loads too.
# Seen: the file holds Loop, If, SequenceEmpty, SequenceInsert and ConcatFromSequence. ONNX Runtime gives torch's values, with a
#   batch of another size than the example's as well. OpenVINO ends with an OpConversionFailure: what comes out of the loop has no
#   type for it ("Unsupported input type dynamic"), or, with a padding_idx, the Loop itself fails ("Accessing out-of-range
#   dimension"). The same bag written as a Gather and a mean is read by both.
# Why it matters: subword tables (fastText's n-grams) are bags. A gate on ONNX Runtime alone passes a file that a user of OpenVINO
#   cannot load, and the loop runs bag by bag. At inference such a table can be folded into one vector a word.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "torch==2.13.0" "onnx==1.23.2" "onnxscript==0.7.2" \
  "onnxruntime==1.32.0" "openvino==2026.4.1" "numpy<3" 2>/dev/null
cat >"$folder/bags.py" <<'PYTHON'
import logging
import warnings

warnings.simplefilter("ignore")
logging.disable(logging.WARNING)
import numpy
import onnx
import onnxruntime
import openvino
import torch


class Bag(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.bag = torch.nn.EmbeddingBag(16, 4, mode="mean")

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.bag(ids)


class Mean(Bag):
    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.embedding(ids, self.bag.weight).mean(1)


def operations(graph: onnx.GraphProto) -> set[str]:
    inner = [part.g for node in graph.node for part in node.attribute if part.type == onnx.AttributeProto.GRAPH]
    return {node.op_type for node in graph.node}.union(*map(operations, inner))


def openvino_reads(path: str) -> str:
    try:
        openvino.convert_model(path)
    except openvino.frontend.OpConversionFailure as error:
        return "no, " + ("what the loop gives has no type" if "input type dynamic" in str(error) else "something else")
    return "yes"


for kind in (Bag, Mean):
    torch.manual_seed(0)
    model, example, other = kind().eval(), torch.tensor([[1, 2, 3], [4, 5, 6]]), torch.tensor([[7, 8, 9]])
    path, name = f"{kind.__name__}.onnx", kind.__name__
    shape = ({0: torch.export.Dim.DYNAMIC},)
    program = torch.onnx.export(
        model, (example,), dynamo=True, external_data=False, verbose=False, input_names=["ids"], dynamic_shapes=shape
    )
    program.save(path)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    apart = max(
        float(numpy.abs(session.run(None, {"ids": ids.numpy()})[0] - model(ids).detach().numpy()).max())
        for ids in (example, other)
    )
    has_loop = bool(operations(onnx.load(path).graph) & {"Loop", "SequenceInsert"})
    print(f"{name}: a loop over a sequence: {has_loop}; ONNX Runtime as torch: {apart < 1e-6}; OpenVINO reads it: {openvino_reads(path)}")
PYTHON
(cd "$folder" && "$folder/venv/bin/python" bags.py >out 2>err) || { cat "$folder/err"; exit 1; }
result=$(grep -E '^(Bag|Mean):' "$folder/out")
echo "$result"
test "$result" = "Bag: a loop over a sequence: True; ONNX Runtime as torch: True; OpenVINO reads it: no, what the loop gives has no type
Mean: a loop over a sequence: False; ONNX Runtime as torch: True; OpenVINO reads it: yes"
