from __future__ import annotations

import http.client
import json
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import rosearch
from report.made_run import make_run

import rosearch.report.watched as watched_module
from rosearch.files import stamp
from rosearch.records.run_directory import RunDirectory
from rosearch.records.store import Store
from rosearch.report.serving import LOOPBACK, PageServer

WRITERS, EACH = 8, 4


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return make_run(tmp_path, 8).run


@pytest.fixture
def server(run: RunDirectory) -> Iterator[PageServer]:
    with PageServer([run], 0) as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield made
        finally:
            made.shutdown()
            thread.join()


def asked(
    server: PageServer, path: str = "/", method: str = "GET", host: str | None = None
) -> tuple[http.client.HTTPResponse, str]:
    connection = http.client.HTTPConnection(LOOPBACK, server.server_address[1], timeout=60)
    connection.request(method, path, headers={} if host is None else {"Host": host})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer, text


def test_the_page_is_served_under_a_policy_that_lets_it_ask_its_own_server_alone(server: PageServer) -> None:
    answer, page = asked(server)
    assert answer.status == 200 and page.startswith("<!doctype html>")
    policy = page.split('http-equiv="Content-Security-Policy" content="')[1].split('"')[0]
    assert policy.startswith("default-src &#39;none&#39;") and policy.endswith("connect-src &#39;self&#39;")
    assert "unsafe" not in policy and answer.headers["Content-Security-Policy"] == "frame-ancestors 'none'"
    assert answer.headers["Cache-Control"] == "no-store" and answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_look_tells_the_edition_of_the_page(server: PageServer) -> None:
    _, page = asked(server)
    told = json.loads(asked(server, "/look")[1])
    assert f'data-live="{told["edition"]}"' in page
    assert told == {"edition": told["edition"], "state": "no search works on this run", "problem": ""}


def test_it_listens_on_this_machine_alone(server: PageServer) -> None:
    assert server.socket.getsockname()[0] == "127.0.0.1"


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1"])
def test_a_site_that_calls_this_machine_by_a_name_of_its_own_gets_nothing(server: PageServer, host: str) -> None:
    answer, text = asked(server, host=host)
    assert answer.status == 421 and "doctype" not in text


def test_it_reads_and_nothing_else(server: PageServer, run: RunDirectory) -> None:
    before = {path: stamp(path) for path in run.path.rglob("*")}
    assert asked(server, method="POST")[0].status == 501 and asked(server, method="DELETE")[0].status == 501
    assert asked(server, "/records.sqlite")[0].status == 404 and asked(server, "/../etc/passwd")[0].status == 404
    answer, text = asked(server, method="HEAD")
    assert answer.status == 200 and text == "" and int(answer.headers["Content-Length"]) > 10_000
    assert {path: stamp(path) for path in run.path.rglob("*")} == before


def test_of_a_run_that_is_gone_before_there_was_a_page_one_line_is_told(server: PageServer, run: RunDirectory) -> None:
    shutil.rmtree(run.path)
    answer, text = asked(server)
    assert answer.status == 503 and text == f"{run.path}: the run is gone: its records do not lie there any more\n"


def test_a_port_that_is_taken_is_one_clear_line(run: RunDirectory, tmp_path: Path) -> None:
    with socket.create_server((LOOPBACK, 0)) as taken:
        port = taken.getsockname()[1]
        told = rosearch("report", run.path, "--serve", "--port", str(port), cwd=tmp_path, expect=2).stderr
    assert f"{port} is taken by another program" in " ".join(told.replace("│", " ").split())


def test_what_serves_writes_no_file_and_a_port_is_for_what_serves(run: RunDirectory, tmp_path: Path) -> None:
    assert "--serve or --to" in rosearch("report", run.path, "--serve", "--to", "x", cwd=tmp_path, expect=2).stderr
    assert "--serve" in rosearch("report", run.path, "--port", "0", cwd=tmp_path, expect=2).stderr
    assert "expected the folder of a run" in rosearch("report", "no", "--serve", cwd=tmp_path, expect=5).stderr


def test_ctrl_c_ends_it_in_a_line(run: RunDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(server: PageServer) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(PageServer, "service_actions", interrupted)
    told = rosearch("report", run.path, "--serve", "--port", "0", "--json", cwd=tmp_path, expect=130)
    assert told.data["url"].startswith("http://127.0.0.1:") and told.stderr.startswith("The page is served no more.\n")


@pytest.mark.slow
def test_eight_writers_and_a_reader_never_hurt_each_other(
    server: PageServer, run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watched_module, "_SHARE", 1e9)  # the page is made as often as it can be
    program = [sys.executable, str(Path(__file__).with_name("eight_writers.py")), str(run.path), str(EACH)]
    with Store.open(run.store, read_only=True) as store:
        first = store.last_number()
    writers = [subprocess.Popen([*program, str(seed)], stderr=subprocess.PIPE, text=True) for seed in range(WRITERS)]
    editions = set()
    while any(writer.poll() is None for writer in writers):
        assert asked(server)[0].status == 200
        look = json.loads(asked(server, "/look")[1])
        assert look["problem"] == ""
        editions.add(look["edition"])
    assert [writer.communicate()[1] for writer in writers] == [""] * WRITERS
    assert [writer.returncode for writer in writers] == [0] * WRITERS
    with Store.open(run.store) as store:
        store.check()
        assert [one.status for one in store.records()][first:] == ["done"] * WRITERS * EACH
    assert len(editions) > 3
    asked(server)
    assert f"[{first + WRITERS * EACH}," in asked(server)[1]
