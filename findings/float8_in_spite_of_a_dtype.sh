#!/usr/bin/env bash
# transformers 4.57.6, torch 2.13.0: weights stored as float8_e4m3fn stay so although `dtype=torch.float32` is asked for.
#
# Expected: `from_pretrained(FOLDER, dtype=torch.float32)` gives float32 weights, whatever kind of float the file holds, or
#   raises where it cannot; and `torch.isfinite` answers for every kind of float.
# Seen: 4.57.6 converts float64, float16, bfloat16 and float8_e5m2, and leaves float8_e4m3fn alone, which quantized models
#   need, in a model without any quantization too. No error or warning is given, and the configuration says float32. Then
#   `torch.isfinite` on such a weight raises NotImplementedError, and so does the first forward. 5.23.0 converts all of them.
# Why it matters: a check of the weights after loading has to be ready for kinds of floats that it cannot ask about. Look at
#   the dtype of each parameter, not at that of the configuration, and convert before anything is computed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat >"$folder/ask.py" <<'PYTHON'
import sys
import warnings
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers import BertConfig, BertModel

sizes = {"vocab_size": 8, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
BertModel(BertConfig(**sizes)).save_pretrained(sys.argv[1])
file = Path(sys.argv[1]) / "model.safetensors"
weights = load_file(file)


def told(call):
    try:
        return call()
    except Exception as error:
        return type(error).__name__


for kind in (torch.float64, torch.bfloat16, torch.float8_e5m2, torch.float8_e4m3fn):
    save_file({name: weight.to(kind) for name, weight in weights.items()}, file, metadata={"format": "pt"})
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        model = BertModel.from_pretrained(sys.argv[1], dtype=torch.float32)
    got = {str(weight.dtype).removeprefix("torch.") for weight in model.parameters()}
    finite = told(lambda: all(bool(torch.isfinite(weight).all()) for weight in model.parameters()))
    forward = told(lambda: bool(torch.isfinite(model(torch.tensor([[1, 2]])).last_hidden_state).all()))
    stored = str(kind).removeprefix("torch.")
    print(stored, "->", *got, f"(configuration: {model.config.dtype}, warnings: {len(warned)})")
    print("  isfinite:", finite, "  forward finite:", forward)
PYTHON
check() {
    python3 -m venv "$folder/$1"
    "$folder/$1/bin/pip" install --quiet --disable-pip-version-check "transformers==$1" "torch==2.13.0" "safetensors==0.8.0" \
        2>/dev/null
    result=$(HF_HUB_OFFLINE=1 "$folder/$1/bin/python" "$folder/ask.py" "$folder" 2>/dev/null)
    printf 'transformers %s\n%s\n' "$1" "$result"
    test "$result" = "$2"
    rm -r "${folder:?}/$1"
}
fine="float64 -> float32 (configuration: torch.float32, warnings: 0)
  isfinite: True   forward finite: True
bfloat16 -> float32 (configuration: torch.float32, warnings: 0)
  isfinite: True   forward finite: True
float8_e5m2 -> float32 (configuration: torch.float32, warnings: 0)
  isfinite: True   forward finite: True"
check 4.57.6 "$fine
float8_e4m3fn -> float8_e4m3fn (configuration: torch.float32, warnings: 0)
  isfinite: NotImplementedError   forward finite: NotImplementedError"
check 5.23.0 "$fine
float8_e4m3fn -> float32 (configuration: torch.float32, warnings: 0)
  isfinite: True   forward finite: True"
