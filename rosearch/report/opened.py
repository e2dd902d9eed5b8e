"""A run opened from Python: its records as pandas frames, its architectures as graphs, its students as models."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from rosearch.errors import RunError
from rosearch.records.record import Role
from rosearch.report.features import FEATURES, architecture_features
from rosearch.report.gallery import Gallery
from rosearch.report.notebook import Candidate, DrawnGraph, Front, run_html
from rosearch.report.run_files import candidates_table
from rosearch.run.results import Results, open_results

if TYPE_CHECKING:
    import networkx as nx
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class OpenedRun:
    """The records of a run as they were when it was opened; `results` holds them as objects.

    Wherever an id is asked for, its first six letters or the record's number do, or a baseline's name. Each of
    `genotype` and `student` raises `RunError` where no record, or more than one, is meant.
    """

    results: Results

    @property
    def candidates(self) -> pd.DataFrame:
        """All candidates, a row each in the order of their proposals, whether pending, running, done or failed.

        `rosearch.report.columns.RECORDS` says what each column means. Qualities and robustness are shares,
        0 to 1, on the validation rows, with the ends of their 95 % intervals; `latency_ms_B` is the median time of a
        batch of B texts in milliseconds; `seconds_STAGE` are a worker's. What was not measured is NA.
        """
        return self._of("candidate")

    @property
    def front(self) -> pd.DataFrame:
        """The candidates that no other beats in robustness, accuracy and efficiency at once, highest fitness first.

        Columns as in `candidates`. Empty until a candidate has passed the gates.
        """
        order = [record.number for record in self.results.front]
        return Front.of(self._records.set_index("number", drop=False).loc[order].reset_index(drop=True), self.results)

    @property
    def finalists(self) -> pd.DataFrame:
        """The best and the baselines, trained again on fresh seeds and measured on the test rows; a row a replicate.

        Columns as in `candidates`. Empty until the budget of candidates is spent.
        """
        return self._of("finalist")

    @property
    def features(self) -> pd.DataFrame:
        """The features of every architecture of the run: a row per id (the index), a column per name in `FEATURES`.

        `rosearch.report.features.FEATURES` says what each means; parameters are counted for the default vocabulary and
        two labels. All are float64; NaN where an architecture does not have the feature.
        """
        genotypes = {record.id: record.genotype for record in self.results.records}
        rows = [architecture_features(genotype) for genotype in genotypes.values()]
        index = pd.Index(list(genotypes), name="id", dtype="string")
        return pd.DataFrame(rows, index=index, columns=list(FEATURES), dtype="float64")

    @property
    def figures(self) -> Gallery:
        """The figures of `rosearch report`, drawn by matplotlib: `run.figures.front().savefig("front.pdf")`."""
        return Gallery(self.results)

    def genotype(self, id: str) -> nx.DiGraph:
        """The architecture of a record as a frozen graph: node 0 is the embedded text, the others are operations.

        The graph holds `width`, `rank` and `pooling`; a node `op`, `settings` and `merge`; an edge leads from what is
        read to its reader and holds the `ports` at which it is read.
        """
        return DrawnGraph.of(self.results.find(id).genotype)

    def candidate(self, id: str) -> Candidate:
        """One record whole: `.record` has its measurements as objects, `.graph` its architecture.

        A notebook shows it as `rosearch show` does: drawn, with its figures, its kin, and what each attack broke.
        """
        return Candidate(self.results, self.results.find(id))

    def _repr_html_(self) -> str:
        return run_html(self.results)

    def student(self, id: str) -> PreTrainedModel:
        """The trained model of a record, on the CPU and in evaluation mode; torch is imported here.

        It takes token ids (batch, tokens) of the run's tokenizer, and gives logits (batch, labels), or hidden states
        (batch, tokens, width) where the run searched encoders. Where finalists were retrained, the weights are those of
        the first retraining, as in an export. Raises `RunError` where the run has not kept them
        (`execution.keep_students`), `BadInput` where they are damaged.
        """
        from rosearch.student.build import load_student

        record = self.results.retrained(self.results.find(id))
        folder = self.results.run.student_folder(record)
        if not folder.is_dir():
            kept = (
                "only the front, the best, the baselines and the finalists are, unless execution.keep_students is all"
            )
            raise RunError(f"{self.results.run.path}: the weights of {record.id[:8]} are not kept: {kept}")
        self.results.run.require_undamaged(record)
        return load_student(folder, head=self.results.experiment.task is not None)

    @cached_property
    def _records(self) -> pd.DataFrame:
        return candidates_table(self.results)

    def _of(self, role: Role) -> pd.DataFrame:
        table = self._records
        return table[table["role"] == role].reset_index(drop=True)


def open_run(path: str | Path) -> OpenedRun:
    """Open the folder of a run, whether it is finished, stopped or being worked on; torch is not loaded.

    >>> from rosearch import open_run
    >>> run = open_run("runs/quickstart-0001")
    >>> run.candidates[["id", "status", "fitness", "parameters"]].head()  # a pandas frame, a row per candidate
    >>> best = run.front.id[0]
    >>> run.genotype(best).nodes(data="op")  # a networkx graph
    >>> model = run.student(best)  # a transformers model

    The frames `candidates`, `front`, `finalists` and `features` hold what was recorded by now: open it again for more.
    Raises `RunError` where the folder holds no run, `BadInput` where its experiment cannot be read.
    """
    return OpenedRun(open_results(Path(path)))
