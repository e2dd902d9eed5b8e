"""The page of runs over HTTP, for this machine alone: `rosearch report --serve`.

>>> with PageServer([RunDirectory.open("runs/quickstart-0001")], 8321) as server:
...     server.serve_forever()

It listens on the loopback address, answers only who asks for it by that name (so that no page of another site can read
it through a name of its own), and knows two paths, both for reading: `/` is the page, `/look` says as JSON which
edition there is by now. The runs are opened read-only.
"""

from __future__ import annotations

import json
import socketserver
import sys
from collections.abc import Callable, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from rosearch.errors import RosearchError
from rosearch.records.run_directory import RunDirectory
from rosearch.report.watched import WatchedPage

LOOPBACK = "127.0.0.1"
_NAMES = (LOOPBACK, "localhost")
_HEADERS = {
    "Content-Security-Policy": "frame-ancestors 'none'",  # the rest stands in the page, with its hashes
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class PageServer(ThreadingHTTPServer):
    """Serves the report of the first run, the others beside it. Raises `OSError` where the port cannot be had.

    Port 0 takes any that is free; `address` says which. `between` is called twice a second in the thread that serves.
    """

    daemon_threads = True

    def __init__(
        self, runs: Sequence[RunDirectory], port: int, version: str = "", between: Callable[[], None] = lambda: None
    ) -> None:
        self.watched = WatchedPage(runs, version)
        self._between = between
        super().__init__((LOOPBACK, port), _Asked)

    @property
    def address(self) -> str:
        """The page, as a browser takes it."""
        return f"http://{LOOPBACK}:{self.server_address[1]}/"

    @property
    def names(self) -> set[str]:
        """All that a request may call this server."""
        return {f"{name}:{self.server_address[1]}" for name in _NAMES}

    def server_bind(self) -> None:
        """Takes the port. The base class would ask a name server for the machine's name."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = LOOPBACK, int(self.server_address[1])

    def service_actions(self) -> None:
        """Called by `serve_forever` between two requests."""
        self._between()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A reader that goes away in the middle is no error."""
        if not isinstance(sys.exc_info()[1], ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class _Asked(BaseHTTPRequestHandler):
    """One request."""

    server: PageServer
    server_version, sys_version = "rosearch", ""
    timeout = 60.0  # seconds of silence

    def do_GET(self) -> None:
        if self.headers.get("Host", "") not in self.server.names:
            self._answer(HTTPStatus.MISDIRECTED_REQUEST, "text/plain", f"This is {self.server.address} alone.\n")
            return
        path = self.path.partition("?")[0]
        if path == "/":
            self._page()
        elif path == "/look":
            look = self.server.watched.look()
            told = {"edition": look.edition, "state": look.state, "problem": look.problem}
            self._answer(HTTPStatus.OK, "application/json", json.dumps(told))
        else:
            self._answer(HTTPStatus.NOT_FOUND, "text/plain", "There is one page here, and it is /.\n")

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:
        """Prints nothing: a page that asks every two seconds would fill the terminal."""

    def _page(self) -> None:
        try:
            page = self.server.watched.page()
        except (RosearchError, OSError) as error:
            problem = self.server.watched.problem(error)
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, "text/plain", f"{problem}\n")
            return
        self._answer(HTTPStatus.OK, "text/html", page)

    def _answer(self, status: HTTPStatus, kind: str, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
