"""The search space of KD-NAS: Transformer encoders, all layers alike (Trivedi et al. 2023, arXiv 2303.09639).

An encoder is five choices: layers, attention heads, hidden size, inner size of the feed-forward layers, activation.
Its genotype is a chain with one attention and one feed-forward node per layer. Students, costs, records and statistics
are therefore those of any other genotype. Three things differ from the paper's encoders and are ours: operations are
pre-norm (each node is x + f(norm(x))), a square map follows the embeddings (rank = width, no factorisation), and no
pooler precedes the classifier.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import product
from math import log
from statistics import mode
from typing import NamedTuple

from rosearch.space.cost import count_parameters
from rosearch.space.genotype import Genotype, chain
from rosearch.space.node import Node
from rosearch.space.rules import RATIO, structural_problems
from rosearch.space.space import Space

_POOLING = "first"  # as BERT and XLM-R classify


class EncoderChoice(NamedTuple):
    """A Transformer encoder: `hidden` features per token, `ffn` features inside each of its feed-forward layers."""

    layers: int
    heads: int
    hidden: int
    ffn: int
    activation: str


@dataclass(frozen=True)
class EncoderSpace(Space):
    """All buildable combinations of five lists of values.

    Heads must divide the hidden size; the inner size of a feed-forward layer is 1/8 to 8 times the hidden size.
    """

    name: str
    layers: tuple[int, ...]
    heads: tuple[int, ...]
    hidden: tuple[int, ...]
    ffn: tuple[int, ...]
    activations: tuple[str, ...]
    vocabulary: int = 30522

    @property
    def values(self) -> Mapping[str, tuple[int, ...] | tuple[str, ...]]:
        """The values of each choice, keyed by the fields of `EncoderChoice` in their order."""
        lists = (self.layers, self.heads, self.hidden, self.ffn, self.activations)
        return dict(zip(EncoderChoice._fields, lists, strict=True))

    def choices(self) -> tuple[EncoderChoice, ...]:
        """All encoders of the space, in the order of its lists: activations change fastest, layers slowest."""
        return self._choices

    def genotype(self, choice: EncoderChoice) -> Genotype:
        """The chain attention, ffn, attention, ... of an encoder: 2 x layers nodes."""
        return _encoder(choice)

    def choice(self, genotype: Genotype) -> EncoderChoice:
        """The five choices of a genotype, however its nodes are numbered.

        Raises `ValueError` with every reason if it is not in this space.
        """
        if problems := self.violations(genotype):
            raise ValueError(f"no encoder of the search space {self.name}: {'; '.join(problems)}")
        return encoder_of(genotype)

    @property
    def encodings(self) -> tuple[str, ...]:
        """No robust encoding: words are read by the teacher's tokenizer as it is."""
        return ("wordpiece",)

    @property
    def most_layers(self) -> int:
        """See `Space`."""
        return max(self.layers)

    def describe(self) -> str:
        """The number of encoders and the range of their parameters, embeddings included."""
        sizes = [count_parameters(_encoder(choice), vocabulary=self.vocabulary).total for choice in self.choices()]
        return f"{len(self.choices()):,} encoders of {min(sizes) / 1e6:.1f} to {max(sizes) / 1e6:.1f} M parameters"

    def violations(self, genotype: Genotype) -> list[str]:
        """See `Space`. The lists of values are checked only if the genotype is an encoder."""
        if problems := structural_problems(genotype):
            return problems
        try:
            choice = encoder_of(genotype)
        except ValueError as error:
            return [str(error)]
        problems = [
            f"{name} must be one of {', '.join(map(str, values))}, got {chosen}"
            for (name, values), chosen in zip(self.values.items(), choice)
            if chosen not in values
        ]
        if problems or genotype == _encoder(choice):
            return problems
        return _frame_problems(genotype) or [f"ffn.ratio must be exactly {choice.ffn} / {choice.hidden}"]

    def sample(self, rng: random.Random) -> Genotype:
        """See `Space`; uniform over `choices`."""
        return _encoder(rng.choice(self.choices()))

    def genotypes(self) -> Iterator[Genotype]:
        """See `Space`; in the order of `choices`."""
        return map(_encoder, self.choices())

    def fit(self, genotype: Genotype) -> Genotype:
        """See `Space`; takes any chain of attention and ffn in turn, and gives the encoder whose sizes are nearest.

        Sizes are compared by their ratios. If layers differ, their most common values count. Rank, pooling and source
        become the space's.
        """
        if self.is_legal(genotype):
            return genotype
        try:
            wanted = encoder_of(genotype, alike=False)
        except ValueError as error:
            raise ValueError(f"does not fit the search space {self.name}: {error}") from None
        return _encoder(min(self.choices(), key=lambda choice: _distance(wanted, choice)))

    @cached_property
    def _choices(self) -> tuple[EncoderChoice, ...]:
        every = product(self.layers, self.heads, self.hidden, self.ffn, self.activations)
        choices = (EncoderChoice(*values) for values in every)
        return tuple(c for c in choices if c.hidden % c.heads == 0 and RATIO.accepts(c.ffn / c.hidden))


def encoder_of(genotype: Genotype, alike: bool = True) -> EncoderChoice:
    """The five choices of a chain of attention and ffn in turn. Raises `ValueError` on any other genotype.

    With `alike`, layers that differ are an error; without, their most common values count.
    """
    nodes = genotype.canonical().nodes
    attention, ffn = nodes[::2], nodes[1::2]
    in_turn = {node.op for node in attention} == {"attention"} and {node.op for node in ffn} == {"ffn"}
    if not in_turn or len(attention) != len(ffn) or nodes != chain(nodes):
        others = sorted({node.op for node in nodes} - {"attention", "ffn"})
        got = ", ".join(others) or "another order or wiring of them"
        raise ValueError(f"an encoder is a chain of attention and ffn in turn, got {got}")
    if alike and len({node.settings for node in nodes}) > 2:
        raise ValueError("the layers of an encoder must be alike, got different settings")
    if alike and attention[0].setting["conv"]:
        raise ValueError("attention.conv must be False, got True")
    return EncoderChoice(
        layers=len(ffn),
        heads=mode(int(node.setting["heads"]) for node in attention),
        hidden=genotype.width,
        ffn=mode(round(float(node.setting["ratio"]) * genotype.width) for node in ffn),
        activation=mode(str(node.setting["activation"]) for node in ffn),
    )


@lru_cache(maxsize=4096)  # a strategy asks for the whole space again and again, and a genotype keeps its id
def _encoder(choice: EncoderChoice) -> Genotype:
    # round(ratio x hidden) gives ffn back: the ratio is exact to 16 digits.
    ffn = Node.of("ffn", ratio=choice.ffn / choice.hidden, activation=choice.activation)
    layer = [Node.of("attention", heads=choice.heads, conv=False), ffn]
    return Genotype(choice.hidden, choice.hidden, _POOLING, chain(layer * choice.layers))


def _frame_problems(genotype: Genotype) -> list[str]:
    problems = []
    if genotype.rank != genotype.width:
        problems.append(f"rank must be the width ({genotype.width}), got {genotype.rank}")
    if genotype.pooling != _POOLING:
        problems.append(f"pooling must be {_POOLING}, got {genotype.pooling}")
    problems.extend(f"source.{name} must be its default, got {value}" for name, value in genotype.source)
    problems.extend(f"training.{name} must be left to the experiment" for name, _ in genotype.training)
    return problems


def _distance(wanted: EncoderChoice, choice: EncoderChoice) -> float:
    """Sum of the absolute log ratios of the four sizes; another activation adds 1."""
    sizes = zip(wanted[:4], choice[:4], strict=True)
    return sum(abs(log(a / b)) for a, b in sizes) + (wanted.activation != choice.activation)
