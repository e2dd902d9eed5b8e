from __future__ import annotations

import subprocess
import sys

import pytest

from rosearch.evolution.surrogates.lstm import LstmPredictor
from rosearch.evolution.surrogates.predictor import Episode

A, B, C = (0, 0), (0, 1), (1, 0)


def test_episodes_that_were_learnt_cannot_be_taken_back() -> None:
    predictor = LstmPredictor([2, 2], seed=1, passes=1)
    predictor.fit([Episode((A, B), (1.0, 3.0))])
    with pytest.raises(ValueError, match="must begin with the episodes that were learnt before"):
        predictor.fit([Episode((A, C), (1.0, 3.0))])


def test_torch_is_loaded_for_it_alone() -> None:
    code = (
        "import sys\n"
        "import rosearch.evolution.registry\n"
        "from rosearch.evolution.surrogates import make_predictor\n"
        "for name in ('boosting', 'gaussian_process', 'lstm'):\n"
        "    assert 'torch' not in sys.modules\n"
        "    make_predictor(name, [2, 2], list, 1, 1)\n"
        "assert 'torch' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
