"""A first look at the name of a student, as far as it can be understood without torch.

>>> look_first("layers:0,x")
Traceback (most recent call last):
rosearch.errors.BadInput: student: layers:0,x: expected numbers of the teacher's layers, from 0 ...
"""

from __future__ import annotations

from pathlib import Path

from rosearch.config.plain_data import read_json, read_yaml
from rosearch.errors import BadInput, Problem, nearest, one_line
from rosearch.models.places import is_local, locate_named
from rosearch.space.genotype import Genotype
from rosearch.space.known import KNOWN
from rosearch.space.rules import structural_problems

FILES = (".json", ".yaml", ".yml")
_KINDS = (
    "a folder or hub name of a transformers model, RUN:ID, a genotype file (.json, .yaml), layers:0,2,4 of the "
    f"teacher, or one of the known architectures ({', '.join(KNOWN)})"
)
LAYERS = "layers:"


def look_first(name: str) -> None:
    """Raises `BadInput` or `MissingResource` where a name surely stands for no student; the hub is not asked."""
    if name in KNOWN:
        return
    if name.startswith(LAYERS):
        read_layers(name)
    elif name.lower().endswith(FILES):
        read_genotype(Path(name).expanduser())
    elif ":" not in name and is_local(name):
        locate_named(name, "student", advice_on(name))


def advice_on(name: str) -> str:
    """The kinds of students there are, and the known one that a wrong name may mean."""
    meant = "" if "/" in name else nearest(name, KNOWN)
    return f"give {_KINDS}" + (f". {meant}" if meant else "")


def read_layers(name: str) -> tuple[int, ...]:
    """The layers that `layers:0,2,4` names. Raises `BadInput`."""
    try:
        return tuple(int(layer) for layer in name.removeprefix(LAYERS).split(","))
    except ValueError:
        expected = "numbers of the teacher's layers, from 0, as in layers:0,2,4"
        raise BadInput(Problem("student", name, expected, name.removeprefix(LAYERS) or "none")) from None


def read_genotype(path: Path) -> Genotype:
    """A genotype as `Genotype.to_dict` writes it, alone or below the key `genotype`."""
    data = (read_json if path.suffix.lower() == ".json" else read_yaml)(path)
    try:
        genotype = Genotype.from_dict(data.get("genotype") or data)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        expected = "a genotype: width, rank, pooling, and nodes with op, inputs, merge and settings"
        got = f"no {error}" if isinstance(error, KeyError) else one_line(error)
        raise BadInput(Problem(str(path), "", expected, got)) from None
    if problems := structural_problems(genotype):
        raise BadInput([Problem(str(path), "", "a genotype that can be built", problem) for problem in problems])
    return genotype
