"""Forward passes that compute, of a classifier's last layers, only what its first token's output depends on.

A classifier that reads the first token alone needs keys and values of all tokens in its last attention, but the
query, the output map, the norms and the feed-forward part of one. In BERT that leaves a sixth of the last layer.
Logits are the same but for the noise of float32: sums are taken in another order. Own code.

While it lasts, `forward` of a few modules is another function, which uses their own weights. Each of these
functions is right beside the untouched rest of the model as well: whichever run, the first token's output is the same.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from torch import Tensor, nn
from torch.nn import functional as F

from rosearch.evaluation.attacks.student_first_token import by_head, student_forwards
from rosearch.evaluation.attacks.victim import Victim

Forwards = Mapping[nn.Module, Callable[..., Any]]  # what stands in for `forward`, by module

_SAMPLE = 4  # texts
_NOISE = 1e-5  # of the largest logit, or of 1


@contextmanager
def first_token_alone(victim: Victim, texts: Sequence[tuple[str, ...]]) -> Iterator[bool]:
    """In this, the victim's model computes only what its first token's output depends on; gives whether it does.

    It does where the exact class is known to read that token alone, nothing watches or changes its passes (hooks,
    hidden states asked for, dropout), and the logits of four of `texts`, of different lengths, differ from the
    untouched model's by no more than noise. In all other cases the model is left as it is. Call it inside
    `evaluation.quality.inference`. What the untouched model raises goes through.
    """
    forwards = _forwards(victim.model)
    if not forwards or not _agree(victim, texts, forwards):
        yield False
        return
    with _replaced(forwards):
        yield True


@contextmanager
def _replaced(forwards: Forwards) -> Iterator[None]:
    """An attribute of an object is found before the method of its class; without it, all is as before."""
    try:
        for module, forward in forwards.items():
            module.__dict__["forward"] = forward
        yield
    finally:
        for module in forwards:
            module.__dict__.pop("forward", None)


def _agree(victim: Victim, texts: Sequence[tuple[str, ...]], forwards: Forwards) -> bool:
    by_length = sorted(set(texts), key=lambda columns: sum(map(len, columns)))
    places = np.unique(np.linspace(0, len(by_length) - 1, _SAMPLE).round().astype(int))
    try:
        sample = victim.encode([by_length[place] for place in places])
    except Exception:  # whose text raises, the attack finds out
        return False
    if len(set(sample[2].tolist())) < 2:  # nothing would be padded
        return False
    untouched = victim.one_pass(*sample)
    try:
        with _replaced(forwards):
            shortened = victim.one_pass(*sample)
    except Exception:
        victim.failure = None
        return False
    noise = _NOISE * max(1.0, float(np.abs(untouched).max()))
    return shortened.shape == untouched.shape and float(np.abs(shortened - untouched).max()) <= noise


def _forwards(model: nn.Module) -> Forwards:
    """Nothing where the untouched model has to run."""
    find = _FAMILIES.get(f"{type(model).__module__}.{type(model).__qualname__}")
    if find is None:
        return {}
    try:
        return find(model) if _plain(model) else {}
    except (AttributeError, IndexError, KeyError, TypeError):  # put together otherwise, by another version
        return {}


def _plain(model: nn.Module) -> bool:
    config: Any = model.config
    asks = any(getattr(config, name, False) for name in ("output_hidden_states", "output_attentions", "is_decoder"))
    absolute = getattr(config, "position_embedding_type", None) in (None, "absolute")
    known = getattr(config, "_attn_implementation", None) in ("eager", "sdpa")
    modules: Any = nn.modules.module
    if asks or not absolute or not known or modules._has_any_global_hook():
        return False
    return not any(_watched(module) for module in model.modules())


def _watched(module: nn.Module) -> bool:
    """Whether a module's passes are random, seen or changed by something else."""
    state = module.__dict__
    hooks = any(state.get(name) for name in ("_forward_hooks", "_forward_pre_hooks", "_compiled_call_impl"))
    return hooks or module.training or "forward" in state


def _bert_forwards(base: str) -> Callable[[Any], Forwards]:
    """For models whose layers are BERT's; `base` is the name of the encoder in the classifier."""

    def find(model: Any) -> Forwards:
        last = getattr(model, base).encoder.layer[-1].attention
        own, norm = last.self, last.output.LayerNorm
        return {own: _one_query(own, (own.query, own.key, own.value), own.num_attention_heads), norm: _first(norm)}

    return find


def _distilbert_forwards(model: Any) -> Forwards:
    last = model.distilbert.transformer.layer[-1]
    own, norm = last.attention, last.sa_layer_norm
    maps = (own.q_lin, own.k_lin, own.v_lin)
    return {own: _one_query(own, maps, own.n_heads, own.out_lin), norm: _first(norm)}


def _first(norm: nn.Module) -> Callable[[Tensor], Tensor]:
    """The norm after attention, (B, T, W) -> (B, 1, W): what follows it in the layer works token by token.

    The layer has added attention's one token to all: of that sum only the first is meant.
    """
    whole = norm.forward
    return lambda states: whole(states[:, :1])


def _one_query(
    attention: nn.Module, maps: tuple[nn.Module, ...], heads: int, out: nn.Module | None = None
) -> Callable[..., Any]:
    """Attention of the first token alone, (B, T, W) -> (B, 1, W); `maps` make queries, keys and values."""
    whole = attention.forward
    signature = inspect.signature(whole)

    def forward(*arguments: Any, **named: Any) -> Any:
        given = _given(signature.bind(*arguments, **named).arguments)
        if given is None:
            return whole(*arguments, **named)
        states, mask = given
        made = (maps[0](states[:, :1]), maps[1](states), maps[2](states))
        query, key, value = (by_head(part, heads) for part in made)
        read = F.scaled_dot_product_attention(query, key, value, attn_mask=mask).transpose(1, 2).flatten(2)
        return (read if out is None else out(read)), None  # no attention weights

    return forward


def _given(arguments: Mapping[str, Any]) -> tuple[Tensor, Tensor | None] | None:
    """States (B, T, W) and the first token's mask, by the names of transformers 4 and 5; None where more is asked."""
    rest = {**arguments, **arguments.get("kwargs", {})}
    for name in ("kwargs", "cache_position"):  # the latter says where a cache goes on: below, there is none
        rest.pop(name, None)
    mask = rest.pop("mask", None) if "mask" in rest else rest.pop("attention_mask", None)
    states = [rest.pop(name) for name in ("hidden_states", "query", "key", "value") if name in rest]
    if not states or any(other is not states[0] for other in states):
        return None
    if any(value is not None and value is not False for value in rest.values()):
        return None
    if mask is None or mask.dim() == 4:  # (B, 1, 1 or T, T): what is added to scores, or true where tokens are read
        return states[0], None if mask is None else mask[:, :, :1]
    if mask.dim() == 2:  # DistilBERT: (B, T), 0 at padding
        return states[0], (mask != 0)[:, None, None]
    return None


_TRANSFORMERS = "transformers.models"
_FAMILIES: dict[str, Callable[[Any], Forwards]] = {
    f"{_TRANSFORMERS}.bert.modeling_bert.BertForSequenceClassification": _bert_forwards("bert"),
    f"{_TRANSFORMERS}.roberta.modeling_roberta.RobertaForSequenceClassification": _bert_forwards("roberta"),
    f"{_TRANSFORMERS}.xlm_roberta.modeling_xlm_roberta.XLMRobertaForSequenceClassification": _bert_forwards("roberta"),
    f"{_TRANSFORMERS}.electra.modeling_electra.ElectraForSequenceClassification": _bert_forwards("electra"),
    f"{_TRANSFORMERS}.distilbert.modeling_distilbert.DistilBertForSequenceClassification": _distilbert_forwards,
    "rosearch.student.modeling_rosearch.StudentForSequenceClassification": student_forwards,
}
