#!/usr/bin/env bash
# torch 2.13.0: FlopCounterMode raises inside inference_mode where a module is given a parameter as an input.
#
# Expected: counting needs no gradient, so `inference_mode` around it changes nothing, as it changes nothing for most models.
# Seen: for a module that gets a parameter as an argument, as the layers of transformers' DeBERTa get the table of relative positions,
#   AttributeError: 'NoneType' object has no attribute 'next_functions'. The counter's module tracker puts a gradient hook on each input
#   that requires a gradient, and inside inference mode a view has no grad_fn, whatever enable_grad says. Under no_grad the count is right,
#   and with frozen parameters inference mode does as well: a teacher is counted, the student that was cut from it is not.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "torch==2.13.0" "numpy<3" 2>/dev/null
cat >"$folder/made.py" <<'PYTHON'
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


class Layer(nn.Module):
    def forward(self, x, positions):
        return x @ positions


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.positions = nn.Parameter(torch.ones(4, 3))
        self.layer = Layer()

    def forward(self, x):
        return self.layer(x, self.positions)


def counted(model, mode):
    with mode, FlopCounterMode(display=False) as counter:
        try:
            model(torch.ones(2, 4))
        except AttributeError as error:
            return f"AttributeError: {error}"
    return f"{counter.get_total_flops()} FLOPs"


print("torch", torch.__version__.partition("+")[0])
print("no_grad:", counted(Model(), torch.no_grad()))
print("inference_mode:", counted(Model(), torch.inference_mode()))
print("inference_mode, frozen:", counted(Model().requires_grad_(False), torch.inference_mode()))
PYTHON
cat >"$folder/seen.txt" <<'SEEN'
torch 2.13.0
no_grad: 48 FLOPs
inference_mode: AttributeError: 'NoneType' object has no attribute 'next_functions'
inference_mode, frozen: 48 FLOPs
SEEN
cd "$folder"
venv/bin/python made.py 2>/dev/null | tee now.txt
diff seen.txt now.txt && echo "as described"
