"""`rosearch distil`, `rosearch teacher` and `rosearch encoding`: parse, call, print."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from rosearch.cli.options import (
    DataRoot,
    Device,
    ExperimentFile,
    Json,
    LabelColumn,
    Override,
    OwnTeacher,
    TestFile,
    TextColumns,
    TrainFile,
    ValidationFile,
    complete_experiment,
    load_own,
    own_data,
)

DISTIL_EXAMPLES = """Examples:

`rosearch distil --student tinybert4 --task sst2 --to ./tinybert`

`rosearch distil --method mate_kd --teacher ./teacher --student distilbert-base-uncased --task rte
--to ./out --data-root ./data -o distillation.epochs=10`

`rosearch distil --student runs/sst2-0001:3fa9c2 --task sst2 --to ./again --seed 2 --test`"""


def distil(
    student: Annotated[
        str,
        typer.Option(
            help="Folder or hub name; known architecture; RUN:ID; genotype (.json, .yaml); layers:0,2,4 of the teacher."
        ),
    ],
    to: Annotated[Path, typer.Option(help="The new Hugging Face folder.")],
    task: Annotated[
        Path | None,
        typer.Option(
            help="Experiment, a name or a file: its task, teacher and distillation are the defaults.",
            autocompletion=complete_experiment,
        ),
    ] = None,
    train_file: TrainFile = None,
    validation_file: ValidationFile = None,
    test_file: TestFile = None,
    text: TextColumns = None,
    label: LabelColumn = None,
    encoding: Annotated[
        str | None,
        typer.Option(help="How a fresh student reads words: wordpiece, typos, task_typos, synonyms or typos+synonyms."),
    ] = None,
    method: Annotated[str | None, typer.Option(help="kd, hidden_states, mate_kd, ad2 or robust_kd.")] = None,
    teacher: OwnTeacher = None,
    override: Override = None,
    data_root: DataRoot = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Of the student; teacher and data keep the experiment's.")
    ] = None,
    device: Device = None,
    test: Annotated[bool, typer.Option("--test", help="Measure the test split as well.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier export.")] = False,
    resume: Annotated[
        bool, typer.Option("--resume/--fresh", help="Go on from what an equal command left, or start over.")
    ] = True,
    cache: Annotated[
        Path | None,
        typer.Option(help="Of teachers and tokens; default: .rosearch here. RUNS/.cache shares that of searches."),
    ] = None,
    every: Annotated[float, typer.Option(min=0, help="Seconds between two checkpoints.")] = 60.0,
    as_json: Json = False,
) -> None:
    """Distil one student without a search.

    Saves it as a folder that plain transformers loads. After Ctrl-C, a crash or kill -9 the same command goes on.
    """
    from rosearch.config.file import written
    from rosearch.config.places import placed
    from rosearch.distil.first_look import look_first
    from rosearch.errors import gather
    from rosearch.export.destination import check_destination
    from rosearch.terminal.progress import loading

    own = own_data(train_file, validation_file, test_file, text, label, teacher)
    given = {"distillation.method": method, "execution.device": device}
    overrides = (*(override or ()), *(f"{key}={json.dumps(value)}" for key, value in given.items() if value))
    experiment, _, _ = gather(
        lambda: load_own(task, own, overrides, data_root, "--task EXPERIMENT"),
        lambda: look_first(student),
        lambda: check_destination(to, overwrite),
    )
    with loading():
        from rosearch.distil.inputs import find_student
        from rosearch.distil.student import Options, distil_student
        from rosearch.terminal.console import print_json
        from rosearch.terminal.distil import print_distilled, watched

    found = find_student(student, encoding)
    options = Options(seed=seed, test=test, cache=cache, overwrite=overwrite, fresh=not resume, every=every)
    named = placed(written(task, own.overrides(overrides))) if task is not None else nullcontext()
    with named, watched(to) as watcher:
        distilled = distil_student(experiment, found, to, options, watcher)
    if as_json:
        print_json({"folder": str(distilled.folder), **distilled.record})
    else:
        root = ("--data-root", str(data_root)) if data_root else ()
        changed = (word for text in own.overrides(overrides) for word in ("-o", text))
        attacked = own.rows_to_attack() if own.given else ("--task", str(task), *root)
        same = (str(task), "--to", "DIR", *root, *changed, "--cache", str(cache or ".rosearch"))
        print_distilled(distilled, attacked, same if task else ())


def teacher(
    experiment: ExperimentFile,
    to: Annotated[Path, typer.Option(help="The new Hugging Face folder.")],
    override: Override = None,
    data_root: DataRoot = None,
    cache: Annotated[
        Path | None, typer.Option(help="Where it was fine-tuned; default: runs/.cache if it is there, else .rosearch.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Save the teacher of an experiment.

    It is fine-tuned where no search has done so. Attack the folder, or give it to `rosearch distil --teacher`.
    """
    from rosearch.terminal.progress import loading

    with loading():
        from rosearch.config.file import load_experiment
        from rosearch.distil.teacher import save_teacher
        from rosearch.terminal.attack import watched
        from rosearch.terminal.console import print_json, print_line

    searched = Path("runs/.cache")
    cache = cache or (searched if searched.is_dir() else None)
    with watched() as progress:
        saved = save_teacher(load_experiment(experiment, tuple(override or ()), data_root), to, cache, progress)
    if as_json:
        print_json({"folder": str(saved.folder), "kept": str(saved.kept), "fine_tuned": saved.fine_tuned})
        return
    print_line(f"Saved to {saved.folder}, {'fine-tuned' if saved.fine_tuned else 'a copy'}; it is kept in {saved.kept}")


def encoding(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A student, or its tokenizer alone.")],
    explain: Annotated[
        list[str] | None, typer.Option(metavar="WORD", help="How this word is read, and why. Repeatable.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Print what a student's robust encoding merges.

    Its size, its purity (does the teacher's answer stay when a word is read as its code?) and its largest clusters.
    """
    from rosearch.distil.inputs import read_encoding
    from rosearch.terminal.console import print_json
    from rosearch.terminal.encoding import print_encoding, print_word

    found = read_encoding(folder, explain or ())
    if as_json:
        print_json(found)
        return
    if not explain:
        print_encoding(found)
    for word in found["explained"]:
        print_word(word)
