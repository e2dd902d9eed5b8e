from __future__ import annotations

import copy
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from damaged_files import DAMAGES
from data.conftest import make_split

from rosearch.data.tokens import TokenisedSplit, tokenise, tokenizer_fingerprint
from rosearch.errors import BadInput

TEXTS = ["good film", "the film was bad", "a", "good good good good good good good good", "bad"]


def rows(tokenised: TokenisedSplit) -> list[list[int]]:
    return [tokenised.row(index).tolist() for index in range(len(tokenised))]


def entries(cache: Path) -> list[str]:
    return sorted(entry.name for entry in (cache / "encoded").iterdir())


def test_rows_are_what_the_tokenizer_gives(tokenizer: Any, tmp_path: Path) -> None:
    tokenised = tokenise(make_split(TEXTS, [0, 1, 0, 1, 1]), tokenizer, 64, tmp_path)
    assert rows(tokenised) == tokenizer(TEXTS)["input_ids"]
    assert tokenised.lengths.tolist() == [len(row) for row in tokenizer(TEXTS)["input_ids"]]
    assert tokenised.labels.tolist() == [0, 1, 0, 1, 1]
    assert (tokenised.truncated, tokenised.pad_id) == (0, 0)
    assert (tokenised.ids.dtype, tokenised.offsets.dtype) == (np.int32, np.int64)
    assert isinstance(tokenised.ids, np.memmap)


def test_pairs_carry_token_types(tokenizer: Any, tmp_path: Path) -> None:
    pairs = [("good film", "bad"), ("a", "the film was bad")]
    tokenised = tokenise(make_split(pairs), tokenizer, 64, tmp_path)
    expected = tokenizer([first for first, _ in pairs], [second for _, second in pairs])
    assert rows(tokenised) == expected["input_ids"]
    assert tokenised.token_types is not None
    assert tokenised.token_types.tolist() == [kind for row in expected["token_type_ids"] for kind in row]


def test_rows_that_are_cut_are_counted_and_those_that_just_fit_are_not(tokenizer: Any, tmp_path: Path) -> None:
    tokenised = tokenise(make_split(TEXTS), tokenizer, 6, tmp_path)  # row 1 has six tokens, row 3 ten
    assert tokenised.lengths.tolist() == [4, 6, 3, 6, 3]
    assert tokenised.truncated == 1


def test_pairs_are_cut_from_the_longer_text(tokenizer: Any, tmp_path: Path) -> None:
    tokenised = tokenise(make_split([("good " * 9, "bad film")]), tokenizer, 8, tmp_path)
    assert tokenizer.convert_ids_to_tokens(rows(tokenised)[0]) == [
        "[CLS]",
        *["good"] * 3,
        "[SEP]",
        "bad",
        "film",
        "[SEP]",
    ]
    assert tokenised.truncated == 1


def test_a_second_call_reads_what_the_first_wrote(tokenizer: Any, tmp_path: Path) -> None:
    first = tokenise(make_split(TEXTS, [0] * 5), tokenizer, 64, tmp_path)

    def refuse(*texts: Any, **settings: Any) -> None:
        raise AssertionError("tokenised again")

    class Refusing:
        def __getattr__(self, name: str) -> Any:
            return getattr(tokenizer, name)

        __call__ = refuse

    second = tokenise(make_split(TEXTS, [1] * 5), Refusing(), 64, tmp_path)
    assert (second.key, rows(second)) == (first.key, rows(first))
    assert second.labels.tolist() == [1] * 5


def test_the_key_follows_texts_length_and_tokenizer_but_not_labels(tokenizer: Any, tmp_path: Path) -> None:
    from transformers import PreTrainedTokenizerFast

    cased = json.loads(tokenizer.backend_tokenizer.to_str())
    cased["normalizer"]["lowercase"] = False
    (tmp_path / "tokenizer.json").write_text(json.dumps(cased))
    other = PreTrainedTokenizerFast(tokenizer_file=str(tmp_path / "tokenizer.json"), pad_token="[PAD]")
    keys = [
        tokenise(make_split(TEXTS), tokenizer, 64, tmp_path).key,
        tokenise(make_split(TEXTS), tokenizer, 63, tmp_path).key,
        tokenise(make_split(TEXTS[::-1]), tokenizer, 64, tmp_path).key,
        tokenise(make_split(TEXTS), other, 64, tmp_path).key,
    ]
    assert len(set(keys)) == 4
    assert tokenise(make_split(TEXTS, [1] * 5), tokenizer, 64, tmp_path).key == keys[0]


def test_using_a_tokenizer_does_not_change_its_fingerprint(tokenizer: Any) -> None:
    before = tokenizer_fingerprint(tokenizer)
    tokenizer(TEXTS, truncation=True, max_length=5, padding="max_length")
    assert tokenizer_fingerprint(tokenizer) == before


def test_a_tokenizer_without_token_types_gives_none(tokenizer: Any, tmp_path: Path) -> None:
    from transformers import PreTrainedTokenizerFast

    plain = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer.backend_tokenizer,
        pad_token="[PAD]",
        model_input_names=["input_ids", "attention_mask"],
    )
    tokenised = tokenise(make_split(TEXTS), plain, 64, tmp_path)
    assert tokenised.token_types is None
    assert tokenise(make_split(TEXTS), plain, 64, tmp_path).token_types is None
    assert tokenise(make_split(TEXTS), tokenizer, 64, tmp_path).token_types is not None


@pytest.mark.parametrize("name", ["meta.json", "ids.npy", "offsets.npy", "token_types.npy"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_damaged_on_disk_is_made_again_and_said(
    name: str, damage: str, tokenizer: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = rows(first := tokenise(make_split(TEXTS), tokenizer, 64, tmp_path))
    path = tmp_path / "encoded" / first.key / name
    content = path.read_bytes()
    DAMAGES[damage](path)
    assert rows(tokenise(make_split(TEXTS), tokenizer, 64, tmp_path)) == whole
    assert path.read_bytes() == content
    assert [str(path) in line and "damaged" in line for line in caplog.messages] == [True]


def test_a_failure_half_way_leaves_nothing_behind(tokenizer: Any, tmp_path: Path) -> None:
    def fail(stage: str, done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tokenise(make_split(TEXTS), tokenizer, 64, tmp_path, fail)
    assert all(name.endswith(".lock") for name in entries(tmp_path))
    assert len(tokenise(make_split(TEXTS), tokenizer, 64, tmp_path)) == 5


def test_those_who_encode_the_same_at_once_wait_for_the_first(tokenizer: Any, tmp_path: Path) -> None:
    split = make_split([f"good film {number}" for number in range(3000)])
    told: list[str] = []

    def one(own: Any) -> TokenisedSplit:
        return tokenise(split, own, 64, tmp_path, lambda *_: told.append("tokenised"))

    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(one, [copy.deepcopy(tokenizer) for _ in range(4)]))
    assert told == ["tokenised"]
    assert len({tokenised.ids.tobytes() for tokenised in made}) == 1
    assert len([name for name in entries(tmp_path) if not name.endswith(".lock")]) == 1


def test_progress_ends_with_every_row(tokenizer: Any, tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    tokenise(make_split(["good film"] * 5000), tokenizer, 16, tmp_path, lambda *told: seen.append(told))
    assert len(seen) == 2
    assert seen[-1] == ("tokenise", 5000, 5000)


def test_a_tokenizer_without_padding_is_refused(tokenizer: Any, tmp_path: Path) -> None:
    from transformers import PreTrainedTokenizerFast

    bare = PreTrainedTokenizerFast(tokenizer_object=tokenizer.backend_tokenizer)
    with pytest.raises(BadInput, match="expected a padding token, got none"):
        tokenise(make_split(TEXTS), bare, 64, tmp_path)
