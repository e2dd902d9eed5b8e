"""`rosearch attack` and `rosearch attack resources`: parse, call, print."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rosearch.cli.options import DataRoot, Device, Json, ResourceFolder, complete_experiment
from rosearch.errors import BadInput

ATTACK_EXAMPLES = """Examples:

`rosearch attack ./model --attack deepwordbug,pruthi --task dev.tsv --n 200`

`rosearch attack ./teacher ./student --attack pwws --task sst2 --data-root ./data --json`

`rosearch attack ./student --target hf,onnx,int8 --attack deepwordbug --task sst2`

`rosearch attack ./model --suite advglue/dev.json --suite-task sst2`

`rosearch attack ./model --suite 'data/sib200.tar.xz/{eng_Latn,swh_Latn}/test.tsv' --label category`"""


def attack(
    models: Annotated[list[str], typer.Argument(metavar="MODEL...", help="Folders of classifiers, or hub names.")],
    attacks: Annotated[str, typer.Option("--attack", help="Names with commas; see `rosearch attack resources`.")] = "",
    task: Annotated[
        Path | None,
        typer.Option(
            help="An experiment's name or file, or TSV, CSV, JSON lines, Parquet (.gz, .xz).",
            autocompletion=complete_experiment,
        ),
    ] = None,
    split: Annotated[str, typer.Option(help="Of an experiment's task: train, validation or test.")] = "test",
    text: Annotated[str | None, typer.Option(help="Column of a file; default: text, sentence, premise ...")] = None,
    text_pair: Annotated[str | None, typer.Option(help="Column of the second text of pairs.")] = None,
    label: Annotated[
        str, typer.Option(help="Column of the label, a name in label2id or an integer; of sets too.")
    ] = "label",
    drop_bad_rows: Annotated[
        bool, typer.Option("--drop-bad-rows", help="Leave out rows of a file without a text or a label.")
    ] = False,
    n: Annotated[int, typer.Option("--n", min=1, help="Rows to attack, a seeded sample.")] = 500,
    seed: Annotated[int, typer.Option(min=0, help="Of the sample and of what attacks draw.")] = 1,
    data_root: DataRoot = None,
    resources: ResourceFolder = None,
    queries: Annotated[int | None, typer.Option(min=1, help="Query budget of a row.")] = None,
    seconds: Annotated[float | None, typer.Option(min=0, help="Time budget of a row; depends on the machine.")] = None,
    single_swaps: Annotated[str, typer.Option(help="Attacks whose every single swap is scored besides.")] = "",
    suite: Annotated[
        list[Path] | None,
        typer.Option(help="Held-out set: AdvGLUE's JSON; tables of text, label, group; a pattern of them."),
    ] = None,
    suite_task: Annotated[str, typer.Option(help="Which of AdvGLUE's tasks, where the file has several.")] = "",
    examples: Annotated[int, typer.Option(min=0, help="How many of what fooled it are shown.")] = 5,
    per_class: Annotated[bool, typer.Option("--per-class", help="Tables by class as well.")] = False,
    device: Device = "auto",
    max_length: Annotated[int | None, typer.Option(help="Tokens; default: the task's, else what it reads.")] = None,
    trust_remote_code: Annotated[
        bool, typer.Option("--trust-remote-code", help="Run code that lies beside a model; read it first.")
    ] = False,
    cache: Annotated[
        Path | None, typer.Option(help="Folder of compiled plans; default: .rosearch here. Nothing goes to your home.")
    ] = None,
    target: Annotated[
        str, typer.Option(help="Formats of an exported folder, with commas: hf (torch), onnx, openvino, int8 ...")
    ] = "hf",
    as_json: Json = False,
) -> None:
    """Measure how robust classifiers are.

    Attacks any Hugging Face classifier, or several on the same rows, and scores held-out sets. `rosearch attack
    resources` lists the attacks, and the files that each needs.
    """
    named = _names(attacks)
    if not (named or suite) or bool(named) != (task is not None):
        raise typer.BadParameter("give --attack NAMES with --task, or --suite FILE, or both")
    from rosearch.attack.first_look import look_first
    from rosearch.terminal.progress import loading

    files = (*(suite or ()), *((task,) if task is not None else ()))
    targets = tuple(dict.fromkeys(_names(target)))
    look_first(models, (*named, *_names(single_swaps)), files, targets)
    with loading():
        from rosearch.attack.report import run_attack
        from rosearch.attack.request import AttackRequest, Columns, Limits
        from rosearch.attack.tables import report_json
        from rosearch.terminal.attack import print_report, watched
        from rosearch.terminal.console import print_json

    request = AttackRequest(
        models=tuple(models),
        attacks=named,
        task=task,
        split=split,
        columns=Columns(text, text_pair, label),
        drop_bad_rows=drop_bad_rows,
        rows=n,
        seed=seed,
        data_root=data_root,
        resources=resources,
        limits=Limits(queries, seconds),
        single_swaps=_names(single_swaps),
        held_out=tuple(suite or ()),
        held_out_task=suite_task,
        examples=examples,
        device=device or "auto",
        max_length=max_length,
        trust_remote_code=trust_remote_code,
        cache=cache,
        targets=targets or ("hf",),
    )
    with watched() as progress:
        report = run_attack(request, progress)
    if as_json:
        print_json(report_json(report))
    else:
        print_report(report, per_class)
    if any(model.failure for model in report.models):
        raise typer.Exit(1)


def attack_resources(
    check: Annotated[
        bool, typer.Option("--check", help="Load all that is found; exit 3 if it cannot be read.")
    ] = False,
    make: Annotated[
        str, typer.Option(help="Make masked-lm or vectors from plain text, and put it into the folder of resources.")
    ] = "",
    source: Annotated[
        str, typer.Option("--from", metavar="MODEL", help="Encoder of the masked LM: a folder, package:NAME, hub name.")
    ] = "",
    corpus: Annotated[
        list[Path] | None, typer.Option(help="Plain text to make it from: .txt, .jsonl ... (.gz, .xz). Repeatable.")
    ] = None,
    layers: Annotated[int | None, typer.Option(min=1, help="Of the masked LM, the lowest; default: all.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Of the masked LM's training; default: 4000.")] = None,
    device: Device = "auto",
    cache: Annotated[Path | None, typer.Option(help="Of what is being made; default: .rosearch here.")] = None,
    resources: ResourceFolder = None,
    as_json: Json = False,
) -> None:
    """List the attacks and the files they need, or make one.

    It says which files are there, how to get the rest, and which attacks run here. A file that is missing is no error:
    the exit code is 0. With --make, the same command after Ctrl-C or kill -9 goes on where it was.
    """
    from rosearch.terminal.console import print_json, print_line, print_table

    if make:
        from rosearch.terminal.progress import loading

        with loading():
            from rosearch.attack.measure import Request, make_resource
            from rosearch.terminal.attack import watched
            from rosearch.terminal.console import err

        cache = cache or Path(".rosearch")
        request = Request(tuple(corpus or ()), source, layers, steps, resources, cache, device or "auto")
        with watched("What was learnt so far is kept") as progress:
            made = make_resource(make, request, progress, lambda text: print_line(text, err))
        if as_json:
            print_json({"made": make, "place": str(made.place), **made.facts})
            return
        for line in (*made.lines, f"Saved to {made.place}"):
            print_line(line)
        return
    if source or corpus or layers is not None or steps is not None:
        raise typer.BadParameter("--from, --corpus, --layers and --steps go with --make", param_hint="--make")
    from rosearch.attack.measure import attack_states, open_resources, unreadable_resources
    from rosearch.attack.tables import resources_json, resources_table, states_table

    found = open_resources(resources)
    states = attack_states(found)
    if as_json:
        print_json(resources_json(found, states))
    else:
        print_table(resources_table(found))
        print_table(states_table(states))
    if check and (problems := unreadable_resources(found)):
        raise BadInput(problems)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for part in text.split(",") if (name := part.strip()))
