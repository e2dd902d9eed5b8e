"""Splits from the Hugging Face hub or its cache. No other module imports `datasets`."""

from __future__ import annotations

import contextlib
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rosearch.config.corpus import CorpusSource
from rosearch.config.task import HubSource
from rosearch.data.table import Table
from rosearch.errors import BadInput, MissingResource, Problem, one_line

_PATIENCE_S = 3.0  # the hub's own client retries for most of a minute before it says that there is no network


def hub_reachable() -> bool:
    """True where the hub answers within three seconds; False at once where the offline flags are set."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return False
    answers: list[bool] = []
    # In a thread, since no time-out bounds the look-up of a name.
    thread = threading.Thread(target=lambda: answers.append(_answers(constants.ENDPOINT)), daemon=True)
    thread.start()
    thread.join(_PATIENCE_S)
    return bool(answers and answers[0])


def read_hub(source: HubSource, label: str) -> dict[str, Table]:
    """The splits named by `source`, by our names: train, test, and validation where the source has one.

    Raises `MissingResource`, at once where there is neither a network nor a cached copy.
    """
    with _offline_unless(Path(source.dataset).is_dir() or hub_reachable()) as offline:
        names = {"train": source.train, "validation": source.validation, "test": source.test}
        return {ours: _read_split(source, theirs, label, offline) for ours, theirs in names.items() if theirs}


def _read_split(source: HubSource, split: str, label: str, offline: bool) -> Table:
    import datasets

    where = f"{source.dataset}{f' ({source.config})' if source.config else ''}"
    try:
        rows = datasets.load_dataset(source.dataset, source.config, revision=source.revision, split=split)
    except Exception as error:  # the client and its parts raise some twenty kinds of errors
        advice = "or read the same data from files: --data-root FOLDER or -o task.path=FOLDER"
        raise _absent(f"{where}, split {split}", error, offline, advice) from None
    feature = rows.features.get(label)
    names = tuple(feature.names) if isinstance(feature, datasets.ClassLabel) else ()
    return Table(f"{where}, split {split}", rows.to_pandas(), names)


def stream_hub(source: CorpusSource, where: str) -> Iterator[str]:
    """The text of each row of a dataset, as it arrives; from a copy in the cache where the hub cannot be reached.

    Raises `MissingResource` where there is neither, and `BadInput` where the column is absent or holds no text.
    """
    for number, row in enumerate(_stream_rows(source, where), start=1):
        if source.column not in row:
            got, fix = f"only {', '.join(map(repr, row))}", "name the text in column"
            raise BadInput(Problem(where, "", f"a column {source.column!r}", got, fix))
        text = row[source.column]
        if isinstance(text, str):
            yield text
        elif text is not None:
            got = f"{type(text).__name__} in row {number}"
            raise BadInput(Problem(where, f"column {source.column!r}", "text", got))


def _stream_rows(source: CorpusSource, where: str) -> Iterator[dict[str, Any]]:
    import datasets

    assert source.hub is not None
    with _offline_unless(Path(source.hub).is_dir() or hub_reachable()) as offline:
        try:
            yield from datasets.load_dataset(
                source.hub,
                source.config,
                revision=source.revision,
                split=source.split,
                streaming=not offline,  # a dataset in the cache is memory-mapped, and cannot be streamed
            )
        except Exception as error:  # the same twenty kinds as in `_read_split`
            raise _absent(where, error, offline, "or name files in corpus.sources") from None


def _absent(where: str, error: Exception, offline: bool, advice: str) -> MissingResource:
    reason = "it is not in the local cache and the hub cannot be reached" if offline else _told(error)
    return MissingResource(f"dataset {where}: {reason}. Check the name and the network, {advice}")


@contextlib.contextmanager
def _offline_unless(reachable: bool) -> Iterator[bool]:
    """Sets the libraries' offline flags for a while, so that they look into their cache and nowhere else."""
    import datasets
    from huggingface_hub import constants

    holders: list[Any] = [datasets.config, constants]
    before = [holder.HF_HUB_OFFLINE for holder in holders]
    if not reachable:
        for holder in holders:
            holder.HF_HUB_OFFLINE = True
    try:
        yield not reachable
    finally:
        for holder, flag in zip(holders, before, strict=True):
            holder.HF_HUB_OFFLINE = flag


def _answers(endpoint: str) -> bool:
    try:
        urllib.request.urlopen(urllib.request.Request(endpoint, method="HEAD"), timeout=_PATIENCE_S).close()
    except urllib.error.HTTPError as error:
        return error.code in (
            401,
            404,
            405,
            429,
        )  # a mirror's own answers; other codes come from proxies between
    except (OSError, ValueError):
        return False
    return True


def _told(error: Exception) -> str:
    return one_line(error, 300, named=True)
