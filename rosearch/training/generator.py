"""The masked LM that writes MATE-KD's texts: a given one, or one cut from the teacher's lower layers.

MATE-KD (Rashid et al. 2021, arXiv 2105.05912) takes a small pretrained masked LM. Cutting one from the teacher is ours,
for tasks where none is available: it shares the teacher's vocabulary, embeddings and lower layers; its head is new and
tied to the embeddings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import AutoModelForMaskedLM, PreTrainedModel

from rosearch.data.batches import Batch, TaskRows
from rosearch.errors import BadInput, Problem
from rosearch.files import content_key, made_once
from rosearch.models.device import resolve_precision
from rosearch.models.lengths import text_positions
from rosearch.models.places import locate_weights, model_fingerprint
from rosearch.models.saved import (
    asked_by,
    load_classifier,
    load_config,
    load_model,
    load_tokenizer,
    open_model,
    save_model,
)
from rosearch.models.segments import taken_by
from rosearch.randomness import derive_seed
from rosearch.training.checkpoint import Checkpoint
from rosearch.training.fitting import Schedule, fit, private_generator
from rosearch.training.method import TrainingInputs

_FORMAT = "1"  # part of every cache key: raise it when the cut or its training changes
_KEY = "distillation.mate_kd.generator"
_LEARNING_RATE = 3e-4  # of the cut generator's training, with linear warm-up and decay; ours
_ROUND = 64  # the head gets a multiple of so many hidden positions
_CPU = torch.device("cpu")

ModelInputs = Mapping[str, Tensor]  # tensors of a batch, by the names of a model's arguments


@dataclass(frozen=True)
class Masking:
    """Hides each token with probability `share` behind the mask token; special tokens are never hidden.

    Padding and the unknown token are special too: a masked LM cannot be asked for an unknown word.
    """

    mask: int
    special: tuple[int, ...]
    share: float

    @classmethod
    def of(cls, tokenizer: Any, share: float) -> Self:
        """The masking for a tokenizer. Raises `BadInput` if it has no mask token."""
        if tokenizer.mask_token_id is None:
            fix = "mate_kd hides words behind it: take a teacher that was pretrained as a masked LM"
            raise BadInput(Problem("experiment", "teacher.model", "a tokenizer with a mask token", "none", fix))
        return cls(int(tokenizer.mask_token_id), tuple(sorted(set(tokenizer.all_special_ids))), share)

    def draw(self, batch: Batch) -> Tensor:
        """(B, T) bool, True at hidden tokens. Draws from torch's generator."""
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

    def forward(self, model_inputs: ModelInputs, hidden: Tensor) -> Tensor:
        """Float32 logits (N, V) of the tokens at the N True positions of `hidden` (B, T), row after row."""
        masked = model_inputs["input_ids"].masked_fill(hidden, self.masking.mask)
        return self.at({**model_inputs, "input_ids": masked}, hidden)

    def at(self, model_inputs: ModelInputs, positions: Tensor) -> Tensor:
        """As `forward`, of the tokens as they are.

        The head runs at those positions only: a hook on the encoder, which every masked LM of transformers has, drops
        the other states. Their number is rounded up, because a CPU compiles and keeps every new shape.
        """
        count = int(positions.sum())

        def only_there(encoder: nn.Module, args: Any, output: Any) -> Any:
            states = output.last_hidden_state[positions]  # (N, H)
            output["last_hidden_state"] = F.pad(states, (0, 0, 0, -count % _ROUND)).unsqueeze(0)
            return output

        hook = self.model.base_model.register_forward_hook(only_there)
        try:
            logits: Tensor = self.model(**accepted(self.model, model_inputs)).logits
        finally:
            hook.remove()
        return logits[0, :count, : self.vocabulary].float()


def accepted(model: PreTrainedModel, model_inputs: ModelInputs) -> dict[str, Tensor]:
    """The inputs that the model takes: DistilBERT, for example, takes no token types."""
    taken = taken_by(model)
    return {name: value for name, value in model_inputs.items() if name in taken}


def pieces(batch: Batch, tokens_at_once: int) -> Iterator[slice]:
    """Slices of consecutive rows of a batch: at least one row, at most `tokens_at_once` tokens with padding."""
    at_once = max(1, tokens_at_once // batch.input_ids.shape[1])
    for start in range(0, len(batch), at_once):
        yield slice(start, min(start + at_once, len(batch)))


def part_of(batch: Batch, piece: slice) -> Batch:
    """Consecutive rows of a batch, with the batch's padding."""
    types = None if batch.token_type_ids is None else batch.token_type_ids[piece]
    return Batch(batch.rows[piece], batch.input_ids[piece], batch.attention_mask[piece], types, batch.labels[piece])


def vocabulary_size(tokenizer: Any) -> int:
    """One more than the largest id of the tokenizer; a model's table may have more rows."""
    return 1 + max(map(int, tokenizer.get_vocab().values()))


def check_vocabulary(tokenizer: Any, other: Any, key: str, model: PreTrainedModel) -> None:
    """Checks that the `other` tokenizer and its model, named by the setting `key`, have the student's vocabulary.

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
    """The configured masked LM, or one cut from the teacher (kept in the cache).

    It is on the device of the inputs, in eval mode, without gradients. Raises `MissingResource` if the configured one
    is missing, `BadInput` if it is no masked LM or has another vocabulary, or if the teacher has too few layers.
    """
    config = inputs.config.mate_kd
    masking = Masking.of(inputs.tokenizer, config.mask_share)
    model = _cut(inputs, masking) if config.generator is None else _named(config.generator, inputs)
    model.to(inputs.device).eval().requires_grad_(False)
    return Generator(model, masking, vocabulary_size(inputs.tokenizer))


def find_generator(name: str) -> Path:
    """The folder of a masked LM. Raises `MissingResource` or `BadInput`; its weights are not loaded."""
    folder = locate_weights(name, _KEY)
    with asked_by("experiment", _KEY):
        open_model(AutoModelForMaskedLM, folder)
    return folder


def _named(name: str, inputs: TrainingInputs) -> PreTrainedModel:
    folder = find_generator(name)
    with asked_by("experiment", _KEY):
        model, tokenizer = _load(folder), load_tokenizer(folder)
    check_vocabulary(inputs.tokenizer, tokenizer, _KEY, model)
    positions = text_positions(model.config)
    if positions is not None and positions < inputs.max_length:
        raise BadInput(Problem("experiment", _KEY, f"at least {inputs.max_length} positions", str(positions)))
    return model


def _load(folder: Path) -> PreTrainedModel:
    return load_model(AutoModelForMaskedLM, folder)


def _cut(inputs: TrainingInputs, masking: Masking) -> PreTrainedModel:
    """The generator in `cache/generators/KEY`, made there if missing; key and seed do not depend on the student.

    A training that was stopped goes on from its checkpoint, which lies beside the folder.
    """
    key = _cut_key(inputs)
    folder = inputs.cache / "generators"
    checkpoint = Checkpoint(folder / f"{key}.unfinished", disposable=True)

    def make(draft: Path) -> None:
        assert inputs.teacher is not None
        model = _made(inputs, masking, derive_seed(0, "generator", key), checkpoint)
        save_model(model, load_tokenizer(inputs.teacher), draft)

    model = made_once(folder / key, _kept, make)
    checkpoint.remove()
    return model


def _kept(folder: Path) -> PreTrainedModel | None:
    try:
        return _load(folder)
    except BadInput:  # absent or damaged
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


def _made(inputs: TrainingInputs, masking: Masking, seed: int, checkpoint: Checkpoint) -> PreTrainedModel:
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
        # As many epochs as steps are always enough: the steps end the training.
        schedule = Schedule(steps, steps, config.batch_size, _LEARNING_RATE, 0.1, 0.01, 1.0, config.precision)
        fit(
            model,
            losses,
            TaskRows(inputs.tokenised),
            schedule,
            device=inputs.device,
            seed=seed,
            stage="generator",
            progress=inputs.progress,
            checkpoint=checkpoint,
        )
    return model


def cut_from_teacher(inputs: TrainingInputs, seed: int) -> PreTrainedModel:
    """The teacher's embeddings and `generator_layers` lowest layers, under a new head tied to the embeddings.

    Raises `BadInput` if the teacher has fewer layers or its family has no masked LM.
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
