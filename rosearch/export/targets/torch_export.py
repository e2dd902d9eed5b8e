"""A program of `torch.export` beside a Hugging Face folder: `FOLDER/torch_export/model.pt2`, one file.

>>> export_torch_export(Path("student"))
Exported(path=PosixPath('student/torch_export/model.pt2'), apart=0.0)

It needs torch alone, neither transformers nor the code of the model::

    told = {"facts.json": ""}
    program = torch.export.load("student/torch_export/model.pt2", extra_files=told)
    order = json.loads(told["facts.json"])["inputs"]
    logits = program.module()(*(given[name] for name in order))  # int64 (texts, tokens) -> (texts, labels)
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from torch.export import Dim

from rosearch.errors import RunError, one_line
from rosearch.export.targets.parity import Exported, graph_facts, require_parity
from rosearch.files import whole
from rosearch.models.engines import ENGINES, FACTS
from rosearch.models.graphs import Logits, graph_inputs, with_a_table
from rosearch.models.lengths import longest_input
from rosearch.models.saved import load_classifier


def export_torch_export(folder: Path) -> Exported:
    """Writes the program of the classifier in a Hugging Face folder; one that is there is replaced.

    Batch and length are dynamic. Raises `BadInput` for a folder that holds no classifier, `RunError` where torch cannot
    trace it, or where it answers otherwise than the model.
    """
    model, tokenizer = load_classifier(folder)
    longest, names, engine = longest_input(model.config, tokenizer), graph_inputs(model), ENGINES["torch_export"]
    example = tuple(torch.zeros(2, 8, dtype=torch.long) + (name == "attention_mask") for name in names)
    shape = {0: Dim.DYNAMIC, 1: Dim.DYNAMIC}
    facts = {**graph_facts(model, folder, longest), "inputs": list(names)}
    path = folder / engine.file
    with whole(path.parent) as draft:
        draft.mkdir()
        try:
            program = torch.export.export(Logits(with_a_table(model)), example, dynamic_shapes=((shape,) * len(names),))
        except Exception as error:  # of torch._dynamo and sympy, each with classes of its own
            raise RunError(f"torch cannot trace this model ({one_line(error)})") from error
        torch.export.save(program, draft / path.name, extra_files={FACTS: json.dumps(facts)})
        apart = require_parity(model, longest, engine.open(draft / path.name)[1], path.name)
    return Exported(path, apart)
