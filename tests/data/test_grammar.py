from __future__ import annotations

import hashlib
import json
import random
from collections import Counter

import numpy as np
import pytest
from data.conftest import make_config

from rosearch.config.file import load_experiment
from rosearch.data import grammar
from rosearch.data.grammar import NEGATIVE, POSITIVE, Review, derive, generate_splits
from rosearch.data.loading import load_task, task_seed
from rosearch.errors import BadInput


@pytest.fixture(scope="module")
def reviews() -> list[Review]:
    rng = random.Random(7)
    return [derive(rng) for _ in range(4000)]


def read_back(review: Review) -> int:
    """The polarity by the rules of the grammar, from the text alone: which clause counts, is it negated."""
    first = review.text.split(". ")[0].rstrip(".")
    words = first[0].lower() + first[1:]
    for opener in grammar.OPENERS:
        words = words.removeprefix(f"{opener}, ")
    if review.production == "plain":
        clause = words
    elif review.production in ("contrast", "hearsay"):
        clause = words.split(", but " if ", but " in words else ", yet ")[-1]
    elif review.production in ("concession_first", "despite"):
        clause = words.split(", ", 1)[1]
    elif review.production == "concession_last":
        clause = words.split(", ", 1)[0]
    else:
        clause = words.split(" and ")[0]
    tokens = clause.split()
    polarity = {word: sign for sign, listed in grammar.ADJECTIVES.items() for word in listed}
    polarity |= {form: sign for sign, verbs in grammar.VERBS.items() for verb in verbs for form in verb}
    (sign,) = [polarity[token] for token in tokens if token in polarity]
    negations = ("not", "never", "hardly", "no", "far", "anything")
    return -sign if any(word in tokens for word in negations) else sign


def test_the_label_can_be_read_back_from_the_text_by_the_rules(reviews: list[Review]) -> None:
    wrong = [review.text for review in reviews if read_back(review) != review.polarity]
    assert wrong == []


def test_counter_claims_have_the_other_polarity_and_agreements_the_same(reviews: list[Review]) -> None:
    for review in reviews:
        expected = review.polarity if review.production == "agreement" else -review.polarity
        assert all(other.polarity == expected for other in review.others)
        assert len(review.others) == (review.production != "plain")
        assert all(clause.words[1:] in review.text for clause in (review.main, *review.others))


def test_every_production_polarity_and_negation_occurs(reviews: list[Review]) -> None:
    drawn = Counter((review.production, review.polarity, review.main.negated) for review in reviews)
    assert len(drawn) == len(grammar.PRODUCTIONS) * 4


def test_negation_and_production_do_not_give_the_label_away(reviews: list[Review]) -> None:
    for name in grammar.PRODUCTIONS:
        for negated in (False, True):
            group = [r.polarity for r in reviews if r.production == name and r.main.negated == negated]
            assert abs(np.mean(group)) < 0.45


def test_reviews_are_sentences_of_8_to_20_words(reviews: list[Review]) -> None:
    for review in reviews:
        assert 8 <= len(review.text.split()) <= 20
        assert review.text[0].isupper() and review.text.endswith(".")
        assert "  " not in review.text and " ," not in review.text and ".." not in review.text


def test_the_grammar_is_rich() -> None:
    rng = random.Random(1)
    assert len({derive(rng).text for _ in range(25_000)}) > 20_000


def test_splits_are_balanced_disjoint_and_as_large_as_asked() -> None:
    config = make_config(generated={"train": 401, "validation": 50, "test": 60})
    splits = generate_splits(config, seed=3)
    assert {name: len(split) for name, split in splits.items()} == {
        "train": 401,
        "validation": 50,
        "test": 60,
    }
    assert np.bincount(splits["train"].labels).tolist() == [200, 201]
    assert np.bincount(splits["test"].labels).tolist() == [30, 30]
    texts = [text for split in splits.values() for text in split.texts]
    assert len(set(texts)) == len(texts)


def test_labels_are_mixed_to_the_last_row() -> None:
    labels = generate_splits(make_config(generated={"train": 2000}), seed=3)["train"].labels
    assert 60 < labels[-200:].sum() < 140


def test_equal_seeds_give_equal_reviews_and_other_seeds_others() -> None:
    config = make_config(generated={"train": 32, "validation": 8, "test": 8})
    one, again, other = (generate_splits(config, seed)["train"] for seed in (1, 1, 2))
    assert one.fingerprint == again.fingerprint
    assert one.fingerprint != other.fingerprint


def test_integers_follow_the_order_of_the_labels() -> None:
    sizes = {"train": 32, "validation": 8, "test": 8}
    usual = generate_splits(make_config(generated=sizes), seed=1)["train"]
    turned = generate_splits(make_config(generated=sizes, labels=["positive", "negative"]), seed=1)["train"]
    assert usual.texts == turned.texts
    assert (usual.labels == 1 - turned.labels).all()
    plain = Review("plain", "", grammar.Clause("the plot was dull", NEGATIVE), ())
    assert plain.polarity == NEGATIVE and grammar.Clause("", NEGATIVE, negated=True).polarity == POSITIVE


def test_words_alone_do_not_solve_the_task() -> None:
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression

    splits = generate_splits(make_config(generated={"train": 6000, "test": 1500}), seed=1)
    texts = {name: [text for (text,) in split.texts] for name, split in splits.items()}
    counter = CountVectorizer()
    model = LogisticRegression(max_iter=1000).fit(counter.fit_transform(texts["train"]), splits["train"].labels)
    accuracy = model.score(counter.transform(texts["test"]), splits["test"].labels)
    assert 0.6 < accuracy < 0.8


def test_a_generated_task_of_other_labels_or_columns_is_refused_with_all_problems() -> None:
    config = make_config(generated={}, labels=["bad", "good"], text=["a", "b"])
    with pytest.raises(BadInput) as caught:
        generate_splits(config, seed=1)
    assert [problem.key for problem in caught.value.problems] == ["task.text", "task.labels"]


@pytest.mark.parametrize(
    ("seed", "digest"), [(1, "3d445877368c308b"), (2, "2357fd0ce9d3f283"), (3, "87e9b56592f01767")]
)
def test_the_quickstarts_rows_are_what_they_were(seed: int, digest: str) -> None:
    """Its figures are worth nothing where the task has become easier."""
    experiment = load_experiment("quickstart", [f"seed={seed}"])
    task = load_task(experiment.require_task(), task_seed(experiment))
    splits = [[list(split.texts), split.labels.tolist()] for split in (task.train, task.validation, task.test)]
    assert [len(texts) for texts, _ in splits] == [2000, 300, 300]
    assert hashlib.blake2b(json.dumps(splits).encode(), digest_size=8).hexdigest() == digest
