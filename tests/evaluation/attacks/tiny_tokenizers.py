"""Small tokenizers of the three families, trained on the texts that they are asked to cut."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import BertTokenizerFast, PreTrainedTokenizerFast, RobertaTokenizerFast, XLMRobertaTokenizerFast

_BERT = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
_ROBERTA = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]


def wordpiece(corpus: Sequence[str], lower: bool = True) -> PreTrainedTokenizerFast:
    """BERT's, with token types."""
    backend = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=lower)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    _train(backend, corpus, trainers.WordPieceTrainer(vocab_size=400, special_tokens=_BERT, show_progress=False))
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return BertTokenizerFast(tokenizer_object=backend, do_lower_case=lower)


def cased_wordpiece(corpus: Sequence[str]) -> PreTrainedTokenizerFast:
    """The same, but letters keep their case and accents."""
    return wordpiece(corpus, lower=False)


def byte_level(corpus: Sequence[str]) -> PreTrainedTokenizerFast:
    """RoBERTa's byte-level BPE; no token types."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=500, special_tokens=_ROBERTA, initial_alphabet=alphabet, show_progress=False
    )
    _train(backend, corpus, trainer)
    backend.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    return RobertaTokenizerFast(tokenizer_object=backend)


def sentencepiece(corpus: Sequence[str]) -> PreTrainedTokenizerFast:
    """XLM-R's Unigram over SentencePiece's mark of a space; no token types."""
    return _unigram(corpus, pre_tokenizers.Metaspace())


def boundless(corpus: Sequence[str]) -> PreTrainedTokenizerFast:
    """A Unigram model whose tokens may span spaces, so that no text can be put together from pieces."""
    return _unigram(corpus, pre_tokenizers.Metaspace(split=False))


def bare(corpus: Sequence[str]) -> PreTrainedTokenizerFast:
    """Byte-level BPE that puts no token around or between texts, of the class that knows nothing of its model."""
    made = byte_level(corpus)
    made.backend_tokenizer.post_processor = processors.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=made.backend_tokenizer, pad_token="<pad>", unk_token="<unk>")


def _unigram(corpus: Sequence[str], cut: pre_tokenizers.PreTokenizer) -> PreTrainedTokenizerFast:
    backend = Tokenizer(models.Unigram())
    backend.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
    backend.pre_tokenizer = cut
    trainer = trainers.UnigramTrainer(
        vocab_size=400, special_tokens=_ROBERTA, unk_token="<unk>", show_progress=False, max_piece_length=12
    )
    _train(backend, corpus, trainer)
    backend.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return XLMRobertaTokenizerFast(tokenizer_object=backend)


def _train(backend: Tokenizer, corpus: Sequence[str], trainer: object) -> None:
    backend.train_from_iterator(list(corpus), trainer)


# What an attack on any student may meet. All but `boundless` can be put together from pieces.
TOKENIZERS: dict[str, Callable[[Sequence[str]], PreTrainedTokenizerFast]] = {
    "wordpiece": wordpiece,
    "cased_wordpiece": cased_wordpiece,
    "byte_level": byte_level,
    "sentencepiece": sentencepiece,
    "bare": bare,
    "boundless": boundless,
}
