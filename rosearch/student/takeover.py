"""One student takes over the weights of another, part by part; widths and settings may differ.

>>> over = Takeover(child.student, parent.student, matched_nodes(...))
>>> over.embeddings(), over.nodes(), over.merges(), over.norm()
>>> over.share(child)  # of the child's parameters
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import cast

import torch
from torch import Tensor, nn

from rosearch.student.channels import Channels, energy, picked
from rosearch.student.lexicon import NgramEmbedding, SpelledEmbedding
from rosearch.student.merge_weights import taken_merge
from rosearch.student.modeling_rosearch import GraphNode, StudentForSequenceClassification, StudentModel
from rosearch.student.node_pairs import stand_ins
from rosearch.student.operation_weights import Weights, taken
from rosearch.student.operations import Residual
from rosearch.student.poolings import AttentionPooling

_READ, _WRITTEN = ("project", "up", "conv", "pointwise"), ("out", "down")  # an operation's maps of a token's channels


class Takeover:
    """Takes over weights of `theirs`; `matched` has for each node of ours the node of theirs, from 1, or 0.

    What is not called for keeps its weights. `theirs` is left as it was.
    """

    def __init__(self, ours: StudentModel, theirs: StudentModel, matched: Sequence[int]) -> None:
        self._ours, self._theirs, self._matched = ours, theirs, matched
        self._taken = 0  # parameters
        self.parts: list[str] = []  # all that was taken over but nodes

    def share(self, student: nn.Module) -> float:
        """The part of the student's parameters that were taken over."""
        return self._taken / sum(parameter.numel() for parameter in student.parameters())

    @cached_property
    def width(self) -> Channels:
        """The channels of a token: by what the embeddings and all operations write to them and read of them."""
        return picked(_importance(self._theirs), self._ours.config.genotype["width"])

    def nodes(self) -> None:
        """The operations of the nodes that have a match."""
        for node, given in zip(_nodes(self._ours), self._matched, strict=True):
            if given:
                self._operation(_residual(node), _residual(_nodes(self._theirs)[given - 1]))

    def _operation(self, ours: Residual | None, theirs: Residual | None) -> None:
        if ours is not None and theirs is not None:
            self._norm(ours.norm, theirs.norm)
            self._put(ours.operation, taken(ours.operation, theirs.operation, self.width))

    def merges(self) -> None:
        """The merges, as near to the inputs that a node had as can be; a new node begins as the mean of its own."""
        nodes = self._ours.config.genotype["nodes"]
        stands_for = stand_ins(nodes, self._matched)
        for node, module, given in zip(nodes, _nodes(self._ours), self._matched, strict=True):
            if module.merge is None:
                continue
            former = _nodes(self._theirs)[given - 1] if given else None
            reads = [stands_for[read] for read in node["inputs"]]
            put = taken_merge(module.merge, former, reads, self.width)
            if former is None or not isinstance(module.merge, type(former.merge)):
                _set(module.merge, put)  # made, and nobody's
            else:
                self._put(module.merge, put)

    def still(self) -> None:
        """New nodes begin as if they were not there: the map by which one adds to its input starts at 0."""
        for node, given in zip(_nodes(self._ours), self._matched, strict=True):
            if given or (residual := _residual(node)) is None:
                continue
            last = [getattr(residual.operation, name) for name in _WRITTEN if hasattr(residual.operation, name)]
            for parameter in (last or [residual.norm])[0].parameters():  # a pool has no map: it gets zeros to look at
                nn.init.zeros_(parameter)

    def norm(self) -> None:
        """The final norm."""
        self._norm(self._ours.norm, self._theirs.norm)
        self.parts.append("norm")

    def embeddings(self) -> None:
        """All tables and their map to the width; nothing where the two read words by other tables.

        A smaller rank R' is that of the nearest tables of all of this rank: with E the words and P the map of theirs,
        E P^T is cut to its first R' right singular vectors.
        """
        ours, theirs = self._ours.embeddings, self._theirs.embeddings
        if not _alike(self._ours, self._theirs):
            return
        project = self.width.rows(theirs.project.weight)
        words = cast(Tensor, theirs.word.weight)
        turn, project = _of_rank(words, project, ours.project.weight)
        self._put(ours, {"project.weight": project, "project.bias": self.width.rows(theirs.project.bias)})
        self._norm(ours.norm, theirs.norm)
        for mine, given in ((ours.position, theirs.position), (ours.token_type, theirs.token_type)):
            self._put(mine, {"weight": _turned(given.weight, turn)})
        table = ours.word.table if isinstance(ours.word, NgramEmbedding) else ours.word
        self._put(table, {"weight": _turned(words, turn)})
        if isinstance(ours.word, SpelledEmbedding) and isinstance(theirs.word, SpelledEmbedding):
            self._put(ours.word.characters, dict(theirs.word.characters.named_parameters()))
            self._put(ours.word.conv, dict(theirs.word.conv.named_parameters()))
            out = theirs.word.out
            self._put(ours.word.out, {"weight": _turned(out.weight.T, turn).T, "bias": _turned(out.bias, turn)})
        self.parts.append("embeddings")

    def pooling(self) -> None:
        """The pooling, where it has weights; an attention that pools anew begins as the mean."""
        mine, given = self._ours.pooling, self._theirs.pooling
        if isinstance(mine, AttentionPooling):
            if isinstance(given, AttentionPooling):
                self._put(
                    mine, {"score.weight": self.width.columns(given.score.weight), "score.bias": given.score.bias}
                )
            else:
                nn.init.zeros_(mine.score.weight)

    def head(self, ours: StudentForSequenceClassification, theirs: StudentForSequenceClassification) -> None:
        """The classifier."""
        weight = self.width.columns(theirs.classifier.weight)
        self._put(ours.classifier, {"weight": weight, "bias": theirs.classifier.bias})
        self.parts.append("classifier")

    def _norm(self, ours: nn.LayerNorm, theirs: nn.LayerNorm) -> None:
        self._put(ours, {name: self.width.rows(value) for name, value in theirs.named_parameters()})

    def _put(self, module: nn.Module, weights: Weights) -> None:
        _set(module, weights)
        self._taken += sum(value.numel() for value in weights.values())


def _set(module: nn.Module, weights: Weights) -> None:
    own = dict(module.named_parameters())
    for name, value in weights.items():
        own[name].copy_(value)


def _nodes(model: StudentModel) -> list[GraphNode]:
    return cast(list[GraphNode], list(model.nodes))


def _residual(node: GraphNode) -> Residual | None:
    """The operation of a node; None for an identity."""
    return node.operation if isinstance(node.operation, Residual) else None


def _importance(theirs: StudentModel) -> Tensor:
    """The energy that is written to each channel of a token, times that which is read of it, (W,)."""
    written, read = [theirs.embeddings.project.weight], [torch.diag(theirs.norm.weight)]
    for residual in filter(None, map(_residual, _nodes(theirs))):
        maps = cast(dict[str, nn.Linear], dict(residual.operation.named_children()))
        written += [maps[name].weight for name in _WRITTEN if name in maps]
        read += [maps[name].weight for name in _READ if name in maps]
    return energy(written, read)


def _alike(ours: StudentModel, theirs: StudentModel) -> bool:
    """True where both read the same words by tables that can stand for each other; n-grams are no words."""
    read = {
        (one.config.vocab_size, one.config.source["encoding"], isinstance(one.embeddings.word, NgramEmbedding))
        for one in (ours, theirs)
    }
    return len(read) == 1


def _of_rank(words: Tensor, project: Tensor, fresh: Tensor) -> tuple[Tensor | None, Tensor]:
    """The map of all tables to our rank, (R, R'), and that of our rank to the width, (W, R').

    `project` is that of theirs, (W, R), and `fresh` ours as it was. Of one rank, nothing turns.
    """
    rank, ours = project.shape[1], fresh.shape[1]
    if ours == rank:
        return None, project
    if ours > rank:
        return torch.eye(rank, ours), torch.cat([project, fresh[:, rank:].cpu()], dim=1)
    spread = project @ (words.T @ words) @ project.T
    basis = torch.linalg.eigh(spread.double()).eigenvectors[:, -ours:].flip(1).to(project)
    return project.T @ basis, basis


def _turned(table: Tensor, turn: Tensor | None) -> Tensor:
    return table if turn is None else table @ turn
