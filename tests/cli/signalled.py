"""The program with a command more, `wait WAY`, which tests send signals to; it says `ready` when it waits.

WAY is `loop` (a loop of Python), `grave` (the signal falls into a `__del__`, whose exceptions Python forgets), `deaf`
(the loop swallows every exception), or `patient` (a training that ends its step first).
"""

from __future__ import annotations

import time
from contextlib import nullcontext

from rosearch.cli.app import app, main
from rosearch.progress import check_stop, heard, patience

STEP_S = 0.02


class Grave:
    def __del__(self) -> None:
        print("ready", flush=True)
        time.sleep(5)


@app.command()
def wait(way: str) -> None:
    """Waits for a signal, ten seconds at most."""
    with patience() if way == "patient" else nullcontext():
        for step in range(round(10 / STEP_S)):
            try:
                if step == 0:
                    _begin(way)
                time.sleep(STEP_S)
                if way != "deaf":
                    check_stop()
            except KeyboardInterrupt:
                print("interrupted", flush=True)
                if way != "deaf":
                    raise
            if way == "patient" and heard():
                print("ended its step", flush=True)
                raise KeyboardInterrupt
    print("not stopped")


def _begin(way: str) -> None:
    if way == "grave":
        Grave()  # says it while it is taken apart
    else:
        print("ready", flush=True)


if __name__ == "__main__":
    main()
