"""A stand-in of the hub's HTTP interface on this machine: it makes repositories, takes commits, and records both."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from huggingface_hub.utils import _http

TOKEN = "hf_of_this_test"


class StandIn(ThreadingHTTPServer):
    """It keeps what was asked of it; `taken` are names that are not free, and `broken` paths that fail."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[tuple[str, str]] = []  # method and path
        self.tokens: set[str | None] = set()
        self.made: dict[str, dict[str, Any]] = {}  # by name, what was wished of it
        self.taken: set[str] = set()
        self.broken: set[str] = set()
        self.large: dict[str, bytes] = {}  # by their hash
        self.files: dict[str, bytes | str] = {}  # of the last commit: content, or the hash of a large one

    def is_private(self, name: str) -> bool:
        """The wish of huggingface_hub 0 has `private`, that of 1 `visibility`."""
        wish = self.made[name]
        found: bool = wish["private"] if "private" in wish else {"private": True, "public": False}[wish["visibility"]]
        return found

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@contextmanager
def standing_in() -> Iterator[StandIn]:
    server = StandIn()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def connected(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """The hub's own client speaks with the stand-in, as one who is logged in."""
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with standing_in() as server:
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", server.address)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        # Chunks of hf_xet go to a service of their own; without it large files go as LFS has it.
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
        _forget_sessions()
        yield server
    _forget_sessions()


def _forget_sessions() -> None:
    """A session is kept for the process, and one that was opened offline stays so."""
    (getattr(_http, "reset_sessions", None) or _http.close_session)()  # of huggingface_hub before 1, and since


class _Handler(BaseHTTPRequestHandler):
    server: StandIn

    def log_message(self, *_: Any) -> None:
        pass

    def do_POST(self) -> None:
        body = self._begin()
        path = self.path.split("?")[0]
        if any(part in path for part in self.server.broken):
            self._answer(503, {"error": "out of order"})
        elif self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._answer(401, {"error": "Invalid username or password."})
        elif path == "/api/repos/create":
            self._create(json.loads(body))
        elif "/preupload/" in path:
            files = [self._mode(one["path"]) for one in json.loads(body)["files"]]
            self._answer(200, {"files": files})
        elif path.endswith("/info/lfs/objects/batch"):
            self._answer(
                200, {"transfer": "basic", "objects": [self._place(one) for one in json.loads(body)["objects"]]}
            )
        elif "/commit/" in path:
            self._commit([json.loads(line) for line in body.splitlines()])
        else:
            self._answer(200, {})

    def do_PUT(self) -> None:
        body = self._begin()
        self.server.large[self.path.rsplit("/", 1)[1]] = body
        self._answer(200, {})

    def do_GET(self) -> None:
        self._begin()
        self._answer(404, {"error": "not here"})

    def _begin(self) -> bytes:
        self.server.asked.append((self.command, self.path.split("?")[0]))
        if self.command == "POST":
            self.server.tokens.add(self.headers.get("Authorization"))
        if self.headers.get("Transfer-Encoding") == "chunked":
            return b"".join(iter(self._chunk, b""))
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _chunk(self) -> bytes:
        size = int(self.rfile.readline(), 16)
        data = self.rfile.read(size)
        self.rfile.readline()
        return data

    def _create(self, wish: dict[str, Any]) -> None:
        name = "/".join(filter(None, (wish.get("organization") or "me", wish["name"])))
        if name in self.server.taken:
            self._answer(409, {"error": "You already created this model repo"})
            return
        self.server.made[name] = wish
        self._answer(200, {"url": f"{self.server.address}/{name}", "name": name})

    def _mode(self, path: str) -> dict[str, Any]:
        return {"path": path, "uploadMode": "lfs" if path.endswith((".safetensors", ".onnx", ".png")) else "regular",
                "shouldIgnore": False}  # fmt: skip

    def _place(self, one: dict[str, Any]) -> dict[str, Any]:
        upload = {"href": f"{self.server.address}/large/{one['oid']}"}
        return {"oid": one["oid"], "size": one["size"], "actions": {"upload": upload}}

    def _commit(self, lines: list[dict[str, Any]]) -> None:
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                self.server.files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                self.server.files[value["path"]] = str(value["oid"])
        self._answer(200, {"success": True, "commitUrl": f"{self.server.address}/me/x/commit/{'0' * 40}",
                           "commitOid": "0" * 40})  # fmt: skip

    def _answer(self, status: int, what: dict[str, Any]) -> None:
        body = json.dumps(what).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
