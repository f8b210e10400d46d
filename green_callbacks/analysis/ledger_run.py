"""A run as its ledger records it, and the metric that measures its quality."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from green_callbacks.analysis.totals import totals
from green_callbacks.errors import ConfigurationError
from green_callbacks.ledger import LedgerContents, NestedRun, closing_of
from green_callbacks.ledger.overlaps.candidates import MeasuredRun
from green_callbacks.metrics import Direction, Metric, metric_of_run, quality_metric
from green_callbacks.records import History, RunRecord


@dataclass(frozen=True)
class LedgerRun:
    """A run as recorded in its ledger.

    Attributes:
        path: The ledger.
        contents: Content of the ledger.
    """

    path: Path
    contents: LedgerContents

    @property
    def run_id(self) -> str:
        """Name of the run, or of the file if the process was killed before it wrote the name."""
        return self.contents.run_id or self.path.stem

    @property
    def history(self) -> History:
        """All records of the run."""
        return self.contents.history

    @cached_property
    def totals(self) -> RunRecord:
        """Totals of the run."""
        contents = self.contents
        return totals(self.history, self.run_id, self.path, contents.stop_reason, self.notices, contents.plan.landing)

    @property
    def nested(self) -> NestedRun:
        """The run, as far as a sum of several runs must know it."""
        totals, contents = self.totals, self.contents
        head = replace(contents.head, run_id=contents.run_id)
        devices, seconds = list(totals.devices), totals.duration_seconds
        return NestedRun.of(head, devices, totals.facility_kwh, seconds, is_closed=contents.is_closed)

    @property
    def measured(self) -> MeasuredRun:
        """The run, as far as it tells whether other processes measured its devices at the same time."""
        contents, history = self.contents, self.history
        closing = closing_of(contents.run_id, history, monitor=None, mode="max")
        return MeasuredRun.of(self.path, closing, contents.head)._replace(devices=tuple(self.totals.devices))

    @property
    def notices(self) -> tuple[str, ...]:
        """Sentences about policies that could not act, and about energy that was not measured or kept."""
        return tuple(self.contents.notices.values())

    def metric(self, name: str | None = None, mode: Direction | None = None) -> Metric | None:
        """Choose the metric that measures the quality of the model.

        Args:
            name: Key of the metric. None chooses the metric that a policy watched. Without such a policy, it is the
                first metric that begins with ``val``, and a loss only if there is no other. Defaults to None.
            mode: Whether the metric improves upwards (``max``) or downwards (``min``). None guesses it from the name.
                Defaults to None.

        Returns:
            The metric. None without ``name`` if the run has no metric, or no metric whose name tells its mode.

        Raises:
            ConfigurationError: The name of the named metric does not tell its mode.
        """
        contents, names = self.contents, self.history.metric_names
        if name is None and mode is None:
            return metric_of_run(contents.monitor, contents.mode, names)
        chosen = quality_metric(name or contents.monitor, names)
        if chosen is None:
            return None
        if mode is None and chosen == contents.monitor:
            return Metric(chosen, contents.mode)
        try:
            return Metric.of(chosen, mode or "auto")
        except ConfigurationError as error:
            msg = f"The name {name!r} does not tell whether more of it is better. Add --mode max or --mode min."
            raise ConfigurationError(msg) from error


def best_value(history: History, metric: Metric, rows: int | None = None) -> float | None:
    """Return the best finite value of a metric. None if there is no finite value.

    Args:
        history: All records.
        metric: The metric.
        rows: Number of the first records that count. Defaults to all.
    """
    column = history.metric(metric.name)
    limit = len(history) if rows is None else rows
    return metric.best(value for row, value in zip(column.rows, column.values, strict=True) if row < limit)
