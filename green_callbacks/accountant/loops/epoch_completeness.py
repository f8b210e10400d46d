"""Whether an epoch was whole, by the traces that a loop has left of it."""

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
"""An epoch that was left after a smaller share of the shortest whole one was not whole."""
_BRIEF_SECONDS: Final = 1e-3
"""In a first epoch that was left sooner, in s, nothing was done."""


@dataclass(slots=True)
class Traces:
    """What a loop has left of an epoch, by which to tell whether it was whole.

    Attributes:
        seconds: When it began, by the clock of the run, in s; or how long it took.
        observed: How often something was observed.
        metrics: The metrics that were.
        steps: How many batches were gone through.
        is_in_steps: Whether a loop over batches has more of them; None if there was none.
        askers: Where a loop over epochs asked for it; None if none did, or an exception broke it off.
    """

    seconds: float = 0.0
    observed: int = 0
    metrics: Collection[str] = ()
    steps: int = 0
    is_in_steps: bool | None = None
    askers: Mapping[CodeType, int] | None = None

    def is_whole(self, least: "Traces | None") -> bool | None:
        """Tell whether these are the traces of a whole epoch; None where nothing tells.

        Args:
            least: What every whole epoch before has left at least; None if there was none.
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
        """Return what this epoch and those before have left at least."""
        if before is None:
            return self
        return Traces(
            min(self.seconds, before.seconds),
            min(self.observed, before.observed),
            set(self.metrics) & set(before.metrics),
            min(self.steps, before.steps),
        )


class Wholeness:
    """Keeps the traces of the epoch at hand, and what whole ones have left.

    Args:
        clock: The time.
        notices: What says that nothing tells whether an epoch was whole.
        history: All records of the run, those of earlier processes included.
    """

    def __init__(self, clock: Clock, notices: Notices, history: History) -> None:
        self.traces = Traces()
        """Those of the epoch at hand."""
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
        """Take the epoch at hand for a whole one.

        Args:
            metrics: The metrics of what is left of it.
        """
        self._least = self.gather(metrics).least_with(self._least)

    def is_left(self) -> bool:
        """Tell whether a loop over epochs was left in the epoch at hand."""
        askers = self.traces.askers
        return askers is not None and not is_going_on(askers)

    def is_left_whole(self, epoch: int | None, metrics: Collection[str]) -> bool:
        """Tell whether the loop over epochs was left after the whole of the open epoch, and say what is not certain.

        Args:
            epoch: Its index.
            metrics: The metrics of what is left of it.
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
            logger.info("The loop was left in epoch %s before it was whole: it counts as incomplete.", epoch)
        return is_whole is not False


def _last_of(history: History) -> Traces | None:
    """Return the traces of the last whole epoch of an earlier process, as far as its last record tells."""
    row = next(reversed(history.epoch_rows), None)
    if row is None:
        return None
    record = history[row]
    return Traces(record.duration_seconds, int(bool(record.metrics)), frozenset(record.metrics))
