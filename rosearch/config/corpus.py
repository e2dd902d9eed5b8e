"""The section `corpus` of an experiment: plain text for task-agnostic distillation, how it is cut and shared out."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from rosearch.config.section import Section, broken_rule


class CorpusSource(Section):
    """Text from files or from the hub: exactly one of path and hub."""

    path: str | None = None  # a file, a folder with all below it, or a pattern (wiki/*.txt.xz)
    members: str = "*"  # of tar archives: a pattern of the names inside (*/train.tsv)
    hub: str | None = None  # a dataset, streamed
    config: str | None = None
    revision: str | None = None  # pins what the hub gives; without one, what is kept on disk goes on being used
    split: str = "train"
    column: str = "text"  # of JSON lines, CSV, TSV, Parquet and hub datasets
    documents: int | None = Field(None, ge=1)  # at most so many are read; none: all

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.path is None) == (self.hub is None):
            raise broken_rule("", "exactly one of path and hub", "both" if self.hub else "neither")
        return self


class CorpusConfig(Section):
    """Where text comes from, in this order, and how its blocks are shared out."""

    sources: list[CorpusSource] = Field(min_length=1)
    block_length: int = Field(128, ge=8)  # tokens, special ones included
    proxy_share: float = Field(0.3, gt=0, le=1)  # of the training blocks: what candidates learn from
    held_out_share: float = Field(0.01, gt=0, lt=1)  # of all blocks: nobody learns from them
    held_out_blocks: int | None = Field(None, ge=1)  # in place of the share
    seed: int = Field(1, ge=0)  # which blocks are held out and which are the proxy; not their order in training

    def below(self, root: Path) -> Self:
        """The same with relative paths taken from `root`."""
        sources = [
            source
            if source.path is None
            else source.model_copy(update={"path": str(root / Path(source.path).expanduser())})
            for source in self.sources
        ]
        return self.model_copy(update={"sources": sources})
