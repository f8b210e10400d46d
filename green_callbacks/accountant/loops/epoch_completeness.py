"""Whether an epoch was complete, by the traces that its loop has left."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from types import CodeType
from typing import Final

from green_callbacks.accountant.loops.loop_exit import is_going_on
from green_callbacks.accountant.notices import Notices
from green_callbacks.clock import Clock
from green_callbacks.records import History
from green_callbacks.text.log import get_logger

logger = get_logger(__name__)

_BRIEF_SHARE: Final = 0.5
"""Share of the shortest complete epoch, below which a left epoch is incomplete."""
_BRIEF_SECONDS: Final = 1e-3
"""Duration of a first epoch, in s, below which nothing was done in it."""


@dataclass(slots=True)
class Traces:
    """Traces of an epoch, which show whether it was complete.

    Attributes:
        seconds: Beginning of the open epoch by the clock of the run, or duration of an ended epoch, in s.
        observed: Number of calls that observed metrics.
        metrics: The observed metrics.
        steps: Number of batches.
        is_in_steps: Whether a loop over batches has more of them, or None if there was none.
        askers: Instructions of the loop that asked for the epoch. None without a loop, or after an exception.
    """

    seconds: float = 0.0
    observed: int = 0
    metrics: Collection[str] = ()
    steps: int = 0
    is_in_steps: bool | None = None
    askers: Mapping[CodeType, int] | None = None

    def is_whole(self, least: "Traces | None") -> bool | None:
        """Return whether the epoch was complete, or None if nothing shows it.

        Args:
            least: The least traces of all complete epochs before, or None if there was none.
        """
        if self.is_in_steps is not None:
            return not self.is_in_steps or (least is not None and 0 < least.steps <= self.steps)
        if least is not None and (self.observed < least.observed or not set(least.metrics) <= set(self.metrics)):
            return False
        if self.metrics:
            return True
        if least is None:
            return False if self.seconds < _BRIEF_SECONDS else None
        return self.seconds >= _BRIEF_SHARE * least.seconds

    def least_with(self, before: "Traces | None") -> "Traces":
        """Return the least traces of this epoch and of the epochs before."""
        if before is None:
            return self
        return Traces(
            min(self.seconds, before.seconds),
            min(self.observed, before.observed),
            set(self.metrics) & set(before.metrics),
            min(self.steps, before.steps),
        )


class EpochCompleteness:
    """Keeps the traces of the open epoch, and the least traces of complete epochs.

    Args:
        clock: The clock of the run.
        notices: Receives a warning if nothing shows whether an epoch was complete.
        history: All records of the run, including the records of earlier processes.
    """

    def __init__(self, clock: Clock, notices: Notices, history: History) -> None:
        self.traces = Traces()
        """The traces of the open epoch."""
        self._least: Traces | None = None
        self._clock = clock
        self._notices = notices
        self._history = history

    def begin(self) -> None:
        """Begin an epoch."""
        self.traces = Traces(self._clock.monotonic())

    def gather(self, metrics: Collection[str]) -> Traces:
        """Add the metrics of the epoch or a part of it, and return its traces up to now.

        Args:
            metrics: Their keys.
        """
        self.traces.metrics = {*self.traces.metrics, *metrics}
        return replace(self.traces, seconds=self._clock.monotonic() - self.traces.seconds)

    def learn(self, metrics: Collection[str]) -> None:
        """Note that the open epoch was complete.

        Args:
            metrics: The metrics since its last part.
        """
        self._least = self.gather(metrics).least_with(self._least)

    def is_left(self) -> bool:
        """Return whether a loop over epochs was left in the open epoch."""
        askers = self.traces.askers
        return askers is not None and not is_going_on(askers)

    def is_left_whole(self, epoch: int | None, metrics: Collection[str]) -> bool:
        """Return whether the open epoch of a left loop counts as complete. Warn if nothing shows it.

        Args:
            epoch: Its index.
            metrics: The metrics since its last part.
        """
        is_whole = self.gather(metrics).is_whole(self._least or _last_of(self._history))
        if is_whole is None:
            self._notices.say(
                "left",
                "The loop was left in epoch %s, which counts as whole. If it was not, call "
                "accountant.end_epoch(complete=False) before the break.",
                epoch,
            )
        elif not is_whole:
            logger.info("The loop was left in epoch %s before its end, so the epoch counts as incomplete.", epoch)
        return is_whole is not False


def _last_of(history: History) -> Traces | None:
    """Return the traces of the last complete epoch of an earlier process, from its last record."""
    row = next(reversed(history.epoch_rows), None)
    if row is None:
        return None
    record = history[row]
    return Traces(record.duration_seconds, int(bool(record.metrics)), frozenset(record.metrics))
