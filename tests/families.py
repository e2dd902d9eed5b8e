"""Tiny random classifiers of the families of transformers, each with a tokenizer of its family's own kind.

They are made of configurations and of the words of `small_run`, without a hub. Among them: padding whose id is not 0,
token types and none, a narrower word table, rotary and relative positions, shared layers, no `model_max_length`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from small_run import WORDS
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoConfig, AutoModelForSequenceClassification, PreTrainedTokenizerFast

LABELS = ("negative", "positive")
_LETTERS = [*map(chr, range(ord("a"), ord("z") + 1))]
_SIZES = {"hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 24}
_ROLES = ("pad", "unk", "cls", "sep", "mask")


@dataclass(frozen=True)
class Family:
    """A kind of model: settings of its configuration, its tokenizer, and what students can have of it."""

    tokenizer: Callable[[], PreTrainedTokenizerFast]
    settings: dict[str, Any]
    sizes: tuple[tuple[str, Any], ...] = tuple(_SIZES.items())
    relations: bool = True  # its layers have maps to queries, keys and values of their own
    cut: tuple[str, ...] = ("0", "0,2", "1,2")  # layers that make a student
    uncut: tuple[str, ...] = ()  # and layers that make none


def _corpus() -> list[str]:
    rng = random.Random(0)
    return [" ".join(rng.choices(WORDS, k=8)) for _ in range(120)]


def _made(
    backend: Tokenizer, special: Sequence[str], types: bool, longest: int | None, pair_types: bool = True
) -> PreTrainedTokenizerFast:
    """A tokenizer whose `special` tokens stand in the order of `_ROLES`, whatever their ids are."""
    _, _, cls, sep, _ = special
    second = ":1" if types and pair_types else ""
    backend.post_processor = processors.TemplateProcessing(
        single=f"{cls} $A {sep}",
        pair=f"{cls} $A {sep} $B{second} {sep}{second}",
        special_tokens=[(name, backend.token_to_id(name)) for name in (cls, sep)],
    )
    named = {f"{role}_token": name for role, name in zip(_ROLES, special, strict=True)}
    limits = {} if longest is None else {"model_max_length": longest}
    inputs = ["input_ids", *(["token_type_ids"] if types else []), "attention_mask"]
    return PreTrainedTokenizerFast(tokenizer_object=backend, model_input_names=inputs, **limits, **named)


def word_piece(
    special: Sequence[str] = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"), *, types: bool = True, first: int = 0
) -> PreTrainedTokenizerFast:
    """BERT's kind. So many words stand before the special tokens, which shifts the id of the padding."""
    pieces = [*_LETTERS, *(f"##{letter}" for letter in _LETTERS), *WORDS]
    names = [*pieces[:first], *special, *pieces[first:]]
    vocabulary = {piece: index for index, piece in enumerate(dict.fromkeys(names))}
    backend = Tokenizer(models.WordPiece(vocabulary, unk_token=special[1]))
    backend.normalizer = normalizers.BertNormalizer(lowercase=True)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return _made(backend, special, types, 32)


def byte_bpe(order: Sequence[str], special: Sequence[str], longest: int | None = 32) -> PreTrainedTokenizerFast:
    """RoBERTa's and ModernBERT's kind; `order` is that of the special tokens' ids."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=420, special_tokens=[*order], initial_alphabet=alphabet, show_progress=False
    )
    backend.train_from_iterator(_corpus(), trainer)
    return _made(backend, special, False, longest)


def unigram(
    order: Sequence[str], special: Sequence[str], *, types: bool = False, longest: int | None = 32
) -> PreTrainedTokenizerFast:
    """SentencePiece's kind, as XLM-R, ALBERT and DeBERTa have it."""
    words = [(f"\u2581{word}", -3.0) for word in WORDS]
    scores = [*((name, 0.0) for name in order), *words, ("\u2581", -4.0), *((letter, -6.0) for letter in _LETTERS)]
    backend = Tokenizer(models.Unigram(scores, unk_id=order.index(special[1])))
    backend.normalizer = normalizers.NFKC()
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    backend.add_special_tokens([*order])
    return _made(backend, special, types, longest)


_BERT = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_ROBERTA = ("<pad>", "<unk>", "<s>", "</s>", "<mask>")
_MPNET = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")  # in the order of their ids
_DISTILBERT = {"dim": 16, "n_layers": 3, "n_heads": 2, "hidden_dim": 24}

FAMILIES: dict[str, Family] = {
    "bert": Family(word_piece, {"max_position_embeddings": 32}),
    "distilbert": Family(lambda: word_piece(types=False), {"max_position_embeddings": 32}, tuple(_DISTILBERT.items())),
    "electra": Family(
        lambda: word_piece(first=3), {"max_position_embeddings": 32, "embedding_size": 8, "pad_token_id": 3}
    ),
    "mpnet": Family(
        lambda: word_piece(("<pad>", "<unk>", "<s>", "</s>", "<mask>"), types=False, first=1),
        {"max_position_embeddings": 34, "pad_token_id": 1},
    ),
    "albert": Family(
        lambda: unigram(_BERT, _BERT, types=True),
        {"max_position_embeddings": 32, "embedding_size": 8, "pad_token_id": 0},
        relations=False,
        cut=(),
        uncut=("0", "0,2"),
    ),
    "deberta-v2": Family(
        lambda: unigram(("[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]"), _BERT, types=True, longest=None),
        {
            "max_position_embeddings": 32,
            "pad_token_id": 0,
            "type_vocab_size": 0,
            "relative_attention": True,
            "position_buckets": 8,
            "norm_rel_ebd": "layer_norm",
            "share_att_key": True,
            "pos_att_type": ["p2c", "c2p"],
            "position_biased_input": False,
        },
    ),
    "roberta": Family(
        lambda: byte_bpe(("<s>", "<pad>", "</s>", "<unk>", "<mask>"), _ROBERTA),
        {"max_position_embeddings": 34, "pad_token_id": 1, "type_vocab_size": 1},
    ),
    "xlm-roberta": Family(
        lambda: unigram(("<s>", "</s>", "<unk>", "<pad>", "<mask>"), _ROBERTA),
        {"max_position_embeddings": 36, "pad_token_id": 3, "type_vocab_size": 1},
    ),
    "modernbert": Family(
        lambda: byte_bpe(("[CLS]", "[SEP]", "[UNK]", "[MASK]", "[PAD]"), _BERT, longest=None),
        {
            "max_position_embeddings": 64,
            "pad_token_id": 4,
            "cls_token_id": 0,
            "sep_token_id": 1,
            "bos_token_id": 0,
            "eos_token_id": 1,
            "local_attention": 8,
        },
        cut=("0", "0,1"),
        uncut=("1,2",),  # its first layer has no norm before attention
    ),
}


def write_family(folder: Path, name: str) -> Path:
    """A classifier of the family with random weights and named classes, as a user's folder holds it."""
    family = FAMILIES[name]
    tokenizer = family.tokenizer()
    config = AutoConfig.for_model(name, vocab_size=len(tokenizer), **dict(family.sizes), **family.settings)
    config.id2label = dict(enumerate(LABELS))
    config.label2id = {label: index for index, label in enumerate(LABELS)}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        model = AutoModelForSequenceClassification.from_config(config)
        for parameter in model.parameters():  # as transformers draws them, all answers are alike
            if parameter.dim() > 1:
                parameter.data.normal_(std=0.25)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
