"""A meter of the user's own, as a function that returns watts or joules."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import isfinite
from typing import Final, Literal, get_args

from green_callbacks.clock import Clock
from green_callbacks.errors import ConfigurationError, SourceUnavailableError
from green_callbacks.records import Reading
from green_callbacks.sources._device import SYSTEM_CLOCK, Account, LiveSource, checked_at_least_zero

Unit = Literal["watts", "joules"]

_MISSED_SAMPLES: Final = 3
"""After how many polls without an answer the last power no longer speaks for the present."""


@dataclass(frozen=True, slots=True)
class _Meter:
    """A meter as of its last answer: what it said, the power then, and what was last told of it."""

    account: Account
    answer: float
    watts: float = 0.0
    told_joules: float = 0.0


class CallableSource(LiveSource[_Meter]):
    """A meter of the user's own: a function that returns watts or joules.

    The function is only ever called where waiting harms nobody: once when the source is opened, then on the worker,
    every ``poll_seconds``. In between the last power is held, and a reading says by how much that may be off; after
    three polls without an answer the time counts as a gap instead. Watts are integrated with trapezoids over the real
    times of the answers; take a shorter ``poll_seconds``, down to 0.1, for a meter that is fast and a load that is
    not steady. Joules are a cumulative counter; one that falls was reset.

    Args:
        read: Returns the present power in W, or the energy so far in J. May be slow, and may raise whatever it likes.
        unit: Which of the two.
        name: Name of the device.
        component: What is metered. Mind that everything is added up: a wall meter includes GPUs and CPUs.
        tolerance: Relative error of the meter, e.g. 0.02 for ±2 %.
        poll_seconds: Time between two calls, in s.
        clock: The time.

    Raises:
        ConfigurationError: An unknown unit, or a tolerance or interval that cannot be.
    """

    def __init__(
        self,
        read: Callable[[], float],
        *,
        unit: Unit = "watts",
        name: str = "platform",
        component: str = "platform",
        tolerance: float = 0.0,
        poll_seconds: float = 1.0,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        super().__init__()
        if unit not in get_args(Unit):
            msg = f"unit must be 'watts' or 'joules', not {unit!r}."
            raise ConfigurationError(msg)
        if not poll_seconds > 0:
            msg = f"poll_seconds must be above 0, not {poll_seconds!r}."
            raise ConfigurationError(msg)
        self.poll_seconds = self._interval_seconds = checked_at_least_zero(poll_seconds, "poll_seconds")
        self._read = read
        self._unit: Unit = unit
        self._name = name
        self._component = component
        self._tolerance = checked_at_least_zero(tolerance, "tolerance")
        self._clock = clock
        self._hold_seconds = _MISSED_SAMPLES * poll_seconds

    def _begin(self) -> _Meter:
        answer = self._ask()
        if isinstance(answer, str):
            msg = f"The meter {self._name!r} gives no {self._unit}: {answer}; check the function that reads it."
            raise SourceUnavailableError(msg)
        watts = answer if self._unit == "watts" else 0.0
        return _Meter(Account(self._clock.monotonic(), joules=0.0), answer, watts)

    def poll(self) -> None:
        """Ask the meter, and count what was used since it last answered."""
        if self._live is None:
            return
        # The meter may take its time: the lock, for which the training thread waits, is not held meanwhile.
        answer = self._ask()
        with self._lock:
            meter = self._live
            if meter is None:
                return
            if isinstance(answer, str):
                self._warn_of_loss(self._name, answer)
                self._live = replace(meter, account=meter.account.lose(answer))
            else:
                self._live = self._counted(meter, answer, self._clock.monotonic())

    def read(self) -> Mapping[str, Reading]:
        """Return what is known of the meter, without asking it.

        Returns:
            The one device; nothing while the source is closed.
        """
        with self._lock:
            meter = self._live
            if meter is None:
                return {}
            now = self._clock.monotonic()
            account = meter.account
            held_seconds = now - account.answered_at
            if account.reason is None and held_seconds > self._hold_seconds:
                account = account.lose(f"no answer for {held_seconds:.0f} s")
            held_joules = meter.watts * held_seconds if account.reason is None else 0.0
            known_joules = account.joules or 0.0
            told_joules = max(meter.told_joules, known_joules + held_joules)
            self._live = replace(meter, told_joules=told_joules)
        reading = Reading(
            joules=told_joules,
            component=self._component,
            method="sampled" if self._unit == "watts" else "counter",
            below_joules=told_joules - known_joules,
            above_joules=held_joules,
            tolerance=self._tolerance,
            gap_seconds=account.gap_seconds_at(now),
            flags=account.flags,
            reason=account.reason,
        )
        return {self._name: reading}

    def read_settled(self) -> Mapping[str, Reading]:
        """Ask the meter now, and return what it says.

        Returns:
            As :meth:`read`.
        """
        self.poll()
        return self.read()

    def _ask(self) -> float | str:
        """Return the answer of the meter, or why there is none."""
        try:
            answer = float(self._read())
        # Foreign code: which exceptions a driver, a serial port or a web client raises cannot be known here, and
        # none of them may end a training run. Nothing is hidden: the reason is logged and stands in the reading.
        except Exception as error:  # noqa: BLE001
            return f"{type(error).__name__}: {error}"
        return answer if isfinite(answer) and answer >= 0 else f"it answered {answer}"

    def _counted(self, meter: _Meter, answer: float, now: float) -> _Meter:
        account = meter.account
        elapsed_seconds = now - account.answered_at
        if self._unit == "watts":
            joules = (meter.watts + answer) / 2 * elapsed_seconds
            watts = answer
            unseen = elapsed_seconds > self._hold_seconds
            account = self._after_gap(meter, now) if unseen else account.add(joules, now)
        elif answer < meter.answer:
            watts = 0.0
            account = self._after_gap(meter, now, "reset")
        else:
            joules = answer - meter.answer
            # Over a shorter time the steps of a coarse counter would look like a power.
            steady = elapsed_seconds >= self._interval_seconds / 2
            watts = joules / elapsed_seconds if steady else meter.watts
            account = account.add(joules, now)
        return replace(meter, account=account, answer=answer, watts=watts)

    @staticmethod
    def _after_gap(meter: _Meter, now: float, *flags: str) -> Account:
        """Begin anew after a gap; what was told of its beginning, by holding the last power, stands."""
        account = meter.account
        return replace(account, joules=max(account.joules or 0.0, meter.told_joules)).skip(now, *flags)
