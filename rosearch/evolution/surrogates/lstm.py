"""The LSTM reward predictor of KD-NAS (arXiv 2303.09639, after a third-party account of it).

It reads three architectures one after the other, choice by choice: the best of the last episode, the best so far, and
the candidate. Each choice is embedded in 32 numbers, for one LSTM layer of 32 and one linear output at the last step.
It is trained after each episode by mean squared error, with RMSprop and a learning rate of 1e-4. Ours: the number of
passes over the history, the history as one batch, rewards as z-scores, and a token for an architecture not there yet.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from rosearch.evolution.surrogates.predictor import (
    Choices,
    Context,
    Episode,
    RewardPredictor,
    Values,
    context_of,
    standardised,
)

_SIZE = 32  # numbers of an embedded choice and of the hidden state
_LEARNING_RATE = 1e-4
_NONE = 0  # the token of each choice of an architecture that is not there yet


class LstmPredictor(RewardPredictor):
    """See the module. Each training goes on from the weights of the last one, as in the paper."""

    def __init__(self, sizes: Sequence[int], seed: int, passes: int) -> None:
        self._starts = [1 + sum(sizes[:kind]) for kind in range(len(sizes))]  # the token of each kind's first value
        self._passes = passes
        self._learnt: tuple[Episode, ...] = ()
        self._mean, self._deviation = 0.0, 1.0
        with _alone(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self._network = _Network(1 + sum(sizes))
        self._optimiser = torch.optim.RMSprop(self._network.parameters(), lr=_LEARNING_RATE)

    def fit(self, history: Sequence[Episode]) -> None:
        """See `RewardPredictor`. Episodes are learnt one after the other, each with all before it."""
        if tuple(history[: len(self._learnt)]) != self._learnt:
            raise ValueError("the history must begin with the episodes that were learnt before")
        for count in range(len(self._learnt) + 1, len(history) + 1):
            with _alone():
                self._train(history[:count])
        self._learnt = tuple(history)

    def predict(self, candidates: Sequence[Choices], context: Context) -> Values:
        """See `RewardPredictor`."""
        with _alone(), torch.inference_mode():
            scores: Values = self._network(self._tokens(candidates, context)).double().numpy()
        return scores * self._deviation + self._mean

    def _train(self, history: Sequence[Episode]) -> None:
        rewards = [reward for episode in history for reward in episode.rewards]
        if not rewards:
            return
        scores, self._mean, self._deviation = standardised(rewards)
        target = torch.from_numpy(scores).float()
        contexts = [context_of(history[:before]) for before in range(len(history))]
        rows = [self._tokens(e.choices, context) for e, context in zip(history, contexts, strict=True) if e.choices]
        tokens = torch.cat(rows)
        for _ in range(self._passes):
            self._optimiser.zero_grad()
            nn.functional.mse_loss(self._network(tokens), target).backward()  # type: ignore[no-untyped-call]
            self._optimiser.step()

    def _tokens(self, candidates: Sequence[Choices], context: Context) -> Tensor:
        """(candidates, 3 x choices) tokens."""
        before = [*self._sequence(context.last), *self._sequence(context.best)]
        return torch.tensor([[*before, *self._sequence(candidate)] for candidate in candidates])

    def _sequence(self, choices: Choices | None) -> list[int]:
        if choices is None:
            return [_NONE] * len(self._starts)
        return [start + choice for start, choice in zip(self._starts, choices, strict=True)]


class _Network(nn.Module):
    def __init__(self, tokens: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(tokens, _SIZE)
        self.lstm = nn.LSTM(_SIZE, _SIZE, batch_first=True)
        self.output = nn.Linear(_SIZE, 1)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, T) tokens to (B,) scores."""
        states, _ = self.lstm(self.embedding(tokens))
        scores: Tensor = self.output(states[:, -1]).squeeze(-1)
        return scores


@contextmanager
def _alone() -> Iterator[None]:
    """One thread inside: the split of sums is part of the result, and candidates may have set another number."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
