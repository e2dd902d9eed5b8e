"""The header of a card is read by the hub's own reader, and holds every figure with its interval."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import yaml
from export.saved_student import FACTS, MEASUREMENTS, share
from huggingface_hub import ModelCard

from rosearch.export.card import render_card
from rosearch.export.card_facts import CardFacts, card_header, making
from rosearch.export.destination import CODE
from rosearch.measurements import Latency, Quality


def results(facts: CardFacts) -> dict[tuple[str | None, str], Any]:
    """The results that the hub reads off a card, by the data's configuration and the metric."""
    found = ModelCard(render_card(facts, "out", CODE)).data.eval_results
    assert found is not None
    return {(one.dataset_config, one.metric_type): one for one in found}


def test_the_hub_reads_accuracy_attack_size_and_latency_off_a_card() -> None:
    measured = replace(
        MEASUREMENTS, efficiency=replace(MEASUREMENTS.efficiency, machine="A Processor, 2 cores"), attacks=()
    )
    found = results(replace(FACTS, measurements=measured))
    clean, attacked = found[None, "accuracy"], found["deepwordbug", "accuracy"]
    assert (clean.metric_value, clean.dataset_name, clean.dataset_split) == (0.83, "sst2", "validation")
    assert clean.metric_args == {"low": 0.78, "high": 0.88, "confidence": 0.95, "n": 200}
    assert (attacked.metric_value, attacked.dataset_name) == (0.21, "sst2 under deepwordbug")
    assert attacked.metric_args["low"] == 0.16
    assert found["deepwordbug", "attack_success_rate"].metric_value == 0.75
    assert found[None, "parameters"].metric_value == 1_234_567 and found[None, "size_mb"].metric_value == 4.9
    timed = found[None, "latency_ms"]
    assert timed.metric_value == 2.5 and timed.metric_args["machine"] == "A Processor, 2 cores"
    assert (timed.metric_args["batch_size"], timed.metric_args["threads"]) == (1, 2)
    assert timed.metric_args["runtime"] == "eager"


def test_a_card_says_that_latency_is_that_of_onnx_runtime() -> None:
    measured = replace(MEASUREMENTS, efficiency=replace(MEASUREMENTS.efficiency, runtime="onnx"))
    card = render_card(replace(FACTS, measurements=measured), "out", CODE)
    assert "cpu, ONNX Runtime, threads: 2" in card
    assert results(replace(FACTS, measurements=measured))[None, "latency_ms"].metric_args["runtime"] == "onnx"


def test_each_attack_of_several_and_their_worst_case_are_results_of_their_own() -> None:
    worst = MEASUREMENTS.robustness
    assert worst is not None
    other = replace(worst, attack="pwws", under_attack=share(0.4))
    found = results(replace(FACTS, measurements=replace(MEASUREMENTS, attacks=(worst, other))))
    values = {config: one.metric_value for (config, metric), one in found.items() if config and metric == "accuracy"}
    assert values == {"deepwordbug": 0.21, "pwws": 0.4, "the worst of deepwordbug, pwws": 0.21}


def test_another_metric_has_the_hubs_name_and_accuracy_beside_it() -> None:
    quality = Quality("matthews", 0.61, 1000, share(0.83), matthews=0.61)
    found = results(replace(FACTS, measurements=replace(MEASUREMENTS, quality=quality)))
    assert found[None, "matthews_correlation"].metric_value == 0.61 and found[None, "accuracy"].metric_value == 0.83


def test_numbers_of_numpy_are_plain_numbers_in_a_header() -> None:
    strange = replace(
        MEASUREMENTS.efficiency, size_mb=np.float64(4.9), latency=(Latency(1, np.float32(2.5), np.float64(2.4), 2.9),)
    )  # type: ignore[arg-type]
    facts = replace(FACTS, measurements=replace(MEASUREMENTS, efficiency=strange), hours=np.float64(1.5))
    header = yaml.safe_load(card_header(facts))
    assert header["rosearch"]["worker_hours"] == 1.5 and "!!python" not in card_header(facts)


def test_a_card_says_what_made_a_student_and_what_that_cost() -> None:
    rows = dict(making(replace(FACTS, rows=67_349, hours=3.25)))
    assert rows["data"] == "sst2: 67,349 training rows"
    assert rows["cost of the search"] == "24 candidates, 3.2 h of workers' time"
    assert dict(making(replace(FACTS, origin="distilled", hours=0.05)))["time of the distillation"] == "3.0 min"
    told = yaml.safe_load(card_header(replace(FACTS, hours=3.25)))["rosearch"]
    assert told == {
        "teacher": "bert-base-uncased", "data": "sst2", "training_steps": 100, "run": "sst2-0001", "candidates": 24,
        "worker_hours": 3.25,
    }  # fmt: skip
    assert "cost of the search" not in dict(making(FACTS))


def test_a_card_shows_the_picture_that_lies_beside_it() -> None:
    assert "![The graph of its operations](architecture.png)" in render_card(FACTS, "out", CODE, "architecture.png")
    assert "![" not in render_card(FACTS, "out", CODE)
