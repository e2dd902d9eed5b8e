"""A transformers model in a folder: looked at, read (configuration, tokenizer, weights) and saved. No hub is asked.

This is the only place that loads models and tokenizers. What it returns was loaded whole; what cannot be is `BadInput`.

::

    with asked_by("experiment", "teacher.model"):  # whose setting names the folder
        config, tokenizer = open_model(AutoModelForSequenceClassification, folder)  # from headers alone
    model = load_model(AutoModelForSequenceClassification, folder)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer, PreTrainedModel
from transformers.utils import logging

from rosearch.errors import BadInput, Problem, gather, machine_fault, one_line
from rosearch.files import whole
from rosearch.models.heads import has_head
from rosearch.models.lengths import too_few_rows
from rosearch.models.parts import load_header, not_finite, parts_faults
from rosearch.models.places import require_undamaged
from rosearch.models.segments import name_inputs
from rosearch.models.weights import Fault, file_fault, folder_faults, own_class, read_header, tokenizer_faults

_WHERE = "model"  # that a problem is of, until `asked_by` says whose
_CONFIG = "a config.json of a model that transformers knows"
_TOKENIZER = "a tokenizer that transformers reads"
_OWN_CODE = "Read its code, then give --trust-remote-code where a command has it (attack)"

# Tokenizers that transformers does not know, by the file that marks their folders. `rosearch.student` lists its own.
TOKENIZERS: dict[str, Any] = {}


def load_config(folder: Path, *, trust_remote_code: bool = False) -> Any:
    """The configuration."""
    _is_folder(folder)
    with _readable(folder, _CONFIG):
        if told := file_fault(folder / "config.json"):
            raise ValueError(told)
        return AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=trust_remote_code)


def load_tokenizer(folder: Path, config: Any = None, *, trust_remote_code: bool = False) -> Any:
    """The tokenizer in a folder, with the inputs of the model of `config`: by default of the model beside it.

    A tokenizer of ours needs no trust: its code is rosearch's.
    """
    _is_folder(folder)
    if config is None and (folder / "config.json").is_file():  # transformers 5 reads it, too
        config = load_config(folder, trust_remote_code=trust_remote_code)
    _refuse(folder, tokenizer_faults(folder))
    ours = next((kind for mark, kind in TOKENIZERS.items() if (folder / mark).is_file()), None)
    if ours is None and not trust_remote_code:
        _refuse_code(folder)
    with _readable(folder, _TOKENIZER):
        if ours is not None:
            tokenizer = ours.from_pretrained(folder, local_files_only=True)
        else:
            tokenizer = AutoTokenizer.from_pretrained(
                folder, local_files_only=True, trust_remote_code=trust_remote_code
            )
    if config is not None:
        name_inputs(tokenizer, config)
    return tokenizer


def open_config(kind: Any, folder: Path, *, trains_head: bool = False, trust_remote_code: bool = False) -> Any:
    """The configuration of a model of an Auto class whose weights give all of it, as far as headers tell.

    With `trains_head`, a model that was saved without a head may lack it.
    """
    _is_folder(folder)
    _refuse(folder, folder_faults(folder))
    config, header = load_config(folder, trust_remote_code=trust_remote_code), read_header(folder)
    with _readable(folder, _weights_of(kind)), quiet_transformers():
        model, loaded = load_header(kind, config, header, trust_remote_code=trust_remote_code)
        faults = parts_faults(model, loaded, header, trains_head and not has_head(config))
    _refuse(folder, faults)
    return config


def open_model(
    kind: Any, folder: Path, *, trains_head: bool = False, trust_remote_code: bool = False
) -> tuple[Any, Any]:
    """As `open_config`, with the tokenizer beside the model, for each of whose words it has a row."""
    config, tokenizer = gather(
        lambda: open_config(kind, folder, trains_head=trains_head, trust_remote_code=trust_remote_code),
        lambda: load_tokenizer(folder, trust_remote_code=trust_remote_code),
    )
    _refuse(folder, too_few_rows(config, tokenizer))
    return config, tokenizer


def load_model(
    kind: Any, folder: Path, *, trains_head: bool = False, trust_remote_code: bool = False, **options: Any
) -> PreTrainedModel:
    """The model of a class, or an Auto class, from safetensors: whole, finite, in float32 on the CPU.

    With `trains_head`, a model that was saved without a head gets one drawn from torch's generator. `options` are
    further ones of `from_pretrained`.
    """
    _is_folder(folder)
    _refuse(folder, folder_faults(folder))
    with _readable(folder, _weights_of(kind)), quiet_transformers():
        model: PreTrainedModel
        model, loaded = kind.from_pretrained(
            folder,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=trust_remote_code,
            dtype=torch.float32,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # told below, in one line
            **options,
        )
        faults = parts_faults(model, loaded, read_header(folder), trains_head and not has_head(model.config))
    _refuse(folder, faults or not_finite(model))
    return model


def load_classifier(folder: Path) -> tuple[PreTrainedModel, Any]:
    """A sequence classifier in eval mode, frozen, in float32 on the CPU; its tokenizer."""
    model = load_model(AutoModelForSequenceClassification, folder)
    model.eval().requires_grad_(False)
    return model, load_tokenizer(folder, model.config)


@contextmanager
def asked_by(where: str, key: str) -> Iterator[None]:
    """Inside, the problems of a model are told as those of the setting or argument that names it.

    A file that is no longer what rosearch wrote is told by its own name.
    """
    try:
        yield
    except BadInput as error:
        named = [replace(one, where=where, key=key) if one.where == _WHERE else one for one in error.problems]
        raise BadInput(named) from None


def _weights_of(kind: Any) -> str:
    return f"a folder that {kind.__name__} loads"


@contextmanager
def _readable(folder: Path, expected: str) -> Iterator[None]:
    """Whatever a library raises for files that are absent, damaged, or of something else becomes one line."""
    try:
        yield
    except (BadInput, MemoryError):
        raise
    except Exception as error:  # the tokenizers library, for one, raises the base class itself
        if machine_fault(error):
            raise
        told, fix = f"{folder}: {one_line(error)}", ""
        if "trust_remote_code" in str(error):
            told, fix = f"{folder}, which brings its own code", _OWN_CODE
        raise BadInput(Problem(_WHERE, str(folder), expected, told, fix)) from None


def _refuse_code(folder: Path) -> None:
    """Refuses a tokenizer of a class of its own: transformers 5 would give a plain one in its place, and not say so."""
    kind = own_class(folder)
    if kind is not None and not hasattr(transformers, kind or "none"):
        _refuse(folder, [(_TOKENIZER, f"{folder}, which brings its own code", _OWN_CODE)])


def _refuse(folder: Path, faults: Sequence[Fault]) -> None:
    if faults:
        raise BadInput([Problem(_WHERE, str(folder), *fault) for fault in faults])


def _is_folder(folder: Path) -> None:
    """Raises `BadInput` for what transformers would take as a name of the hub, and for changed bytes.

    huggingface_hub 1.33 asks the hub for a list of its own before it looks at `local_files_only`.
    """
    if not folder.is_dir():
        raise BadInput(Problem(_WHERE, str(folder), "the folder of a model", f"{folder}, which is none"))
    require_undamaged(folder)


def save_model(model: PreTrainedModel, tokenizer: Any, folder: Path) -> None:
    """Saves a model as safetensors, and its tokenizer, to a folder: a draft of `rosearch.files.whole`."""
    model.save_pretrained(folder)
    _save(tokenizer, folder)


def save_whole(folder: Path, *parts: Any) -> None:
    """Saves models and tokenizers to a folder that is there whole or not at all, also after a kill."""
    with whole(folder) as draft:
        for part in parts:
            _save(part, draft)


def _save(part: Any, folder: Path) -> None:
    """Saves a tokenizer without truncation and padding: some are published with either, any call switches them on."""
    if getattr(part, "is_fast", False):
        part.backend_tokenizer.no_truncation()
        part.backend_tokenizer.no_padding()
    part.save_pretrained(folder)


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Inside, transformers shows no progress bar and no note on heads that start untrained: here they are meant to."""
    before, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(before)
        if bars:
            logging.enable_progress_bar()
