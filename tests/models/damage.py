"""Every kind of damage to a model's folder: each is a function that does it to a whole one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n"
Damage = Callable[[Path], object]


def weights(folder: Path) -> Path:
    return folder / "model.safetensors"


def rewritten(change: Callable[[dict[str, torch.Tensor]], object]) -> Damage:
    """The weights are read, changed by name in place, and saved again."""

    def damage(folder: Path) -> None:
        tensors = load_file(weights(folder))
        change(tensors)
        save_file(tensors, weights(folder), metadata={"format": "pt"})

    return damage


def without_a_layer(tensors: dict[str, Any]) -> None:
    for name in [name for name in tensors if _first(tensors) in name]:
        del tensors[name]


def wrapped(tensors: dict[str, Any]) -> None:
    for name in list(tensors):
        tensors[f"module.{name}"] = tensors.pop(name)


def with_another_layer(tensors: dict[str, Any]) -> None:
    own = _first(tensors)
    for name in [name for name in tensors if own in name]:
        tensors[name.replace(own, own.replace("0", "7"))] = tensors[name].clone()


def of_another_width(tensors: dict[str, Any]) -> None:
    name = next(name for name in tensors if _first(tensors) in name and tensors[name].ndim == 2)
    tensors[name] = torch.zeros(3, 5)


def not_finite(tensors: dict[str, Any]) -> None:
    name = next(name for name in tensors if _first(tensors) in name and tensors[name].is_floating_point())
    tensors[name].view(-1)[0] = float("nan")


def _first(tensors: dict[str, Any]) -> str:
    """The part of a name that its first layer alone has, in BERT and in students."""
    return next(part for part in ("layer.0.", "nodes.0.") if any(part in name for name in tensors))


def of_type(kind: torch.dtype) -> Damage:
    """All weights of a type that models are stored in, but not computed with."""

    def change(tensors: dict[str, Any]) -> None:
        tensors.update({name: value.to(kind) for name, value in tensors.items() if value.is_floating_point()})

    return rewritten(change)


def missing_shard(folder: Path) -> None:
    names = dict.fromkeys(load_file(weights(folder)), "model-00002-of-00002.safetensors")
    weights(folder).rename(folder / "model-00001-of-00002.safetensors")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": names}))


def adapter_alone(folder: Path) -> None:
    weights(folder).rename(folder / "adapter_model.safetensors")
    (folder / "adapter_config.json").write_text('{"peft_type": "LORA", "base_model_name_or_path": "some/model"}')


def without_tokenizer(folder: Path) -> None:
    for path in (*folder.glob("tokenizer*"), *folder.glob("vocab*"), *folder.glob("special_tokens_map.json")):
        path.unlink()


def more_words(folder: Path) -> None:
    path = folder / "tokenizer.json"
    state = json.loads(path.read_text())
    vocabulary = state["model"]["vocab"]
    vocabulary |= {f"more{number}": len(vocabulary) + number for number in range(20)}
    path.write_text(json.dumps(state))


# By the words that the line holds.
OF_WEIGHTS: dict[str, tuple[Damage, str]] = {
    "empty": (lambda folder: weights(folder).write_bytes(b""), "of 0 bytes"),
    "cut off": (lambda folder: weights(folder).write_bytes(weights(folder).read_bytes()[:-40]), "cut off or damaged"),
    "cut in its header": (lambda folder: weights(folder).write_bytes(weights(folder).read_bytes()[:50]), "cut off or"),
    "pointer": (lambda folder: weights(folder).write_text(POINTER), "a Git LFS pointer in place of"),
    "absent": (lambda folder: weights(folder).unlink(), "without weights as *.safetensors"),
    "pickled": (lambda folder: weights(folder).rename(folder / "pytorch_model.bin"), "save_pretrained("),
    "missing shard": (missing_shard, "no "),
    "adapter alone": (adapter_alone, "with an adapter"),
    "no configuration": (lambda folder: (folder / "config.json").unlink(), "config.json"),
    "damaged configuration": (lambda folder: (folder / "config.json").write_text("{"), "config.json"),
    "missing tensors": (rewritten(without_a_layer), "got none for"),
    "wrapped": (rewritten(wrapped), "All names begin with module."),
    "unexpected tensors": (rewritten(with_another_layer), "which it does not read"),
    **{
        f"of the type {kind}": (of_type(kind), "expected weights of the types F16, BF16, F32, F64, got ")
        for kind in (torch.float8_e4m3fn, torch.float8_e5m2, torch.int8, torch.uint8, torch.complex64)
    },
    "wrong shape": (rewritten(of_another_width), "(3, 5)"),
}
OF_TOKENIZERS: dict[str, tuple[Damage, str]] = {
    "no tokenizer": (without_tokenizer, "tokenizer"),
    "pointer for a tokenizer": (lambda folder: (folder / "tokenizer.json").write_text(POINTER), "tokenizer.json"),
    "cut tokenizer": (lambda folder: (folder / "tokenizer.json").write_text('{"version"'), "tokenizer"),
    "more words than rows": (more_words, "a row for each of its tokenizer's"),
}
OF_VALUES: dict[str, tuple[Damage, str]] = {"not finite": (rewritten(not_finite), "expected finite weights")}
