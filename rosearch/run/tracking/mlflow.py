"""MLflow: a run in its store, figures as metrics, each record whole as an artifact.

`MLFLOW_TRACKING_URI` and `MLFLOW_EXPERIMENT_NAME` say where; without them the store is an SQLite file below the run,
since MLflow 3 refuses a plain folder. The client is MLflow's lower one, so that a run which a user's own process has
active is left alone.
"""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Collection
from typing import Any

from rosearch.run.tracking.row import Row
from rosearch.run.tracking.tracker import Parameter, Tracked

_TAG = "rosearch.id"
_MARK = "record"  # a metric of every row, written with all others in one transaction
_MOST_PARAMETERS = 100  # of a request
_LONGEST = 500  # characters of a parameter that every version of MLflow keeps; it cuts longer ones in silence


class MLflow:
    """A `Tracker` that writes one run of MLflow, found again by a tag."""

    def __init__(self, told: Tracked) -> None:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # a tracker that we start calls nobody
        from mlflow import MlflowClient

        for name in ("mlflow", "alembic"):  # they tell each table that they make
            logging.getLogger(name).setLevel(logging.WARNING)
        uri = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{told.folder / 'mlflow.db'}"
        self._client: Any = MlflowClient(tracking_uri=uri, registry_uri=uri)
        self._run = self._opened(told)
        self._client.update_run(self._run, status="RUNNING")
        self._describe(told)

    def known(self) -> Collection[int]:
        """See `Tracker`."""
        return {metric.step for metric in self._client.get_metric_history(self._run, _MARK)}

    def write(self, row: Row) -> None:
        """See `Tracker`."""
        from mlflow.entities import Metric

        self._client.log_text(self._run, row.text, f"records/{row.number}.json")
        now = int(time.time() * 1000)
        figures = {_MARK: float(row.number), **row.figures}
        metrics = [Metric(metric_name(name), value, now, row.number) for name, value in figures.items()]
        self._client.log_batch(self._run, metrics=metrics)

    def close(self, ended: bool) -> None:
        """See `Tracker`."""
        self._client.set_terminated(self._run, "FINISHED" if ended else "KILLED")

    def _opened(self, told: Tracked) -> str:
        """The id of the run in MLflow, which is made where there is none with our tag."""
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or told.experiment
        experiment = self._client.get_experiment_by_name(name)
        where = None if os.environ.get("MLFLOW_TRACKING_URI") else (told.folder / "artifacts").as_uri()
        number = experiment.experiment_id if experiment else self._client.create_experiment(name, where)
        found = self._client.search_runs([number], f"tags.`{_TAG}` = '{told.word}'")
        run = found[0] if found else self._client.create_run(number, tags={_TAG: told.word}, run_name=told.run.name)
        return str(run.info.run_id)

    def _describe(self, told: Tracked) -> None:
        """At each start: a kill may have come between, and a run that was moved has other paths.

        MLflow raises on another value of a parameter that it has.
        """
        from mlflow.entities import Param

        self._client.set_tag(self._run, "rosearch.run", str(told.run))
        named = {metric_name(key): _parameter(value) for key, value in told.parameters.items()}
        had = self._client.get_run(self._run).data.params
        parameters = [Param(name, value) for name, value in named.items() if name not in had]
        for first in range(0, len(parameters), _MOST_PARAMETERS):
            self._client.log_batch(self._run, params=parameters[first : first + _MOST_PARAMETERS])
        for file in told.files:
            self._client.log_artifact(self._run, str(file))


def metric_name(name: str) -> str:
    """A name with `_` for each character that MLflow refuses in names of metrics and parameters."""
    return re.sub(r"[^\w.\- /]", "_", name)


def _parameter(value: Parameter) -> str:
    text = str(value)
    return text if len(text) <= _LONGEST else f"({len(text):,} characters: see experiment.yaml)"
