"""The stand-in for a run that is not measured, before its start, after its close, or in a forked process."""

from collections.abc import Collection, Mapping
from typing import Any, Self

from green_callbacks.accountant.landing.rates import Rates
from green_callbacks.accountant.loops.data_waits import DataWaits
from green_callbacks.accountant.ranks.protocol import checked_phase
from green_callbacks.clock import Clock
from green_callbacks.records import WORLD, Checkpoints, EpochRecord, Plan
from green_callbacks.text.log import get_logger

logger = get_logger(__name__)


def unmeasured(clock: Clock, *, is_told: bool = True) -> EpochRecord:
    """Return the record of an epoch that is ended without being open, in which nothing was measured.

    Args:
        clock: The clock of the run.
        is_told: Whether to warn that the epoch had not begun. Defaults to True.
    """
    if is_told:
        logger.warning("An epoch was ended that had not begun. Nothing was measured. Call begin_epoch() first.")
    return EpochRecord(
        epoch=None, started_at=clock.now(), duration_seconds=0.0, devices={}, intensity=WORLD, complete=False
    )


class IdleRun:
    """Ignores every call to a run that is not measured.

    Args:
        clock: The clock of the run.
        has_started: Whether the run was started before.
    """

    is_live = False
    samples: int | None = None
    unrecorded_seconds = 0.0

    def __init__(self, clock: Clock, *, has_started: bool) -> None:
        self._clock = clock
        self._has_started = has_started
        self.waits = DataWaits(clock)

    @property
    def knowledge(self) -> Self:
        """This object, which ignores later knowledge too."""
        return self

    @property
    def landing(self) -> Self:
        """This object, which ignores learning rates too."""
        return self

    @property
    def epochs(self) -> Self:
        """This object, which ignores epochs too."""
        return self

    def expect(self, plan: Plan) -> None:
        """Ignore a plan."""

    def watch(self, metric: str, mode: str, who: str) -> None:
        """Ignore a metric."""

    def expect_validation(self, every_epochs: int | None) -> None:
        """Ignore an interval of validation."""

    def expect_no_epochs(self) -> None:
        """Ignore that training goes by steps alone."""

    def explain_missing(self, metrics: Collection[str], why: str, remedy: str) -> None:
        """Ignore missing metrics."""

    def keep_checkpoints(self, metric: str, kept: Checkpoints) -> None:
        """Ignore checkpoint files."""

    def note(self, metrics: Mapping[str, Any] | None, counts: Mapping[str, Any], *, by_framework: bool = False) -> None:
        """Ignore metrics and counts."""

    def has_counted(self, name: str) -> bool:  # noqa: ARG002  as of a run
        """Return that nothing was counted."""
        return False

    def phase(self, name: str) -> str:
        """Return the phase itself, as there is none before it."""
        return checked_phase(name)

    def check_budgets(self) -> bool:
        """Return that nothing is to stop."""
        return False

    def use(self, rates: Rates) -> None:
        """Ignore learning rates."""

    def land_to(self, step: int, *, is_by_batch: bool = False) -> bool:  # noqa: ARG002  as of a run
        """Return that nothing is to stop."""
        return False

    def count_steps(self, steps: int) -> bool:  # noqa: ARG002  as of a run
        """Return that no part of an epoch is due to end."""
        return False

    def end_part(self) -> EpochRecord:
        """Return a record in which nothing was measured."""
        return unmeasured(self._clock, is_told=not self._has_started)

    def end(self, *, complete: bool | None = None) -> EpochRecord:  # noqa: ARG002  as of a run
        """Return a record in which nothing was measured."""
        return unmeasured(self._clock, is_told=not self._has_started)
