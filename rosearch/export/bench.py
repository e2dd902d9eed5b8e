"""How fast an exported folder answers in each of its formats, beside its teacher and its plain matrix products.

>>> for figure in bench(open_all([Path("student")], teacher=None, threads=2), shapes=[(1, 16)]):
...     print(figure.engine, figure.model.median_ms)
onnx 0.61
hf 2.35

Formats are those of `runners.RUNNERS`; latency does not depend on the words, so texts are made of common ones.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rosearch.errors import BadInput, MissingResource, Problem
from rosearch.export.facts import Facts, read_facts, read_json
from rosearch.export.runners import RUNNERS, open_runner, targets_in
from rosearch.export.texts import Reader
from rosearch.measurements import Latency
from rosearch.models.device import machine
from rosearch.models.engines import Array, Run
from rosearch.models.places import locate_named
from rosearch.models.timing import on_threads, quartiles, times_within

Shape = tuple[int, int]  # texts, tokens of each
Tell = Callable[[int, int], None]  # shapes that are measured, of how many

_FILLERS = ("the", "a", "is", "of", "good", "film", "new", "time", ".", "1")  # a piece each in most vocabularies
_TEACHER = "distillation.json"  # the record of `rosearch distil`, which names the teacher's folder
_LENGTHS = (16, 64, 128)
_ROUNDS = 3


@dataclass(frozen=True)
class Program:
    """A model in one engine: texts to arrays, arrays to logits."""

    folder: Path
    engine: str  # a format's name, or `teacher`
    package: str  # that runs it
    longest: int  # tokens
    read: Callable[[Sequence[tuple[str, ...]]], Mapping[str, Array]]
    run: Run
    products: Callable[[Mapping[str, Array]], Callable[[], Any]]  # its plain matrix products alone


@dataclass(frozen=True)
class Figure:
    """Milliseconds of a batch: median and quartiles over all rounds."""

    program: Program
    shape: Shape
    model: Latency  # from arrays to logits
    tokenizer: Latency  # from texts to arrays
    whole: Latency  # from texts to logits
    products: Latency  # the plain matrix products of the pass

    @property
    def texts_per_second(self) -> float:
        """From texts to logits."""
        return 1e3 * self.shape[0] / self.whole.median_ms

    @property
    def share(self) -> float:
        """The time of the products over that of the model. An engine that packs weights better comes above 1."""
        return self.products.median_ms / self.model.median_ms

    def to_dict(self) -> dict[str, Any]:
        """The figure as plain data."""
        names = ("model", "tokenizer", "whole", "products")
        times = {name: asdict(getattr(self, name)) for name in names}
        return {
            "folder": str(self.program.folder),
            "engine": self.program.engine,
            "texts": self.shape[0],
            "tokens": self.shape[1],
            **{name: {key: one[key] for key in ("median_ms", "low_ms", "high_ms")} for name, one in times.items()},
            "share_of_products": self.share,
            "texts_per_second": self.texts_per_second,
        }


def hardware() -> str:
    """The machine in words, with the versions of the engines that are installed."""
    engines = [f"{name} {version(name)}" for name in ("onnxruntime", "openvino") if find_spec(name)]
    return ", ".join([machine(), *engines])


def open_all(folders: Sequence[Path], teacher: str | None, threads: int) -> list[Program]:
    """The teacher that is named, or recorded in the first folder, then every format of each folder; on `threads`.

    Raises `BadInput` for a folder that is named twice or holds no classifier, `MissingResource` for a teacher that is
    not there, and where none of a folder's formats can be run.
    """
    import torch

    if twice := [folder for folder in folders if folders.count(folder) > 1]:
        raise BadInput(Problem("command line", "FOLDER", "each folder once", str(twice[0])))
    torch.set_num_threads(threads)
    with on_threads(threads):
        students = [program for folder in folders for program in open_programs(folder)]
    place = locate_named(teacher, "command line", "Name a folder") if teacher else recorded_teacher(folders[0])
    return [*([open_teacher(place)] if place else []), *students]


def default_lengths(programs: Sequence[Program]) -> list[int]:
    """Those of 16, 64 and 128 tokens that every program reads; the longest input where there is none."""
    longest = min(program.longest for program in programs)
    return [tokens for tokens in _LENGTHS if tokens <= longest] or [longest]


def open_programs(folder: Path) -> list[Program]:
    """A program for each format in an exported folder whose package is installed; the log names the others.

    Raises `BadInput` for a folder that holds no classifier, `MissingResource` where none of its formats can be run.
    """
    facts, found = read_facts(folder), list[Program]()
    for target in targets_in(folder):
        package = RUNNERS[target].package
        if find_spec(package) is None:
            logging.getLogger(__name__).warning("%s: %s is left out: it needs %s", folder, target, package)
            continue
        runner = open_runner(folder, target, facts)
        found.append(_program(folder, target, package, facts.longest, runner.read, runner.inputs, runner.run))
    if not found:
        raise MissingResource(f"{folder}: none of its formats can be run", "pip install 'rosearch[onnx]'", str(folder))
    return found


def open_teacher(folder: Path) -> Program:
    """Any encoder of transformers in torch, without its head. Raises `BadInput` for what cannot be read."""
    import torch
    from transformers import AutoModel

    from rosearch.models.graphs import graph_inputs
    from rosearch.models.lengths import longest_input
    from rosearch.models.saved import load_model, load_tokenizer

    model = load_model(AutoModel, folder).eval()
    tokenizer, names = load_tokenizer(folder, model.config), graph_inputs(model)
    longest = longest_input(model.config, tokenizer)

    def run(given: Mapping[str, Array]) -> Array:
        with torch.inference_mode():
            found: Array = model(**{name: torch.from_numpy(one) for name, one in given.items()})[0].numpy()
        return found

    facts = Facts((), longest, model.config.pad_token_id or 0, "right", 1, None, False)
    reader = Reader(tokenizer.backend_tokenizer, facts)
    return _program(folder, "teacher", "torch", longest, reader, names, run, model)


def recorded_teacher(folder: Path) -> Path | None:
    """The folder of the teacher that a student was distilled from, if the record names it and it is there.

    Where its own folder is not there, the package that it began as has the same shape, and so the same latency. The log
    says where a teacher is recorded and none of both is there.
    """
    found = read_json(folder / _TEACHER, absent={}).get("teacher")
    if not isinstance(found, dict):
        return None
    own, model = str(found.get("folder") or ""), str(found.get("model") or "")
    if own and (Path(own) / "config.json").is_file():
        return Path(own)
    if model.startswith("package:"):  # of a path the record has the last part alone
        with suppress(BadInput, MissingResource):
            return locate_named(model, str(folder / _TEACHER), "")
    told = "%s: its teacher (%s) is left out, as it is not there; --teacher names it"
    logging.getLogger(__name__).warning(told, folder, model or own)
    return None


def bench(
    programs: Sequence[Program], shapes: Sequence[Shape], seconds: float = 0.5, tell: Tell = lambda done, total: None
) -> Iterator[Figure]:
    """The figures of each shape in turn, program by program, in the order of `programs`.

    Each of three rounds visits every program for a third of `seconds`, so that a machine's moods meet all of them.
    Raises `BadInput` for a shape that is longer than a program reads, or that no text fills.
    """
    texts = {(place, shape): texts_of(one, shape) for shape in shapes for place, one in enumerate(programs)}
    for done, shape in enumerate(shapes):
        tell(done, len(shapes))
        runs = [_runs(program, texts[place, shape]) for place, program in enumerate(programs)]
        times: list[dict[str, list[float]]] = [{name: [] for name in one} for one in runs]
        for _ in range(_ROUNDS):
            for one, kept in zip(runs, times, strict=True):
                for name, run in one.items():
                    kept[name] += times_within(run, seconds / _ROUNDS)
        for program, kept in zip(programs, times, strict=True):
            parts = {name: _latency(shape[0], found) for name, found in kept.items()}
            yield Figure(program, shape, parts["model"], parts["tokenizer"], parts["whole"], parts["products"])
    tell(len(shapes), len(shapes))


def _program(
    folder: Path,
    engine: str,
    package: str,
    longest: int,
    reader: Reader,
    names: Sequence[str],
    run: Run,
    model: Any = None,
) -> Program:
    def products(given: Mapping[str, Array]) -> Callable[[], Any]:
        return _products(folder, package, given, model)

    return Program(folder, engine, package, longest, lambda rows: reader(rows, names), run, products)


def _runs(program: Program, rows: Sequence[tuple[str, ...]]) -> dict[str, Callable[[], Any]]:
    """The functions that are timed of a program on some texts."""
    given = program.read(rows)
    return {
        "model": lambda: program.run(given),
        "tokenizer": lambda: program.read(rows),
        "whole": lambda: program.run(program.read(rows)),
        "products": program.products(given),
    }


def texts_of(program: Program, shape: Shape) -> list[tuple[str, ...]]:
    """Texts that a program's tokenizer reads as that many tokens each. Raises `BadInput` where it cannot be done."""
    batch, tokens = shape
    if tokens > program.longest:
        expected = f"at most {program.longest}, the longest input of {program.folder}"
        raise BadInput(Problem("command line", "--length", expected, str(tokens)))
    known = [word for word in _FILLERS if _length(program, f"{word} {word}") - _length(program, word) == 1]
    fewest = _length(program, known[0]) - 1 if known else tokens + 1
    words = [known[place % len(known)] for place in range(max(0, tokens - fewest))]
    text = " ".join(words)
    if not words or _length(program, text) != tokens:
        raise BadInput(Problem("command line", "--length", f"more than {fewest} tokens", str(tokens)))
    return [(text,)] * batch


def _length(program: Program, text: str) -> int:
    return int(program.read([(text,)])["input_ids"].shape[1])


def _products(folder: Path, package: str, given: Mapping[str, Array], model: Any) -> Callable[[], Any]:
    """The plain products of a pass in the runtime of its engine; in torch where that cannot be asked for them."""
    import torch
    from transformers import AutoModelForSequenceClassification

    from rosearch.models.products import make, products_of, run_alone
    from rosearch.models.saved import load_model

    model = model or load_model(AutoModelForSequenceClassification, folder).eval()
    calls = products_of(model, {name: torch.from_numpy(array) for name, array in given.items()})
    if package != "onnxruntime" or find_spec("onnx") is None:
        made = make(calls)
        return lambda: run_alone(made)

    from rosearch.export.product_graph import product_graph
    from rosearch.models.engines import onnx_session

    graph, inputs = product_graph(calls)
    with on_threads(torch.get_num_threads()):
        session = onnx_session(graph)
    return lambda: session.run(None, inputs)


def _latency(batch: int, times: Sequence[float]) -> Latency:
    low, median, high = quartiles(times)
    return Latency(batch, median, low, high)
