"""Opens and runs an attack in a process without network and with a strange home, and prints the changes it made.

Arguments: the cache folder, and `without-flair` to hide flair, or `broken-flair` for one that fails half-way.
"""

from __future__ import annotations

import json
import logging
import os
import random
import socket
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

connections: list[str] = []


def refuse(*arguments: Any, **_: Any) -> None:
    connections.append(repr(arguments[1:]))
    raise OSError("no network here")


socket.socket.connect = refuse  # type: ignore[method-assign,assignment]
socket.getaddrinfo = refuse  # type: ignore[assignment]


def state(handler: logging.Handler) -> dict[str, Any]:
    """Everything that TextAttack's import would change."""
    mine = logging.getLogger("mine")
    return {
        "environment": dict(os.environ),
        "random": repr(random.getstate()),
        "numpy": repr(np.random.get_state()),
        "torch": repr(torch.random.get_rng_state().tolist()),
        "filters": repr(warnings.filters),
        "logging": [
            mine.disabled,
            mine.handlers == [handler],
            handler in [r() for r in logging._handlerList],
        ],
        "root": repr(logging.root.handlers),
    }


def main(cache: Path) -> None:
    from rosearch.evaluation import efficiency, quality, robustness  # noqa: F401
    from rosearch.evaluation.attacks import recipes
    from rosearch.evaluation.attacks.stock import library, pool  # noqa: F401

    imported = sorted(name for name in ("textattack", "flair", "nltk") if name in sys.modules)
    import datasets
    import huggingface_hub.constants as hub
    from evaluation.attacks.letter_victim import LetterVictim

    from rosearch.resources.resources import Resources

    warnings.simplefilter("error")
    handler = logging.NullHandler()
    logging.getLogger("mine").addHandler(handler)
    victim = LetterVictim()  # its module draws weights
    before = state(handler)

    recipe = recipes.resolve("deepwordbug", Resources())
    texts = ["A good book of songs", "Food too good to go 中文也好 on"]
    jobs = [pool.RowJob((text,), int(victim([text]).argmax()), 3) for text in texts]
    rows = pool.run_pool(lambda model: recipes.build(recipe, model, Resources(), cache), victim, jobs)
    after = state(handler)
    json.dump(
        {
            "imported": imported,
            "changed": [key for key in before if before[key] != after[key]],
            "connections": connections,
            "flair": "flair" in sys.modules,
            "hub": [hub.HF_HOME, str(datasets.config.HF_CACHE_HOME)],
            "rows": [[row.outcome, row.texts, row.queries] for row in rows],
        },
        sys.stdout,
    )


if __name__ == "__main__":
    if "without-flair" in sys.argv:
        sys.modules["flair"] = None  # type: ignore[assignment]
    if "broken-flair" in sys.argv:
        package = Path(sys.argv[1]) / "site" / "flair"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text("from flair import data\nfrom transformers import NoSuchClass\n")
        (package / "data.py").write_text("class Token: ...\n")  # without what TextAttack wants of it
        sys.path.insert(0, str(package.parent))
    main(Path(sys.argv[1]))
