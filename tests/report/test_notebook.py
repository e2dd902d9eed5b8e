from __future__ import annotations

import base64
import pickle
from pathlib import Path
from xml.etree import ElementTree

import networkx as nx
import pandas as pd
from report.made_run import make_run

from rosearch.report.notebook import DrawnGraph, graph_html, table_html
from rosearch.report.opened import OpenedRun
from rosearch.report.overview import results_table
from rosearch.run.results import Results
from rosearch.space.genotype import Genotype

NASTY = "<script>alert(1)</script>"


def drawn(html: str) -> list[ElementTree.Element]:
    """The images of some HTML, parsed."""
    parts = html.split("data:image/svg+xml;base64,")[1:]
    return [ElementTree.fromstring(base64.b64decode(part.split('"')[0])) for part in parts]


def test_a_run_shows_its_state_its_front_and_the_best_graphs(made: Results) -> None:
    html = OpenedRun(made)._repr_html_()
    assert "interrupted: 30 done, 1 failed; strategy rosearch" in html and len(drawn(html)) == 3
    assert all(f"#{record.number} {record.id[:8]}" in html for record in made.front)


def test_an_image_is_a_drawing_of_its_own_with_every_operation(made: Results) -> None:
    genotype = made.front[0].genotype
    (svg,) = drawn(graph_html(genotype))
    words = [text.text for text in svg.iter("{http://www.w3.org/2000/svg}text") if text.get("class") == "op"]
    assert sorted(words) == sorted(["text", "output", *(node.op.replace("_", " ") for node in genotype.nodes)])
    assert "prefers-color-scheme" in "".join(svg.itertext())


def test_the_front_is_a_frame_whose_parts_are_plain_frames(made: Results) -> None:
    front = OpenedRun(made).front
    assert isinstance(front, pd.DataFrame) and type(front[["id"]]) is pd.DataFrame
    table = results_table("The front, validation rows", made, made.front, teacher=made.teacher)
    assert front._repr_html_() == table_html(table)
    assert pickle.loads(pickle.dumps(front))._repr_html_().startswith("<div>")  # as any frame


def test_a_candidate_is_shown_with_its_kin(made: Results) -> None:
    child = next(record for record in made.of("candidate") if record.parents)
    candidate = OpenedRun(made).candidate(str(child.number))
    assert candidate.record.id == child.id and "Parents and children" in candidate._repr_html_()
    assert len(drawn(candidate._repr_html_())) == 1


def test_a_graph_is_drawn_until_it_is_no_architecture(made: Results) -> None:
    run, record = OpenedRun(made), made.records[0]
    graph = run.genotype("1")
    assert isinstance(graph, DrawnGraph) and nx.is_frozen(graph) and Genotype.from_graph(graph).id == record.id
    assert graph._repr_html_() is not None
    changed = DrawnGraph(graph)
    changed.add_node("of the user")
    assert changed._repr_html_() is None


def test_words_that_are_markup_are_shown_as_text(tmp_path: Path) -> None:
    results = make_run(tmp_path, 4, labels=(NASTY, "b"), failure=NASTY, baseline=NASTY)
    run = OpenedRun(results)
    html = run._repr_html_() + "".join(run.candidate(str(one.number))._repr_html_() for one in results.records)
    assert NASTY not in html and "&lt;script&gt;" in html
