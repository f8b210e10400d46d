"""The contract of an open run of an experiment tracker."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

Fact = str | float
"""A text or a number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The position of a point on the horizontal axis of a tracker.

    Attributes:
        epoch: Index of the epoch, from 0.
        step: Optimizer steps so far. None if unknown.
        step_metric: Metric under which the framework reports the optimizer steps. None if trackers count epochs.
        seconds: Time of the point, in s since 1970.
    """

    epoch: int
    step: int | None
    step_metric: str | None
    seconds: float

    @property
    def number(self) -> int:
        """The position as one integer, which is the optimizer step or the epoch."""
        return self.epoch if self.step is None or self.step_metric is None else self.step


class TrackerRun(Protocol):
    """An open run of a tracker. All of its methods are called on the worker's thread, and may raise anything."""

    @property
    def name(self) -> str:
        """What to call the run in a message."""
        ...

    def is_same(self, other: "TrackerRun") -> bool:
        """Return whether this is the same run as another of the same tracker."""
        ...

    def holder(self) -> str | None:
        """Return the id of the run of this package whose numbers the tracker's run holds. None if it holds none."""
        ...

    def tell(self, facts: Mapping[str, Fact]) -> None:
        """Set facts about the run."""
        ...

    def add(self, values: Mapping[str, float], place: Place) -> None:
        """Add a point to every curve."""
        ...

    def sum_up(self, totals: Mapping[str, Fact], place: Place | None) -> None:
        """Set the totals. Without a place, add no points to curves."""
        ...

    def keep(self, ledger: Path) -> None:
        """Upload the ledger."""
        ...
