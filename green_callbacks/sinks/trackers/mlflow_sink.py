"""The sink for MLflow."""

import re
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from inspect import signature
from pathlib import Path
from typing import Any, Final

from green_callbacks.errors import ConfigurationError
from green_callbacks.sinks.trackers.run_facts import RUN_ID
from green_callbacks.sinks.trackers.tracker_run import Fact, Place, TrackerRun
from green_callbacks.sinks.trackers.tracker_sink import TrackerSink
from green_callbacks.units import described

_REFUSED: Final = re.compile(r"[^/\w.\- ]")
"""Characters that MLflow refuses in the name of a metric, on at least one operating system."""
_LONGEST_NAME: Final = 250
"""Longest name of a metric, in characters. MLflow 3.17 refuses longer names."""


class MlflowSink(TrackerSink):
    """Writes to the MLflow run that is open. It never opens a run, and it does not import MLflow.

    The sink takes the run that is active on the training thread when the run starts, or else when an epoch ends. It
    stays with that run until the end, also inside nested runs and after ``mlflow.end_run()``. Without an active run it
    writes nothing, and says so at the end. ``EnergyAccountant()`` without ``sinks=`` has such a sink, which then says
    nothing.

    Every epoch adds the metrics of :mod:`green_callbacks.sinks.scalars`, with the epoch as the step. Under Hugging Face
    the step is the optimizer step, as in the metrics of its ``Trainer``. The parts of an epoch share its step. Repeated
    epochs come again with the same step. MLflow keeps both points, and the later point is the latest.

    The first epoch sets tags for the id of the run, its ledger, the place, the carbon intensity and the PUE. The end of
    the run adds the totals, as tags and as metrics. A training without epochs of ours has the totals alone.

    A run of Lightning's ``MLFlowLogger`` gets the tags alone, because the logger itself gets the metrics. MLflow's
    autologging writes what Lightning and Keras show as well. So a few metrics may hold each point twice.

    Args:
        run_id: The MLflow run to write to, such as a run that another thread has opened. Defaults to the active run.
        ledger_artifact: Whether to upload the ledger as an artifact at the end. Defaults to False.

    Raises:
        ConfigurationError: An option has the wrong type.

    Example:
        >>> from green_callbacks import EnergyAccountant
        >>> accountant = EnergyAccountant(sinks=[MlflowSink(ledger_artifact=True)])
    """

    tracker = "MLflow"

    def __init__(self, run_id: str | None = None, *, ledger_artifact: bool = False) -> None:
        if run_id is not None and (not isinstance(run_id, str) or not run_id.strip()):
            msg = f"run_id= takes the id of an MLflow run, not {described(run_id)}. Leave it out for the active run."
            raise ConfigurationError(msg)
        super().__init__(ledger_artifact=ledger_artifact)
        self._run_id = run_id

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle only the options."""
        return _made, (self._run_id, self._ledger_artifact)

    @property
    def remedy(self) -> str:
        """How to open a run, and how to name one, as a sentence."""
        if self._run_id is not None:
            return f"Import mlflow before the training, so that this sink can write to the run {self._run_id}."
        return (
            "Call mlflow.start_run() before the training on the same thread, or name a run with MlflowSink(run_id=…)."
        )

    def _open_run(self) -> TrackerRun | None:
        mlflow = sys.modules.get("mlflow")
        active_run = getattr(mlflow, "active_run", None)  # None also while another thread is importing MLflow
        if mlflow is None or active_run is None:
            return None
        run_id = self._run_id
        if run_id is None:
            active = active_run()
            run_id = None if active is None else active.info.run_id
        return None if run_id is None else MlflowRun(run_id, uri=mlflow.get_tracking_uri())

    def _run_of(self, logger_of_framework: Any) -> TrackerRun | None:  # noqa: ANN401  of any framework
        client = getattr(logger_of_framework, "experiment", None)
        if not hasattr(client, "log_batch"):
            return None
        return MlflowRun(logger_of_framework.run_id, client=client)


class MlflowRun:
    """A run of MLflow. Its calls go to the tracking server, and name the run.

    Args:
        run_id: Its id.
        uri: The tracking server. Defaults to the server of ``client``.
        client: A client of the tracking server. Defaults to a new client, made on the thread that needs it.
    """

    def __init__(self, run_id: str, *, uri: str | None = None, client: Any | None = None) -> None:  # noqa: ANN401
        self._run_id = run_id
        self._uri = uri
        self._client = client

    @property
    def name(self) -> str:
        """What to call the run in a message."""
        return f"The MLflow run {self._run_id}"

    def is_same(self, other: TrackerRun) -> bool:
        """Return whether this is the same run as another one."""
        return isinstance(other, MlflowRun) and other.name == self.name

    def holder(self) -> str | None:
        """Return the id of the run whose numbers the MLflow run holds."""
        found: str | None = self._tracking().get_run(self._run_id).data.tags.get(RUN_ID)
        return found

    def tell(self, facts: Mapping[str, Fact]) -> None:
        """Set tags."""
        self._log(tags=_tags(facts))

    def add(self, values: Mapping[str, float], place: Place) -> None:
        """Add metrics."""
        self._log(metrics=_metrics(values, place))

    def sum_up(self, totals: Mapping[str, Fact], place: Place | None) -> None:
        """Set the totals as tags, and with a place also as metrics."""
        numbers = {key: value for key, value in totals.items() if not isinstance(value, str)}
        # MLflow's latest value is the last in time, and autologging may have written the last epoch later than its end.
        metrics = [] if place is None else _metrics(numbers, replace(place, seconds=max(place.seconds, time.time())))
        self._log(metrics=metrics, tags=_tags(totals))

    def keep(self, ledger: Path) -> None:
        """Upload the ledger as an artifact."""
        self._tracking().log_artifact(self._run_id, str(ledger))

    def _log(self, **what: Sequence[Any]) -> None:
        """Log at once, whatever the user has chosen for other calls. Before version 2.8, MLflow has no choice."""
        log_batch = self._tracking().log_batch
        options = {"synchronous": True} if "synchronous" in signature(log_batch).parameters else {}
        log_batch(self._run_id, **what, **options)

    def _tracking(self) -> Any:  # noqa: ANN401  MLflow is not imported here
        if self._client is None:
            self._client = sys.modules["mlflow"].MlflowClient(tracking_uri=self._uri)
        return self._client


def _made(run_id: str | None, ledger_artifact: bool) -> MlflowSink:  # noqa: FBT001
    """Make a sink from its options. Pickle passes arguments by position."""
    return MlflowSink(run_id, ledger_artifact=ledger_artifact)


def _metrics(values: Mapping[str, float], place: Place) -> list[Any]:
    """Return values as metrics. Names may come from anybody, and MLflow refuses a whole batch for one of them."""
    metric = sys.modules["mlflow"].entities.Metric
    milliseconds = int(1000.0 * place.seconds)
    return [metric(_name(key), value, milliseconds, place.number) for key, value in values.items()]


def _name(key: str) -> str:
    return _REFUSED.sub("_", key)[:_LONGEST_NAME]


def _tags(facts: Mapping[str, Fact]) -> list[Any]:
    tag = sys.modules["mlflow"].entities.RunTag
    return [tag(key, str(value)) for key, value in facts.items()]
