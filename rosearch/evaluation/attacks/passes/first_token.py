"""Forward passes of transformers' classifiers that compute, of the last layer, what its first token depends on.

A classifier that reads the first token alone needs, of its last layer, the query, the output map, the norms and the
feed-forward part of one token. All other tokens are only read by that one's attention, for which keys and values need
not be made (`attention.ask`). In BERT hardly anything is left of the last layer. Own code.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn

from rosearch.evaluation.attacks.passes.attention import ask, by_head
from rosearch.evaluation.attacks.passes.forwards import Forward, Forwards, watched


def first_token_forwards(model: nn.Module) -> Forwards:
    """Stand-ins for modules of a classifier that is known to read its first token alone; none for any other model.

    Exact classes are known, and only where nothing watches or changes their passes. Raises `AttributeError` and the
    like for a known class that another version of transformers has put together otherwise.
    """
    find = _FAMILIES.get(f"{type(model).__module__}.{type(model).__qualname__}")
    return find(model) if find is not None and _plain(model) else {}


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
        own = last.self
        return _last_layer(own, (own.query, own.key, own.value), own.num_attention_heads, None, last.output.LayerNorm)

    return find


def _distilbert_forwards(model: Any) -> Forwards:
    last = model.distilbert.transformer.layer[-1]
    own = last.attention
    return _last_layer(own, (own.q_lin, own.k_lin, own.v_lin), own.n_heads, own.out_lin, last.sa_layer_norm)


def _last_layer(
    attention: nn.Module, maps: tuple[nn.Module, ...], heads: int, out: nn.Module | None, norm: nn.Module
) -> Forwards:
    """`maps` make queries, keys and values; there are stand-ins only if their weights say all about them."""
    if any(type(module) is not nn.Linear for module in maps):
        return {}
    return {attention: _one_query(attention, maps, heads, out), norm: _first(norm)}


def _first(norm: nn.Module) -> Callable[[Tensor], Tensor]:
    """The norm after attention, (B, T, W) -> (B, 1, W); the rest of the layer works token by token.

    The layer has added attention's one token to all tokens: only the first of these sums is meant.
    """
    whole = norm.forward
    return lambda states: whole(states[:, :1])


def _one_query(attention: nn.Module, maps: tuple[Any, ...], heads: int, out: nn.Module | None) -> Forward:
    """Attention of the first token alone, (B, T, W) -> (B, 1, W)."""
    whole = attention.forward
    to_query, to_key, to_value = maps
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
    """States (B, T, W) and the first token's mask, by the names of transformers 4 and 5; None if more is asked for."""
    rest = {**arguments, **arguments.get("kwargs", {})}
    for name in ("kwargs", "cache_position"):  # the latter is where a cache goes on: any cache is refused below
        rest.pop(name, None)
    mask = rest.pop("mask", None) if "mask" in rest else rest.pop("attention_mask", None)
    states = [rest.pop(name) for name in ("hidden_states", "query", "key", "value") if name in rest]
    if not states or any(other is not states[0] for other in states):
        return None
    if any(value is not None and value is not False for value in rest.values()):
        return None
    if mask is None or mask.dim() == 4:  # (B, 1, 1 or T, T): added to scores, or true where tokens are read
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
}
