from __future__ import annotations

import copy
import json
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from damaged_files import DAMAGES

from rosearch.config.corpus import CorpusConfig
from rosearch.data.blocks import evaluation_blocks, training_blocks
from rosearch.data.corpus import Corpus, Part, prepare_corpus
from rosearch.data.corpus_sources import find_sources
from rosearch.errors import BadInput, DamagedError

WORDS = ["good", "bad", "film", "the", "a", "was"]


def text(documents: int, seed: int = 1) -> str:
    """Documents of two paragraphs of ten words."""
    random = np.random.default_rng(seed)
    return "\n".join(" ".join(random.choice(WORDS, 10)) + "\n" * (row % 2) for row in range(2 * documents)) + "\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "text"
    made.mkdir()
    (made / "one.txt").write_text(text(100, 1))
    (made / "two.txt").write_text(text(100, 2))
    return made


def config(*paths: Path | str, **changes: Any) -> CorpusConfig:
    sources = [{"path": str(path)} for path in paths]
    return CorpusConfig.model_validate({"sources": sources, "block_length": 16, **changes})


def prepare(config: CorpusConfig, tokenizer: Any, tmp_path: Path, **changes: Any) -> Corpus:
    return prepare_corpus(config, tokenizer, changes.pop("vocabulary", 100), tmp_path / "cache", **changes)


def all_of(corpus: Corpus, part: Part) -> list[int]:
    return corpus.numbers(part, np.arange(corpus.size(part))).tolist()


def problem_of(config: CorpusConfig, tokenizer: Any, tmp_path: Path, **changes: Any) -> str:
    with pytest.raises(BadInput) as caught:
        prepare(config, tokenizer, tmp_path, **changes)
    (problem,) = caught.value.problems
    left = tmp_path / "cache" / "corpora"
    assert not left.exists() or all(entry.name.endswith(".lock") for entry in left.iterdir())
    return str(problem)


def test_a_corpus_is_the_text_in_blocks_in_the_order_of_its_files(folder: Path, tokenizer: Any, tmp_path: Path) -> None:
    corpus = prepare(config(folder), tokenizer, tmp_path)
    stream: list[str] = []
    for name in ("one.txt", "two.txt"):
        for document in (folder / name).read_text().strip().split("\n\n"):
            stream += [*(["[SEP]"] if stream else []), *document.split()]
    blocks = corpus.read(np.arange(corpus.blocks))
    assert blocks.dtype == np.uint16 and blocks.shape == (len(stream) // 14, 16)
    found = [word for row in blocks for word in tokenizer.convert_ids_to_tokens(row.tolist()[1:-1])]
    assert found == stream[: len(found)]
    assert (corpus.documents, corpus.tokens, corpus.unknown) == (200, 4000, 0)


def test_parts_are_disjoint_and_of_the_stated_shares(folder: Path, tokenizer: Any, tmp_path: Path) -> None:
    corpus = prepare(config(folder, held_out_share=0.1, proxy_share=0.25), tokenizer, tmp_path)
    held_out, train, proxy = (set(all_of(corpus, part)) for part in ("held_out", "train", "proxy"))
    assert held_out | train == set(range(corpus.blocks)) and not held_out & train and proxy < train
    assert len(held_out) == corpus.held_out == round(0.1 * corpus.blocks)
    assert len(proxy) == round(0.25 * len(train))
    counted = prepare(config(folder, held_out_blocks=7, proxy_share=1.0), tokenizer, tmp_path)
    assert (counted.key, counted.held_out, counted.proxy) == (corpus.key, 7, corpus.blocks - 7)


def test_the_seed_of_the_corpus_decides_its_parts(folder: Path, tokenizer: Any, tmp_path: Path) -> None:
    parts = [all_of(prepare(config(folder, seed=seed), tokenizer, tmp_path), "proxy") for seed in (1, 1, 2)]
    assert parts[0] == parts[1] != parts[2]


def test_an_epoch_has_every_block_of_its_part_once_in_an_order_of_its_own(
    folder: Path, tokenizer: Any, tmp_path: Path
) -> None:
    corpus = prepare(config(folder), tokenizer, tmp_path)
    for part in ("train", "proxy"):
        expected = corpus.read(corpus.numbers(part, np.arange(corpus.size(part)))).tolist()
        epochs = [torch.cat(list(training_blocks(corpus, part, 8, 5, epoch))) for epoch in (0, 1)]
        assert all(sorted(epoch.tolist()) == sorted(expected) for epoch in epochs)
        assert not torch.equal(*epochs) and epochs[0].dtype == torch.int64
    again = torch.cat(list(training_blocks(corpus, "proxy", 8, 5, 1)))
    assert torch.equal(again, epochs[1])
    rest = list(training_blocks(corpus, "proxy", 8, 5, 1, first=3))
    assert torch.equal(torch.cat(rest), epochs[1][24:])


def test_held_out_blocks_come_in_one_order_and_the_last_batch_may_be_short(
    folder: Path, tokenizer: Any, tmp_path: Path
) -> None:
    corpus = prepare(config(folder, held_out_blocks=10), tokenizer, tmp_path)
    batches = list(evaluation_blocks(corpus, 4))
    assert [tuple(batch.shape) for batch in batches] == [(4, 16), (4, 16), (2, 16)]
    assert torch.equal(torch.cat(batches), torch.cat(list(evaluation_blocks(corpus, 3))))
    with pytest.raises(IndexError, match="places in held_out are 0 to 9"):
        corpus.numbers("held_out", np.array([10]))


def test_large_vocabularies_take_four_bytes(folder: Path, tokenizer: Any, tmp_path: Path) -> None:
    small = prepare(config(folder), tokenizer, tmp_path, vocabulary=2**16)
    assert small.read(np.arange(3)).dtype == np.uint16
    large = prepare(config(folder), tokenizer, tmp_path / "other", vocabulary=2**16 + 1)
    assert large.read(np.arange(3)).dtype == np.uint32
    assert large.read(np.arange(9)).tolist() == small.read(np.arange(9)).tolist()


def test_a_second_call_reads_what_the_first_wrote_wherever_the_files_lie(
    folder: Path, tokenizer: Any, tmp_path: Path
) -> None:
    told: list[str] = []
    first = prepare(config(folder), tokenizer, tmp_path, progress=lambda *_: told.append("tokenised"))
    assert told
    told.clear()
    moved = folder.rename(tmp_path / "elsewhere")
    for path in moved.iterdir():
        os.utime(path, (1, 1))
    changed = config(moved, proxy_share=0.5, held_out_blocks=3, seed=9)
    second = prepare(changed, tokenizer, tmp_path, progress=lambda *_: told.append("tokenised"))
    assert (second.key, second.file, told) == (first.key, first.file, [])


def test_the_key_follows_text_order_tokenizer_and_block_length(folder: Path, tokenizer: Any, tmp_path: Path) -> None:
    from transformers import PreTrainedTokenizerFast

    cased = json.loads(tokenizer.backend_tokenizer.to_str())
    cased["normalizer"]["lowercase"] = False
    (tmp_path / "tokenizer.json").write_text(json.dumps(cased))
    other = PreTrainedTokenizerFast(tokenizer_file=str(tmp_path / "tokenizer.json"), pad_token="[PAD]")
    one, two = folder / "one.txt", folder / "two.txt"
    keys = [
        prepare(config(one, two), tokenizer, tmp_path).key,
        prepare(config(two, one), tokenizer, tmp_path).key,
        prepare(config(one), tokenizer, tmp_path).key,
        prepare(config(one, two, block_length=17), tokenizer, tmp_path).key,
        prepare(config(one, two), other, tmp_path).key,
    ]
    one.write_text(text(100, 3))
    keys.append(prepare(config(one, two), tokenizer, tmp_path).key)
    assert len(set(keys)) == 6


@pytest.mark.parametrize("name", ["corpus.json", "blocks.bin"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_damaged_on_disk_is_made_again(
    name: str, damage: str, folder: Path, tokenizer: Any, tmp_path: Path
) -> None:
    corpus = prepare(config(folder), tokenizer, tmp_path)
    path = corpus.file.parent / name
    content = path.read_bytes()
    DAMAGES[damage](path)
    with suppress(DamagedError):  # many gigabytes are compared where they are read, not when they are opened
        prepare(config(folder), tokenizer, tmp_path).read(np.arange(corpus.blocks))
    prepare(config(folder), tokenizer, tmp_path).read(np.arange(corpus.blocks))
    assert path.read_bytes() == content


def test_those_who_ask_for_the_same_at_once_wait_for_the_first(folder: Path, tokenizer: Any, tmp_path: Path) -> None:
    told: list[str] = []

    def one(own: Any) -> Corpus:
        return prepare(config(folder), own, tmp_path, progress=lambda stage, done, total: told.append(stage))

    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(one, [copy.deepcopy(tokenizer) for _ in range(4)]))
    assert len(set(made)) == 1
    once = len(told)
    told.clear()
    prepare(config(folder), tokenizer, tmp_path / "other", progress=lambda stage, done, total: told.append(stage))
    assert len(told) == once


def test_a_killed_process_leaves_nothing_that_hinders_the_next(folder: Path, tokenizer: Any, tmp_path: Path) -> None:
    def kill(stage: str, done: int, total: int) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    if (child := os.fork()) == 0:
        prepare(config(folder), tokenizer, tmp_path, progress=kill)
        os._exit(0)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    made = tmp_path / "cache" / "corpora"
    assert any(entry.name.endswith(".draft") for entry in made.iterdir())
    corpus = prepare(config(folder), tokenizer, tmp_path)
    assert [entry.name for entry in made.iterdir() if not entry.name.endswith(".lock")] == [corpus.key]


def test_progress_is_in_bytes_and_ends_with_all_of_them(folder: Path, tokenizer: Any, tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    prepare(config(folder, folder / "one.txt"), tokenizer, tmp_path, progress=lambda *told: seen.append(told))
    size = {str(path): path.stat().st_size for path in folder.iterdir()}
    whole = {f"tokenise {folder}": sum(size.values()), f"tokenise {folder / 'one.txt'}": size[str(folder / "one.txt")]}
    for stage, total in whole.items():
        told = [(done, all_) for name, done, all_ in seen if name == stage]
        assert told[-1] == (total, total) and all(done < total for done, _ in told[:-1])


def test_a_corpus_may_be_sent_to_another_process(folder: Path, tokenizer: Any, tmp_path: Path) -> None:
    corpus = prepare(config(folder), tokenizer, tmp_path)
    assert copy.deepcopy(corpus) == corpus and corpus.blocks > 0
    assert copy.deepcopy(corpus).read(np.arange(2)).tolist() == corpus.read(np.arange(2)).tolist()


def test_a_tokenizer_that_does_not_fit_the_teacher_is_one_clear_line(
    folder: Path, tokenizer: Any, tmp_path: Path
) -> None:
    highest = max(tokenizer.get_vocab().values())
    got = problem_of(config(folder), tokenizer, tmp_path, vocabulary=highest)
    assert f"tokenizer: expected token ids below {highest}, the rows of the teacher's embedding table" in got
    assert f"got ids to {highest}. take the tokenizer" in got
    prepare(config(folder), tokenizer, tmp_path, vocabulary=highest + 1)


def test_too_little_text_is_one_clear_line(tokenizer: Any, tmp_path: Path) -> None:
    path = tmp_path / "little.txt"
    path.write_text("good film " * 6)
    got = problem_of(config(path), tokenizer, tmp_path)
    assert "corpus: expected text for 1 or more blocks of 16 tokens" in got
    assert f"got 12 tokens, 0 blocks ({path})" in got
    path.write_text("good film " * 7)
    with pytest.raises(BadInput, match=r"expected text for 2 or more blocks .* got 14 tokens, 1 block "):
        prepare(config(path), tokenizer, tmp_path)
    path.write_text("good film " * 70)
    with pytest.raises(BadInput, match=r"expected text for 11 or more blocks .* got 140 tokens, 10 blocks "):
        prepare(config(path, held_out_blocks=10), tokenizer, tmp_path)
    assert prepare(config(path, held_out_blocks=9), tokenizer, tmp_path).size("proxy") == 1


@pytest.mark.parametrize("content", ["", "\n \n\t\n"])
def test_a_source_without_text_is_one_clear_line(content: str, folder: Path, tokenizer: Any, tmp_path: Path) -> None:
    path = tmp_path / "blank.txt"
    path.write_text(content)
    assert problem_of(config(folder, path), tokenizer, tmp_path) == f"{path}: expected text, got none"


def test_a_bad_byte_far_into_a_file_stops_before_anything_is_kept(folder: Path, tokenizer: Any, tmp_path: Path) -> None:
    path = folder / "two.txt"
    path.write_bytes(b"good film\n" * 5_000 + b"caf\xe9\n")
    got = problem_of(config(folder), tokenizer, tmp_path)
    assert f"{path}: byte 50003, line 5001: expected UTF-8, got 0xe9" in got


def test_what_is_wrong_with_several_sources_is_told_at_once(folder: Path, tokenizer: Any, tmp_path: Path) -> None:
    (folder / "bad.txt").write_bytes(b"\xff")
    (folder / "bad.csv").write_text("label\n1\n")
    with pytest.raises(BadInput) as caught:
        prepare(config(folder), tokenizer, tmp_path)
    assert [Path(problem.where).name for problem in caught.value.problems] == ["bad.csv", "bad.txt"]
    with pytest.raises(BadInput) as caught:
        find_sources(config(tmp_path / "none.txt", folder, tmp_path / "no*.txt"))
    assert [problem.key for problem in caught.value.problems] == ["corpus.sources.0.path", "corpus.sources.2.path"]
