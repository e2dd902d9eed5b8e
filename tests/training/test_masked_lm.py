"""A masked LM from an encoder and plain text: what it learns, what it costs to ask again, and what is refused."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
import torch
from training.stopped_training import stopped
from training.tiny_models import BAD, CPU, FILLERS, GOOD, bert_config, make_tokenizer, same_weights, save_model
from transformers import AutoModelForMaskedLM, BertForMaskedLM

from rosearch.errors import BadInput
from rosearch.training import masked_lm as module
from rosearch.training.masked_lm import FACTS, MadeMaskedLm, MaskedLmSettings, make_masked_lm

SETTINGS = MaskedLmSettings(steps=60, batch_size=8, block_length=16, learning_rate=1e-2)
GROUPS = [[GOOD[place], BAD[place], FILLERS[place]] for place in range(3)]  # words that stand together


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Lines of words of one group each: what stands around a masked word says which three it may be."""
    rng = random.Random(1)
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_text("\n".join(" ".join(rng.choices(rng.choice(GROUPS), k=56)) for _ in range(120)))
    return path


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("encoder"), make_tokenizer(), initializer_range=0.2)


def made(encoder: Path, text: Path, cache: Path, **changes: Any) -> MadeMaskedLm:
    settings = MaskedLmSettings(**{**vars(SETTINGS), **changes})
    return make_masked_lm(str(encoder), [text], settings, cache)


@pytest.fixture(scope="module")
def learnt(encoder: Path, text: Path, tmp_path_factory: pytest.TempPathFactory) -> MadeMaskedLm:
    return made(encoder, text, tmp_path_factory.mktemp("cache"))


def test_it_tells_masked_words_of_held_out_text_far_better_than_their_frequencies(learnt: MadeMaskedLm) -> None:
    facts = learnt.facts
    assert facts == json.loads((learnt.folder / FACTS).read_text())
    assert facts["unigram_perplexity"] == pytest.approx(9, rel=0.1)  # nine words, equally frequent
    assert facts["perplexity"] < 0.45 * facts["unigram_perplexity"]  # three of a group, but where two groups meet
    assert (facts["layers"], facts["steps"]) == (2, 60)


def test_its_folder_is_one_that_transformers_loads_with_a_tied_head(learnt: MadeMaskedLm) -> None:
    model = AutoModelForMaskedLM.from_pretrained(learnt.folder)
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight
    tokenizer = make_tokenizer()
    for group in GROUPS:
        inputs = tokenizer(" ".join([*group, "[MASK]", *group]), return_tensors="pt")
        place = int((inputs["input_ids"][0] == tokenizer.mask_token_id).nonzero())
        assert tokenizer.convert_ids_to_tokens(int(model(**inputs).logits[0, place].argmax())) in group


def test_the_same_content_is_made_once_whatever_its_files_are_called(
    learnt: MadeMaskedLm, encoder: Path, text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    renamed = tmp_path / "renamed.txt"
    renamed.write_bytes(text.read_bytes())
    monkeypatch.setattr(module, "fit", None)  # nothing is trained
    assert made(encoder, renamed, learnt.folder.parents[1]).folder == learnt.folder


def test_a_training_that_is_stopped_goes_on_to_the_same_bits(
    learnt: MadeMaskedLm, encoder: Path, text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with stopped(KeyboardInterrupt, monkeypatch):
        made(encoder, text, tmp_path)
    (unfinished,) = (tmp_path / "masked_lms").glob("*.unfinished")
    notes: list[str] = []
    again = make_masked_lm(str(encoder), [text], SETTINGS, tmp_path, note=notes.append)
    assert notes == ["goes on at step 2 of 60"] and not unfinished.exists()
    models = [AutoModelForMaskedLM.from_pretrained(one.folder) for one in (learnt, again)]
    assert same_weights(*models)


def test_lower_layers_alone_are_taken_if_asked_for(encoder: Path, text: Path, tmp_path: Path) -> None:
    found = made(encoder, text, tmp_path, layers=1)
    assert found.facts["layers"] == AutoModelForMaskedLM.from_pretrained(found.folder).config.num_hidden_layers == 1
    with pytest.raises(BadInput, match="--layers: expected 1 to 2, the layers of the encoder, got 3"):
        made(encoder, text, tmp_path, layers=3)


def test_one_that_has_not_learnt_to_read_is_refused_and_leaves_nothing(
    encoder: Path, text: Path, tmp_path: Path
) -> None:
    with pytest.raises(
        BadInput, match=r"expected a perplexity of at most [45] on held-out text.*after 1 steps.*--steps"
    ):
        made(encoder, text, tmp_path, steps=1)
    assert not [path for path in (tmp_path / "masked_lms").iterdir() if path.is_dir()]


def test_a_model_with_a_trained_head_is_measured_and_not_trained(
    learnt: MadeMaskedLm, text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "fit", None)
    found = made(learnt.folder, text, tmp_path)
    assert found.facts["steps"] == 0
    assert found.facts["perplexity"] == pytest.approx(learnt.facts["perplexity"], rel=1e-3)


def test_a_trained_head_that_knows_nothing_is_refused_too(text: Path, tmp_path: Path) -> None:
    tokenizer = make_tokenizer()
    with torch.random.fork_rng(devices=[]):
        BertForMaskedLM(bert_config(len(tokenizer))).save_pretrained(tmp_path / "random")
    tokenizer.save_pretrained(tmp_path / "random")
    with pytest.raises(BadInput, match="after 0 steps"):
        made(tmp_path / "random", text, tmp_path / "cache")


def test_what_cannot_be_a_masked_lm_is_one_line(encoder: Path, text: Path, tmp_path: Path) -> None:
    tokenizer = make_tokenizer()
    tokenizer.mask_token = None
    other = save_model(tmp_path / "other", tokenizer)
    with pytest.raises(BadInput, match="expected a tokenizer with a mask token, got none"):
        made(other, text, tmp_path)
    short = tmp_path / "short.txt"
    short.write_text("a good film\n")
    with pytest.raises(BadInput, match=r"expected text for 2 or more blocks|expected text for 1 or more blocks"):
        made(encoder, short, tmp_path)
    with pytest.raises(BadInput, match=r"nowhere\.txt"):
        made(encoder, tmp_path / "nowhere.txt", tmp_path)


def test_of_the_tokens_to_be_told_most_are_masked_some_are_others_and_some_stay(learnt: MadeMaskedLm) -> None:
    generator = module.Generator(torch.nn.Linear(1, 1), module.Masking(4, (0, 1, 2, 3, 4), 0.5), 23)  # type: ignore[arg-type]
    lm = module._Lm(generator, None, SETTINGS)  # type: ignore[arg-type]
    ids = torch.randint(5, 23, (200, 50), device=CPU)
    ids[:, 0] = 2
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        told = lm._told(ids)
        shown = lm._corrupted(ids, told)
    assert not told[:, 0].any() and float(told.float().mean()) == pytest.approx(0.5 * 49 / 50, abs=0.02)
    assert torch.equal(shown[~told], ids[~told])
    assert float((shown[told] == 4).float().mean()) == pytest.approx(0.8, abs=0.03)
    assert float((shown[told] == ids[told]).float().mean()) == pytest.approx(0.1, abs=0.03)
