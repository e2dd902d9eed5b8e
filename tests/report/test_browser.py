"""The page of a run in a browser, opened from a disk."""

from __future__ import annotations

import random
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from report.browser import READY, chromium, lacking, opened, until
from report.made_records import make_genotype, make_measurements, make_record
from report.made_run import make_run

import rosearch.report.watched as watched_module
from rosearch.records.run_directory import RunDirectory
from rosearch.records.store import Store
from rosearch.report.page import write_page
from rosearch.report.serving import PageServer
from rosearch.run.results import Results

pytestmark = [pytest.mark.browser, pytest.mark.skipif(bool(lacking()), reason=lacking())]

NASTY = '<img src=x onerror="document.title=1">'


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def path(made: Results, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_page(tmp_path_factory.mktemp("page") / "report.html", [made])


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280, 1600])
def test_the_page_opens_without_a_word_a_request_or_a_side_scroll(
    browser: Any, path: Path, width: int, scheme: str
) -> None:
    page = opened(browser, path, width, scheme)
    assert page.told == [] and page.asked == [path.as_uri()]  # no look either: a page on a disk has no server
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_every_measured_student_has_a_mark_in_each_figure_of_the_front(browser: Any, path: Path) -> None:
    page = opened(browser, path)
    assert page.locator("#front svg.plot").count() == 3
    assert page.locator("#front svg.plot").first.locator("[data-n]").count() == 31  # the teacher opens nothing
    assert page.locator("#students tbody tr").count() == 33


def test_a_click_on_a_mark_opens_the_graph_of_that_student(browser: Any, path: Path, made: Results) -> None:
    page = opened(browser, path)
    best = made.front[0]
    page.locator(f'#front svg.plot [data-n="{best.number}"]').first.click()
    page.wait_for_selector("dialog[open] svg.graph")
    assert page.locator("#panel-title").inner_text() == f"#{best.number} {best.id}"
    operations = [node.op for node in best.genotype.nodes]
    drawn = [text.replace(" ", "_") for text in page.locator("#panel svg.graph text.op").all_text_contents()]
    assert sorted(drawn) == sorted(["text", "output", *operations])
    assert page.locator("circle.here").count() >= 4 and page.told == []


def test_panels_lead_to_parents_to_the_next_and_back(browser: Any, path: Path, made: Results) -> None:
    page = opened(browser, path, anchor="#student-8")
    page.wait_for_selector("dialog[open] .kin")
    page.locator("dialog .kin button").first.click()
    until(page, f"document.getElementById('panel-title').textContent !== '#8 {made.records[7].id}'")
    shown = page.locator("#panel-title").inner_text()
    page.click("#after")
    until(page, f"document.getElementById('panel-title').textContent !== '{shown}'")
    page.keyboard.press("Escape")
    assert page.locator("dialog[open]").count() == 0


def test_all_is_done_by_keyboard_alone(browser: Any, path: Path) -> None:
    page = opened(browser, path)
    page.locator("#front .plotbox").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    said = page.locator("#said").inner_text()
    assert said.startswith("#") and "fitness" in said
    page.keyboard.press("Enter")
    page.wait_for_selector("dialog[open] svg.graph")
    assert page.locator("#panel-title").inner_text().split()[0] == said.split()[0]
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.classList.contains('plotbox')")  # where it came from


def test_the_slider_orders_by_the_worth_of_robustness(browser: Any, path: Path, made: Results) -> None:
    page = opened(browser, path)
    first = page.locator("#order li button").first
    assert first.inner_text().startswith(f"#{made.front[0].number} ")
    page.evaluate("const s = document.getElementById('worth'); s.value = 100; s.dispatchEvent(new Event('input'))")
    passed = [
        record
        for record in made.of("candidate")
        if record.number in made.fitness and made.fitness[record.number].eligible
    ]
    robust = max(passed, key=lambda record: made.fitness[record.number].robustness or 0.0)
    assert first.inner_text().startswith(f"#{robust.number} ")


def test_the_list_is_sorted_and_searched(browser: Any, path: Path) -> None:
    page = opened(browser, path)
    page.click("#students thead button >> text=M parameters")
    sizes = [float(text) for text in page.locator("#students tbody td:nth-child(5)").all_inner_texts() if text]
    assert sizes == sorted(sizes, reverse=True)
    page.fill("#filter", "failed: nan")
    assert page.locator("#students tbody tr").count() == 1 and page.locator("#shown").inner_text() == "1 of 1"


def test_names_that_are_markup_are_shown_as_text(browser: Any, tmp_path: Path) -> None:
    results = make_run(tmp_path, 8, labels=(NASTY, "b"), failure=NASTY, baseline=NASTY)
    page = opened(browser, write_page(tmp_path / f"{NASTY.replace('/', '')}.html", [results]))
    assert page.locator("img").count() == 0 and page.told == [] and page.title() == "made-0001: report"
    page.locator("#students button >> text=<img").first.click()
    page.wait_for_selector("dialog[open]")
    assert NASTY in page.locator("#panel-title").inner_text() and page.locator("img").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_an_accessibility_engine_finds_nothing_serious(browser: Any, path: Path, scheme: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page = opened(browser, path, scheme=scheme, anchor="#student-8")
    page.wait_for_selector("dialog[open]")
    for _ in ("the panel", "the page"):
        found = Axe().run(page).response["violations"]
        assert [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")] == []
        page.keyboard.press("Escape")


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PageServer]:
    monkeypatch.setattr(watched_module, "_SHARE", 1e9)  # a new page whenever there is something new
    with PageServer([make_run(tmp_path, 30).run], 0) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def add_student(run: RunDirectory) -> int:
    with Store.open(run.store) as store:
        number, genotype = store.last_number() + 1, make_genotype(random.Random(99), nodes=7)
        store.propose([make_record(number, genotype, make_measurements(genotype, quality=0.9))])
    return number


def held(page: Any) -> float:
    """Where the list of all stands once nothing moves: sections get their height where they come into view."""
    seen: list[float] = []
    while len(seen) < 100 and (len(seen) < 8 or max(seen[-8:]) != min(seen[-8:])):
        seen.append(page.evaluate("document.getElementById('all').getBoundingClientRect().top"))
        page.wait_for_timeout(50)
    return seen[-1]


def test_a_served_page_takes_what_is_new_and_keeps_its_place(browser: Any, served: PageServer) -> None:
    page = opened(browser, served.address)
    page.fill("#filter", "mutation")
    page.click("#students thead button >> text=M parameters")
    page.locator("#setting details summary").first.evaluate("one => { one.parentNode.open = true; }")
    page.evaluate("document.getElementById('all').scrollIntoView({behavior: 'instant'})")
    page.evaluate("scrollBy({top: 137, behavior: 'instant'})")
    before, listed = held(page), page.locator("#students tbody th").all_inner_texts()
    edition = page.evaluate("document.documentElement.dataset.live")
    number = add_student(served.watched.runs[0])
    until(page, f"document.documentElement.dataset.live !== '{edition}' && {READY}")
    assert abs(held(page) - before) < 4
    assert page.input_value("#filter") == "mutation"
    assert page.locator("#students tbody th").all_inner_texts() == listed  # sorted and filtered as before
    assert page.locator("#setting details").first.evaluate("one => one.open")
    page.fill("#filter", f"#{number} ")
    assert page.locator("#students tbody tr").count() == 1 and page.told == []


def test_a_served_page_keeps_the_student_that_is_open(browser: Any, served: PageServer) -> None:
    page = opened(browser, served.address, anchor="#student-8", width=390)
    page.wait_for_selector("dialog[open] .kin")
    page.evaluate("document.getElementById('panel').scrollTop = 90")
    edition = page.evaluate("document.documentElement.dataset.live")
    add_student(served.watched.runs[0])
    until(page, f"document.documentElement.dataset.live !== '{edition}' && {READY}")
    assert page.locator("#panel-title").inner_text().startswith("#8 ")
    assert page.evaluate("document.getElementById('panel').scrollTop") == 90 and page.told == []


def test_a_served_page_says_that_its_run_or_its_server_is_gone(browser: Any, served: PageServer) -> None:
    page = opened(browser, served.address)
    until(page, "document.getElementById('live').textContent.includes('no search works on this run')")
    shutil.rmtree(served.watched.runs[0].path)
    until(page, "document.getElementById('live').textContent.includes('the run is gone')")
    assert page.locator("#front svg.plot").count() == 3 and page.locator("#live.warning").count() == 1
    served.shutdown()
    served.server_close()
    until(page, "document.getElementById('live').textContent.startsWith('Nobody serves')")
