"""`rosearch explain`: parse, call, print."""

from __future__ import annotations

from typing import Annotated

import typer

from rosearch.cli.options import Json

EXPLAIN_EXAMPLES = """Examples:

`rosearch explain evolution.population`

`rosearch explain search_space.operations.ffn`

`rosearch explain --schema > experiment.schema.json`, then as the first line of an experiment:
`# yaml-language-server: $schema=experiment.schema.json`"""


def explain(
    key: Annotated[
        str | None,
        typer.Argument(metavar="[KEY]", help="A key or a section; the end of its name is enough. None: the sections."),
    ] = None,
    schema: Annotated[
        bool,
        typer.Option("--schema", help="Print the JSON schema of experiments, or with KEY search_space of spaces."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Say what a key of an experiment or a search space means.

    What it takes, its unit and its default; the keys of a section. Keys of a space stand below `search_space`.
    """
    from rosearch.run.reference import SPACE, all_keys, schema_of
    from rosearch.terminal.console import print_json
    from rosearch.terminal.explain import print_key, print_nothing_chosen

    if schema and key not in (None, SPACE):
        raise typer.BadParameter(f"--schema goes with no key or with {SPACE}, got {key!r}", param_hint="--schema")
    if schema:
        print_json(schema_of(key or "experiment"))
        return
    known = all_keys()
    found = [one.as_dict() for one in ([known] if key is None else known.find(key))]
    if as_json:
        print_json({"keys": found})
    elif key is None:
        print_nothing_chosen(found[0], SPACE)
    else:
        for one in found:
            print_key(one)
