"""Attacks that ask the student how it reads a word: what it reads alike is never tried, and what is tried is plenty."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from evaluation.attacks.test_recipes import NEAREST, SYNONYMS, ToyResources, masked_lm
from evaluation.tiny_model import CPU

from rosearch.evaluation.attacks.prepared import prepare_attack
from rosearch.evaluation.attacks.recipes import RECIPES, build
from rosearch.evaluation.attacks.stock import library
from rosearch.evaluation.attacks.stock.adaptive import TRIES, edits, reading_of
from rosearch.evaluation.attacks.victim import Victim
from rosearch.student.tokenization_rosearch import EncodedTokenizer

__all__ = ["masked_lm"]  # a fixture

WEIGHTS = {"film": 9.0, "good": 8.0, "dull": 7.0}
CODES = {"movie": "film", "picture": "film", "fine": "good"}
TYPOS = {"encoding": "typos+synonyms", "ratio": 1e12, "weights": WEIGHTS, "codes": CODES}
SYNONYM_CODES = {**TYPOS, "weights": {}}


@pytest.fixture
def encoded(tokenizer: Any) -> Any:
    """The tokenizer with an encoding."""

    def of(data: dict[str, Any]) -> EncodedTokenizer:
        special = {
            name: tokenizer.special_tokens_map[name] for name in ("pad_token", "unk_token", "cls_token", "sep_token")
        }
        names = list(tokenizer.model_input_names)
        backend = type(tokenizer.backend_tokenizer).from_str(tokenizer.backend_tokenizer.to_str())
        made = EncodedTokenizer(tokenizer_object=backend, model_max_length=48, model_input_names=names, **special)
        made.set_encoding(data)
        return made

    return of


def one_edit(word: str, other: str) -> bool:
    longer, shorter = sorted((word, other), key=len, reverse=True)
    if len(longer) == len(shorter):
        places = [place for place in range(len(word)) if word[place] != other[place]]
        swapped = len(places) == 2 and places[1] == places[0] + 1 and word[places[0]] == other[places[1]]
        return len(places) == 1 or swapped
    return len(longer) == len(shorter) + 1 and any(longer[:n] + longer[n + 1 :] == shorter for n in range(len(longer)))


def test_a_plain_student_is_met_with_single_edits_many_times_those_of_deepwordbug() -> None:
    found = edits("film", reading_of(SimpleNamespace()), TRIES)
    assert len(found) == len(set(found)) == TRIES >= 10 * 4
    assert all(one_edit("film", other) for other in found)
    assert found == edits("film", str.lower, TRIES)
    assert edits("a", str.lower, TRIES) and edits("", str.lower, TRIES)


def test_an_encoding_of_typos_is_met_with_what_it_does_not_undo(encoded: Any) -> None:
    read = reading_of(encoded(TYPOS))
    assert read("fllm") == read("fim") == "film"
    found = edits("film", read, TRIES)
    assert len(found) == TRIES
    assert len({read(other) for other in found}) == TRIES  # one of each reading
    assert "film" not in {read(other) for other in found}
    assert sum(one_edit("film", other) for other in found) < TRIES / 4  # spaces; the rest are pairs of edits


def test_words_that_are_read_alike_are_no_candidates_and_all_lists_and_the_masked_lm_give_others(
    encoded: Any, model: Any, tokenizer: Any, masked_lm: Path, cache: Path
) -> None:
    textattack, resources = library.load(cache), ToyResources(masked_lm)
    text = textattack.shared.AttackedText("This film is good")

    def of(tokenizer: Any, index: int) -> set[str]:
        attack = build(RECIPES["adaptive-words"], Victim(model, tokenizer, 48, CPU), resources, cache)
        return {made.words[index] for made in attack.transformation._get_transformations(text, [index])}

    plain, found = of(tokenizer, 1), of(encoded(SYNONYM_CODES), 1)
    single = {other for other in SYNONYMS["film"] if "_" not in other} | {"cinema"}
    assert single - {"film"} <= plain and {"movie", "picture"} <= plain
    assert plain - found == {"movie", "picture"}  # read as "film"
    listed = {*NEAREST["film"], *single}
    assert found - listed  # the masked LM's
    assert "fine" not in of(encoded(SYNONYM_CODES), 3) and "bad" in of(encoded(SYNONYM_CODES), 3)


def test_candidates_of_the_masked_lm_follow_from_the_original_text(victim: Any, masked_lm: Path, cache: Path) -> None:
    textattack = library.load(cache)
    attack = build(RECIPES["adaptive-words"], victim, ToyResources(masked_lm), cache)
    text = textattack.shared.AttackedText("This film is good")
    swapped = text.replace_word_at_index(3, "dull")
    made = [attack.transformation._get_transformations(one, [1]) for one in (text, swapped)]
    assert [one.words[1] for one in made[0]] == [one.words[1] for one in made[1]]


@pytest.mark.parametrize("name", ["adaptive-characters-strict", "adaptive-words-strict"])
def test_the_strict_forms_bound_similarity_and_share_and_words_their_part_of_speech(
    name: str, victim: Any, masked_lm: Path, cache: Path
) -> None:
    attack = build(RECIPES[name], victim, ToyResources(masked_lm), cache)
    found = {type(part).__name__: part for part in attack.constraints}
    assert found["MaxWordsPerturbed"].max_percent == 0.3
    (encoder,) = [part for part in attack.constraints if hasattr(part, "sim_metric")]
    assert encoder.compare_against_original and encoder.window_size == float("inf")
    assert ("LocalPartOfSpeech" in found) == ("words" in name)
    loose = build(RECIPES[name.removesuffix("-strict")], victim, ToyResources(masked_lm), cache)
    assert not loose.constraints and type(loose.transformation).__name__ == type(attack.transformation).__name__


def test_plans_are_shared_by_students_that_read_alike(
    encoded: Any, model: Any, tokenizer: Any, sentences: list[tuple[str, ...]], cache: Path
) -> None:
    def key(tokenizer: Any, name: str = "adaptive-characters") -> str:
        victim = Victim(model, tokenizer, 48, CPU)
        return prepare_attack(name, sentences[:1], 1, victim, ToyResources(cache), cache).key

    assert key(encoded(TYPOS)) == key(encoded(TYPOS)) != key(encoded(SYNONYM_CODES)) != key(tokenizer)
    assert key(encoded(TYPOS), "deepwordbug") == key(tokenizer, "deepwordbug")


class Drawing(torch.nn.Module):
    """A model with a random part: its answers differ from pass to pass, around the untouched model's."""

    def __init__(self, model: Any, spread: float) -> None:
        super().__init__()
        self.model, self.config, self.spread = model, model.config, spread

    def forward(self, **inputs: Any) -> Any:
        found = self.model(**inputs)
        found.logits = found.logits + self.spread * torch.randn(found.logits.shape)
        return found


def test_a_student_with_random_parts_is_met_in_expectation(
    model: Any, tokenizer: Any, sentences: list[tuple[str, ...]], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rosearch.evaluation.attacks import victim as module

    torch.manual_seed(1)
    random, steady = (Victim(one, tokenizer, 48, CPU) for one in (Drawing(model, 1.0), model))
    with torch.inference_mode():
        assert module.expected(steady, sentences) is steady
        met = module.expected(random, sentences)
        assert isinstance(met, module.Expected)
        monkeypatch.setattr(module.Expected, "draws", 400)
        asked = met.tokenise([sentences[0]])
        shares = torch.from_numpy(met.one_pass(*asked)).exp()
        draws = torch.stack([torch.from_numpy(random.one_pass(*asked)).softmax(1) for _ in range(400)]).mean(0)
    torch.testing.assert_close(shares.sum(1), torch.ones(1), atol=1e-4, rtol=0)
    torch.testing.assert_close(shares, draws, atol=0.08, rtol=0)


def test_an_attack_that_adapts_asks_a_random_student_many_times_for_each_answer(
    model: Any, tokenizer: Any, sentences: list[tuple[str, ...]], cache: Path
) -> None:
    def passes(name: str, spread: float) -> float:
        victim = Victim(Drawing(model, spread) if spread else model, tokenizer, 48, CPU)
        calls = []
        victim.model.register_forward_hook(lambda *_: calls.append(1))
        prepared = prepare_attack(name, sentences[:1], 1, victim, ToyResources(cache), cache)
        with torch.inference_mode():
            (row,) = prepared.run(victim, [0])
        return len(calls) / row.queries

    assert passes("adaptive-characters", 1e-3) > 3 * passes("adaptive-characters", 0)
