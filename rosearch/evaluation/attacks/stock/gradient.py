"""What attacks that read gradients ask of a model, as TextAttack's wrapper of Hugging Face models gives it."""

from __future__ import annotations

from typing import Any

import torch

_PREFIXES = ("##", "Ġ", "__")  # TextAttack's list of what tokenizers put before tokens


def input_gradient(victim: Any, text: str | tuple[str, ...]) -> dict[str, Any]:
    """The gradient of the loss of the predicted class in the input embeddings.

    `ids` is a tensor (1, tokens), `gradient` float32 (tokens, width). Unlike TextAttack's, it is taken without
    dropout, padding, or any trace in the model. It works inside `torch.inference_mode`.
    """
    looked_up: list[torch.Tensor] = []

    def keep(module: torch.nn.Module, inputs: Any, output: torch.Tensor) -> torch.Tensor:
        looked_up.append(output.detach().requires_grad_())
        return looked_up[-1]

    with torch.inference_mode(False), torch.enable_grad():
        inputs = _encoded(victim, text, return_tensors="pt").to(victim.device)
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
    made: list[str] = victim.tokenizer.convert_ids_to_tokens(_encoded(victim, text)["input_ids"])
    if strip_prefix:
        for prefix in _PREFIXES:
            made = [token.replace(prefix, "") for token in made]
    return made


def _encoded(victim: Any, text: str | tuple[str, ...], **options: Any) -> Any:
    parts = (text,) if isinstance(text, str) else text
    return victim.tokenizer(*parts, truncation=True, max_length=victim.max_length, **options)
