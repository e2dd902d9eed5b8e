"""The server of docs/how-to/serve.md, as it stands there, gives the answers of `rosearch predict`."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clients.students import MEANT, TEXTS, TYPOS

from rosearch.export.predictions import open_classifier
from tests.pages import ROOT

pytestmark = pytest.mark.clients

WITHOUT = "import sys; sys.modules.update(rosearch=None, torch=None, transformers=None)\n"


@contextmanager
def serving(folder: Path, place: Path) -> Iterator[int]:
    """The port of the script of the page, in a process without torch, transformers and rosearch."""
    page = (ROOT / "docs/how-to/serve.md").read_text(encoding="utf-8")
    (place / "serve.py").write_text(WITHOUT + page.split("```python\n")[1].split("```")[0])
    command = [sys.executable, "serve.py", str(folder), "0"]
    with subprocess.Popen(command, cwd=place, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline().split(":")[2].split("/")[0])
        finally:
            process.kill()


def post(port: int, body: Any, path: str = "/predict") -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("POST", path, body if isinstance(body, str | bytes) else json.dumps(body))
    found = connection.getresponse()
    answer = found.status, json.loads(found.read())
    connection.close()
    return answer


def announced(port: int, size: int) -> int:
    """The answer to a request that says how long it is, before any of it arrives."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.putrequest("POST", "/predict")
    connection.putheader("Content-Length", str(size))
    connection.endheaders()
    status = connection.getresponse().status
    connection.close()
    return status


def test_its_answers_are_those_of_predict_for_many_who_ask_at_once(in_onnx: Path, tmp_path: Path) -> None:
    classifier = open_classifier(in_onnx, "onnx")
    expected = {text: next(classifier.answers([(1, (text,))]))[0] for text in TEXTS}
    with serving(in_onnx, tmp_path) as port, ThreadPoolExecutor(8) as clients:
        asked = [[TEXTS[place % 4], TEXTS[(place + 1) % 4]] for place in range(40)]
        answers = clients.map(lambda texts: post(port, {"texts": texts}), asked)
        for texts, (status, told) in zip(asked, answers, strict=True):
            assert status == 200
            for text, answer in zip(texts, told["answers"], strict=True):
                assert answer["label"] == expected[text].label
                np.testing.assert_allclose([*answer["probabilities"].values()], expected[text].values, atol=2e-6)


def test_what_cannot_be_answered_is_refused_in_one_line_and_the_next_is_answered(in_onnx: Path, tmp_path: Path) -> None:
    with serving(in_onnx, tmp_path) as port:
        assert post(port, "{torn") == (400, {"error": 'expected {"texts": [...]}'})
        assert post(port, {"texts": ["fine", 3]}) == (400, {"error": "texts[1]: expected a text"})
        assert post(port, {"texts": [["a", "b"]]}) == (400, {"error": "texts[0]: expected a text"})
        assert post(port, {"texts": "fine"}) == (400, {"error": "texts[0]: expected a text"})
        assert post(port, {"texts": ["a"] * 65})[0] == 413 and announced(port, 2 << 20) == 413
        assert post(port, '{"texts": ["\\ud83d"]}')[0] == 400
        assert post(port, {"texts": ["a"]}, "/other")[0] == 404
        assert post(port, {"texts": []}) == (200, {"answers": []})
        assert post(port, {"texts": ["a"]})[0] == 200


def test_pairs_and_encoded_words_are_read_as_predict_reads_them(
    pairs_in_onnx: Path, encoded: Path, tmp_path: Path
) -> None:
    with serving(encoded, tmp_path) as port:
        assert post(port, {"texts": TYPOS}) == post(port, {"texts": MEANT})
    with serving(pairs_in_onnx, tmp_path) as port:
        assert post(port, {"texts": ["one"]}) == (400, {"error": "texts[0]: expected a list of two texts"})
        pairs = [[TEXTS[0], TEXTS[1]], [TEXTS[2], TEXTS[3]]]
        status, told = post(port, {"texts": pairs})
    rows = [(place, tuple(pair)) for place, pair in enumerate(pairs)]
    (expected,) = open_classifier(pairs_in_onnx, "onnx").answers(rows)
    for answer, wanted in zip(told["answers"], expected, strict=True):
        np.testing.assert_allclose([*answer["probabilities"].values()], wanted.values, atol=2e-6)
    assert status == 200
