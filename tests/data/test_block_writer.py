from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from rosearch.data import block_writer
from rosearch.data.block_writer import BlockWriter, Frame

CLS, SEP = 2, 3


def written(tokenizer: Any, paragraphs: list[str], block_length: int = 8) -> tuple[BlockWriter, np.ndarray[Any, Any]]:
    file = io.BytesIO()
    writer = BlockWriter(tokenizer, block_length, np.dtype(np.uint16), file)
    for _ in writer.take(paragraphs):
        pass
    return writer, np.frombuffer(file.getvalue(), np.uint16).reshape(-1, block_length)


def words(tokenizer: Any, blocks: np.ndarray[Any, Any]) -> list[str]:
    return [" ".join(tokenizer.convert_ids_to_tokens(row.tolist())) for row in blocks]


def test_blocks_are_framed_as_single_texts_and_a_border_stands_between_documents(tokenizer: Any) -> None:
    writer, blocks = written(
        tokenizer, ["the film was", "bad", "", "", "a good", "film", "", "was the bad film", ""], 7
    )
    assert words(tokenizer, blocks) == [
        "[CLS] the film was bad [SEP] [SEP]",
        "[CLS] a good film [SEP] was [SEP]",
    ]
    assert (writer.blocks, writer.documents, writer.tokens, writer.unknown) == (2, 3, 11, 0)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    documents=st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=4), max_size=12),
    length=st.integers(3, 11),
    characters=st.sampled_from([1, 17, 2**18]),
)
def test_blocks_are_the_joined_stream_cut_whatever_the_tokenizer_is_given_at_once(
    tokenizer: Any, monkeypatch: pytest.MonkeyPatch, documents: list[list[int]], length: int, characters: int
) -> None:
    monkeypatch.setattr(block_writer, "_CHARACTERS", characters)
    vocabulary = ["good", "bad", "film", "the", "was"]
    stream: list[str] = []
    paragraphs: list[str] = []
    for number, document in enumerate(documents):
        stream += ["[SEP]"] * (number > 0)
        for paragraph in document:
            chosen = [vocabulary[(number + place) % 5] for place in range(paragraph)]
            stream += chosen
            paragraphs.append(" ".join(chosen))
        paragraphs.append("")
    room = length - 2
    full = [stream[start : start + room] for start in range(0, len(stream) - room + 1, room)]
    assert words(tokenizer, written(tokenizer, paragraphs, length)[1]) == [
        f"[CLS] {' '.join(row)} [SEP]" for row in full
    ]


def test_unknown_tokens_are_counted(tokenizer: Any) -> None:
    writer, _ = written(tokenizer, ["good \u2603 film \u2603", ""])
    assert (writer.tokens, writer.unknown) == (4, 2)


def test_paragraphs_without_tokens_begin_no_document(tokenizer: Any) -> None:
    writer, blocks = written(tokenizer, ["\u200b", "", "good bad", "", "\u200b", "", "a film was", ""], 8)
    assert words(tokenizer, blocks) == ["[CLS] good bad [SEP] a film was [SEP]"]
    assert writer.documents == 2


def test_a_tokenizer_without_special_tokens_packs_text_alone(tokenizer: Any) -> None:
    backend = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    backend.post_processor = None  # type: ignore[assignment]
    bare = PreTrainedTokenizerFast(tokenizer_object=backend)
    assert Frame.of(bare) == Frame((), (), ())
    assert words(bare, written(bare, ["good bad", "", "film was", ""], 4)[1]) == ["good bad film was"]


def test_a_frame_is_read_off_the_tokenizer(tokenizer: Any) -> None:
    assert Frame.of(tokenizer) == Frame((CLS,), (SEP,), (SEP,))


def test_a_block_that_special_tokens_fill_is_refused(tokenizer: Any) -> None:
    with pytest.raises(ValueError, match="no room"):
        written(tokenizer, ["good"], 2)


def test_with_a_tokenizer_like_xlm_r_s_joined_paragraphs_are_the_joined_text() -> None:
    pieces = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("\u2581", -3.0)]
    pieces += [(piece, -2.0) for piece in ("\u2581good", "\u2581film", "Fü", "ße", "\u2581bad", "a", "\u2581a")]
    backend = Tokenizer(models.Unigram(pieces, unk_id=3))
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    backend.post_processor = processors.TemplateProcessing("<s> $A </s>", None, [("<s>", 0), ("</s>", 2)])
    named = {"bos_token": "<s>", "eos_token": "</s>", "sep_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}
    xlm_r = PreTrainedTokenizerFast(tokenizer_object=backend, model_input_names=["input_ids"], **named)
    assert Frame.of(xlm_r) == Frame((0,), (2,), (2,))
    paragraphs = ["good film Füße", "bad film good", "a bad"]
    ids = xlm_r(" ".join(paragraphs))["input_ids"]
    assert written(xlm_r, [*paragraphs, ""], len(ids))[1].tolist() == [ids]
