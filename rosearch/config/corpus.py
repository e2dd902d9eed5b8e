"""The section `corpus` of an experiment: plain text for task-agnostic distillation, and its division into blocks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Self

from pydantic import Field
from pydantic_core import PydanticCustomError

from rosearch.config.section import Section, broken_rule, unit


class CorpusSource(Section):
    """Text from files or from the hub. Exactly one of `path` and `hub` is given."""

    path: str | None = Field(
        None,
        description="A file, a folder with all below it, or a pattern (wiki/*.txt.xz); below --data-root, if given.",
    )
    members: str = Field("*", description="Pattern of the names inside tar archives (*/train.tsv).")
    hub: str | None = Field(None, description="A dataset on the hub, streamed: only its tokens are kept.")
    config: str | None = Field(None, description="Configuration of the hub dataset.")
    revision: str | None = Field(
        None, description="Pins the hub's version; none: the copy on disk is used as long as there is one."
    )
    split: str = Field("train", description="Split of the hub dataset.")
    column: str = Field("text", description="Column of JSON lines, CSV, TSV, Parquet and hub datasets.")
    documents: int | None = Field(
        None, ge=1, description="Most documents that are read; none: all.", json_schema_extra=unit("documents")
    )

    def _rules(self) -> Iterator[PydanticCustomError]:
        if (self.path is None) == (self.hub is None):
            yield broken_rule("", "exactly one of path and hub", "both" if self.hub else "neither")


class CorpusConfig(Section):
    """Plain text for distillation without a task: its sources, in their order, and the division of its blocks."""

    sources: list[CorpusSource] = Field(min_length=1, description="Files and hub datasets, read in this order.")
    block_length: int = Field(
        128, ge=8, description="Length of a block, special tokens included.", json_schema_extra=unit("tokens")
    )
    proxy_share: float = Field(
        0.3,
        gt=0,
        le=1,
        description="Part of the training blocks that candidates learn from; finalists learn from all.",
        json_schema_extra=unit("share"),
    )
    held_out_share: float = Field(
        0.01, gt=0, lt=1, description="Part of all blocks that no model learns from.", json_schema_extra=unit("share")
    )
    held_out_blocks: int | None = Field(
        None, ge=1, description="In place of held_out_share.", json_schema_extra=unit("blocks")
    )
    seed: int = Field(
        1, ge=0, description="Decides which blocks are held out and which are the proxy, not their order in training."
    )

    def below(self, root: Path) -> Self:
        """A copy whose relative paths are taken from `root`."""
        sources = [
            source
            if source.path is None
            else source.model_copy(update={"path": str(root / Path(source.path).expanduser())})
            for source in self.sources
        ]
        return self.model_copy(update={"sources": sources})
