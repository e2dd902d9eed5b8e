"""The Chromium of this machine, driven by Playwright, which downloads none; pages from a disk or a server."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
READY = "document.documentElement.dataset.ready === 'yes'"


def lacking() -> str:
    """The reason why no page can be opened here; "" where one can."""
    try:
        import playwright.sync_api  # noqa: F401
    except ImportError:
        return 'needs the extra browser: pip install -e ".[browser]"'
    return "" if program() else f"needs one of {', '.join(PROGRAMS)}, or its path in CHROMIUM"


def program() -> str | None:
    """The path of a Chromium."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, PROGRAMS)), None)


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser with a profile of its own."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program(), args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


def opened(browser: Any, path: Path | str, width: int = 1280, scheme: str = "light", anchor: str = "") -> Any:
    """A page whose script has run; `page.told` has what its console said, `page.asked` what it asked for."""
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.told, page.asked = [], []
    page.on("console", lambda message: page.told.append(message.text))
    page.on("pageerror", lambda error: page.told.append(str(error)))
    page.on("request", lambda request: page.asked.append(request.url))
    page.goto((path if isinstance(path, str) else path.as_uri()) + anchor)
    until(page, READY)
    return page


def until(page: Any, true: str, seconds: float = 60.0) -> None:
    """Waits until an expression is true. Playwright's own wait asks again in the page, whose policy forbids `eval`."""
    ends = time.monotonic() + seconds
    while not evaluated(page, true):
        assert time.monotonic() < ends, f"not within {seconds:g} s: {true}"
        page.wait_for_timeout(50)


def evaluated(page: Any, expression: str) -> Any:
    """None where the page is just being left for a later edition of itself."""
    from playwright.sync_api import Error

    try:
        return page.evaluate(expression)
    except Error as error:
        if "context was destroyed" not in str(error):
            raise
        return None
