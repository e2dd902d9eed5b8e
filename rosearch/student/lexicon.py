"""Lexical vectors of token ids, by word tables or by the characters of a vocabulary's pieces.

For a word table, the pieces of a misspelt word are unrelated rows; these layers also see how a piece is spelt.
V is the vocabulary, R the rank of the embeddings, U the distinct ids of a batch.
This file travels with every exported student: it imports nothing of rosearch.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

CHARACTER_IDS, CHARACTER_FEATURES, CHARACTER_CHANNELS = 256, 16, 64
CHARACTERS = 16  # characters read of a piece
BUCKETS = 8192  # bucket 0 means none
MOST_BUCKETS = 24  # per piece
NGRAMS = (3, 4, 5)

_RESERVED = re.compile(r"\[[^\[\]]+\]|<[^<>]+>")  # [CLS], <s>, [unused7]
_BEGIN, _CONTINUE, _FIRST_CHARACTER = 1, 2, 3  # character ids; 0 means none


class TokenDropout(nn.Module):
    """In training, a share of the tokens loses its lexical vector; never a text's first token, which represents it.

    The remaining vectors are not scaled up: a dropped token is an unread word, like an unknown one.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, words: Tensor) -> Tensor:
        """(B, T, R) -> (B, T, R). Draws from torch's generator in training, if the share is above 0."""
        if not self.training or not self.share:
            return words
        drop = torch.rand(words.shape[:2], device=words.device) < self.share
        drop[:, 0] = False
        return words.masked_fill(drop.unsqueeze(-1), 0.0)


class SpelledEmbedding(nn.Embedding):
    """A word table plus a small network over the characters of each piece.

    Character vectors (16 features), a convolution of 3, ReLU, the maximum over the piece and a linear map to R (after
    Kim et al. 2016, arXiv 1508.06615, who have wider kernels, highways and no word table). The linear map starts at 0,
    so at first the output is that of the table.
    """

    def __init__(self, vocabulary: int, rank: int) -> None:
        super().__init__(vocabulary, rank)
        self.characters = nn.Embedding(CHARACTER_IDS, CHARACTER_FEATURES)
        self.conv = nn.Conv1d(CHARACTER_FEATURES, CHARACTER_CHANNELS, 3, padding=1)
        self.out = nn.Linear(CHARACTER_CHANNELS, rank)
        self.spelling: Tensor
        self.register_buffer("spelling", torch.zeros(vocabulary, 1 + CHARACTERS, dtype=torch.uint8))

    def spell(self, pieces: Sequence[str]) -> None:
        """Stores the characters of the vocabulary's V strings, by id."""
        self.spelling.copy_(character_ids(pieces))

    def forward(self, ids: Tensor) -> Tensor:
        """(B, T) integers -> (B, T, R)."""
        unique, place = torch.unique(ids, return_inverse=True)
        spelling = self.spelling[unique].long()  # (U, 17)
        heard = F.relu(self.conv(self.characters(spelling).transpose(1, 2)))  # (U, 64, 17)
        # ReLU gives at least 0, so a zero at places without a character never exceeds a real value.
        heard = heard.masked_fill((spelling == 0).unsqueeze(1), 0.0).amax(-1)
        return super().forward(ids) + F.embedding(place, self.out(heard))


class NgramEmbedding(nn.Module):
    """The mean vector of a piece's character n-grams, hashed into 8192 buckets; it takes the place of a word table.

    Subword vectors of fastText (Bojanowski et al. 2017, arXiv 1607.04606), with fewer buckets and a mean.
    """

    def __init__(self, vocabulary: int, rank: int) -> None:
        super().__init__()
        self.table = nn.Embedding(BUCKETS, rank)
        self.buckets: Tensor
        self.register_buffer("buckets", torch.zeros(vocabulary, MOST_BUCKETS, dtype=torch.int16))

    @property
    def weight(self) -> Tensor:
        """The table of buckets, (8192, R)."""
        return self.table.weight

    def spell(self, pieces: Sequence[str]) -> None:
        """Stores the buckets of the vocabulary's V strings, by id."""
        self.buckets.copy_(ngram_buckets(pieces))

    def forward(self, ids: Tensor) -> Tensor:
        """(B, T) integers -> (B, T, R)."""
        unique, place = torch.unique(ids, return_inverse=True)
        buckets = self.buckets[unique].long()  # (U, 24)
        return F.embedding(place, F.embedding_bag(buckets, self.weight, mode="mean", padding_idx=0))


LEXICONS: dict[str, Callable[[int, int], nn.Module]] = {
    "none": nn.Embedding,
    "cnn": SpelledEmbedding,
    "ngrams": NgramEmbedding,
}


def character_ids(pieces: Sequence[str]) -> Tensor:
    """(V, 17) uint8: for each piece a mark (it begins or continues a word), its first 16 characters, then 0."""
    rows = []
    for letters, begins in _spelled(pieces):
        shown = [_FIRST_CHARACTER + ord(letter) % (CHARACTER_IDS - _FIRST_CHARACTER) for letter in letters[:CHARACTERS]]
        rows.append([_BEGIN if begins else _CONTINUE, *shown])
    return _padded(rows, 1 + CHARACTERS).to(torch.uint8)


def ngram_buckets(pieces: Sequence[str]) -> Tensor:
    """(V, 24) int16: the buckets of each piece, then 0.

    The n-grams are those of `<piece>` with lengths 3 to 5, and the whole; `#piece>` if it continues a word. If there
    are more than 24, the whole and those with the smallest hashes stay, so that similar pieces keep similar n-grams
    (Broder 1997). A reserved piece, such as [CLS], has a bucket of its own; numbered ones such as [unused7] share one.
    """
    reserved = [re.sub(r"\d+", "", piece) if _RESERVED.fullmatch(piece) else "" for piece in pieces]
    own = {name: bucket for bucket, name in enumerate(sorted({*reserved} - {""}), start=1)}
    first = 1 + len(own)
    rows = []
    for name, (letters, begins) in zip(reserved, _spelled(pieces)):
        whole = f"{'<' if begins else '#'}{letters}>"
        grams = {whole[at : at + n] for n in NGRAMS for at in range(len(whole) - n + 1)} - {whole}
        hashes = [_hash(whole), *sorted(map(_hash, grams))[: MOST_BUCKETS - 1]]
        rows.append([own[name]] if name else [first + value % (BUCKETS - first) for value in hashes])
    return _padded(rows, MOST_BUCKETS).to(torch.int16)


def _padded(rows: list[list[int]], length: int) -> Tensor:
    return torch.tensor([row + [0] * (length - len(row)) for row in rows]).reshape(-1, length)


def _spelled(pieces: Sequence[str]) -> Iterator[tuple[str, bool]]:
    """The letters of each piece, and True if it begins a word: `##` marks that it does not, `Ġ` or `▁` that it does.

    The vocabulary's mark is the one that most of its pieces have.
    """
    mark = max(("##", "Ġ", "▁"), key=lambda mark: sum(piece.startswith(mark) for piece in pieces))
    for piece in pieces:
        marked = piece.startswith(mark) and piece != mark
        yield piece.removeprefix(mark) if marked else piece, marked == (mark != "##")


def _hash(text: str) -> int:
    """A hash that is the same in every process, unlike Python's."""
    return int.from_bytes(hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=8).digest(), "big")
