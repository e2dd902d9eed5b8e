"""A sentence encoder of one layer with random weights, in the layout of sentence-transformers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel

WORDS = ["the", "a", "film", "plot", "good", "bad", "slow", "bright", "dull", "."]
WIDTH = 16


def write_encoder(
    folder: Path, longest: int = 12, pooling: str = "mean_tokens", normalised: bool = True, kind: Any = BertModel
) -> Path:
    """config.json, safetensors, a tokenizer.json that pads and cuts at 5, and the files of sentence-transformers."""
    config = BertConfig(
        vocab_size=len(WORDS) + 5,  # transformers adds a mask token to the tokenizer
        hidden_size=WIDTH,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=24,
        max_position_embeddings=32,
        initializer_range=0.4,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        kind(config).save_pretrained(folder)
    pieces = {piece: index for index, piece in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS])}
    backend = Tokenizer(models.WordLevel(pieces, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=True)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    backend.enable_padding(length=5)
    backend.enable_truncation(5)
    backend.save(str(folder / "tokenizer.json"))
    steps = ["Transformer", "Pooling", *(["Normalize"] if normalised else [])]
    modules = [{"idx": index, "type": f"sentence_transformers.models.{step}"} for index, step in enumerate(steps)]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": longest, "do_lower_case": False}))
    (folder / "1_Pooling").mkdir()
    modes = {f"pooling_mode_{mode}": mode == pooling for mode in ("cls_token", "mean_tokens", "max_tokens")}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"word_embedding_dimension": WIDTH, **modes}))
    return folder
