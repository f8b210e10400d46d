"""The optimizer steps at which an interval begins, so that its own steps are known."""

from dataclasses import dataclass
from typing import Final

from green_callbacks.accountant.energy.observations import MAX_COUNT, Observations
from green_callbacks.accountant.notices import Notices
from green_callbacks.records import History

_SAME_STEP: Final = (
    "observe(step=…) gave %d at the end of two epochs, so the energy of a step is not known. Pass the optimizer steps "
    "since the beginning of the training, or take the batches from accountant.steps(…)."
)
_FROM_ZERO: Final = (
    "observe(step=…) began with 0, so the last step of the epoch may be missing, and the energy of a step is not known "
    "there. Pass the optimizer steps that are done, which are 1 after the first step."
)
_FELL_BACK: Final = (
    "observe(step=…) fell back to fewer steps, so the energy of a step is not known in that epoch. Pass the optimizer "
    "steps since the beginning of the training. accountant.steps(…) counts each batch as a step. Where a step takes "
    "several batches, loop over the batches without it."
)


@dataclass(slots=True)
class StepsDone:
    """Tells each interval with how many optimizer steps it begins, where that is certain.

    Args:
        history: All records of the run, including the records of earlier processes.
        notices: Receives a warning about steps that cannot be counted.
        is_own_loop: Whether the user's own loop reports the steps. Frameworks count without fault.
        resumed_step: Optimizer steps in the checkpoint that this process continues. None if unknown.
        epoch: Index of the last epoch of this process. Defaults to None, before the first.
        step: Optimizer steps at the end of the last epoch. Defaults to None, if unknown.
    """

    history: History
    notices: Notices
    is_own_loop: bool
    resumed_step: int | None
    epoch: int | None = None
    step: int | None = None

    def begin(self, observations: Observations, epoch: int, step: float | None) -> None:
        """Begin an epoch.

        Args:
            observations: The observations of the epoch, which are empty.
            epoch: Index of the epoch.
            step: Optimizer steps so far, as the caller knows them. None if it does not.
        """
        if step is not None and 0 <= step <= MAX_COUNT:
            observations.first_step = int(step)
        else:
            self._guess(observations, epoch)

    def _guess(self, observations: Observations, epoch: int) -> None:
        """Find the step of the beginning. A loop may have begun again, or at a step that this process has not seen."""
        if self.epoch is not None:
            goes_on = epoch > self.epoch
            observations.first_step = self.step if goes_on else None
            observations.likely_steps = () if goes_on else (0,) if self.step is None else (0, self.step)
        elif epoch == 0 and not self.history.recorded_rows:
            observations.first_step = 0
        else:
            observations.likely_steps = (0, self.history.steps or 0, self.resumed_step or 0)

    def end_part(self, before: Observations, after: Observations) -> None:
        """Begin another part of the epoch. A count covers the time since the count before it.

        Args:
            before: The observations of the part that has ended.
            after: The observations of the next part.
        """
        is_seen = before.step is not None
        after.first_step = before.step if is_seen else before.first_step
        after.likely_steps = () if is_seen else before.likely_steps

    def doubt(self, observations: Observations) -> None:
        """Forget steps that may be wrong, and say so, before an interval is recorded.

        Args:
            observations: The observations of the interval.
        """
        if not self.is_own_loop:
            return
        if observations.may_lack_last_step:
            self.notices.say("step from zero", _FROM_ZERO)
            observations.first_step = None
        elif observations.has_fallen and observations.steps is None:
            self.notices.say("step fell", _FELL_BACK)

    def end(self, observations: Observations, epoch: int | None, *, is_whole: bool) -> None:
        """End an epoch, before it is recorded.

        Args:
            observations: Its observations.
            epoch: Its index.
            is_whole: Whether it ran to its end.
        """
        self.doubt(observations)
        if self.is_own_loop and is_whole and observations.step and observations.steps == 0:
            self.notices.say("same step", _SAME_STEP, observations.step)
            observations.first_step = None
        self.epoch, self.step = epoch, observations.step
