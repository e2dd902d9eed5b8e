from __future__ import annotations

from typing import Any

import pytest
import torch
from student.small_students import POSITIONS, RANK, VOCABULARY, WIDTH, small_student
from transformers import AutoModel, BertConfig, DistilBertConfig, GPT2Config, RobertaConfig

from rosearch.errors import BadInput
from rosearch.space.genotype import Genotype, chain
from rosearch.space.node import Node
from rosearch.student.build import inherit_embeddings
from rosearch.student.teacher_layers import check_layers, inherit_layers

SIZES = {"vocab_size": VOCABULARY, "hidden_size": 24, "num_hidden_layers": 4, "num_attention_heads": 3}
BERT = BertConfig(**SIZES, intermediate_size=40, max_position_embeddings=POSITIONS)
ROBERTA = RobertaConfig(**SIZES, intermediate_size=40, max_position_embeddings=POSITIONS + 2, pad_token_id=0)
DISTILBERT = DistilBertConfig(
    vocab_size=VOCABULARY, dim=24, n_layers=4, n_heads=3, hidden_dim=40, max_position_embeddings=POSITIONS
)
ATTENTION, FFN = Node.of("attention", heads=2, conv=True), Node.of("ffn", ratio=1.0, activation="gelu")
STUDENT = Genotype(WIDTH, RANK, "mean", chain([ATTENTION, FFN, Node.of("glu"), ATTENTION, FFN]))


def teacher(config: Any) -> Any:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return AutoModel.from_config(config).eval()


@pytest.mark.parametrize("config", [BERT, ROBERTA, DISTILBERT], ids=lambda config: config.model_type)
def test_attentions_and_feed_forward_nodes_start_with_layers_spread_over_the_teacher(config: Any) -> None:
    student, theirs = small_student(STUDENT), teacher(config)
    inherit_embeddings(student, theirs)
    before = {name: value.clone() for name, value in student.state_dict().items()}
    state = torch.get_rng_state()
    taken = inherit_layers(student, theirs)
    assert taken.nodes == (2, 2, 0, 4, 4) and 0 < taken.share < 1
    changed = {
        name.split(".")[2] for name, value in student.state_dict().items() if not torch.equal(value, before[name])
    }
    assert changed == {"0", "1", "3", "4"}
    assert torch.equal(torch.get_rng_state(), state)


def test_a_student_of_the_teachers_width_computes_what_its_layer_does() -> None:
    """Of full rank and width, with the teacher's heads and inner width, nothing is lost but a turn of the space."""
    theirs = teacher(BERT)
    nodes = chain([Node.of("attention", heads=3, conv=False), Node.of("ffn", ratio=40 / 24, activation="gelu")])
    student = small_student(Genotype(24, 24, "mean", nodes))
    inherit_embeddings(student, theirs)
    inherit_layers(student, theirs)
    words = theirs.get_input_embeddings().weight
    turned = student.student.embeddings.project(student.student.embeddings.word.weight)  # A x of each word
    layer = theirs.encoder.layer[3]
    x, y = words[:7].unsqueeze(0), turned[:7].unsqueeze(0)
    attended = layer.attention.output.dense(layer.attention.self(x)[0])
    turn = torch.linalg.lstsq(words, turned).solution
    assert torch.allclose(attended @ turn, student.student.nodes[0].operation.operation(y, None), atol=1e-4)
    fed = layer.output.dense(layer.intermediate(x))
    assert torch.allclose(fed @ turn, student.student.nodes[1].operation.operation(y, None), atol=1e-4)


def test_another_kind_of_teacher_is_refused_in_one_line() -> None:
    with pytest.raises(BadInput, match=r"distillation\.inherit: expected .*distilbert.*, got teacher, for one of gpt2"):
        check_layers(GPT2Config(), "experiment")
