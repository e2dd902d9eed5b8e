"""The format of an exported folder is attacked as the folder itself is: the same rows, the same plans."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from export.exported import exported, write_quick_onnx

from rosearch.attack.first_look import check_targets
from rosearch.attack.inputs import find_classifier
from rosearch.attack.report import AttackReport, run_attack
from rosearch.attack.request import AttackRequest
from rosearch.attack.tables import report_json
from rosearch.errors import BadInput, MissingResource
from rosearch.export.formats import FORMATS
from rosearch.models import engines
from rosearch.models.engine_model import EngineModel, find_engine
from rosearch.models.engines import ENGINES, Array

ROWS = ("a very good film", "bad text", "a good text", "very bad film", "film", "a bad bad bad film")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export with a program of torch.export, beside rows to attack it on."""
    made = exported(tmp_path_factory.mktemp("formats"))
    FORMATS["torch_export"].export(made)
    table = "".join(f"{text}\t{('positive', 'negative')[place % 2]}\n" for place, text in enumerate(ROWS))
    (made.parent / "rows.tsv").write_text("text\tlabel\n" + table)
    return made


def attacked(folder: Path, *targets: str, device: str = "auto") -> AttackReport:
    request = AttackRequest(
        (str(folder),),
        ("deepwordbug",),
        folder.parent / "rows.tsv",
        rows=6,
        targets=targets,
        device=device,
        cache=folder.parent / "plans",
    )
    return run_attack(request)


def test_a_format_falls_to_the_same_letters_as_torch(folder: Path) -> None:
    report = attacked(folder, "hf", "torch_export")
    torchs, engines_ = (model.result for model in report.models)
    assert torchs is not None and engines_ is not None
    assert torchs.details == engines_.details and torchs.worst.n == 6
    assert [model.name for model in report.models] == [str(folder), f"{folder} [torch_export]"]
    told = report_json(report)["models"]
    assert [one["target"] for one in told] == ["hf", "torch_export"]
    assert report.compared[0].comparison.survival.difference.value == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", ["onnx", "fp16"])
def test_onnx_runtime_falls_to_the_same_letters_as_torch(name: str, folder: Path) -> None:
    FORMATS[name].export(folder)
    first, second = (model.result for model in attacked(folder, "hf", name).models)
    assert first is not None and second is not None
    assert first.worst.outcomes == second.worst.outcomes


def test_the_engine_alone_answers(tmp_path: Path) -> None:
    """Of this file the first logit is the sum of the ids: no weight of the folder has a part in it."""
    made = exported(tmp_path)
    write_quick_onnx(made)
    found = find_classifier(str(made), target="onnx")
    ids = torch.tensor([[2, 4, 3]])
    assert found.load()(input_ids=ids, attention_mask=torch.ones_like(ids)).logits.tolist() == [[9.0, -9.0]]


def test_an_input_that_a_tokenizer_does_not_give_is_filled() -> None:
    seen: list[dict[str, Array]] = []

    def run(given: dict[str, Array]) -> Array:
        seen.append(given)
        return np.zeros((1, 2), np.float32)

    EngineModel(None, ("input_ids", "attention_mask", "token_type_ids"), run)(torch.tensor([[2, 3]]))  # type: ignore[arg-type]
    assert {name: array.tolist() for name, array in seen[0].items()} == {
        "input_ids": [[2, 3]],
        "attention_mask": [[1, 1]],
        "token_type_ids": [[0, 0]],
    }


def test_what_is_not_there_or_cannot_run_is_one_clear_line(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadInput, match=r"expected openvino/openvino_model.xml, the format openvino, got hf, torch_exp"):
        find_engine(folder, "openvino")
    with pytest.raises(BadInput, match=r"Did you mean onnx\?"):
        check_targets(["onx", "hf"])
    with pytest.raises(BadInput, match="expected cpu, where torch_export are asked, got cuda"):
        attacked(folder, "torch_export", device="cuda")
    monkeypatch.setattr(engines, "find_spec", lambda name: None)
    with pytest.raises(MissingResource, match=r"--target int8 needs onnxruntime; pip install 'rosearch\[onnx\]'"):
        check_targets(["int8"])


def test_a_file_that_was_changed_is_refused_before_it_is_asked(tmp_path: Path) -> None:
    made = exported(tmp_path)
    FORMATS["torch_export"].export(made)
    path = made / ENGINES["torch_export"].file
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(BadInput, match=r"model.pt2: damaged"):
        find_classifier(str(made), target="torch_export")
    assert json.loads((made / "config.json").read_text())["model_type"] == "bert"
