from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from rosearch.config.file import load_experiment
from rosearch.errors import BadInput

EXPERIMENT = {
    "name": "small",
    "search_space": "space.yaml",
    "task": {"name": "t", "text": ["text"], "labels": ["no", "yes"], "generated": {}},
    "teacher": {"model": "some/model"},
}


def experiment(folder: Path, **corpus: object) -> Path:
    path = folder / "experiment.yaml"
    path.write_text(yaml.safe_dump({**EXPERIMENT, "corpus": corpus}))
    return path


def test_sources_are_read_below_the_data_root_else_from_where_the_user_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    sources = [{"path": "wiki/*.txt.xz"}, {"path": "/data/books.txt"}, {"hub": "wikimedia/wikipedia"}]
    path = experiment(tmp_path / "elsewhere", sources=sources, proxy_share=0.2)

    def paths(root: Path | None) -> list[str | None]:
        corpus = load_experiment(path, data_root=root).corpus
        assert corpus is not None and corpus.proxy_share == 0.2
        return [source.path for source in corpus.sources]

    assert paths(None) == [str(tmp_path / "wiki/*.txt.xz"), "/data/books.txt", None]
    assert paths(tmp_path / "data") == [str(tmp_path / "data/wiki/*.txt.xz"), "/data/books.txt", None]


def test_an_experiment_needs_no_corpus(tmp_path: Path) -> None:
    path = tmp_path / "experiment.yaml"
    path.write_text(yaml.safe_dump(EXPERIMENT))
    assert load_experiment(path).corpus is None


def test_all_that_is_wrong_with_a_corpus_is_told_at_once(tmp_path: Path) -> None:
    sources = [{"path": "a.txt", "hub": "b"}, {}, {"path": "a.txt", "colunm": "x"}]
    with pytest.raises(BadInput) as caught:
        load_experiment(experiment(tmp_path, sources=sources, proxy_share=0))
    problems = {problem.key: problem for problem in caught.value.problems}
    assert problems["corpus.sources.0"].expected == "exactly one of path and hub"
    assert (problems["corpus.sources.0"].got, problems["corpus.sources.1"].got) == ("both", "neither")
    assert problems["corpus.sources.2.colunm"].fix == "Did you mean corpus.sources.column?"
    assert "corpus.proxy_share" in problems
    with pytest.raises(BadInput, match=r"corpus\.sources"):
        load_experiment(experiment(tmp_path, sources=[]))
