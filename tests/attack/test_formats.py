"""A file that changes answers is measured beside the float32 one: the same rows, attacks and clock."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import onnx
import pytest
from export.exported import exported, write_quick_onnx
from onnx import helper

from rosearch.attack.formats import FormatComparison
from rosearch.attack.request import AttackRequest

ROWS = [("a very good film", "positive"), ("bad", "negative"), ("a good text", "positive"), ("text", "negative")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = exported(tmp_path)
    write_quick_onnx(made)
    (tmp_path / "rows.tsv").write_text("text\tlabel\n" + "".join(f"{text}\t{label}\n" for text, label in ROWS))
    return made


def request(folder: Path) -> AttackRequest:
    place = folder.parent
    return AttackRequest((str(folder),), ("deepwordbug",), place / "rows.tsv", rows=3, cache=place / "plans")


def quick(folder: Path, name: str, threshold: float) -> Path:
    """A file whose answer is the first class where the ids sum up to more than a threshold."""
    model = onnx.load(folder / "onnx/model.onnx")
    graph = model.graph
    graph.node[1].output[0] = "whole"
    graph.initializer.append(helper.make_tensor("threshold", onnx.TensorProto.FLOAT, [], [threshold]))
    graph.node.insert(2, helper.make_node("Sub", ["whole", "threshold"], ["first"]))
    mask = helper.make_tensor_value_info("attention_mask", onnx.TensorProto.INT64, ["texts", "tokens"])
    graph.input.append(mask)
    onnx.save(model, folder.parent / name)
    return folder.parent / name


def test_rows_accuracy_attacks_and_time_of_both_are_told(folder: Path) -> None:
    plain, other = quick(folder, "plain.onnx", 14.5), quick(folder, "other.onnx", 1000.0)
    found = FormatComparison(request(folder))(plain, other)
    assert found.rows == "4 rows of rows.tsv" and found.machine and found.same.n == 4
    assert found.ms > 0 and found.exact_ms > 0
    # ids with [CLS] and [SEP]: 28, 12, 24, 14. The first class is negative; the other file never gives it.
    assert found.same.value == 0.5 and found.exact_accuracy.value == 0.0 and found.accuracy.value == 0.5
    assert [(one.attack, one.under_attack.n, one.exact.n) for one in found.attacks] == [("deepwordbug", 3, 3)]


def test_a_file_beside_itself_is_the_same(folder: Path) -> None:
    plain = quick(folder, "plain.onnx", 14.5)
    found = FormatComparison(request(folder))(plain, plain)
    assert found.same.value == 1 and found.accuracy == found.exact_accuracy
    assert [one.under_attack for one in found.attacks] == [one.exact for one in found.attacks]


def test_the_float32_file_is_attacked_once_however_many_stand_beside_it(folder: Path) -> None:
    attacked = Counter[str]()

    def told(stage: str, done: int, total: int) -> None:
        attacked[stage] += done == total

    plain, other = quick(folder, "plain.onnx", 14.5), quick(folder, "other.onnx", 1000.0)
    compare = FormatComparison(request(folder), told)
    first, second = compare(plain, other), compare(plain, plain)
    assert first.exact_accuracy == second.exact_accuracy and first.same.value < second.same.value
    assert attacked["float32, predicting every row"] == 1 and attacked["int8, predicting every row"] == 2
    assert attacked["float32, attack deepwordbug"] == 1 and attacked["int8, attack deepwordbug"] == 2
