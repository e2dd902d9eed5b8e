from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import pairwise

import pytest
import yaml
from export.saved_student import FACTS, GENOTYPE, MEASUREMENTS, share
from markdown_it import MarkdownIt

from rosearch.export.card import render_card
from rosearch.export.targets.huggingface import CODE
from rosearch.measurements import (
    Calibration,
    Quality,
    SingleSwaps,
    Stopped,
)


def test_a_card_states_measurements_with_intervals_and_the_limits() -> None:
    card = render_card(FACTS, "out", CODE)
    for line in (
        "| accuracy (the task's metric) | 83.0 % [78.0, 88.0; n = 200] |",
        "| accuracy under deepwordbug | 21.0 % [16.0, 26.0; n = 200] |",
        "| queries per attacked row | 31.4 [29.0, 33.8; n = 164] |",
        "| parameters | 1,234,567 | 17.7x fewer |",
        "| median latency (quartiles), batch 1, 32 tokens, cpu, threads: 2 | 2.5 ms (2.4 to 2.9) |  |",
        "| 3 | conv | kernel 3 | 0, 1 | gate |",
        "On 1000 rows of the validation split",
        "best of 24 candidates",
        "one attack, deepwordbug, on 200 rows",
        "cut after 24 tokens",
    ):
        assert line in card
    _, header, _ = card.split("---\n", 2)
    assert yaml.safe_load(header)["tags"][-1] == "sst2"


def test_a_card_tells_the_settings_of_the_source_where_there_are_some() -> None:
    assert "| 0 | source" not in render_card(FACTS, "out", CODE)
    robust = GENOTYPE.with_(source=(("characters", "cnn"), ("token_dropout", 0.1)))
    card = render_card(replace(FACTS, genotype=robust), "out", CODE)
    assert "| 0 | source | characters cnn, token_dropout 0.1 |  |  |" in card


def test_a_card_of_what_was_not_attacked_says_so() -> None:
    measured = replace(MEASUREMENTS, robustness=None, quality=Quality("pearson", 0.8, 500, pearson=0.8, spearman=0.79))
    facts = replace(FACTS, problem="regression", labels=(), texts=2, measurements=measured, candidates=0)
    card = render_card(facts, "out", CODE)
    assert "nothing is known of its robustness" in card
    assert "best of" not in card and "deepwordbug" not in card and "knows the labels" not in card
    assert 'tokenizer(["a first text"], ["a second text"]' in card
    assert "score = logits[0, 0].item()" in card
    assert "| pearson (the task's metric) | 0.800 |" in card and "| Spearman | 0.790 |" in card


def test_a_card_names_every_attack_what_differs_and_what_went_wrong() -> None:
    worst = MEASUREMENTS.robustness
    assert worst is not None
    variant = replace(
        worst, attack="pwws-oewn", differs="another WordNet than pwws", stopped=Stopped(50, 200, 0.3, 0.05)
    )
    swaps = SingleSwaps("deepwordbug", 200, 900, share(0.4), share(0.5), 1.0)
    quality = replace(MEASUREMENTS.quality, collapse="never predicts negative")
    measured = replace(MEASUREMENTS, quality=quality, attacks=(worst, variant), single_swaps=(swaps,))
    card = render_card(replace(FACTS, measurements=measured), "out", CODE)
    for line in (
        "| accuracy under the worst of deepwordbug, pwws-oewn | 21.0 % [16.0, 26.0; n = 200] |",
        "| accuracy under pwws-oewn alone | 21.0 % [16.0, 26.0; n = 200] |",
        "| accuracy under every single swap of deepwordbug | 40.0 % [35.0, 45.0; n = 200] |",
        "- Robustness was measured with 2 attacks, deepwordbug, pwws-oewn, on 200 rows",
        "- pwws-oewn is no stock recipe: another WordNet than pwws",
        "- Of deepwordbug: rows whose attack raised, counted as broken: 2.",
        "- Of pwws-oewn: stopped after 50 of 200 rows: below 30 %, error rate 5 %.",
        "- Collapsed: it never predicts negative.",
    ):
        assert line in card


def test_a_card_shows_accuracy_beside_another_metric() -> None:
    quality = Quality("matthews", 0.61, 1000, share(0.83), matthews=0.61)
    card = render_card(replace(FACTS, measurements=replace(MEASUREMENTS, quality=quality)), "out", CODE)
    assert "| matthews (the task's metric) | 0.610 |" in card
    assert "| accuracy | 83.0 % [78.0, 88.0; n = 200] |" in card


def test_a_card_says_how_far_probabilities_can_be_believed() -> None:
    quality = replace(MEASUREMENTS.quality, calibration=Calibration(0.041, 1.32))
    card = render_card(replace(FACTS, measurements=replace(MEASUREMENTS, quality=quality)), "out", CODE)
    assert "| expected calibration error | 4.1% |" in card


HOSTILE = [
    "x\n# Heading",
    "x\n\n<script>alert(1)</script>",
    "a|b",
    "`` ` ``",
    "[click](http://evil.example)",
    "![x](y)",
    "**loud** _soft_ ~~gone~~",
    "\x1b[31mred\u202e",
    "\ud83d",
    "---\ntags: [x]\n---",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_makes_no_heading_link_or_cell_in_a_card(name: str) -> None:
    assert MEASUREMENTS.robustness is not None
    attacked = replace(MEASUREMENTS.robustness, attack=name, differs=name, notes=(name,))
    quality = replace(MEASUREMENTS.quality, collapse=f"never predicts {name}")
    measured = replace(MEASUREMENTS, robustness=attacked, quality=quality)
    plain = replace(FACTS, measurements=replace(MEASUREMENTS, robustness=replace(attacked, attack="a", differs="b")))
    named = dict.fromkeys(("name", "task", "teacher", "run"), name)
    facts = replace(FACTS, measurements=measured, labels=(name, "good"), **named)
    card, usual = (_Read.of(render_card(each, "out", CODE)) for each in (facts, plain))
    assert card.headings[1:] == usual.headings[1:] and len(card.headings) == len(usual.headings)
    assert card.links == usual.links and card.html == usual.html == []
    assert [len(row) for row in card.rows] == [len(row) for row in usual.rows]
    assert yaml.safe_load(card.header)["library_name"] == "transformers"
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e\ud800-\udfff]", card.text)


@dataclass
class _Read:
    """A card as a reader of Markdown takes it."""

    text: str
    header: str
    headings: list[str]
    links: list[str]
    html: list[str]
    rows: list[list[str]]

    @classmethod
    def of(cls, text: str) -> _Read:
        _, header, body = text.split("---\n", 2)
        tokens = MarkdownIt("commonmark").enable("table").parse(body)
        inline = [inner for token in tokens for inner in token.children or []]
        headings = [after.content for token, after in pairwise(tokens) if token.type == "heading_open"]
        links = [one.type for one in inline if one.type in ("link_open", "image", "strong_open", "em_open", "s_open")]
        html = [one.content for one in (*tokens, *inline) if one.type.startswith("html")]
        rows: list[list[str]] = []
        for token, after in pairwise(tokens):
            if token.type == "tr_open":
                rows.append([])
            elif token.type in ("td_open", "th_open"):
                rows[-1].append(after.content)
        return cls(text, header, headings, links, html, rows)
