"""The model as an attack of TextAttack sees it: logits, gradients and tokens of texts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from rosearch.evaluation.attacks.victim import Logits, Tokenised, Victim

_PREFIXES = ("##", "Ġ", "__")  # TextAttack's list of what tokenizers put before tokens


class ModelWrapper:
    """A model wrapper in TextAttack's sense, whose logits come through `ask`.

    Equal token ids get the very same logits within a row, so that tied scores stay tied whatever batch they are
    computed in.
    """

    def __init__(self, victim: Victim, ask: Callable[[Tokenised], Logits], check_time: Callable[[], None]) -> None:
        self.model = victim.model
        self.tokenizer = victim.tokenizer
        self.max_length = victim.max_length
        self.device = victim.device
        self.asked: set[Any] = set()
        self.first: Logits | None = None  # (1, labels): the row before its attack
        self._victim = victim
        self._ask = ask
        self._check_time = check_time
        self._known: dict[bytes, Any] = {}

    def forget(self) -> None:
        """Forget the last row, before the next."""
        self.asked, self.first, self._known = set(), None, {}

    def __call__(self, texts: list[Any]) -> torch.Tensor:
        """Float32 logits (n, labels) of n texts, or of n pairs as tuples."""
        if self.first is not None:
            self._check_time()
        self.asked.update(texts)
        logits = self._logits(texts)
        if self.first is None:
            self.first = logits[:1]
        return torch.from_numpy(logits)

    def get_grad(self, text: str | tuple[str, ...]) -> dict[str, Any]:
        """As TextAttack's wrappers give it. An error of the model is its own failure, not the attack's."""
        self._check_time()
        try:
            return input_gradient(self, text)
        except Exception as error:
            self._victim.failure = error
            raise

    def tokenize(self, texts: list[Any], strip_prefix: bool = False) -> list[list[str]]:
        """The tokens of each text, where TextAttack looks for its words."""
        return [tokens(self, text, strip_prefix) for text in texts]

    def _logits(self, texts: list[Any]) -> Logits:
        ids, types, lengths = self._victim.tokenise(texts)
        ends = np.cumsum(lengths)
        spans = [slice(end - length, end) for end, length in zip(ends.tolist(), lengths.tolist(), strict=True)]
        keys = [ids[span].tobytes() + (b"" if types is None else types[span].tobytes()) for span in spans]
        fresh: dict[bytes, int] = {}
        for row, key in enumerate(keys):
            if key not in self._known:
                fresh.setdefault(key, row)
        if fresh:
            rows = list(fresh.values())
            chosen = np.concatenate([ids[spans[row]] for row in rows])
            kinds = None if types is None else np.concatenate([types[spans[row]] for row in rows])
            self._known.update(zip(fresh, self._ask((chosen, kinds, lengths[rows])), strict=True))
        return np.stack([self._known[key] for key in keys])


def input_gradient(victim: Any, text: str | tuple[str, ...]) -> dict[str, Any]:
    """The gradient of the loss of the predicted class with respect to the input embeddings.

    `ids` is a tensor (1, tokens), `gradient` float32 (tokens, width). Unlike TextAttack's, it is taken without dropout
    or padding, and leaves no trace in the model. It works inside `torch.inference_mode`.
    """
    looked_up: list[torch.Tensor] = []

    def keep(module: torch.nn.Module, inputs: Any, output: torch.Tensor) -> torch.Tensor:
        looked_up.append(output.detach().requires_grad_())
        return looked_up[-1]

    with torch.inference_mode(False), torch.enable_grad():
        inputs = _tokenised(victim, text, return_tensors="pt").to(victim.device)
        hook = victim.model.get_input_embeddings().register_forward_hook(keep)
        try:
            logits = victim.model(**inputs).logits.float()
        finally:
            hook.remove()
        loss = torch.nn.functional.cross_entropy(logits, logits.argmax(dim=1))
        (gradient,) = torch.autograd.grad(loss, looked_up[0])
    return {"ids": inputs["input_ids"], "gradient": gradient[0].float().cpu().numpy()}


def tokens(victim: Any, text: str | tuple[str, ...], strip_prefix: bool) -> list[str]:
    """The tokens of a text, special ones included, where TextAttack looks for its words."""
    made: list[str] = victim.tokenizer.convert_ids_to_tokens(_tokenised(victim, text)["input_ids"])
    if strip_prefix:
        for prefix in _PREFIXES:
            made = [token.replace(prefix, "") for token in made]
    return made


def _tokenised(victim: Any, text: str | tuple[str, ...], **options: Any) -> Any:
    parts = (text,) if isinstance(text, str) else text
    return victim.tokenizer(*parts, truncation=True, max_length=victim.max_length, **options)
