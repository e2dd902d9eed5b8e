"""The time that a search for encoders may take: a trial step, times the blocks that its corpus may have.

How many blocks there are is known once the corpus is tokenised. Here the beginning of each file says how many tokens a
byte of it holds.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModel

from rosearch.config.corpus import CorpusConfig
from rosearch.config.experiment import Experiment
from rosearch.data.corpus_sources import Source
from rosearch.errors import one_line
from rosearch.materials.trial import Trial, steps_of, time_in_words, time_models, whole_in_words
from rosearch.models.saved import load_config
from rosearch.space.space import Space

_PARAGRAPHS = 2000  # of each source, whose tokens are counted


@dataclass(frozen=True)
class CorpusTrial:
    """The blocks that a corpus may have, and the seconds that its tokens may take."""

    blocks: float
    seconds: float


def estimate_encoders(
    experiment: Experiment, space: Space, teacher: Path, tokenizer: Any, sources: Iterable[Source], device: torch.device
) -> str:
    """The time of the whole search, in words, with what it is made of. Trains for a moment; nothing is written."""
    assert experiment.corpus is not None  # a rule of the experiment
    length = experiment.corpus.block_length
    try:
        corpus = _count(experiment.corpus, sources, tokenizer)
        if corpus is None:
            return "none: how much text a dataset of the hub holds is known once it has been read"
        with torch.random.fork_rng(devices=[]):
            model = AutoModel.from_config(load_config(teacher))
            trial = time_models(space, model, tokenizer, length, device)
    except Exception as error:  # no estimate is no fault of the experiment
        return f"none: the trial step failed ({one_line(error)})"
    return encoders_in_words(experiment, corpus, trial)


def encoders_in_words(experiment: Experiment, corpus: CorpusTrial, trial: Trial) -> str:
    """The estimate for a corpus of so many blocks, and what it is made of."""
    assert experiment.corpus is not None  # a rule of the experiment
    config, finalists, parts = experiment.distillation, experiment.finalists, experiment.corpus
    held_out = parts.held_out_blocks or max(1.0, parts.held_out_share * corpus.blocks)
    learnt = max(0.0, corpus.blocks - held_out)
    step, judged = trial.teacher + trial.training, held_out * (trial.teacher + trial.student)

    def training(epochs: float, most: int | None, blocks: float) -> float:
        return steps_of(epochs, most, config.batch_size, blocks) * config.batch_size * step + judged

    candidate = training(config.epochs, config.max_steps, parts.proxy_share * learnt)
    most = config.max_steps if finalists.epochs is None else None
    final = training(finalists.epochs or config.epochs, most, learnt)
    chosen = (finalists.count + len(experiment.architectures)) * finalists.replicates if finalists.count else 0
    students = experiment.evolution.candidates + len(experiment.architectures)
    made = f"corpus {time_in_words(corpus.seconds)}, {students} students of {time_in_words(candidate)}"
    made += f", {chosen} trainings of finalists of {time_in_words(final)}" if chosen else ""
    told = whole_in_words(experiment, corpus.seconds, students * candidate + chosen * final, made)
    return f"{told}, with about {round(corpus.blocks, -2) or round(corpus.blocks):,.0f} blocks of text"


def _count(config: CorpusConfig, sources: Iterable[Source], tokenizer: Any) -> CorpusTrial | None:
    """None where a source lies on the hub: it does not say how much text it has."""
    blocks = seconds = 0.0
    for source in sources:
        if source.config.hub is not None:
            return None
        begun = time.perf_counter()
        paragraphs = source.paragraphs()  # as long as it lives, its source knows how far it has read
        texts = [text for text in islice(paragraphs, _PARAGRAPHS) if text]
        read, whole = source.progress
        tokens = sum(map(len, tokenizer(texts, add_special_tokens=False)["input_ids"])) if texts else 0
        times = whole / read if read else 1.0
        blocks += times * tokens / (config.block_length - 2)  # without the special tokens of a block
        seconds += times * (time.perf_counter() - begun)
    return CorpusTrial(blocks, seconds)
