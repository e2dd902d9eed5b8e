"""The masked LM that writes MATE-KD's texts: a given one, or one cut from the teacher's lower layers.

MATE-KD (Rashid et al. 2021, arXiv 2105.05912) takes a small pretrained masked LM. Cutting one from the teacher is ours,
for where none is at hand: it shares the teacher's vocabulary, embeddings and lower layers; the head is new and tied to
the embeddings.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import AutoModelForMaskedLM, PreTrainedModel

from rosearch.data.batches import Batch, TaskRows
from rosearch.errors import BadInput, Problem, one_line
from rosearch.files import content_key, made_once
from rosearch.models.device import resolve_precision
from rosearch.models.lengths import text_positions
from rosearch.models.places import locate_weights, model_fingerprint
from rosearch.models.saved import UNREADABLE, load_classifier, load_config, load_model, load_tokenizer, save_model
from rosearch.randomness import derive_seed
from rosearch.training.fitting import Schedule, fit, private_generator
from rosearch.training.method import TrainingInputs

_FORMAT = "1"  # part of every key: raise it when the cut or its training changes
_KEY = "distillation.mate_kd.generator"
_LEARNING_RATE = 3e-4  # of the cut generator's training, with linear warm-up and decay; ours
_ROUND = 64  # hidden positions that a masked LM's head is given are a multiple of it
_CPU = torch.device("cpu")

Inputs = Mapping[str, Tensor]


@dataclass(frozen=True)
class Masking:
    """Each token is hidden with probability `share`, always behind the mask token; special ones never.

    Special are padding and the unknown token too: that one is no word that a masked LM could be asked for.
    """

    mask: int
    special: tuple[int, ...]
    share: float

    @classmethod
    def of(cls, tokenizer: Any, share: float) -> Self:
        """Raises `BadInput` for a tokenizer without a mask token."""
        if tokenizer.mask_token_id is None:
            fix = "mate_kd hides words behind it: take a teacher that was pretrained as a masked LM"
            raise BadInput(Problem("experiment", "teacher.model", "a tokenizer with a mask token", "none", fix))
        return cls(int(tokenizer.mask_token_id), tuple(sorted(set(tokenizer.all_special_ids))), share)

    def draw(self, batch: Batch) -> Tensor:
        """(B, T) bool: what is hidden. Draws from torch's generator."""
        ids = batch.input_ids
        free = batch.attention_mask.bool() & ~torch.isin(ids, torch.tensor(self.special, device=ids.device))
        return free & (torch.rand(ids.shape, device=ids.device) < self.share)


class Generator(nn.Module):
    """A masked LM over the first `vocabulary` ids of its table; it never runs with dropout."""

    def __init__(self, model: PreTrainedModel, masking: Masking, vocabulary: int) -> None:
        super().__init__()
        self.model = model
        self.masking = masking
        self.vocabulary = vocabulary

    def forward(self, inputs: Inputs, hidden: Tensor) -> Tensor:
        """What may stand at the N `hidden` (B, T) positions of the text, as (N, V) float32 logits, row after row.

        The head runs at those alone: it is cut off the other states by a hook on the encoder, which is the same for
        every masked LM of transformers. It gets their number rounded up: a CPU compiles each shape and keeps it.
        """
        count = int(hidden.sum())

        def only_hidden(encoder: nn.Module, args: Any, output: Any) -> Any:
            states = output.last_hidden_state[hidden]  # (N, H)
            output["last_hidden_state"] = F.pad(states, (0, 0, 0, -count % _ROUND)).unsqueeze(0)
            return output

        masked = {**inputs, "input_ids": inputs["input_ids"].masked_fill(hidden, self.masking.mask)}
        hook = self.model.base_model.register_forward_hook(only_hidden)
        try:
            logits: Tensor = self.model(**accepted(self.model, masked)).logits
        finally:
            hook.remove()
        return logits[0, :count, : self.vocabulary].float()


def accepted(model: PreTrainedModel, inputs: Inputs) -> dict[str, Tensor]:
    """Of a batch's inputs those that the model takes: DistilBERT, for one, has no token types."""
    names = inspect.signature(model.forward).parameters
    return {name: value for name, value in inputs.items() if name in names}


def pieces(batch: Batch, tokens_at_once: int) -> Iterator[slice]:
    """Consecutive rows of a batch, at least one and as many as have so many tokens, padding counted."""
    at_once = max(1, tokens_at_once // batch.input_ids.shape[1])
    for start in range(0, len(batch), at_once):
        yield slice(start, min(start + at_once, len(batch)))


def part_of(batch: Batch, piece: slice) -> Batch:
    """Consecutive rows of a batch, padded as it is."""
    types = None if batch.token_type_ids is None else batch.token_type_ids[piece]
    return Batch(batch.rows[piece], batch.input_ids[piece], batch.attention_mask[piece], types, batch.labels[piece])


def vocabulary_size(tokenizer: Any) -> int:
    """Ids that the tokenizer may give; a model's table may have more rows."""
    return 1 + max(map(int, tokenizer.get_vocab().values()))


def check_vocabulary(tokenizer: Any, other: Any, key: str, model: PreTrainedModel) -> None:
    """Holds the `other` tokenizer and the table of its model, which the setting `key` names, to the student's.

    Raises `BadInput` with both sizes and a token that differs.
    """
    ours, theirs = tokenizer.get_vocab(), other.get_vocab()
    size = vocabulary_size(tokenizer)
    expected = f"the student's vocabulary of {len(ours)} tokens"
    if ours != theirs:
        token, _ = min(ours.items() ^ theirs.items(), key=lambda item: (item[1], item[0]))
        got = f"one of {len(theirs)} tokens, in which {token!r} is {theirs.get(token)} and not {ours.get(token)}"
        fix = "mate_kd exchanges tokens between generator, teacher and student"
        raise BadInput(Problem("experiment", key, expected, got, fix))
    if model.get_input_embeddings().num_embeddings < size:
        got = f"a table of {model.get_input_embeddings().num_embeddings} embeddings"
        raise BadInput(Problem("experiment", key, expected, got))


def open_generator(inputs: TrainingInputs) -> Generator:
    """The masked LM that the configuration names, else one that is cut from the teacher (kept in the cache).

    On the inputs's device, in eval mode, without gradients. Raises `MissingResource` where the named one is not there
    and `BadInput` where it is no masked LM or has another vocabulary, or the teacher has too few layers.
    """
    config = inputs.config.mate_kd
    masking = Masking.of(inputs.tokenizer, config.mask_share)
    model = _cut(inputs, masking) if config.generator is None else _named(config.generator, inputs)
    model.to(inputs.device).eval().requires_grad_(False)
    return Generator(model, masking, vocabulary_size(inputs.tokenizer))


def _named(name: str, inputs: TrainingInputs) -> PreTrainedModel:
    folder = locate_weights(name, _KEY)
    try:
        model, tokenizer = _load(folder), load_tokenizer(folder)
    except UNREADABLE as error:
        expected, got = "a masked LM with its tokenizer", f"{folder}: {one_line(error)}"
        raise BadInput(Problem("experiment", _KEY, expected, got)) from None
    check_vocabulary(inputs.tokenizer, tokenizer, _KEY, model)
    positions = text_positions(model.config)
    if positions is not None and positions < inputs.max_length:
        raise BadInput(Problem("experiment", _KEY, f"at least {inputs.max_length} positions", str(positions)))
    return model


def _load(folder: Path) -> PreTrainedModel:
    """Raises `ValueError` for weights without the head of a masked LM, which transformers would make up."""
    model, missing = load_model(AutoModelForMaskedLM, folder)
    if missing:
        raise ValueError(f"no weights for {', '.join(missing)}")
    return model


def _cut(inputs: TrainingInputs, masking: Masking) -> PreTrainedModel:
    """From `cache/generators/KEY`, else made there; the key, and so the seed, knows nothing of the student."""
    key = _cut_key(inputs)

    def make(draft: Path) -> None:
        assert inputs.teacher is not None
        model = _made(inputs, masking, derive_seed(0, "generator", key))
        save_model(model, load_tokenizer(inputs.teacher), draft)

    return made_once(inputs.cache / "generators" / key, _kept, make)


def _kept(folder: Path) -> PreTrainedModel | None:
    try:
        return _load(folder)
    except Exception:  # absent or damaged: safetensors raises errors of its own
        return None


def _cut_key(inputs: TrainingInputs) -> str:
    assert inputs.teacher is not None
    config = inputs.config
    settings = config.mate_kd
    parts = (
        _FORMAT,
        model_fingerprint(inputs.teacher),
        inputs.tokenised.key,
        settings.generator_layers,
        settings.generator_steps_before,
        settings.mask_share,
        config.batch_size,
        resolve_precision(inputs.device, config.precision),
    )
    return content_key(map(str, parts))


def _made(inputs: TrainingInputs, masking: Masking, seed: int) -> PreTrainedModel:
    """The teacher's lower layers under a new head, trained as a masked LM on the task's texts."""
    settings = inputs.config.mate_kd
    model = cut_from_teacher(inputs, seed)
    generator = Generator(model, masking, vocabulary_size(inputs.tokenizer))

    def losses(batch: Batch) -> Iterator[Tensor]:
        hidden = masking.draw(batch)
        count = hidden.sum().clamp(min=1)
        for piece in pieces(batch, settings.tokens_at_once):
            rows = part_of(batch, piece)
            logits = generator(rows.inputs, hidden[piece])
            yield F.cross_entropy(logits, rows.input_ids[hidden[piece]], reduction="sum") / count

    if steps := settings.generator_steps_before:
        config = inputs.config
        # So many epochs are never too few: the steps end the training.
        schedule = Schedule(steps, steps, config.batch_size, _LEARNING_RATE, 0.1, 0.01, 1.0, config.precision)
        stage, device = "generator", inputs.device
        rows, progress = TaskRows(inputs.tokenised), inputs.progress
        fit(model, losses, rows, schedule, device=device, seed=seed, stage=stage, progress=progress)
    return model


def cut_from_teacher(inputs: TrainingInputs, seed: int) -> PreTrainedModel:
    """The teacher's embeddings and `generator_layers` lowest layers; the head is new, its table the embeddings'.

    Raises `BadInput` where the teacher has fewer layers or its kind has no masked LM.
    """
    assert inputs.teacher is not None
    config = load_config(inputs.teacher)
    wanted = inputs.config.mate_kd.generator_layers
    if wanted > config.num_hidden_layers:
        expected = f"at most {config.num_hidden_layers}, the layers of the teacher"
        raise BadInput(Problem("experiment", f"{_KEY}_layers", expected, str(wanted)))
    config.num_hidden_layers = wanted
    config.tie_word_embeddings = True
    try:
        with private_generator(_CPU, derive_seed(seed, "head")):
            model = AutoModelForMaskedLM.from_config(config)
    except ValueError:
        fix = "name a masked LM of the same vocabulary"
        raise BadInput(Problem("experiment", _KEY, "a teacher with a masked LM", config.model_type, fix)) from None
    teacher, _ = load_classifier(inputs.teacher)
    absent = model.base_model.load_state_dict(teacher.base_model.state_dict(), strict=False).missing_keys
    assert not absent, absent
    model.tie_weights()
    return model
