from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from resources.tiny_encoder import WIDTH, WORDS, write_encoder
from transformers import BertModel

from rosearch.errors import BadInput
from rosearch.resources import sentence_encoder
from rosearch.resources.sentence_encoder import SentenceEncoder, read_sentence_encoder


@pytest.fixture
def encoder(tmp_path: Path) -> SentenceEncoder:
    return read_sentence_encoder(write_encoder(tmp_path / "encoder"))


def sentences(count: int) -> list[str]:
    draw = random.Random(2)
    return [" ".join(draw.choices(WORDS, k=draw.randrange(1, 14))) for _ in range(count)]


def by_hand(folder: Path, ids: list[int]) -> np.ndarray:
    model = BertModel.from_pretrained(folder).eval()
    with torch.no_grad():
        states = model(torch.tensor([ids])).last_hidden_state[0]
    mean = states.mean(0)
    return (mean / mean.norm()).numpy()


def test_a_text_is_the_normalised_mean_of_its_tokens(tmp_path: Path) -> None:
    folder = write_encoder(tmp_path / "encoder")
    vectors = read_sentence_encoder(folder).encode([" A good Film. "])
    assert (vectors.dtype, tuple(vectors.shape)) == (torch.float32, (1, WIDTH))
    ids = [2, 5, 8, 6, 13, 3]
    np.testing.assert_allclose(vectors[0].numpy(), by_hand(folder, ids), atol=1e-6)


def test_texts_are_cut_where_the_encoders_own_settings_say_not_where_the_tokenizers_do(tmp_path: Path) -> None:
    encoder = read_sentence_encoder(write_encoder(tmp_path / "encoder", longest=8))
    six, seven, eight = encoder.rows(["the plot " * 3, "the plot " * 3 + "bad", "the plot " * 3 + "bad dull"])
    assert np.abs(six - seven).max() == 0  # 8 tokens, [CLS] and [SEP] among them
    np.testing.assert_allclose(seven, eight, atol=1e-6)


def test_the_vector_of_a_text_does_not_depend_on_the_texts_beside_it(encoder: SentenceEncoder, tmp_path: Path) -> None:
    texts = sentences(80)
    together = encoder.rows(texts)
    alone = read_sentence_encoder(tmp_path / "encoder")
    np.testing.assert_allclose(np.concatenate([alone.rows([text]) for text in texts]), together, atol=1e-6)


def test_the_order_of_the_texts_changes_no_bit(encoder: SentenceEncoder, tmp_path: Path) -> None:
    texts = sentences(80)
    shuffled = random.Random(1).sample(range(80), 80)
    other = read_sentence_encoder(tmp_path / "encoder").rows([texts[place] for place in shuffled])
    np.testing.assert_array_equal(other, encoder.rows(texts)[shuffled])


def test_a_text_is_computed_once_however_often_it_is_asked_for(
    encoder: SentenceEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    compute = encoder._computed
    monkeypatch.setattr(encoder, "_computed", lambda texts: asked.extend(texts) or compute(texts))
    first = encoder.rows(["good film", "bad film", "good film"])
    again = encoder.rows(["bad film", "dull plot"])
    assert asked == ["good film", "bad film", "dull plot"]
    np.testing.assert_array_equal(first[0], first[2])
    np.testing.assert_array_equal(first[1], again[0])


def test_the_memory_is_bounded_and_a_call_may_be_larger_than_it(
    encoder: SentenceEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sentence_encoder, "_REMEMBERED", 3)
    texts = [f"the {word}" for word in WORDS]
    assert encoder.rows(texts).shape == (len(WORDS), WIDTH)
    assert list(encoder._memory) == texts[-3:]
    encoder.rows([texts[-3]])
    encoder.rows(["a new one"])
    assert texts[-3] in encoder._memory  # asked for last but one
    assert texts[-2] not in encoder._memory


def test_what_a_caller_writes_into_a_result_changes_no_later_one(encoder: SentenceEncoder) -> None:
    first = encoder.encode(["good film"])
    kept = first.clone()
    first.zero_()
    assert torch.equal(encoder.encode(["good film"]), kept)


def test_no_texts_give_no_rows(encoder: SentenceEncoder) -> None:
    assert tuple(encoder.encode([]).shape) == (0, WIDTH)


def test_an_empty_text_has_a_vector(encoder: SentenceEncoder) -> None:
    assert torch.isfinite(encoder.encode([""])).all()


def test_the_first_token_stands_for_the_text_where_the_model_says_so_and_lengths_stay(tmp_path: Path) -> None:
    folder = write_encoder(tmp_path / "encoder", pooling="cls_token", normalised=False)
    vector = read_sentence_encoder(folder).rows(["a film"])[0]
    model = BertModel.from_pretrained(folder).eval()
    with torch.no_grad():
        expected = model(torch.tensor([[2, 5, 6, 3]])).last_hidden_state[0, 0].numpy()
    np.testing.assert_allclose(vector, expected, atol=1e-6)


def test_a_folder_with_a_model_and_a_tokenizer_alone_is_averaged_and_normalised(tmp_path: Path) -> None:
    folder = write_encoder(tmp_path / "encoder")
    expected = read_sentence_encoder(folder).rows(["good film"])
    for name in ("modules.json", "sentence_bert_config.json", "1_Pooling/config.json"):
        (folder / name).unlink()
    np.testing.assert_array_equal(read_sentence_encoder(folder).rows(["good film"]), expected)


def test_a_pooling_that_is_not_known_is_one_clear_error(tmp_path: Path) -> None:
    folder = write_encoder(tmp_path / "encoder", pooling="max_tokens")
    with pytest.raises(BadInput, match=r"pooled by max_tokens .* only mean and cls pooling are known"):
        read_sentence_encoder(folder)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_damaged_file_is_one_clear_error(tmp_path: Path, name: str) -> None:
    folder = write_encoder(tmp_path / "encoder")
    (folder / name).write_text("{")
    with pytest.raises(BadInput, match=str(folder)) as caught:
        read_sentence_encoder(folder)
    assert "\n" not in str(caught.value)


def test_opening_an_encoder_says_nothing_and_leaves_progress_bars_as_they_were(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from transformers.utils import logging

    folder = write_encoder(tmp_path / "encoder")
    shown = logging.is_progress_bar_enabled()
    capfd.readouterr()
    read_sentence_encoder(folder)
    assert capfd.readouterr() == ("", "")
    assert logging.is_progress_bar_enabled() == shown


def test_opening_an_encoder_draws_nothing_from_the_global_generator(tmp_path: Path) -> None:
    folder = write_encoder(tmp_path / "encoder")
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    read_sentence_encoder(folder)
    assert torch.equal(torch.rand(1), expected)
