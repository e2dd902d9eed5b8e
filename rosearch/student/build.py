"""Genotype to student: seeded weights, and embeddings inherited from a teacher; a saved student read again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, cast

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from rosearch.errors import BadInput, Problem
from rosearch.models.saved import load_model
from rosearch.space.genotype import Genotype
from rosearch.space.rules import structural_problems
from rosearch.student.buckets import fit_buckets
from rosearch.student.configuration_rosearch import StudentConfig
from rosearch.student.lexicon import NgramEmbedding
from rosearch.student.modeling_rosearch import StudentForSequenceClassification, StudentModel

_ROWS_AT_ONCE = 4096  # rows of a word table per float32 product; the products are summed in float64


def build_student(
    genotype: Genotype,
    *,
    labels: Sequence[str],
    problem: Literal["classification", "regression"],
    vocabulary: int,
    positions: int,
    token_types: int,
    pad_token_id: int,
    dropout: float,
    seed: int,
    pieces: Sequence[str] | None = None,
) -> StudentForSequenceClassification:
    """A student with fresh weights; equal genotype ids and seeds give bit-identical weights.

    `labels` are the class names in order, empty for regression. `vocabulary`, `positions` and `token_types` are the
    rows of the three tables. `pieces` are the vocabulary's strings by id, needed if the genotype reads characters.
    torch's own generators are left as they were. Raises `ValueError` with every structural problem of the genotype, and
    if it needs pieces and their number is not the vocabulary's.
    """
    if problems := structural_problems(genotype):
        raise ValueError("; ".join(problems))
    characters = genotype.source_setting["characters"]
    if characters != "none" and len(pieces or ()) != vocabulary:
        got = "none" if pieces is None else len(pieces)
        raise ValueError(f"characters={characters} needs the vocabulary's {vocabulary} pieces, got {got}")
    names = list(labels) if problem == "classification" else ["value"]
    config = StudentConfig(
        genotype.canonical().to_dict(),
        vocab_size=vocabulary,
        max_position_embeddings=positions,
        type_vocab_size=max(1, token_types),
        pad_token_id=pad_token_id,
        dropout=dropout,
        id2label=dict(enumerate(names)),
        label2id={name: index for index, name in enumerate(names)},
        problem_type="single_label_classification" if problem == "classification" else "regression",
    )
    student = _seeded_student(config, seed)
    if characters != "none":
        student.get_input_embeddings().spell(pieces)
    return student


def load_student(folder: Path, *, head: bool) -> PreTrainedModel:
    """A saved student of ours, or without a `head` its encoder, in eval mode. Raises `BadInput` for a damaged one."""
    return load_model(StudentForSequenceClassification if head else StudentModel, folder).eval()


def _seeded_student(config: StudentConfig, seed: int) -> StudentForSequenceClassification:
    state = torch.get_rng_state()
    try:
        # Only the CPU's generator: torch.manual_seed would also reseed those of all GPUs.
        torch.default_generator.manual_seed(seed)
        return StudentForSequenceClassification(config)
    finally:
        torch.set_rng_state(state)


@torch.no_grad()
def inherit_embeddings(
    student: StudentForSequenceClassification, teacher: PreTrainedModel, rows: Sequence[int] | None = None
) -> float:
    """Gives the student the teacher's embeddings, cut to its rank R by singular value decomposition.

    The word table E (V, D) becomes E U. The columns of U (D, R) are E's first R right singular vectors: E U U^T is the
    nearest to E of all tables of rank R (Eckart and Young 1936), with the inner products between rows of E U. Positions
    and token types are mapped by the same U, so the three still add up. If R > D, the features beyond D start at 0. The
    student's map from R to its width becomes orthonormal (the nearest to its seeded weights), which keeps lengths and
    angles. No random number is drawn.

    `rows` are the teacher's rows of the student's words, if its vocabulary is a part of the teacher's; otherwise both
    have the same ids. A student of n-grams has no row per word: its buckets are fitted to E U (see `buckets`). Returns
    the share of the variance of E U that the student's words reproduce: 1 for a word table.

    Tables that the teacher lacks (DistilBERT has no token types, DeBERTa v3 no positions) keep their fresh rows, as do
    rows beyond the teacher's. RoBERTa's positions start behind its padding index, the student's at 0. Raises `BadInput`
    if the teacher knows fewer words than the student.
    """
    ours, rank = student.student.embeddings, int(student.config.genotype["rank"])
    words = _words_of(teacher, int(student.config.vocab_size), rows)
    basis = _right_singular_vectors(words)[:, :rank]
    share = _inherit_words(ours.word, words, basis, rank)
    if (positions := _table(teacher, "position_embeddings", words.shape[1])) is not None:
        first = 0 if positions.padding_idx is None else positions.padding_idx + 1
        _inherit(ours.position.weight, positions.weight[first:], basis)
    if (token_types := _table(teacher, "token_type_embeddings", words.shape[1])) is not None:
        _inherit(ours.token_type.weight, token_types.weight, basis)
    left, _, right = torch.linalg.svd(ours.project.weight.double(), full_matrices=False)
    ours.project.weight.copy_(left @ right)
    ours.project.bias.zero_()
    return share


@torch.no_grad()
def embedding_basis(config: StudentConfig, teacher: PreTrainedModel, rows: Sequence[int] | None = None) -> Tensor:
    """U of `inherit_embeddings`, (D, R); where R > D, of which D features are used, the others are 0."""
    basis = _right_singular_vectors(_words_of(teacher, config.vocab_size, rows))[:, : config.genotype["rank"]]
    return torch.nn.functional.pad(basis, (0, config.genotype["rank"] - basis.shape[1]))


def _words_of(teacher: PreTrainedModel, vocabulary: int, rows: Sequence[int] | None) -> Tensor:
    """The teacher's vectors of the student's words, (V, D)."""
    words: Tensor = teacher.get_input_embeddings().weight.detach()
    if rows is not None:
        words = words[torch.tensor(rows, device=words.device)]
    if len(words) < vocabulary:
        expected = f"a row for each of its tokenizer's {vocabulary} words"
        raise BadInput(Problem("teacher", "word embeddings", expected, f"{len(words)} rows"))
    return words[:vocabulary]


def _right_singular_vectors(table: Tensor) -> Tensor:
    """(V, D) -> (D, D), columns in order of falling singular value.

    They are the eigenvectors of the D x D Gram matrix, which is several times faster than decomposing the table. The
    squared condition number costs nothing here: vectors of tiny values may mix, yet the cut table is as near (to 1e-12
    on 30,522 x 768). Signs are fixed: the largest entry of each column is positive.
    """
    gram = torch.zeros(table.shape[1], table.shape[1], dtype=torch.float64, device=table.device)
    for start in range(0, len(table), _ROWS_AT_ONCE):
        rows = table[start : start + _ROWS_AT_ONCE].float()
        gram += rows.T @ rows
    vectors: Tensor = torch.linalg.eigh(gram).eigenvectors.flip(1)  # eigh gives rising eigenvalues
    largest = vectors.gather(0, vectors.abs().argmax(0, keepdim=True))
    return (vectors * largest.sign()).float()


def _inherit_words(ours: nn.Module, words: Tensor, basis: Tensor, rank: int) -> float:
    """Gives a word table or n-gram buckets the teacher's words; returns the kept share of their variance."""
    if not isinstance(ours, NgramEmbedding):
        _inherit(cast(nn.Embedding, ours).weight, words, basis)
        return 1.0
    table = torch.zeros(len(words), rank)
    _inherit(table, words, basis)
    return fit_buckets(ours, table)


def _inherit(ours: Tensor, table: Tensor, basis: Tensor) -> None:
    """Writes table @ basis into the rows and features that both have; other features of these rows become 0."""
    rows, features = min(len(ours), len(table)), basis.shape[1]
    for start in range(0, rows, _ROWS_AT_ONCE):
        part = slice(start, min(start + _ROWS_AT_ONCE, rows))
        ours[part, :features] = (table[part].float() @ basis).to(ours)
    ours[:rows, features:] = 0.0


def _table(teacher: nn.Module, name: str, features: int) -> nn.Embedding | None:
    """The teacher's embedding table of that name and width, or None."""
    for path, module in teacher.named_modules():
        fits = isinstance(module, nn.Embedding) and module.embedding_dim == features
        if fits and path.rpartition(".")[2] == name:
            return cast(nn.Embedding, module)
    return None
