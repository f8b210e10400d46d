"""The length and the cost of a landing, from the records of its run."""

from collections.abc import Sequence
from dataclasses import dataclass

from green_callbacks.records import History, Landing, LandingTotals


def landing_totals(history: History, landing: Landing) -> LandingTotals:
    """Sum the records from the beginning of a landing to the last epoch.

    Everything counts that was spent meanwhile, also epochs that were repeated after a resume. What follows the last
    epoch does not count, for example a final test.

    Args:
        history: All records of the run.
        landing: The landing, which began in the present fit.

    Returns:
        The totals.

    Example:
        >>> from green_callbacks import EpochRecord
        >>> records = [EpochRecord.scripted(epoch=at, emissions_kg=0.1, step=10 * (at + 1)) for at in range(10)]
        >>> landing = Landing(first_step=80, steps=20, epoch=7, last_epoch=9)
        >>> spent = landing_totals(History(records), landing)
        >>> spent.epochs, spent.steps, round(spent.emissions_kg, 3), spent.is_over
        (2, 20, 0.2, True)
    """
    part = _Part.of(history, landing)
    is_measured = history.energy_joules is not None
    last_epoch = history.epoch_at(part.end) if part.end >= 0 else None
    is_last = landing.last_epoch is not None and last_epoch is not None and last_epoch >= landing.last_epoch
    step = landing.begun + part.steps
    return LandingTotals(
        landing=landing,
        epochs=part.epochs(history),
        steps=part.steps,
        facility_kwh=part.spent(history.cumulative_kwh) if is_measured else None,
        emissions_kg=part.spent(history.cumulative_kg) if is_measured else None,
        is_over=step >= landing.end or (landing.is_down(step) and is_last and history.is_whole(part.end)),
    )


@dataclass(frozen=True, slots=True)
class _Part:
    """The records of a landing.

    Attributes:
        before: The last record of an epoch before the landing. -1 if there is none.
        first: The first record of an epoch that the landing touches.
        end: The last record of an epoch. -1 if there is none.
        share: Share of the first record that lies before the landing, by steps.
        steps: Optimizer steps of the landing so far.
    """

    before: int
    first: int
    end: int
    share: float
    steps: int

    @classmethod
    def of(cls, history: History, landing: Landing) -> "_Part":
        begun, end, first, before = landing.begun, -1, -1, -1
        for row in range(len(history) - 1, history.fit_row - 1, -1):
            step = history.step_at(row)
            if step is None or history.epoch_at(row) is None:
                continue
            end = max(end, row)
            if step <= begun:
                before = row
                break
            first = row
        last = history.step_at(end) if end >= 0 else None
        if last is None or last <= begun:
            return cls(end, end, end, 0.0, 0)
        start = (history.step_at(before) or 0) if before >= 0 else 0
        length = (history.step_at(first) or 0) - start
        return cls(before, first, end, (begun - start) / length if length > 0 else 0.0, last - begun)

    def spent(self, cumulative: Sequence[float]) -> float:
        """Return the spending of the landing.

        Args:
            cumulative: Spending up to and including each record, in any unit.
        """
        if self.end < 0 or not self.steps:
            return 0.0
        if not self.share:
            return cumulative[self.end] - (cumulative[self.before] if self.before >= 0 else 0.0)
        earlier = cumulative[self.first - 1] if self.first else 0.0
        return cumulative[self.end] - earlier - self.share * (cumulative[self.first] - earlier)

    def epochs(self, history: History) -> int | None:
        """Return the number of epochs of the landing. None if it does not begin and end with epochs."""
        if not self.steps:
            return 0
        begins_whole = not self.share and (self.before < 0 or history.is_whole(self.before))
        if not begins_whole or not history.is_whole(self.end):
            return None
        return sum(self.before < row <= self.end for row in history.epoch_rows)
