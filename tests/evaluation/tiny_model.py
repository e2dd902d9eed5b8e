"""A BERT of one layer with random weights, and the words that its sentences are made of."""

from __future__ import annotations

import torch
from transformers import BertConfig, BertForSequenceClassification

CPU = torch.device("cpu")
WORDS = ["the", "a", "of", "and", "this", "isn't", "very", "never", "film", "plot", "actor", "scene", "story"]
WORDS += ["good", "bad", "slow", "bright", "dull", "well-made"]


def make_model(vocabulary: int, labels: int = 2) -> BertForSequenceClassification:
    """Large random weights, so that a changed letter moves the logits."""
    config = BertConfig(
        vocab_size=vocabulary,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=24,
        max_position_embeddings=64,
        initializer_range=0.4,
        num_labels=labels,
    )
    with torch.random.fork_rng():
        torch.manual_seed(5)
        return BertForSequenceClassification(config).eval()
