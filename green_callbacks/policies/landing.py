"""The length of a landing in steps and epochs.

>>> from green_callbacks.records import EpochRecord, History, Plan
>>> history = History([EpochRecord.scripted(epoch=epoch, step=100 * (epoch + 1)) for epoch in range(30)])
>>> landing = landing_of(history, Plan(epochs=100), 0.2, "Training no longer pays.")
>>> landing.first_step, landing.steps, landing.last_epoch
(3000, 600, 35)
"""

from dataclasses import dataclass
from math import ceil
from typing import Final, Self

from green_callbacks.records import History, Landing, Plan

_ROUNDING: Final = 1e-9
"""Relative error of a share of steps, which must not add an epoch. No unit."""
_LOOKED_BACK: Final = 20
"""Number of records before a fit among which the steps of the fit before it are searched. By experiment."""
_WHOLE_STEPS: Final = 1
"""Largest difference in steps to the end of an epoch, at which a landing ends with the epoch. By convention."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """The place of a decision in a fit.

    Attributes:
        step: Optimizer steps so far, as records count them.
        fit_steps: Optimizer steps of the present fit.
        epoch: Index of the epoch that is open, or has just ended.
        epoch_steps: Optimizer steps of the last whole epoch. None before it.
        rest: Optimizer steps until the open epoch ends. 0 after an epoch.
    """

    step: int
    fit_steps: int
    epoch: int
    epoch_steps: int | None
    rest: int

    @classmethod
    def of(cls, history: History, step: int | None = None, epoch: int | None = None) -> Self | None:
        """Return the place of a decision. None if the steps are unknown.

        Args:
            history: All records so far.
            step: Optimizer steps so far inside an open epoch. Defaults to None, after the last record.
            epoch: Index of the open epoch, if ``step`` is given.
        """
        recorded = history.steps
        now = recorded if step is None else step
        if now is None:
            return None
        before = _steps_before_fit(history, now)
        ends = [end for row in history.last_epochs(2) if (end := history.steps_at(row)) is not None]
        begun = ends[-1] if ends else before
        length = begun - (ends[-2] if len(ends) > 1 else before) if ends else None
        is_open = step is not None or history.open_part(len(history) - 1) is not None
        rest = max((length or 0) - (now - begun), 0) if is_open else 0
        row = len(history) - 1
        while epoch is None and row >= 0:
            epoch, row = history.epoch_at(row), row - 1
        return cls(step=now, fit_steps=now - before, epoch=epoch or 0, epoch_steps=length or None, rest=rest)

    def last_epoch(self, steps: int) -> int | None:
        """Return the epoch in which a landing ends. None if the length of an epoch is unknown."""
        if not self.epoch_steps:
            return None
        return self.epoch + ceil((steps - self.rest) / self.epoch_steps - _ROUNDING)

    def steps_until(self, epoch: int) -> int:
        """Return the steps from here to the end of an epoch."""
        return self.rest + (epoch - self.epoch) * (self.epoch_steps or 0)


def _steps_before_fit(history: History, now: int) -> int:
    """Return the steps at the end of the fit before. 0 if the optimizer began to count again."""
    first = history.fit_row
    rows = range(first - 1, max(first - 1 - _LOOKED_BACK, -1), -1)
    before = next((steps for row in rows if (steps := history.step_at(row)) is not None), 0)
    ends = (history.step_at(row) for row in range(first, min(len(history), first + _LOOKED_BACK)))
    earliest = next((steps for steps in ends if steps is not None), now)
    return before if before < earliest else 0


def landing_of(
    history: History,
    plan: Plan,
    share: float,
    reason: str,
    *,
    rounds_up: bool = True,
    whole_epochs: bool = False,
    position: Position | None = None,
) -> Landing | None:
    """Return the landing that a verdict asks for.

    It ends with an epoch if an epoch is shorter than half of it. So values and costs of whole epochs stay comparable,
    and checkpoints by epoch see the result. A longer epoch is left inside. The landing of a budget is not rounded up.
    No landing ends after the plan, and none before the framework's minimum of epochs or steps.

    Args:
        history: All records so far.
        plan: The plan of the run.
        share: Length of the landing, as a share of the optimizer steps of the fit so far.
        reason: Why training stops at the end, as a sentence.
        rounds_up: Whether the landing may be longer than its share. Defaults to True.
        whole_epochs: Whether the loop can only be left after an epoch. Defaults to False.
        position: The place of the decision. Defaults to the place after the last record.

    Returns:
        The landing. None if the steps are unknown, or if not a single step remains for it.
    """
    at = position or Position.of(history)
    if at is None:
        return None
    steps = max(round(share * at.fit_steps), 1) if rounds_up else int(share * at.fit_steps * (1 + _ROUNDING))
    last = _last_epoch(at, plan, steps, rounds_up=rounds_up, whole_epochs=whole_epochs)
    if last is not None:
        steps = at.steps_until(last)
    if plan.min_steps and at.step + steps < plan.min_steps:
        steps, last = plan.min_steps - at.step, None
    if plan.steps and at.step + steps > plan.steps:
        steps, last = plan.steps - at.step, None
    if steps < 1:
        return None
    return Landing(first_step=at.step, steps=steps, epoch=at.epoch, last_epoch=last, reason=reason)


def _last_epoch(at: Position, plan: Plan, steps: int, *, rounds_up: bool, whole_epochs: bool) -> int | None:
    """Return the epoch with which a landing of some steps ends. None if it ends inside an epoch."""
    last = at.last_epoch(steps)
    if last is None or at.epoch_steps is None:
        return None
    if whole_epochs and not rounds_up and at.steps_until(last) > steps:
        last -= 1  # a budget pays for no more
    is_whole = whole_epochs or (rounds_up and 2 * at.epoch_steps <= steps)
    is_whole |= rounds_up and abs(at.steps_until(last) - steps) <= _WHOLE_STEPS
    if plan.min_epochs and last + 1 < plan.min_epochs:
        return plan.min_epochs - 1
    if plan.epochs and last + 1 > plan.epochs:
        return plan.epochs - 1
    return last if is_whole else None


def over_words(landing: Landing, history: History) -> str:
    """Return the length of a landing in words, e.g. ``over the next 6 epochs``.

    Args:
        landing: The landing.
        history: All records so far.
    """
    if landing.last_epoch is not None:
        epochs = max(landing.last_epoch - landing.epoch, 1)
        if history.open_part(len(history) - 1) is None:
            return "over the next epoch" if epochs == 1 else f"over the next {epochs} epochs"
        return f"until the end of epoch {landing.last_epoch}"
    return "over the next step" if landing.steps == 1 else f"over the next {landing.steps} steps"


def would_land(history: History, plan: Plan, share: float) -> str:
    """Return where a landing would begin and end, as a clause, for a rule that only reports.

    Args:
        history: All records so far.
        plan: The plan of the run.
        share: Length of the landing, as a share of the optimizer steps of the fit so far.
    """
    landing = landing_of(history, plan, share, "")
    if landing is None:
        return f"It would land here, and stop after {100 * share:.0f} % more of the steps so far"
    begin = f"It would land after epoch {landing.epoch}"
    if landing.last_epoch is not None:
        return f"{begin}, and stop after epoch {landing.last_epoch}"
    return f"{begin}, and stop {landing.steps} steps later"
