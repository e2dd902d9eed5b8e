from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

from attacked_results import attacked, measured, record, results_of
from report.made_run import make_run

from rosearch.report.page import render_page, write_page
from rosearch.run.results import Results

NASTY = '<img src=x onerror="alert(1)"></script>&'


class Elements(HTMLParser):
    """The elements of a page: their names and attributes, and the ids."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    @property
    def ids(self) -> list[str]:
        return [found["id"] or "" for _, found in self.found if "id" in found]


def sections(text: str) -> list[str]:
    return re.findall(r'<section id="(\w+)"', text)


def test_the_answer_stands_first_and_every_section_is_there(made: Results) -> None:
    told = sections(render_page([made]))
    order = [
        "ship",
        "front",
        "course",
        "winners",
        "descent",
        "attacks",
        "statistics",
        "all",
        "failures",
        "cost",
        "setting",
    ]
    assert told == order


def test_nothing_is_fetched_and_nothing_is_styled_or_scripted_inline(made: Results) -> None:
    text = render_page([made])
    elements = Elements(text)
    assert {tag for tag, _ in elements.found} & {"link", "img", "iframe", "object", "embed", "base", "form"} == {"form"}
    for _, attributes in elements.found:
        assert not {"style", "src", "srcset", "action"} & set(attributes)
        assert not [name for name in attributes if name.startswith("on")]
        assert (attributes.get("href") or "#").startswith("#")
    assert "eval(" not in text and "http" not in text.replace("http-equiv", "").replace(
        "http://www.w3.org/2000/svg", ""
    )


def test_the_policy_allows_the_own_style_and_script_and_nothing_else(made: Results) -> None:
    text = render_page([made])
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', text)
    assert policy is not None
    hashes = re.findall(r"sha256-([\w+/=]+)", policy[1].replace("&#39;", "'"))
    parts = [re.search(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL) for tag in ("style", "script")]
    made_of = [base64.b64encode(hashlib.sha256(part[1].encode()).digest()).decode() for part in parts if part]
    assert hashes == made_of and policy[1].startswith("default-src &#39;none&#39;") and "unsafe" not in policy[1]


def test_ids_are_unique_and_what_is_linked_is_there(made: Results) -> None:
    elements = Elements(render_page([made]))
    assert len(elements.ids) == len(set(elements.ids))
    links = [found["href"] for tag, found in elements.found if tag == "a"]
    assert {f"#{id}" for id in elements.ids} >= set(links)


def test_names_that_are_markup_are_text(tmp_path: Path) -> None:
    results = make_run(tmp_path, labels=(NASTY, "b"), failure=NASTY, baseline=NASTY)
    text = render_page([results], version=NASTY)
    assert "<img" not in text and 'onerror="' not in text
    assert text.count("</script>") == text.count("<script")


def test_the_page_is_the_same_whenever_it_is_written(made: Results, tmp_path: Path) -> None:
    first = write_page(tmp_path / "new" / "page.html", [made])
    assert first.read_text() == render_page([made])


def test_a_run_in_which_nobody_passed_says_so(tmp_path: Path) -> None:
    results = make_run(tmp_path, 4, fitness={"min_under_attack": 0.99})
    text = render_page([replace(results, records=results.records[:4])])
    assert "nothing can be recommended yet" in text and "winners" not in sections(text)


def test_a_run_that_was_not_attacked_has_no_slider(tmp_path: Path) -> None:
    (tmp_path / "search_space.yaml").write_text("name: s")
    plain = replace(measured(attacked("a", "sb")), robustness=None, attacks=())
    text = render_page([results_of(tmp_path, record(1, plain))])
    assert 'id="worth"' not in text and "Clean accuracy over million parameters" in text


def test_other_runs_are_drawn_beside_the_first(made: Results, tmp_path: Path) -> None:
    text = render_page([made, make_run(tmp_path, 8, seed=7)])
    assert "beside other runs" in text and "At equal cost" in text and "Keys that differ" in text


def test_a_run_that_has_just_begun_has_a_page(tmp_path: Path) -> None:
    results = make_run(tmp_path, 2)
    text = render_page([replace(results, records=[], teacher=None)])
    assert "no candidate yet" in text and "setting" in sections(text)
