"""A meter of the user's own, as a function that returns watts or joules."""

from collections.abc import Callable, Mapping
from typing import Final, get_args

from green_callbacks.clock import Clock
from green_callbacks.errors import ConfigurationError, SourceUnavailableError
from green_callbacks.records import Reading
from green_callbacks.sources.common.device import SYSTEM_CLOCK, LiveSource, checked_at_least_zero
from green_callbacks.sources.common.energy_counter import FROZEN
from green_callbacks.sources.common.option_checks import checked_name
from green_callbacks.sources.common.user_meter import Metered, MeterLimits, Unit
from green_callbacks.units import described, finite_number

_MOST_TOLD: Final = 256
"""How many readings are kept at most, to know the highest; any number above that of the threads that read at once."""
_DROPPED: Final = 32


class _Session:
    """A meter while its source is open, without a lock.

    A signal handler may interrupt a reading at any instruction and read itself, so nothing here may be held. Whoever
    takes an answer replaces the state as a whole. Two who do so at once lose a sample in between, and no energy.

    Args:
        metered: The meter as of its first answer.
    """

    def __init__(self, metered: Metered) -> None:
        self.metered = metered
        self._told = [0.0]

    @property
    def told_joules(self) -> float:
        """The most that was told so far, in J."""
        return max(self._told)

    def tell(self, joules: float) -> float:
        """Note what is told, and return that or, if it is more, the most that was told so far, in J."""
        highest = max(joules, self.told_joules)
        self._told.append(highest)
        if len(self._told) > _MOST_TOLD:
            del self._told[:_DROPPED]  # the highest are at the end
        return highest


class CallableSource(LiveSource[_Session]):
    """A meter of the user's own: a function that returns watts or joules.

    The function is only ever called where waiting harms nobody: once when the source is opened, then on the worker,
    every ``poll_seconds``. In between the last power is held, and a reading says by how much that may be off; after
    three polls without an answer the time counts as a gap instead. Watts are integrated with trapezoids over the real
    times of the answers; take a shorter ``poll_seconds``, down to 0.1, for a meter that is fast and a load that is
    not steady. Joules are a cumulative counter; one that falls was reset.

    A counter that stands still for three polls, 1 s, or two refreshes, whichever is longest, is not taken to use
    nothing: the time is a gap, which closes if the counter turns out to have gone on. A steady load may well answer the
    same watts again and again. So watts that stand still are a gap only where ``refresh_seconds`` says how often the
    meter has a new value. Then a reading also says by how much an answer of that age may be off.

    A number may be of any kind: Python's, ``decimal``'s, NumPy's or PyTorch's. Anything else, a negative number, and a
    power above ``max_watts`` are no answer.

    Args:
        read: Returns the present power in W, or the energy so far in J. May be slow, and may raise whatever it likes.
        unit: Which of the two.
        name: Name of the device.
        component: What is metered. Mind that everything is added up: a wall meter includes GPUs and CPUs.
        tolerance: Relative error of the meter, e.g. 0.02 for ±2 %.
        poll_seconds: Time between two calls, in s.
        refresh_seconds: How often the meter itself has a new value, in s, e.g. 60 for many smart plugs. Defaults to
            None: not known.
        max_watts: The largest power that the meter can see, in W, e.g. 3,680 for a plug of 16 A at 230 V. A rise of a
            counter above it is a gap and no energy. Defaults to None: not known.
        clock: The time.

    Raises:
        ConfigurationError: No function, an unknown unit, or a tolerance, interval or power that cannot be.
    """

    is_instant = True

    def __init__(
        self,
        read: Callable[[], object],
        *,
        unit: Unit = "watts",
        name: str = "platform",
        component: str = "platform",
        tolerance: float = 0.0,
        poll_seconds: float = 1.0,
        refresh_seconds: float | None = None,
        max_watts: float | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        super().__init__()
        if unit not in get_args(Unit):
            msg = f"unit must be 'watts' or 'joules', not {described(unit)}."
            raise ConfigurationError(msg)
        self.poll_seconds = _above_zero(poll_seconds, "poll_seconds")
        self._limits = MeterLimits(
            unit=unit,
            poll_seconds=self.poll_seconds,
            refresh_seconds=None if refresh_seconds is None else _above_zero(refresh_seconds, "refresh_seconds"),
            max_watts=None if max_watts is None else _above_zero(max_watts, "max_watts"),
        )
        if not callable(read):
            msg = f"read must be a function that returns {unit}, not {described(read)}."
            raise ConfigurationError(msg)
        self._read = read
        self._name = checked_name(name, "name")
        self._component = checked_name(component, "component")
        self._tolerance = checked_at_least_zero(tolerance, "tolerance")
        self._clock = clock

    def _begin(self) -> _Session:
        answer = self._ask()
        if isinstance(answer, str):
            msg = f"The meter {self._name!r} gives no {self._limits.unit}: {answer}; check the function that reads it."
            raise SourceUnavailableError(msg)
        return _Session(Metered.begin(self._limits, answer, self._clock.monotonic()))

    def poll(self) -> None:
        """Ask the meter, and count what was used since it last answered."""
        session = self._live
        if session is None:
            return
        answer = self._ask()
        metered = session.metered
        if isinstance(answer, str):
            session.metered = metered.lost(answer)
        else:
            session.metered = metered.taken(answer, self._clock.monotonic(), session.told_joules)
        if self._live is session:  # it may have been closed meanwhile
            self._warn_of_loss(self._name, session.metered.account.reason)

    def read(self) -> Mapping[str, Reading]:
        """Return what is known of the meter, without asking it and without a lock.

        Returns:
            The one device; nothing while the source is closed.
        """
        session = self._live
        if session is None:
            return {}
        while True:
            metered = session.metered
            reading = self._reading(metered, session)
            # An answer that came meanwhile was taken without knowing what this reading tells.
            if metered is session.metered:
                return {self._name: reading}

    def _reading(self, metered: Metered, session: _Session) -> Reading:
        limits, account, now = metered.limits, metered.account, self._clock.monotonic()
        unheard_seconds = now - metered.heard_at
        if account.reason is None and unheard_seconds > limits.hold_seconds:
            account = account.lose(f"no answer for {unheard_seconds:.0f} s")
        answers = account.reason is None
        held_joules = metered.watts * metered.held_seconds_at(now) if answers else 0.0
        known_joules = account.joules or 0.0
        told_joules = session.tell(known_joules + held_joules)
        stale_seconds = limits.stale_seconds if answers else 0.0
        overstated_joules = metered.watts * stale_seconds if limits.unit == "watts" else 0.0
        return Reading(
            joules=told_joules,
            component=self._component,
            method="sampled" if limits.unit == "watts" else "counter",
            below_joules=min(told_joules, told_joules - known_joules + overstated_joules),
            above_joules=held_joules + metered.top_watts * stale_seconds,
            tolerance=self._tolerance,
            gap_seconds=account.gap_seconds_at(now),
            flags=(*account.flags, FROZEN) if metered.is_still and FROZEN not in account.flags else account.flags,
            reason=account.reason,
        )

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
            answer = self._read()
        # Foreign code: which exceptions a driver, a serial port or a web client raises cannot be known here, and
        # none of them may end a training run. Nothing is hidden: the reason is logged and stands in the reading.
        except Exception as error:  # noqa: BLE001
            return f"{type(error).__name__}: {error}"
        try:
            number = finite_number(answer)
        except ValueError as error:
            return f"it answered what it should not: {error}"
        if number < 0:
            return f"it answered {number:g}, which is below 0"
        limit_watts = self._limits.max_watts
        if self._limits.unit == "watts" and limit_watts is not None and number > limit_watts:
            return f"it answered {number:g} W, above max_watts={limit_watts:g}"
        return number


def _above_zero(value: float, what: str) -> float:
    number = checked_at_least_zero(value, what)
    if number == 0:
        msg = f"{what} must be above 0, not {value!r}."
        raise ConfigurationError(msg)
    return number
