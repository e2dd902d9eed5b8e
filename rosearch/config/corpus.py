"""The section `corpus` of an experiment: plain text for task-agnostic distillation, and its division into blocks."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from rosearch.config.section import Section, broken_rule


class CorpusSource(Section):
    """Text from files or from the hub. Exactly one of `path` and `hub` is given."""

    path: str | None = None  # a file, a folder (read with all below it), or a pattern (wiki/*.txt.xz)
    members: str = "*"  # pattern of the names inside tar archives (*/train.tsv)
    hub: str | None = None  # a dataset, streamed
    config: str | None = None
    revision: str | None = None  # pins the hub's version; none: the copy on disk is used as long as there is one
    split: str = "train"
    column: str = "text"  # column of JSON lines, CSV, TSV, Parquet and hub datasets
    documents: int | None = Field(None, ge=1)  # most documents read; none: all

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.path is None) == (self.hub is None):
            raise broken_rule("", "exactly one of path and hub", "both" if self.hub else "neither")
        return self


class CorpusConfig(Section):
    """The sources of the text, in their order, and the division of its blocks."""

    sources: list[CorpusSource] = Field(min_length=1)
    block_length: int = Field(128, ge=8)  # tokens, special ones included
    proxy_share: float = Field(0.3, gt=0, le=1)  # share of the training blocks that candidates learn from
    held_out_share: float = Field(0.01, gt=0, lt=1)  # share of all blocks that no model learns from
    held_out_blocks: int | None = Field(None, ge=1)  # in place of the share
    seed: int = Field(1, ge=0)  # decides which blocks are held out and which are the proxy, not their order in training

    def below(self, root: Path) -> Self:
        """A copy whose relative paths are taken from `root`."""
        sources = [
            source
            if source.path is None
            else source.model_copy(update={"path": str(root / Path(source.path).expanduser())})
            for source in self.sources
        ]
        return self.model_copy(update={"sources": sources})
