"""Forward passes that compute, of a classifier's last layers, only what its first token's output depends on.

A classifier that reads the first token alone needs, of its last layer, the query, the output map, the norms and the
feed-forward part of one token. All others are only read by that one's attention, for which keys and values need not be
made (`few_queries`). In BERT hardly anything is left of the last layer. Own code.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn

from rosearch.evaluation.attacks.passes.few_queries import ask, by_head
from rosearch.evaluation.attacks.passes.forwards import Forwards, watched
from rosearch.evaluation.attacks.passes.student_first_token import student_forwards


def first_token_forwards(model: nn.Module) -> Forwards:
    """What stands in for `forward` of a classifier's modules; nothing where it is not known to read that token alone.

    It is known of exact classes only, and only where nothing watches or changes their passes.
    """
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
    return known and absolute and not asks and not any(map(watched, model.modules()))


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
    if any(type(module) is not nn.Linear for module in maps):  # a weight would not say all about it
        raise TypeError
    whole = attention.forward
    to_query, to_key, to_value = (module for module in maps if isinstance(module, nn.Linear))
    signature = inspect.signature(whole)

    def forward(*arguments: Any, **named: Any) -> Any:
        given = _given(signature.bind(*arguments, **named).arguments)
        if given is None:
            return whole(*arguments, **named)
        states, mask = given
        query = by_head(to_query(states[:, :1]), heads)
        read = ask(query, states, to_key.weight, to_value.weight, to_value.bias, mask)
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
