"""From the file of a search space to the space; an `encoder:` section makes it one of encoders."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rosearch.config.places import Written, placed
from rosearch.config.shipped import SPACES
from rosearch.errors import BadInput, Problem
from rosearch.space.encoder_space import EncoderSpace
from rosearch.space.search_space import SearchSpace
from rosearch.space.space import Space
from rosearch.space.space_file import read_encoder_file, read_space_file


def load_space(path: str | Path) -> Space:
    """The search space in a YAML file, or of a name; an `encoder:` section makes it one of encoders.

    >>> import random
    >>> from rosearch import load_space
    >>> space = load_space("robust_dag")  # a name that `rosearch spaces` lists, or a path
    >>> genotype = space.sample(random.Random(1))
    >>> space.is_legal(genotype)
    True

    Raises `BadInput` with every problem; that no genotype can meet the bounds is one.
    """
    where = str(path)
    data = SPACES.read(SPACES.find(path), where)
    with placed(Written(SPACES.find(path), where)):
        if "encoder" in data:
            return EncoderSpace(**read_encoder_file(data, where))
        space = SearchSpace(**read_space_file(data, where))
        if problems := list(_impossible(space, where)):
            raise BadInput(problems)
    return space


def _impossible(space: SearchSpace, where: str) -> Iterator[Problem]:
    """Widths that suit no operation or rank; otherwise a window on parameters that no genotype meets."""
    useless = [
        width for width in space.widths if min(space.ranks) > width or set(space.operations_at(width)) <= {"identity"}
    ]
    for width in useless:
        yield Problem(where, "widths", "widths that suit some operation and rank", str(width))
    if not space.shapes and not useless:
        pairs = [(width, rank) for width in space.widths for rank in space.ranks if rank <= width]
        lows, highs = zip(*(space.parameter_range(*pair) for pair in pairs), strict=True)
        expected = f"a window that meets what the space can build, {min(lows):,} to {max(highs):,} at most"
        got = f"{space.min_parameters:,} to {space.max_parameters:,}"
        yield Problem(where, "min_parameters, max_parameters", expected, got)
