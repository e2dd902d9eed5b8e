"""The files of a saved model, looked at before they are loaded: are all there, and is each what its name says.

Shapes come from the headers of safetensors files, so a model of any size is looked at in milliseconds. No torch.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from pathlib import Path

from safetensors import SafetensorError, safe_open

from rosearch.errors import one_line

Fault = tuple[str, str, str]  # expected, got, what to do
Header = dict[str, tuple[tuple[int, ...], str]]  # by the name of a tensor: shape, and safetensors' name of its type

WEIGHTS = "model.safetensors"
INDEX = f"{WEIGHTS}.index.json"  # names the shards of weights in several files
VOCABULARIES = ("tokenizer.json", "vocab.*", "*.model")  # a tokenizer has at least one of them
_LEARNT = ("F16", "BF16", "F32", "F64")  # the types that are computed with, and those of counts beside them
_COUNTED = ("BOOL", "U8", "I8", "I16", "I32", "I64")
_PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.h5", "*.msgpack")
_POINTER = b"version https://git-lfs"
_MODEL = "a folder with a transformers model"
_AGAIN = "Copy or download it again"


def folder_faults(folder: Path) -> list[Fault]:
    """The faults of the configuration and the weights, as far as files and headers tell; an empty list for none."""
    if (folder / "adapter_config.json").is_file():
        # Where peft is installed, transformers loads the base that the adapter names; elsewhere it drops the adapter.
        fix = "Merge it into its base (merge_and_unload of peft) and save_pretrained that to another folder"
        return [("a whole model", f"{folder} with an adapter (adapter_config.json)", fix)]
    weights = any((folder / name).is_file() for name in (WEIGHTS, INDEX))
    if not weights and any(path for pattern in _PICKLED for path in folder.glob(pattern)):
        return [_pickled(folder)]
    lacks = [] if (folder / "config.json").is_file() else ["config.json"]
    if not weights:
        lacks.append(f"weights as *.safetensors ({WEIGHTS})")
    faults = [(_MODEL, f"{folder} without {' and '.join(lacks)}", "")] if lacks else []
    try:
        header = read_header(folder) if weights else {}
    except ValueError as error:
        return [*faults, ("whole weights", str(error), _AGAIN)]
    if weights and not header:
        return [(_MODEL, f"{folder} with no tensors", _AGAIN)]
    return [*faults, *_type_faults(header)]


def _type_faults(header: Header) -> list[Fault]:
    """One fault that names the weights of a type that nothing is computed with, such as those of quantised models."""
    odd = [name for name, (_, kind) in header.items() if kind not in (*_LEARNT, *_COUNTED)]
    odd += [name for name, (_, kind) in header.items() if kind in _COUNTED and name.endswith((".weight", ".bias"))]
    if not odd:
        return []
    more = f" and {len(odd) - 1} more" if len(odd) > 1 else ""
    fix = "Save the model as it was before it was quantised, or in float32"
    return [(f"weights of the types {', '.join(_LEARNT)}", f"{header[odd[0]][1]} for {odd[0]}{more}", fix)]


def read_header(folder: Path) -> Header:
    """Shape and type of each tensor. Raises `ValueError` where a file is absent, cut off or no safetensors file."""
    header: Header = {}
    for path in _weight_files(folder):
        if told := file_fault(path):
            raise ValueError(told)
        try:
            with safe_open(path, "numpy") as tensors:  # checks the length of the file, too
                for name in tensors.keys():  # noqa: SIM118 (it is no dict)
                    part = tensors.get_slice(name)
                    header[name] = (tuple(part.get_shape()), str(part.get_dtype()))
        except (SafetensorError, OSError) as error:
            raise ValueError(f"{path} cut off or damaged ({one_line(error)})") from None
    return header


def file_fault(path: Path) -> str:
    """The fault of a file that nobody has parsed yet, in words: it is absent, empty or a pointer; "" for none."""
    if not path.is_file():
        return f"no {path}"
    with path.open("rb") as file:
        start = file.read(len(_POINTER))
    if start == _POINTER:
        return f"a Git LFS pointer in place of {path} (git lfs pull fetches the file)"
    return "" if start else f"{path} of 0 bytes"


def tokenizer_faults(folder: Path) -> list[Fault]:
    """The faults of a tokenizer's files that transformers does not always see: 5 makes one without a vocabulary."""
    paths = sorted({path for pattern in VOCABULARIES for path in folder.glob(pattern)})
    if not paths and own_class(folder) is None:
        return [("a tokenizer", f"{folder} without {' or '.join(VOCABULARIES)}", "Save it beside the model")]
    return [("a whole tokenizer", told, _AGAIN) for path in paths if (told := file_fault(path))]


def _weight_files(folder: Path) -> Iterator[Path]:
    """The files that transformers reads, in its order of preference."""
    if (folder / WEIGHTS).is_file():
        yield folder / WEIGHTS
        return
    try:
        shards = json.loads((folder / INDEX).read_text(encoding="utf-8"))["weight_map"].values()
        yield from (folder / name for name in sorted(set(shards)))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise ValueError(file_fault(folder / INDEX) or f"{folder / INDEX} that names no shards") from None


def own_class(folder: Path) -> str | None:
    """The class, or "", of a tokenizer that brings its own code; None where it brings none."""
    try:
        settings = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
        return str(settings.get("tokenizer_class") or "") if "AutoTokenizer" in settings.get("auto_map", {}) else None
    except (OSError, ValueError, AttributeError, TypeError):
        return None


def _pickled(folder: Path) -> Fault:
    try:
        kind = json.loads((folder / "config.json").read_text(encoding="utf-8"))["architectures"][0]
    except (OSError, ValueError, LookupError, TypeError):
        kind = "AutoModel"
    load = f"from transformers import {kind} as M; M.from_pretrained({str(folder)!r}).save_pretrained({str(folder)!r})"
    fix = f"Pickled weights are never read; where you trust them, convert them once: python -c {shlex.quote(load)}"
    return "weights as *.safetensors", f"{folder} with pickled ones alone", fix
