"""`rosearch` as on a CPU with AVX2 and without bfloat16: `python -m tests.benchmarks.without_bfloat16 ARGUMENTS`.

The environment holds torch's kernels and oneDNN to AVX2. It does not reach torch's own word on bfloat16, which is that
of the processor, and oneDNN would emulate it; so that word is changed here. Workers import this module as their main
module, and so they change it too.
"""

from __future__ import annotations

import os
import sys

import torch

from rosearch.cli import main

AVX2 = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"}

if __name__ in ("__main__", "__mp_main__"):  # never in a process that only reads AVX2, such as that of the tests
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        if hasattr(torch.cpu, name):
            setattr(torch.cpu, name, lambda: False)

if __name__ == "__main__":
    if missing := AVX2.keys() - os.environ.keys():
        sys.exit(f"set {' '.join(f'{name}={AVX2[name]}' for name in sorted(missing))}")
    main()
