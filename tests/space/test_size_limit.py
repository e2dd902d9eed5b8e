from __future__ import annotations

from rosearch.space.cost import count_parameters
from rosearch.space.genotype import Genotype, chain
from rosearch.space.node import Node
from rosearch.space.size_limit import SizeLimit

PLAIN = Genotype(64, 32, "first", chain([Node.of("glu")]))
CODED = Genotype(64, 32, "first", chain([Node.of("glu")]), (("encoding", "typos"),))


def limit(most: int) -> SizeLimit:
    return SizeLimit(most, {"wordpiece": 1000, "typos": 200}, positions=64, token_types=1, labels=3)


def test_the_limit_admits_a_student_of_just_that_size_and_none_larger() -> None:
    size = count_parameters(PLAIN, vocabulary=1000, positions=64, token_types=1, labels=3).total
    assert limit(1).parameters(PLAIN) == size
    assert limit(size).admits(PLAIN) and not limit(size - 1).admits(PLAIN)


def test_an_encoding_that_leaves_fewer_words_makes_a_student_that_is_counted_smaller() -> None:
    assert limit(1).parameters(PLAIN) - limit(1).parameters(CODED) == 800 * 32


def test_an_encoder_without_labels_is_counted_without_a_classifier() -> None:
    bare = SizeLimit(1, {"wordpiece": 1000}, positions=64, token_types=1, labels=0)
    assert limit(1).parameters(PLAIN) - bare.parameters(PLAIN) == 3 * 64 + 3
