"""The parts of a model that its weights give: all that it computes with, and nothing that it would leave unread.

transformers draws what is missing at random and drops what it does not know. Which names it means is its own answer,
for every family and version: it loads tensors of the header's shapes, without memory behind them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import torch
from transformers import PreTrainedModel

from rosearch.models.weights import Fault, Header

Loaded = Mapping[str, Any]  # what `from_pretrained` tells with `output_loading_info`

_TYPES = {"BOOL": "bool", "U8": "uint8", "I8": "int8", "I16": "int16", "I32": "int32", "I64": "int64"}
# Pools the first token's state. Encoders are read without it, and a fresh head comes with a fresh one.
_POOLER = "pooler"
# Heads of pretraining that stay behind in published classifiers, which do not read them: BERT, RoBERTa, DistilBERT,
# ELECTRA, ALBERT, DeBERTa.
_PRETRAINING = (
    *("cls", "lm_head", "predictions", "sop_classifier", "lm_predictions", "mask_predictions"),
    *("vocab_transform", "vocab_layer_norm", "vocab_projector"),
    *("discriminator_predictions", "generator_predictions", "generator_lm_head"),
)
_BUFFERS = ("position_ids",)  # counted, not learnt: versions before 4.31 saved them


def load_header(kind: Any, config: Any, header: Header, **options: Any) -> tuple[PreTrainedModel, Loaded]:
    """A model without weights, and what transformers would tell of loading tensors of these names and shapes."""
    with torch.device("meta"):
        empty = kind.from_config(config, **options)
    tensors = {name: torch.zeros((), dtype=_type(of)).expand(shape) for name, (shape, of) in header.items()}
    with torch.random.fork_rng(devices=[]):  # what is missing is drawn
        _, loaded = type(empty).from_pretrained(
            None,
            config=config,
            state_dict=tensors,
            output_loading_info=True,
            ignore_mismatched_sizes=True,
            dtype=torch.float32,
        )
    return empty, loaded


def parts_faults(model: PreTrainedModel, loaded: Loaded, header: Header, fresh_head: bool = False) -> list[Fault]:
    """The faults of weights for a model; an empty list where they give all of it.

    With `fresh_head` the head may be missing, because it is trained. A model without a head never reads its pooler,
    which may be missing then.
    """
    kind, missing = type(model).__name__, sorted(loaded["missing_keys"])
    if fresh_head or model.base_model is model:
        missing = [name for name in missing if _inside(model, name)]
    unread = [name for name in sorted(loaded["unexpected_keys"]) if not _harmless(model, name)]
    wrong = sorted(name if isinstance(name, str) else name[0] for name in loaded["mismatched_keys"])
    faults = []
    if missing:
        wrapper = _wrapper(loaded["unexpected_keys"])
        fix = "Save it whole again" if any(_inside(model, name) for name in missing) else "Fine-tune the model first"
        fix = f"All names begin with {wrapper}: save the model inside the wrapper" if wrapper else fix
        faults.append((f"weights for all of {kind}", f"none for {_some(missing)}: random ones would be taken", fix))
    elif unread:
        faults.append((f"weights of {kind} alone", f"{_some(unread)}, which it does not read", "Save it whole again"))
    if wrong:
        told = _some([f"{name} {_shape(name, header)}" for name in wrong])
        faults.append(("weights of the shapes that config.json names", told, "Save both again"))
    return faults


def not_finite(model: torch.nn.Module) -> list[Fault]:
    """One fault that names the weights with NaN or infinity; an empty list where all are finite."""
    bad = [name for name, value in model.named_parameters() if not bool(torch.isfinite(value).all())]
    return [("finite weights", f"NaN or infinity in {_some(bad)}", "Train it again, or take another")] if bad else []


def _inside(model: PreTrainedModel, name: str) -> bool:
    """True for the name of a weight of the encoder, below a head and without the pooler."""
    first, *rest = name.split(".")
    if first == model.base_model_prefix and rest:
        first = rest[0]
    return first != _POOLER and first in dict(model.base_model.named_children())


def _harmless(model: PreTrainedModel, name: str) -> bool:
    """True for tensors that a model rightly leaves unread.

    Those are a pooler, buffers, heads of pretraining, and for a class other than the one that was saved every head.
    """
    parts = name.split(".")
    if parts[-1] in _BUFFERS or _POOLER in parts[:2]:
        return True
    same = type(model).__name__ in (model.config.architectures or [])
    return parts[0] in _PRETRAINING or not (same or _inside(model, name) or parts[0] == model.base_model_prefix)


def _wrapper(names: Collection[str]) -> str:
    """The module around a model that was saved with its wrapper (DataParallel, torch.compile); "" for none."""
    firsts = {name.partition(".")[0] for name in names}
    return f"{firsts.pop()}." if len(firsts) == 1 and firsts <= {"module", "_orig_mod", "model"} else ""


def _shape(name: str, header: Header) -> tuple[int, ...]:
    """The shape that a file gives a weight: the name of the model's base may stand before one of the two names."""
    return next((shape for own, (shape, _) in header.items() if own.endswith(name) or name.endswith(own)), ())


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _type(name: str) -> torch.dtype:
    return getattr(torch, _TYPES.get(name, "float32"))  # type: ignore[no-any-return]
