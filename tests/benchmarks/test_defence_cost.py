"""The cost benchmark of the defences in its smallest form; what it measures is asserted nowhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from training.tiny_models import (
    FILLERS,
    config_of,
    make_inputs,
    make_student,
    make_task,
    make_tokenizer,
    save_masked_lm,
    save_model,
)

from rosearch.data.tokens import tokenise
from rosearch.training.outputs import teacher_outputs
from tests.benchmarks.defence_cost import ARMS, measure


@pytest.mark.slow
def test_the_benchmark_gives_every_figure(tmp_path: Path) -> None:
    tokenizer, task, device = make_tokenizer(), make_task(train=32), torch.device("cpu")
    teacher = save_model(tmp_path / "teacher", tokenizer, head=True, num_labels=2)
    save_masked_lm(tmp_path / "masked_lm", tokenizer)
    lists = {word: [other for other in FILLERS if other != word] for word in FILLERS}
    (tmp_path / "counterfitted_neighbors.json").write_text(json.dumps(lists))
    tokenised = tokenise(task.train, tokenizer, 16, tmp_path)
    outputs = teacher_outputs(teacher, tokenised, (), tmp_path, device)
    config = config_of("kd", batch_size=8)
    inputs = make_inputs(config, tokenised, outputs, task.train, tokenizer, teacher, tmp_path, resources=tmp_path)
    result = measure(inputs, lambda: make_student(len(tokenizer)), 1, 1, lambda line: None)
    for figure in ("ms_per_step", "over_characters"):
        assert result[figure].keys() == ARMS.keys()
        assert all(set(one) == {"median", "least", "most"} for one in result[figure].values())
    assert result["over_characters"]["characters"]["median"] == 1.0
    assert json.loads(json.dumps(result)) == result
