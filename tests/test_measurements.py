from __future__ import annotations

import dataclasses
import json
import math
import typing
from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from records import sample_records as samples

from rosearch import measurements
from rosearch.measurements import (
    Averaging,
    ClassRobustness,
    Efficiency,
    Estimate,
    Latency,
    Measurements,
    Quality,
    Robustness,
    SingleSwaps,
    Stopped,
    Training,
)

FINITE = st.floats(allow_nan=False, allow_infinity=False)
COUNT = st.integers(0, 2**62)
MAYBE = st.none() | FINITE

estimates = st.builds(Estimate, FINITE, FINITE, FINITE, COUNT)
qualities = st.builds(Quality, st.text(), FINITE, COUNT, st.none() | estimates, MAYBE, MAYBE, MAYBE, MAYBE, MAYBE)
classes = st.lists(st.builds(ClassRobustness, COUNT, COUNT, estimates, estimates), max_size=2).map(tuple)
robustnesses = st.builds(
    Robustness,
    st.text(),
    COUNT,
    COUNT,
    *[estimates] * 6,
    errors=COUNT,
    seconds=FINITE,
    differs=st.text(),
    distinct_queries=st.none() | estimates,
    similarity=st.none() | estimates,
    per_class=classes,
    outcomes=st.text("mbseqt"),
    shares=st.lists(FINITE, max_size=3).map(tuple),
    stopped=st.none() | st.builds(Stopped, COUNT, COUNT, FINITE, FINITE),
)
single_swaps = st.builds(SingleSwaps, st.text(), COUNT, COUNT, estimates, estimates, FINITE)
latencies = st.lists(st.builds(Latency, COUNT, FINITE, FINITE, FINITE), max_size=3).map(tuple)
efficiencies = st.builds(
    Efficiency,
    parameters=COUNT,
    encoder_parameters=COUNT,
    compression=FINITE,
    encoder_compression=FINITE,
    flops=COUNT,
    flops_compression=FINITE,
    tokens=COUNT,
    size_mb=FINITE,
    latency=latencies,
    device=st.text(),
    threads=COUNT,
    runtime=st.sampled_from(["eager", "onnx"]),
)
trainings = st.builds(Training, COUNT, COUNT, FINITE, st.text())
all_measurements = st.builds(
    Measurements,
    qualities,
    efficiencies,
    trainings,
    st.none() | robustnesses,
    st.lists(robustnesses, max_size=2).map(tuple),
    st.lists(single_swaps, max_size=2).map(tuple),
    MAYBE,
)


def float_paths(value: object, path: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    """Where the floats of nested dataclasses and tuples are."""
    if isinstance(value, float):
        return [path]
    if dataclasses.is_dataclass(value):
        children = [(field.name, getattr(value, field.name)) for field in dataclasses.fields(value)]
    else:
        children = list(enumerate(value)) if isinstance(value, tuple) else []
    return [found for name, child in children for found in float_paths(child, (*path, name))]


def with_value(value: typing.Any, path: tuple[object, ...], new: float) -> typing.Any:
    """A copy in which the float at a path is another."""
    if not path:
        return new
    name, *rest = path
    if isinstance(value, tuple):
        return tuple(with_value(v, tuple(rest), new) if i == name else v for i, v in enumerate(value))
    return replace(value, **{name: with_value(getattr(value, name), tuple(rest), new)})


FULL = Measurements(
    Quality("accuracy", 0.5, 4, Estimate(0.5, 0.1, 0.9, 4), 0.1, 0.2, 0.3, 0.4, 0.5),
    Efficiency(1, 1, 1.0, 1.0, 1, 1.0, 8, 1.0, (Latency(1, 1.0, 0.5, 2.0), Latency(32, 1.0, 0.5, 2.0))),
    Training(1, 8, 0.5, "float32"),
    Robustness("deepwordbug", 1, 4, *[Estimate(0.5, 0.1, 0.9, 4)] * 6, errors=0, seconds=1.5),
    (
        Robustness(
            "pruthi",
            1,
            4,
            *[Estimate(0.5, 0.1, 0.9, 4)] * 6,
            errors=2,
            seconds=1.5,
            per_class=(ClassRobustness(1, 4, Estimate(0.5, 0.1, 0.9, 4), Estimate(0.25, 0.1, 0.9, 4)),),
            out_of_queries=1,
            outcomes="mbse",
            shares=(0.0, 0.25, 1.0, 0.0),
            stopped=Stopped(4, 8, 0.2, 0.05),
        ),
    ),
    (SingleSwaps("deepwordbug", 4, 90, Estimate(0.5, 0.1, 0.9, 4), Estimate(-0.5, -1.0, 0.9, 4), 0.25),),
)
OLD = (  # as a version before suites wrote it
    '{"quality": {"metric": "accuracy", "value": 0.5, "n": 4, "accuracy": {"value": 0.5, "low": 0.1, "high": 0.9, '
    '"n": 4}, "macro_f1": 0.1, "matthews": 0.2, "pearson": null, "spearman": null, "largest_class_share": 0.5}, '
    '"efficiency": {"parameters": 1, "encoder_parameters": 1, "compression": 1.0, "encoder_compression": 1.0, '
    '"flops": 1, "flops_compression": 1.0, "tokens": 8, "size_mb": 1.0, "latency": [], "device": "cpu", '
    '"threads": 1}, "training": {"steps": 1, "rows_seen": 8, "final_loss": 0.5, "precision": "float32"}, '
    '"robustness": {"attack": "deepwordbug", "seed": 1, "n": 4, "errors": 0, "seconds": 1.5, '
    + ", ".join(
        f'"{name}": {{"value": 0.5, "low": 0.1, "high": 0.9, "n": 4}}'
        for name in ("clean", "under_attack", "success_rate", "queries", "perturbed_words", "words_to_break")
    )
    + "}}"
)


def test_a_record_of_an_older_version_is_read_with_nothing_in_the_new_places():
    found = measurements.from_json(OLD)
    assert found.attacks == () and found.single_swaps == () and found.quality.collapse == ""
    assert found.robustness == FULL.robustness and found.robustness.notes == ()
    assert found.robustness.outcomes == "" and found.robustness.per_class == ()


def test_the_notes_of_an_attack_tell_what_its_figures_hide():
    assert FULL.attacks[0].notes == (
        "stopped after 4 of 8 rows: below 20 %, error rate 5 %",
        "rows whose attack raised, counted as broken: 2",
        "rows out of queries, counted as survived: 1",
    )


def test_a_training_without_snapshots_writes_what_it_always_wrote():
    assert "averaging" not in measurements.to_json(FULL)
    averaging = Averaging(("deepwordbug",), 200, (8, 16), (0.5, 0.25), (8,), 0.5)
    averaged = replace(FULL, training=replace(FULL.training, averaging=averaging))
    assert measurements.from_json(measurements.to_json(averaged)) == averaged


@given(all_measurements)
def test_measurements_survive_their_json_bit_for_bit(measured):
    text = measurements.to_json(measured)
    assert "\n" not in text
    assert asdict(measurements.from_json(text)) == asdict(measured)
    assert measurements.from_json(text) == measured


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("path", float_paths(FULL), ids=lambda path: ".".join(map(str, path)))
def test_a_float_that_is_not_finite_is_refused_wherever_it_stands(path, bad):
    with pytest.raises(ValueError, match="must be finite") as caught:
        measurements.to_json(with_value(FULL, path, bad))
    name = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    assert f"{name.removeprefix('.')} = {bad}" in str(caught.value)


def test_json_without_a_needed_value_or_with_null_for_it_is_refused():
    data = json.loads(measurements.to_json(samples.measured().measurements))
    for broken in (data | {"quality": None}, {"quality": data["quality"]}, []):
        with pytest.raises(ValueError, match="validation error"):
            measurements.from_json(json.dumps(broken))
