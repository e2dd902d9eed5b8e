"""Metric learning of a word table: synonyms come together, other words and opposites stay apart."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from rosearch.training.word_table import MetricSettings, WordPairs, WordTable, move_words

ROWS, WIDTH = 60, 16
SETTINGS = MetricSettings(steps=60, pairs=128)
SYNONYMS = torch.tensor([[row, row + 1] for row in range(10, 40, 2)])  # fifteen pairs, of rows 10 to 39
OPPOSITES = torch.tensor([[10, 12], [14, 50]])  # row 50 has no synonym
PAIRS = WordPairs(SYNONYMS, OPPOSITES, torch.arange(10, 45))


@pytest.fixture
def table() -> Tensor:
    found = torch.randn(ROWS, WIDTH, generator=torch.Generator().manual_seed(1))
    found[12] = found[10] + 0.1 * found[12]  # opposites that are all but one
    return found


def distances(vectors: Tensor, pairs: Tensor) -> Tensor:
    return (vectors[pairs[:, 0]] - vectors[pairs[:, 1]]).norm(dim=1)


def whole(table: Tensor, made: WordTable) -> Tensor:
    moved = table.clone()
    moved[made.rows] = made.vectors
    return moved


def test_synonyms_come_together_and_opposites_go_apart(table: Tensor) -> None:
    made = move_words(table, PAIRS, SETTINGS)
    moved = whole(table, made)
    assert distances(moved, SYNONYMS).max() < distances(table, SYNONYMS).min()
    assert distances(moved, OPPOSITES)[0] > 3 * distances(table, OPPOSITES)[0]
    strangers = torch.tensor([[a, b] for a in range(10, 40, 2) for b in range(11, a, 2)])
    assert distances(moved, strangers).mean() > 0.9 * distances(table, strangers).mean()


def test_the_facts_are_what_they_say(table: Tensor) -> None:
    made = move_words(table, PAIRS, SETTINGS)
    cosines = [
        float(torch.cosine_similarity(vectors[SYNONYMS[:, 0]], vectors[SYNONYMS[:, 1]]).mean())
        for vectors in (table, whole(table, made))
    ]
    assert [made.facts["synonyms_before"], made.facts["synonyms_after"]] == pytest.approx(cosines, abs=1e-5)
    assert (made.facts["moved"], made.facts["pairs"], made.facts["opposites"]) == (30, 15, 1)
    assert made.summary().startswith("word table: 30 words moved by 15 pairs; mean cosine: synonyms ")


def test_words_without_a_synonym_stay_and_the_table_is_left_as_it_was(table: Tensor) -> None:
    before, state = table.clone(), torch.get_rng_state()
    made = move_words(table, PAIRS, SETTINGS)
    assert made.rows.tolist() == list(range(10, 40))
    assert torch.equal(table, before) and torch.equal(torch.get_rng_state(), state)


def test_equal_seeds_give_equal_tables(table: Tensor) -> None:
    first, again = (move_words(table, PAIRS, SETTINGS).vectors for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, move_words(table, PAIRS, replace(SETTINGS, seed=2)).vectors)


def test_a_heavier_anchor_holds_the_rows_nearer_to_their_places(table: Tensor) -> None:
    light, heavy = (move_words(table, PAIRS, replace(SETTINGS, anchor=anchor)) for anchor in (0.1, 10.0))
    assert (heavy.vectors - table[heavy.rows]).norm() < 0.5 * (light.vectors - table[light.rows]).norm()


def test_two_words_of_one_vector_and_a_single_pair_are_no_trouble(table: Tensor) -> None:
    table[11] = table[10]
    none = torch.empty(0, 2, dtype=torch.long)
    made = move_words(
        table, WordPairs(torch.tensor([[10, 11], [20, 21]]), none, torch.empty(0, dtype=torch.long)), SETTINGS
    )
    assert made.vectors.isfinite().all()
    assert made.facts["opposites_before"] is None and "opposites" not in made.summary()
    with pytest.raises(ValueError, match="no pair of synonyms"):
        move_words(table, WordPairs(none, none, torch.arange(4)), SETTINGS)


def test_a_model_that_is_lent_the_table_keeps_its_other_words(table: Tensor) -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words = nn.Embedding.from_pretrained(table.clone().bfloat16(), freeze=False)

        def get_input_embeddings(self) -> nn.Embedding:
            return self.words

    model, made = Model(), move_words(table, PAIRS, SETTINGS)
    made.lend(model)  # type: ignore[arg-type]
    assert torch.equal(model.words.weight, whole(table, made).bfloat16())
