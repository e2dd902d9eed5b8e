from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import processors
from training.tiny_models import bert_config, make_auto_student, make_task, make_tokenizer
from transformers import BertForSequenceClassification, PreTrainedTokenizerFast

from rosearch.data.batches import batch_of_texts
from rosearch.data.tokens import tokenise
from rosearch.evaluation.attacks.victim import Victim
from rosearch.models.saved import load_tokenizer
from rosearch.models.segments import input_names, name_inputs, reads_segments, taken_by

PAIR = ("the film was good", "a good film")
UNNAMED = ["input_ids", "attention_mask"]
NAMED = ["input_ids", "token_type_ids", "attention_mask"]


@pytest.fixture
def unnamed() -> Any:
    """A tokenizer as transformers 5 reads what 4 saved: pairs have segments, and nothing says so."""
    return make_tokenizer(token_types=False)


def model(kind: str, tokenizer: Any) -> Any:
    return make_auto_student(kind, len(tokenizer)).eval()


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize(("kind", "reads"), [("bert", True), ("distilbert", False), ("roberta", False)])
def test_a_pair_has_segments_where_the_model_reads_them_whatever_the_tokenizer_names(
    kind: str, reads: bool, named: bool
) -> None:
    tokenizer = make_tokenizer(token_types=named)
    reader = model(kind, tokenizer)
    assert reads_segments(reader, tokenizer) == reads
    name_inputs(tokenizer, reader.config)
    assert tokenizer.model_input_names == (NAMED if reads else UNNAMED)


def test_a_tokenizer_that_gives_a_pair_one_segment_keeps_its_names(unnamed: Any) -> None:
    """As that of multilingual encoders with BERT's body and XLM-R's tokenizer: they were trained so."""
    template = {"single": "[CLS] $A [SEP]", "pair": "[CLS] $A [SEP] $B [SEP]"}
    ends = [("[CLS]", 2), ("[SEP]", 3)]
    unnamed.backend_tokenizer.post_processor = processors.TemplateProcessing(**template, special_tokens=ends)
    reader = model("bert", unnamed)
    name_inputs(unnamed, reader.config)
    assert unnamed.model_input_names == UNNAMED and not reads_segments(reader, unnamed)


def test_what_is_saved_names_its_inputs_for_readers_of_every_version(unnamed: Any, tmp_path: Path) -> None:
    reader = model("bert", unnamed)
    reader.save_pretrained(tmp_path)
    unnamed.save_pretrained(tmp_path)
    load_tokenizer(tmp_path).save_pretrained(tmp_path / "again")  # without a config.json beside it
    again = PreTrainedTokenizerFast.from_pretrained(tmp_path / "again")
    assert again.model_input_names == NAMED


def test_tokens_batches_and_attacks_give_the_segments(unnamed: Any, tmp_path: Path) -> None:
    reader, task = model("bert", unnamed), make_task("pair", train=8)
    expected = unnamed(*PAIR, return_token_type_ids=True)["token_type_ids"]
    victim = Victim(reader, unnamed, 32, torch.device("cpu"))
    assert victim.tokenise([PAIR])[1].tolist() == expected and 1 in expected  # type: ignore[union-attr]
    name_inputs(unnamed, reader.config)
    batch = batch_of_texts([PAIR], torch.zeros(1).numpy(), torch.zeros(1).numpy(), unnamed, 32)
    assert batch.inputs["token_type_ids"].tolist() == [expected]
    types = tokenise(task.train, unnamed, 32, tmp_path).token_types
    assert types is not None and set(types.tolist()) == {0, 1}


def test_segments_change_what_a_pair_means_to_a_model(unnamed: Any) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        reader = BertForSequenceClassification(bert_config(len(unnamed), initializer_range=1.0)).eval()
    victim = Victim(reader, unnamed, 32, torch.device("cpu"))
    ids, types, lengths = victim.tokenise([PAIR])
    with torch.inference_mode():
        assert abs(victim.score(ids, types, lengths) - victim.score(ids, None, lengths)).max() > 1e-3


def test_arguments_are_read_off_a_signature_and_never_tried(unnamed: Any) -> None:
    """transformers 5 takes any argument, also a misspelt one."""
    assert "attention_mask" in taken_by(BertForSequenceClassification)
    assert "atention_mask" not in taken_by(model("bert", unnamed))
    unnamed.model_input_names = [*NAMED, "never_heard_of"]
    distil = model("distilbert", unnamed)
    assert "token_type_ids" not in input_names(unnamed, distil.config, taken_by(distil))


def test_a_model_that_transformers_does_not_know_is_left_to_its_tokenizer(unnamed: Any) -> None:
    assert not reads_segments(torch.nn.Linear(1, 1), unnamed)
    name_inputs(unnamed, object())
    assert unnamed.model_input_names == UNNAMED
