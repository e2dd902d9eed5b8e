"""The node's side, in this process: Ray is not needed."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from run.backends import chores

from rosearch.files import file_hash
from rosearch.run.backends.ray_task import Order, code_here, live, unfit


def order(function: Callable[..., Any], argument: object) -> Order:
    return Order(1, pickle.dumps(function), pickle.dumps(argument), code_here(), {}, ())


def test_a_job_tells_its_start_its_progress_and_at_last_its_value() -> None:
    (first, node), *progress, last = live(order(chores.count, 500))
    assert first == "started" and node.startswith("node ")
    assert ("progress", "first", 500, 500) in progress and progress[-1] == ("progress", "second", 500, 500)
    assert len(progress) < 20
    assert (last[0], pickle.loads(last[1]), last[2]) == ("done", 500, None)


def test_a_job_that_raises_tells_why() -> None:
    *_, (kind, value, lost) = live(order(chores.fail, "broken"))
    assert (kind, value, lost.kind) == ("done", b"", "exception")
    assert "ValueError: broken" in lost.message


def test_a_job_whose_module_is_not_there_is_no_job_of_this_node() -> None:
    ((kind, why),) = live(replace(order(chores.square, 1), function=b"cabsent\nabsent\n."))
    assert kind == "unusable" and "No module named 'absent'" in why


def test_modules_are_found_where_the_driver_finds_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "on_the_path.py").write_text("def double(number, progress):\n    return 2 * number\n")
    monkeypatch.setattr(sys, "path", sys.path[:])
    sent = replace(order(chores.square, 4), function=b"con_the_path\ndouble\n.", path=(str(tmp_path), "/nowhere"))
    *_, (_, value, _) = live(sent)
    assert pickle.loads(value) == 8
    assert sys.path[-1] == str(tmp_path)


def test_a_node_is_fit_where_code_and_shared_files_are_the_drivers(tmp_path: Path) -> None:
    seen = tmp_path / "driver"
    seen.write_text("pid 1 on here")
    fit = replace(order(chores.square, 1), shared={str(seen): file_hash(seen)})
    assert unfit(fit) == ""
    assert "has torch " in unfit(replace(fit, code={**code_here(), "torch": "9.9"}))
    assert f"does not see the driver's {tmp_path}" in unfit(replace(fit, shared={str(seen): "other"}))
    assert "under one path" in unfit(replace(fit, shared={str(tmp_path / "absent"): "other"}))
    ((kind, _),) = live(replace(fit, code={"rosearch": "other"}))
    assert kind == "unfit"
