#!/usr/bin/env bash
# typer 0.29.2: `typer.main.get_command` gives objects that are no `click.Command`, even with click installed beside it.
#
# Expected: the object made of an app can be handed to click, as typer's page on using both described it and as it is with
#   0.25.1: what reads or combines commands of click works on those of typer.
# Seen: since 0.26.0 typer has a click of its own inside (`typer._click`), which shares no class with the installed one and
#   by 0.29.2 lacks parts of it. With click 8.5.1 beside it:
#   - no parameter is a `click.Option` or has a `type`, and click's own `Context.to_info_dict`, made for writers of
#     documentation, raises AttributeError.
#   - mkdocs-click 0.9.0, asked for a table of options, leaves it out of the page, and gives neither an error nor a warning.
#   - below a group of click the command still runs, but a missing argument comes out as an exception of typer's: exit code
#     1 where it was click's message and exit code 2.
# Why it matters: typer's README names the change, but nothing in the dependencies does: generated pages lose their
#   contents, and checks by `isinstance` turn false, with an upgrade of typer alone.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat >"$folder/ask.py" <<'PYTHON'
import sys
import types
import warnings

import click
import markdown
import typer
from click.testing import CliRunner

app = typer.Typer(add_completion=False)


@app.command()
def greet(name: str, times: int = 1) -> None:
    """Greet somebody."""
    print("hello " * times + name)


def told(call):
    try:
        return call()
    except Exception as error:
        return type(error).__name__


command = typer.main.get_command(app)
print("a click.Command:", isinstance(command, click.Command))
options = [parameter.opts for parameter in command.params if isinstance(parameter, click.Option)]
print("options that click knows:", options)
print("type of the first parameter:", told(lambda: command.params[0].type.name))
print("to_info_dict:", told(lambda: list(click.Context(command).to_info_dict())[0]))
sys.modules["shop"] = types.ModuleType("shop")
sys.modules["shop"].command = command
with warnings.catch_warnings(record=True) as warned:
    warnings.simplefilter("always")
    block = "::: mkdocs-click\n    :module: shop\n    :command: command\n    :style: table"
    page = markdown.markdown(block, extensions=["mkdocs-click"])
ours = [warning for warning in warned if "click" in str(warning.message)]
print("page: usage", "Usage:" in page, "options", "--times" in page, "warnings", len(ours))
group = click.Group("all", commands={"greet": command})
print("run below a group:", CliRunner().invoke(group, ["greet", "Ann"]).output.strip())
result = CliRunner().invoke(group, ["greet"])
print("without the argument:", result.exit_code, type(result.exception).__name__)
PYTHON
check() {
    python3 -m venv "$folder/$1"
    "$folder/$1/bin/pip" install --quiet --disable-pip-version-check "typer==$1" "click==8.5.1" "mkdocs-click==0.9.0" \
        "Markdown==3.9" 2>/dev/null
    result=$("$folder/$1/bin/python" "$folder/ask.py" 2>/dev/null)
    printf 'typer %s\n%s\n' "$1" "$result"
    test "$result" = "$2"
}
check 0.25.1 "a click.Command: True
options that click knows: [['--times']]
type of the first parameter: text
to_info_dict: command
page: usage True options True warnings 0
run below a group: hello Ann
without the argument: 2 SystemExit"
check 0.29.2 "a click.Command: False
options that click knows: []
type of the first parameter: AttributeError
to_info_dict: AttributeError
page: usage True options False warnings 0
run below a group: hello Ann
without the argument: 1 MissingParameter"
