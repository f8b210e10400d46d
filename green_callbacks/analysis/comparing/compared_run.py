"""A run as a comparison needs it, without its records."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from green_callbacks.analysis.comparing.run_conditions import RunConditions
from green_callbacks.analysis.comparing.run_points import RunPoints
from green_callbacks.ledger import LedgerContents
from green_callbacks.metrics import Direction
from green_callbacks.units import joules_to_kwh

SEED_LABEL = "seed"
"""Label that names the seed of a run. Runs with the same seed on both sides are compared in pairs.

Example:
    >>> SEED_LABEL
    'seed'
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedRun:
    """A run as a comparison needs it.

    Attributes:
        run_id: Name of the run, or its ledger if the process was killed before it wrote the name.
        path: Its ledger.
        points: The values of the compared metric, each with the cost until then. Defaults to none.
        kwh: Energy of the whole run at the computers, in kWh. Defaults to None, if nothing was measured.
        kg: Emissions of the whole run, in kgCO2e. Defaults to None, if nothing was measured.
        seconds: Accounted time of the whole run, in s. Defaults to 0.
        epochs: Number of epochs that ran to their end. Defaults to 0.
        began_epochs: Whether any epoch began. Defaults to True.
        labels: Labels that the user gave the run. Defaults to none.
        metric_names: Keys of all metrics that the run recorded. Defaults to none.
        mode: Direction in which the metric improves, if a policy of the run watched it. Defaults to None.
        is_closed: Whether the run was closed. Otherwise it was killed or is still running. Defaults to True.
        stop_reason: Why a policy ended the run. Defaults to None, if no policy did.
        unmeasured_share: Largest share of the time in which a device, or all of them, could not be read, 0 to 1.
            Defaults to 0.
        conditions: Facts that a fair comparison needs. Defaults to no facts.

    Example:
        >>> run = ComparedRun(run_id="digits", path=Path("digits.jsonl"), labels={"seed": "3"}, kwh=0.5)
        >>> run.seed, run.kwh
        ('3', 0.5)
    """

    run_id: str
    path: Path
    points: RunPoints = field(default_factory=RunPoints)
    kwh: float | None = None
    kg: float | None = None
    seconds: float = 0.0
    epochs: int = 0
    began_epochs: bool = True
    labels: Mapping[str, str] = field(default_factory=dict)
    metric_names: tuple[str, ...] = ()
    mode: Direction | None = None
    is_closed: bool = True
    stop_reason: str | None = None
    unmeasured_share: float = 0.0
    conditions: RunConditions = field(default_factory=RunConditions)

    @property
    def seed(self) -> str | None:
        """The label ``seed``. None if the run has no such label."""
        return self.labels.get(SEED_LABEL)

    @classmethod
    def of(cls, path: Path, contents: LedgerContents, metric: str) -> Self:
        """Return what a comparison needs of a ledger.

        Args:
            path: The ledger.
            contents: Its contents.
            metric: Key of the metric.
        """
        history, joules = contents.history, contents.history.energy_joules
        return cls(
            run_id=contents.run_id or str(path),  # other runs without a name have files of the same name
            path=path,
            points=RunPoints.of(history, metric),
            kwh=None if joules is None else joules_to_kwh(joules),
            kg=None if joules is None else history.emissions_kg,
            seconds=history.duration_seconds,
            epochs=history.finished_epochs,
            began_epochs=any(history.epoch_at(row) is not None for row in range(len(history))),
            labels=contents.labels,
            metric_names=history.metric_names,
            mode=contents.mode if contents.monitor == metric else None,
            is_closed=contents.is_closed,
            stop_reason=contents.stop_reason,
            unmeasured_share=_unmeasured_share(contents),
            conditions=RunConditions.of(contents),
        )


def _unmeasured_share(contents: LedgerContents) -> float:
    """Return the share of the time whose records have no energy, or that a device did not answer."""
    history, before, missed = contents.history, 0.0, 0.0
    for row, seconds in enumerate(history.cumulative_seconds):
        if history.energy_joules_at(row) is None:
            missed += seconds - before
        before = seconds
    gaps = [each.gap_seconds for each in history.device_totals().values() if each.joules is not None]
    return min(max([missed, *gaps]) / before, 1.0) if before > 0 else 0.0
