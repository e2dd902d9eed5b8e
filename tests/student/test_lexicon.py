from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from student.small_students import (
    BRANCHING,
    PIECES,
    RANK,
    SOURCES,
    VOCABULARY,
    let_characters_speak,
    padded_batch,
    small_student,
)
from torch import Tensor, nn

from rosearch.space import cost
from rosearch.space.rules import CHARACTERS
from rosearch.student import lexicon
from rosearch.student.lexicon import (
    BUCKETS,
    LEXICONS,
    NgramEmbedding,
    SpelledEmbedding,
    TokenDropout,
    character_ids,
    ngram_buckets,
)
from rosearch.student.modeling_rosearch import StudentForSequenceClassification

IDS = torch.arange(VOCABULARY).reshape(6, 10)
CNN, NGRAMS = BRANCHING.with_(source=SOURCES["cnn"]), BRANCHING.with_(source=SOURCES["ngrams"])


def vectors(student: StudentForSequenceClassification, ids: Tensor = IDS) -> Tensor:
    with torch.no_grad():
        return student.get_input_embeddings()(ids)


def shared(one: str, other: str, pieces: list[str] = PIECES) -> int:
    """How many buckets two pieces have in common."""
    rows = [set(ngram_buckets(pieces)[pieces.index(piece)].tolist()) - {0} for piece in (one, other)]
    return len(rows[0] & rows[1])


def test_the_lexicons_are_those_of_the_rules_and_their_sizes_those_of_the_cost() -> None:
    assert set(LEXICONS) == set(CHARACTERS)
    assert (lexicon.BUCKETS, lexicon.CHARACTER_IDS) == (cost.BUCKETS, cost.CHARACTER_IDS)
    assert (lexicon.CHARACTER_FEATURES, lexicon.CHARACTER_CHANNELS) == (
        cost.CHARACTER_FEATURES,
        cost.CHARACTER_CHANNELS,
    )
    assert 1 + lexicon.CHARACTERS == cost.CHARACTER_PLACES


@pytest.mark.parametrize("genotype", [CNN, NGRAMS], ids=["cnn", "ngrams"])
def test_a_student_that_reads_characters_needs_as_many_pieces_as_words(genotype) -> None:
    with pytest.raises(ValueError, match=r"characters=\w+ needs the vocabulary's 60 pieces, got none"):
        small_student(genotype, pieces=None)
    with pytest.raises(ValueError, match="60 pieces, got 59"):
        small_student(genotype, pieces=PIECES[1:])
    assert small_student(pieces=None).get_input_embeddings().weight.shape == (VOCABULARY, RANK)


def test_the_plain_word_table_is_as_it_was() -> None:
    words = small_student().get_input_embeddings()
    assert type(words) is nn.Embedding
    assert "student.embeddings.word.weight" in small_student().state_dict()


def test_a_fresh_character_network_adds_nothing_and_a_trained_one_adds_the_same_to_a_piece_wherever_it_stands() -> None:
    student = small_student(CNN)
    words = student.get_input_embeddings()
    assert torch.equal(vectors(student), words.weight[IDS])
    added = vectors(let_characters_speak(student)) - words.weight[IDS]
    assert added.flatten(0, 1).norm(dim=1).min() > 0
    together = vectors(student, IDS[:, [0, 0, 3]])
    torch.testing.assert_close(together[:, 0], vectors(student)[:, 0])
    assert torch.equal(together[:, 0], together[:, 1])


def test_characters_that_are_not_there_are_not_heard() -> None:
    words = let_characters_speak(small_student(CNN)).get_input_embeddings()
    before = words(IDS)
    with torch.no_grad():
        words.spelling[0] = 0
        alone = words(IDS[:1])[0, 0]
    torch.testing.assert_close(alone, words.weight[0] + words.out.bias)  # no character: the bias of the map alone
    assert torch.equal(words(IDS)[1:], before[1:])


def test_a_piece_of_a_word_is_told_from_the_word_of_its_letters() -> None:
    ids = character_ids(["play", "##play", "film", "##", "#"])
    assert torch.equal(ids[0, 1:], ids[1, 1:]) and ids[0, 0] != ids[1, 0]
    assert not torch.equal(ids[0, 1:], ids[2, 1:])
    assert (ids != 0).sum(1).tolist() == [5, 5, 5, 3, 2]
    assert ids[3, 0] == ids[0, 0]  # the marker alone is a piece of its own


@pytest.mark.parametrize("mark", ["Ġ", "▁"])
def test_vocabularies_that_mark_the_beginning_of_words_are_read_alike(mark: str) -> None:
    theirs = [f"{mark}play", "ing", f"{mark}film", mark]
    ours = ["play", "##ing", "film", f"##{mark}"]
    assert torch.equal(character_ids(theirs), character_ids([*ours[:3], f"##{mark}"]))
    assert torch.equal(ngram_buckets(theirs), ngram_buckets(ours))


@given(st.lists(st.text(max_size=40), min_size=1, max_size=8))
def test_any_strings_have_characters_and_buckets_in_range(pieces: list[str]) -> None:
    ids, buckets = character_ids(pieces), ngram_buckets(pieces)
    assert ids.shape == (len(pieces), 17) and ids.dtype == torch.uint8
    assert buckets.shape == (len(pieces), 24) and buckets.dtype == torch.int16
    assert (ids[:, 0] > 0).all() and (buckets[:, 0] > 0).all()
    assert buckets.min() >= 0 and buckets.max() < BUCKETS
    for row in (*ids, *buckets):  # what is not there stands at the end
        assert (row != 0).tolist() == sorted((row != 0).tolist(), reverse=True)


def test_the_ngrams_of_a_short_piece_are_those_that_are_written_down_here() -> None:
    # Of <hat>: <ha hat at>, <hat hat>, and the whole.
    assert (ngram_buckets(["hat"]) > 0).sum() == 6
    assert shared("hat", "##hat", ["hat", "##hat"]) == 3  # hat at> hat>
    assert shared("hat", "hats", ["hat", "hats"]) == 3  # <ha hat <hat


def test_inflected_words_share_buckets_and_others_none() -> None:
    assert shared("played", "playing") >= 5
    assert shared("terrible", "terribles") >= 10
    assert shared("film", "played") == 0
    long = [f"uncharacteristically{ending}" for ending in ("s", "ed")]
    assert shared(*long) >= 15  # of the 24 that each of them keeps


def test_reserved_pieces_have_buckets_that_nobody_else_has_and_numbered_ones_share_theirs() -> None:
    buckets = ngram_buckets(PIECES)
    own = {piece: buckets[row, 0].item() for row, piece in enumerate(PIECES[:7])}
    assert (buckets[:7] != 0).sum(1).tolist() == [1] * 7
    assert own["[unused0]"] == own["[unused1]"]
    assert len(set(own.values())) == 6
    assert not set(buckets[7:].flatten().tolist()) & set(own.values())
    assert (buckets[PIECES.index("[")] != 0).sum() > 0


def test_buckets_are_the_same_in_every_process_and_version() -> None:
    # Trained tables are read by them.
    assert sorted(ngram_buckets(["hat", "##s", "[CLS]"])[0].tolist())[-6:] == [1092, 1652, 2476, 5280, 6264, 6929]
    assert ngram_buckets(["hat", "##s", "[CLS]"])[2].tolist() == [1, *[0] * 23]


def test_an_ngram_vector_is_the_mean_of_its_buckets() -> None:
    words = small_student(NGRAMS).get_input_embeddings()
    assert isinstance(words, NgramEmbedding)
    assert words.weight.shape == (BUCKETS, RANK)
    for row in (0, 8, 13, 59):
        buckets = [bucket for bucket in words.buckets[row].tolist() if bucket]
        torch.testing.assert_close(words(torch.tensor([[row]]))[0, 0], words.weight[buckets].mean(0))


@pytest.mark.parametrize("genotype", [CNN, NGRAMS], ids=["cnn", "ngrams"])
def test_spellings_travel_with_the_weights_and_stay_whole_numbers(genotype) -> None:
    student = small_student(genotype)
    (name,) = [name for name, value in student.state_dict().items() if not value.is_floating_point()]
    kind = student.state_dict()[name].dtype
    assert student.half().state_dict()[name].dtype == kind
    assert kind == (torch.uint8 if genotype is CNN else torch.int16)


def test_spelling_draws_no_random_number_and_takes_none_from_the_other_weights() -> None:
    other = [*reversed(PIECES)]
    for genotype in (CNN, NGRAMS):
        a, b = small_student(genotype), small_student(genotype, pieces=other)
        assert all(torch.equal(ours, theirs) for ours, theirs in zip(a.parameters(), b.parameters(), strict=True))
        assert not torch.equal(
            let_characters_speak(a)(**padded_batch()).logits, let_characters_speak(b)(**padded_batch()).logits
        )


def test_only_what_stands_in_a_batch_is_computed() -> None:
    words = small_student(CNN).get_input_embeddings()
    assert isinstance(words, SpelledEmbedding)
    shapes = []
    words.conv.register_forward_pre_hook(lambda module, inputs: shapes.append(inputs[0].shape))
    words(torch.tensor([[5, 6, 5, 5], [6, 5, 5, 9]]))
    assert shapes == [(3, 16, 17)]


def test_a_share_of_the_tokens_but_the_first_is_dropped_in_training_and_none_else() -> None:
    torch.manual_seed(1)
    drop, words = TokenDropout(0.25), torch.ones(200, 50, 4)
    dropped = drop.train()(words)
    kept = dropped[:, :, 0] != 0
    assert torch.equal(dropped, kept.unsqueeze(-1).expand_as(words).float())  # whole vectors, not scaled
    assert kept[:, 0].all()
    assert 0.23 < 1 - kept[:, 1:].float().mean() < 0.27
    assert drop.eval()(words) is words


def test_no_number_is_drawn_at_inference_nor_where_no_token_is_dropped() -> None:
    batch, before = padded_batch(), torch.get_rng_state()
    dropping = small_student(BRANCHING.with_(source=SOURCES["dropped"]), dropout=0.0)
    with torch.no_grad():
        first = dropping(**batch).logits
        assert torch.equal(dropping(**batch).logits, first)
        small_student(dropout=0.0).train()(**batch)
        assert torch.equal(torch.get_rng_state(), before)
        assert not torch.equal(dropping.train()(**batch).logits, first)
    assert not torch.equal(torch.get_rng_state(), before)
