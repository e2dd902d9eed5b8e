from __future__ import annotations

import pytest
from transformers import BertConfig, CamembertConfig, PretrainedConfig, RobertaConfig, T5Config, XLMRobertaConfig

from rosearch.materials.task import table_rows
from rosearch.models.lengths import text_positions


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (BertConfig(max_position_embeddings=512), 512),
        (RobertaConfig(max_position_embeddings=514, pad_token_id=1), 512),
        (XLMRobertaConfig(max_position_embeddings=514, pad_token_id=1), 512),
        (CamembertConfig(max_position_embeddings=514, pad_token_id=1), 512),
        (RobertaConfig(max_position_embeddings=40, pad_token_id=0), 39),
    ],
)
def test_rows_before_the_first_position_of_a_text_do_not_count(config: PretrainedConfig, expected: int) -> None:
    assert text_positions(config) == expected
    assert table_rows(config)[0] == expected


def test_a_model_without_a_table_names_no_limit() -> None:
    assert text_positions(T5Config()) is None
    with pytest.raises(AttributeError, match="max_position_embeddings"):
        table_rows(T5Config())
