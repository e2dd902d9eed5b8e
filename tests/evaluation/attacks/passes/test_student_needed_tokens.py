from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from evaluation.attacks.tiny_tokenizers import TOKENIZERS
from evaluation.tiny_model import CPU, WORDS
from hypothesis import given, settings
from student.small_students import (
    VOCABULARY,
    genotypes,
    small_student,
)

from rosearch.evaluation.attacks.passes.forwards import replaced
from rosearch.evaluation.attacks.passes.lean import lean_passes
from rosearch.evaluation.attacks.passes.student import reads_first_token, student_forwards
from rosearch.evaluation.attacks.victim import Victim
from rosearch.space.genotype import Genotype
from rosearch.space.known import known_architecture
from rosearch.student.modeling_rosearch import StudentForSequenceClassification

TEXTS = [(" ".join(WORDS[place % 19] for place in range(count)),) for count in (1, 2, 5, 9, 14, 30)]


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return TOKENIZERS["wordpiece"]([text for (text,) in TEXTS])


def victim_of(genotype: Genotype, tokenizer: Any) -> Victim:
    model = small_student(genotype, vocabulary=max(VOCABULARY, len(tokenizer)), pieces=None)
    with torch.no_grad():
        model.classifier.weight.mul_(30)  # so that differences show
    return Victim(model, tokenizer, 24, CPU)


def logits(victim: Victim) -> Any:
    return victim.score(*victim.tokenise(TEXTS))


@settings(max_examples=60)
@given(genotype=genotypes(("first",)))
def test_logits_of_any_student_are_the_same(genotype: Genotype, tokenizer: Any) -> None:
    victim = victim_of(genotype, tokenizer)
    with torch.inference_mode():
        whole = logits(victim)
        for rows_a_batch in (6, 1):
            victim.rows_a_batch = rows_a_batch
            with lean_passes(victim, TEXTS) as parts:
                assert parts >= {"first_token", "packed", "distinct_tokens"}
                np.testing.assert_allclose(logits(victim), whole, atol=2e-5)
    assert not any("forward" in vars(module) for module in victim.model.modules())


def last_map(node: Any) -> torch.nn.Module:
    return [module for module in node.modules() if isinstance(module, torch.nn.Linear)][-1]


def widths(genotype: Genotype, tokenizer: Any) -> list[int]:
    """The number of tokens of a text of 24 that each node's last linear map is given."""
    victim = victim_of(genotype, tokenizer)
    model: StudentForSequenceClassification = victim.model  # type: ignore[assignment]
    seen: list[int] = []
    with torch.inference_mode(), replaced(student_forwards(model.student, distinct=False)):
        hooks = [
            last_map(node).register_forward_hook(lambda _, inputs, __: seen.append(inputs[0].shape[1]))
            for node in model.student.nodes
        ]
        victim.score(*victim.tokenise(TEXTS[-1:]))
        for hook in hooks:
            hook.remove()
    return seen


def test_a_transformers_last_layer_computes_one_token(tokenizer: Any) -> None:
    assert widths(known_architecture("tinybert4").genotype, tokenizer) == [24] * 6 + [1, 1]


def test_convolutions_at_the_end_compute_what_they_need_of_their_neighbours(tokenizer: Any) -> None:
    genotype = known_architecture("nas_bert_10m").genotype
    assert [node.op for node in genotype.nodes[-3:]] == ["separable_conv", "attention", "separable_conv"]
    assert widths(genotype, tokenizer) == [24] * 10 + [2, 2]


@pytest.mark.parametrize("pooling", ["mean", "attention", "mean_less_pc1"])
def test_all_tokens_of_a_student_that_pools_otherwise_are_needed(pooling: str, tokenizer: Any) -> None:
    genotype = replace(known_architecture("tinybert4").genotype, pooling=pooling)
    assert widths(genotype, tokenizer) == [24] * 8
    model: Any = victim_of(genotype, tokenizer).model
    assert not reads_first_token(model.student)
