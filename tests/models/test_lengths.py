from __future__ import annotations

from types import SimpleNamespace

import pytest
from transformers import (
    BertConfig,
    CamembertConfig,
    ModernBertConfig,
    MPNetConfig,
    PretrainedConfig,
    RobertaConfig,
    T5Config,
    XLMRobertaConfig,
)

from rosearch.models.lengths import ids_without_words, longest_input, table_rows, text_positions


@pytest.mark.filterwarnings("ignore:.torch.jit.script:DeprecationWarning")  # ModernBERT imports torch's compiler
@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (BertConfig(max_position_embeddings=512), 512),
        (RobertaConfig(max_position_embeddings=514, pad_token_id=1), 512),
        (XLMRobertaConfig(max_position_embeddings=514, pad_token_id=1), 512),
        (CamembertConfig(max_position_embeddings=514, pad_token_id=1), 512),
        (RobertaConfig(max_position_embeddings=40, pad_token_id=0), 39),
        (MPNetConfig(max_position_embeddings=514, pad_token_id=1), 512),
        (ModernBertConfig(max_position_embeddings=8192), 8192),
    ],
)
def test_rows_before_the_first_position_of_a_text_do_not_count(config: PretrainedConfig, expected: int) -> None:
    assert text_positions(config) == expected
    assert table_rows(config)[0] == expected


def test_a_config_json_alone_tells_as_much_by_its_kind() -> None:
    for config in (RobertaConfig(), XLMRobertaConfig(), MPNetConfig(), BertConfig()):
        read = SimpleNamespace(**config.to_dict())
        assert text_positions(read) == text_positions(config)


def test_a_model_without_a_table_names_no_limit() -> None:
    assert text_positions(T5Config()) is None
    with pytest.raises(AttributeError, match="max_position_embeddings"):
        table_rows(T5Config())


@pytest.mark.parametrize(("of_tokenizer", "expected"), [(128, 128), (10**30, 512), (2000, 512)])
def test_the_longest_input_is_the_smaller_limit_of_model_and_tokenizer(of_tokenizer: int, expected: int) -> None:
    tokenizer = SimpleNamespace(model_max_length=of_tokenizer)
    assert longest_input(BertConfig(max_position_embeddings=512), tokenizer) == expected


def test_the_longest_input_of_a_model_without_any_limit_is_512() -> None:
    assert longest_input(T5Config(), SimpleNamespace(model_max_length=10**30)) == 512


class Words(dict[str, int]):
    """A tokenizer of these words."""

    def get_vocab(self) -> dict[str, int]:
        return self


def test_a_hole_among_the_ids_is_told_as_no_student_has_a_row_above_its_words() -> None:
    assert ids_without_words(Words(a=0, b=1, c=2)) == ids_without_words(Words()) == []
    ((expected, got, _),) = ids_without_words(Words(a=0, b=1, c=5))
    assert (expected, got) == ("ids from 0 to 2 for the 3 words of its tokenizer", "ids up to 5")
