"""The masked LM of MATE-KD: what it hides, what it says, where it comes from."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from damaged_files import DAMAGES
from training.stopped_training import stopped
from training.tiny_models import CPU, bert_config, config_of, make_tokenizer, same_weights, save_model
from transformers import (
    BertForMaskedLM,
    DistilBertConfig,
    DistilBertForMaskedLM,
    DistilBertForSequenceClassification,
    ElectraConfig,
    ElectraForMaskedLM,
    PreTrainedModel,
    RobertaConfig,
    RobertaForMaskedLM,
)

from rosearch.data.batches import Batch, collate
from rosearch.errors import BadInput, MissingResource
from rosearch.models.saved import load_classifier
from rosearch.training import generator as module
from rosearch.training.generator import (
    Generator,
    Masking,
    accepted,
    check_vocabulary,
    cut_from_teacher,
    open_generator,
    part_of,
    pieces,
)
from rosearch.training.method import TrainingInputs

SIZES = {"num_hidden_layers": 2, "num_attention_heads": 2, "hidden_size": 32, "intermediate_size": 48}


def masked_lm(kind: str, vocabulary: int) -> PreTrainedModel:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        shared = {"vocab_size": vocabulary, "pad_token_id": 0, "max_position_embeddings": 40}
        if kind == "distilbert":
            return DistilBertForMaskedLM(DistilBertConfig(dim=32, n_layers=2, n_heads=2, hidden_dim=48, **shared))
        if kind == "roberta":
            return RobertaForMaskedLM(RobertaConfig(type_vocab_size=2, **SIZES, **shared))
        if kind == "electra":
            return ElectraForMaskedLM(ElectraConfig(embedding_size=16, **SIZES, **shared))
        return BertForMaskedLM(bert_config(vocabulary))


def training_inputs(inputs: TrainingInputs, **settings: Any) -> TrainingInputs:
    small = {"generator_layers": 1, "generator_steps_before": 2, **settings}
    return replace(inputs, config=config_of("mate_kd", mate_kd=small))


@pytest.fixture
def batch(inputs: TrainingInputs) -> Batch:
    return collate(inputs.tokenised, np.array([3, 0, 17, 40]))


def test_special_and_padding_tokens_are_never_hidden(batch: Batch, tokenizer: Any) -> None:
    batch.input_ids[0, 1] = tokenizer.unk_token_id
    masking = Masking.of(tokenizer, 0.9)
    special = torch.isin(batch.input_ids, torch.tensor(tokenizer.all_special_ids))
    drawn = torch.stack([masking.draw(batch) for _ in range(50)])
    assert not drawn[:, special].any() and not drawn[:, batch.attention_mask == 0].any()
    assert drawn.any(0)[~special].all()


def test_each_token_is_hidden_with_the_share_that_is_asked_for(batch: Batch, tokenizer: Any) -> None:
    masking = Masking.of(tokenizer, 0.3)
    free = ~torch.isin(batch.input_ids, torch.tensor(tokenizer.all_special_ids))
    drawn = torch.stack([masking.draw(batch)[free] for _ in range(400)]).float()
    assert abs(drawn.mean().item() - 0.3) < 0.02


def test_a_tokenizer_without_a_mask_token_is_refused() -> None:
    tokenizer = make_tokenizer()
    tokenizer.mask_token = None
    with pytest.raises(BadInput, match="a tokenizer with a mask token, got none"):
        Masking.of(tokenizer, 0.3)


@pytest.mark.parametrize("kind", ["bert", "distilbert", "roberta", "electra"])
def test_the_head_says_at_hidden_positions_what_the_whole_model_says(kind: str, batch: Batch, tokenizer: Any) -> None:
    model = masked_lm(kind, len(tokenizer) + 3).eval()  # a table may have more rows than there are tokens
    hidden = Masking.of(tokenizer, 0.4).draw(batch)
    seen: list[tuple[int, ...]] = []
    model.get_output_embeddings().register_forward_hook(lambda *call: seen.append(tuple(call[2].shape)))
    logits = Generator(model, Masking.of(tokenizer, 0.4), len(tokenizer))(batch.inputs, hidden)
    masked = {**batch.inputs, "input_ids": batch.input_ids.masked_fill(hidden, tokenizer.mask_token_id)}
    whole = model(**accepted(model, masked)).logits
    torch.testing.assert_close(logits, whole[hidden][:, : len(tokenizer)])
    assert seen[0][:2] == (1, 64)  # the hidden ones alone, rounded up: never B x T x V


def test_a_text_without_hidden_positions_gives_no_logits(batch: Batch, tokenizer: Any) -> None:
    generator = Generator(masked_lm("bert", len(tokenizer)).eval(), Masking.of(tokenizer, 0.3), len(tokenizer))
    logits = generator(batch.inputs, torch.zeros_like(batch.input_ids, dtype=torch.bool))
    assert logits.shape == (0, len(tokenizer))


def test_pieces_of_a_batch_hold_each_row_once(batch: Batch) -> None:
    tokens = batch.input_ids.shape[1]
    parts = [part_of(batch, piece) for piece in pieces(batch, 4 * tokens - 1)]
    assert [len(part) for part in parts] == [3, 1]
    assert [len(part_of(batch, piece)) for piece in pieces(batch, 1)] == [1] * len(batch)  # never none
    assert torch.equal(torch.cat([part.input_ids for part in parts]), batch.input_ids)
    assert np.concatenate([part.rows for part in parts]).tolist() == batch.rows.tolist()


def test_another_vocabulary_is_refused_with_both_sizes_and_a_token(tokenizer: Any, teacher_folder: Path) -> None:
    teacher, _ = load_classifier(teacher_folder)
    check_vocabulary(tokenizer, tokenizer, "teacher.model", teacher)
    size = len(tokenizer)
    expected = f"teacher.model: expected the student's vocabulary of {size} tokens, got one of {size + 1} tokens"
    with pytest.raises(BadInput, match=f"{expected}, in which 'other' is {size} and not None"):
        check_vocabulary(tokenizer, make_tokenizer(("other",)), "teacher.model", teacher)


def test_a_table_with_fewer_rows_than_tokens_is_refused(tokenizer: Any) -> None:
    with pytest.raises(BadInput, match="got a table of 5 embeddings"):
        check_vocabulary(tokenizer, tokenizer, "teacher.model", masked_lm("bert", 5))


class TestNamedGenerator:
    def test_is_loaded_with_its_own_weights(self, inputs: TrainingInputs, tokenizer: Any, tmp_path: Path) -> None:
        model = masked_lm("distilbert", len(tokenizer))
        model.save_pretrained(tmp_path / "lm")
        tokenizer.save_pretrained(tmp_path / "lm")
        generator = open_generator(training_inputs(inputs, generator=str(tmp_path / "lm")))
        assert same_weights(generator.model, model) and not generator.model.training

    def test_of_another_vocabulary_is_refused(self, inputs: TrainingInputs, tmp_path: Path) -> None:
        other = make_tokenizer(("other",))
        masked_lm("bert", len(other)).save_pretrained(tmp_path / "lm")
        other.save_pretrained(tmp_path / "lm")
        with pytest.raises(BadInput, match=r"distillation\.mate_kd\.generator: expected the student's vocabulary"):
            open_generator(training_inputs(inputs, generator=str(tmp_path / "lm")))

    def test_without_the_head_of_a_masked_lm_is_refused(
        self, inputs: TrainingInputs, tokenizer: Any, tmp_path: Path
    ) -> None:
        folder = save_model(tmp_path / "encoder", tokenizer)
        with pytest.raises(BadInput, match=r"generator: expected weights for all of BertForMaskedLM, got none for cls"):
            open_generator(training_inputs(inputs, generator=str(folder)))

    def test_that_is_not_there_is_called_by_its_own_setting(self, inputs: TrainingInputs) -> None:
        with pytest.raises(MissingResource, match=r"^distillation\.mate_kd\.generator: there is no folder"):
            open_generator(training_inputs(inputs, generator="./nowhere"))

    def test_with_fewer_positions_than_the_task_is_refused(
        self, inputs: TrainingInputs, tokenizer: Any, tmp_path: Path
    ) -> None:
        BertForMaskedLM(bert_config(len(tokenizer), max_position_embeddings=8)).save_pretrained(tmp_path / "lm")
        tokenizer.save_pretrained(tmp_path / "lm")
        with pytest.raises(BadInput, match="at least 16 positions, got 8"):
            open_generator(training_inputs(inputs, generator=str(tmp_path / "lm")))


class TestCutGenerator:
    def test_has_the_teachers_lower_layers_and_a_tied_head(self, inputs: TrainingInputs, teacher_folder: Path) -> None:
        model = cut_from_teacher(training_inputs(inputs), 0)
        teacher, _ = load_classifier(teacher_folder)
        assert len(model.bert.encoder.layer) == 1
        assert same_weights(model.bert.encoder.layer[0], teacher.bert.encoder.layer[0])
        assert same_weights(model.bert.embeddings, teacher.bert.embeddings)
        assert model.get_output_embeddings().weight is model.get_input_embeddings().weight

    def test_can_be_cut_from_a_distilbert(self, inputs: TrainingInputs, tokenizer: Any, tmp_path: Path) -> None:
        config = DistilBertConfig(vocab_size=len(tokenizer), dim=32, n_layers=3, n_heads=2, hidden_dim=48)
        DistilBertForSequenceClassification(config).save_pretrained(tmp_path / "distil")
        tokenizer.save_pretrained(tmp_path / "distil")
        model = cut_from_teacher(replace(training_inputs(inputs, generator_layers=2), teacher=tmp_path / "distil"), 0)
        assert len(model.distilbert.transformer.layer) == 2

    def test_of_more_layers_than_the_teacher_has_is_refused(self, inputs: TrainingInputs) -> None:
        with pytest.raises(BadInput, match="generator_layers: expected at most 2, the layers of the teacher, got 3"):
            open_generator(training_inputs(inputs, generator_layers=3))

    def test_learns_the_words_of_the_task(self, inputs: TrainingInputs) -> None:
        losses = []
        for steps in (0, 60):
            generator = open_generator(training_inputs(inputs, generator_steps_before=steps))
            batch = collate(inputs.tokenised, np.arange(64))
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(1)
                hidden = generator.masking.draw(batch)
            loss = torch.nn.functional.cross_entropy(generator(batch.inputs, hidden), batch.input_ids[hidden])
            losses.append(loss.item())
        assert losses[1] < losses[0] - 0.1

    def test_is_made_once_for_all_seeds_of_students(
        self, inputs: TrainingInputs, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made: list[int] = []
        whole = module.fit
        monkeypatch.setattr(module, "fit", lambda *args, **names: (made.append(1), whole(*args, **names))[1])
        first = open_generator(training_inputs(inputs))
        second = open_generator(replace(training_inputs(inputs), seed=7))
        assert made == [1] and same_weights(first, second)
        open_generator(training_inputs(inputs, mask_share=0.2))
        assert made == [1, 1]

    def test_is_the_same_when_it_is_made_again(self, inputs: TrainingInputs, tmp_path: Path) -> None:
        first = open_generator(replace(training_inputs(inputs), cache=tmp_path / "one"))
        state = torch.get_rng_state()
        second = open_generator(replace(training_inputs(inputs), cache=tmp_path / "two"))
        assert same_weights(first, second) and torch.equal(state, torch.get_rng_state())

    @pytest.mark.parametrize("ending", [RuntimeError, KeyboardInterrupt, OSError])
    def test_that_was_stopped_goes_on_to_the_same_bits(
        self,
        ending: type[BaseException],
        inputs: TrainingInputs,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        asked = training_inputs(inputs, generator_steps_before=4)
        expected = open_generator(replace(asked, cache=tmp_path / "undisturbed"))
        with stopped(ending, monkeypatch) as steps:
            open_generator(replace(asked, cache=tmp_path / "stopped"))
        told = replace(
            asked, cache=tmp_path / "stopped", progress=lambda stage, done, total: steps.append(done) if done else None
        )
        assert same_weights(open_generator(told), expected)
        assert steps == [0, 1, 2, 4]  # two were written, and it goes on behind them
        assert not list((tmp_path / "stopped" / "generators").glob("*.unfinished*"))

    @pytest.mark.parametrize("damage", DAMAGES)
    def test_is_made_again_where_the_disk_damaged_it(self, damage: str, inputs: TrainingInputs) -> None:
        first = copy.deepcopy(
            open_generator(training_inputs(inputs))
        )  # the weights themselves are mapped from the file
        (weights,) = (inputs.cache / "generators").glob("*/model.safetensors")
        DAMAGES[damage](weights)
        assert same_weights(first, open_generator(training_inputs(inputs)))
        assert not list((inputs.cache / "generators").glob(".*"))

    def test_is_kept_as_a_folder_that_can_be_named(self, inputs: TrainingInputs) -> None:
        first = open_generator(training_inputs(inputs))
        (weights,) = (inputs.cache / "generators").glob("*/model.safetensors")
        assert same_weights(first, open_generator(training_inputs(inputs, generator=str(weights.parent))))
        assert first.model.device == CPU
