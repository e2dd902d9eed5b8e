"""What TensorBoard's own reader finds in the event files of a real search."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path

import numpy as np
import pytest
from run.tracking.real_search import rows_of, tracked_search

from rosearch.run.tracking import Tracked
from rosearch.run.tracking.row import Row

pytestmark = [pytest.mark.track, pytest.mark.filterwarnings("ignore")]


def test_tensorboard_shows_the_records_once_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    results = tracked_search(tmp_path, "tensorboard", monkeypatch)
    folder = results.run.path / "tracking" / "tensorboard"
    assert len([*folder.glob("*tfevents*")]) == 3  # one a start
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0, "tensors": 0})
    events.Reload()
    rows = rows_of(results)
    found = {(tag, one.step): one.value for tag in events.Tags()["scalars"] for one in events.Scalars(tag)}
    assert found == {(tag, row.number): np.float32(value) for row in rows for tag, value in row.figures.items()}
    assert sum(len(events.Scalars(tag)) for tag in events.Tags()["scalars"]) == len(found)
    texts = [one for role in ("candidate", "finalist") for one in events.Tensors(f"{role}/record/text_summary")]
    told = [json.loads(textwrap.dedent(one.tensor_proto.string_val[0].decode())) for one in texts]
    assert told == [json.loads(row.text) for row in rows]
    (experiment,) = events.Tensors("run/experiment/text_summary")
    assert "| evolution.candidates | 7 |" in experiment.tensor_proto.string_val[0].decode()


def test_a_record_that_a_kill_cut_is_written_again(tmp_path: Path) -> None:
    from rosearch.run.tracking.tensorboard import TensorBoard

    told = Tracked(tmp_path, "small", tmp_path, "word", {"a": 1}, ())
    first = TensorBoard(told)
    for number in (3, 1, 2):
        first.write(Row(number, "candidate", {"candidate/failed": 0.0}, {}, "{}"))
    first.close(ended=False)
    (file,) = tmp_path.glob("*tfevents*")
    file.write_bytes(file.read_bytes()[:-5])
    second = TensorBoard(told)
    assert set(second.known()) == {1, 3}
    second.close(ended=True)
