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

_MOST_READINGS: Final = 256
"""Number of readings that are kept to know the highest. It exceeds any number of threads that read at once."""
_DROPPED: Final = 32
"""Number of readings that are dropped together, which is cheaper than one by one."""


class _OpenMeter:
    """A meter while its source is open, without a lock.

    A signal handler may interrupt a reading at any instruction and read itself, so no lock may be held. Each answer
    replaces the state as a whole. Two simultaneous answers lose a sample in between, but no energy.

    Args:
        metered: The meter as of its first answer.
    """

    def __init__(self, metered: Metered) -> None:
        self.metered = metered
        self._returned = [0.0]

    @property
    def returned_joules(self) -> float:
        """The largest energy that was returned so far, in J."""
        return max(self._returned)

    def note(self, joules: float) -> float:
        """Note a reading, and return it in J, or the largest earlier reading if that is more."""
        highest = max(joules, self.returned_joules)
        self._returned.append(highest)
        if len(self._returned) > _MOST_READINGS:
            del self._returned[:_DROPPED]  # the largest readings are at the end
        return highest


class CallableSource(LiveSource[_OpenMeter]):
    """A meter of the user's own, as a function that returns watts or joules.

    The function is called once when the source opens, and then every ``poll_seconds`` on the worker. So training never
    waits for it. Between two calls the last power is held, and the bounds of a reading show the possible error. After
    three polls without an answer, the time is a gap.

    Watts are integrated by trapezoids over the times of the answers. Take a shorter ``poll_seconds``, down to 0.1, for
    a fast meter and a load that varies. Joules are a cumulative counter, whose fall is a reset.

    A counter that stands still is a gap, unless it turns out to have gone on. It may stand still for three polls, 1 s,
    or two refreshes, whichever is longest. The same watts again and again may be a steady load. They are a gap only if
    ``refresh_seconds`` says how often the meter has a new value. With ``refresh_seconds``, the bounds of a reading also
    cover the age of the answer.

    An answer may be a number of Python, ``decimal``, NumPy or PyTorch. Anything else, a negative number, and a power
    above ``max_watts`` count as no answer.

    Args:
        read: Function that returns the present power in W, or the energy so far in J. It may be slow, and may raise
            anything.
        unit: ``"watts"`` or ``"joules"``. Defaults to ``"watts"``.
        name: Name of the device. Defaults to ``"platform"``.
        component: The metered component. All devices are added up, and a wall meter includes GPUs and CPUs. Defaults to
            ``"platform"``.
        tolerance: Relative tolerance of the meter, e.g. 0.02 for ±2 %. Defaults to 0.
        poll_seconds: Interval between two calls, in s. Defaults to 1.
        refresh_seconds: Interval at which the meter has a new value, in s, e.g. 60 for many smart plugs. Defaults to
            None, for not known.
        max_watts: Largest power that the meter can measure, in W, e.g. 3,680 for a plug of 16 A at 230 V. A counter
            that rises faster is a gap. Defaults to None, for not known.
        clock: The clock. Defaults to the machine's.

    Raises:
        ConfigurationError: ``read`` is no function, the unit is unknown, or another option is impossible.

    Example:
        >>> source = CallableSource(lambda: 250.0, name="plug", max_watts=3680)
        >>> source.open()
        >>> reading = source.read()["plug"]
        >>> reading.component, reading.method
        ('platform', 'sampled')
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
        self._limits = _checked_limits(unit, poll_seconds, refresh_seconds, max_watts)
        self.poll_seconds = self._limits.poll_seconds
        if not callable(read):
            msg = f"read must be a function that returns {unit}, not {described(read)}."
            raise ConfigurationError(msg)
        self._read = read
        self._name = checked_name(name, "name")
        self._component = checked_name(component, "component")
        self._tolerance = checked_at_least_zero(tolerance, "tolerance")
        self._clock = clock

    def _begin(self) -> _OpenMeter:
        answer = self._ask()
        if isinstance(answer, str):
            msg = f"The meter {self._name!r} gives no {self._limits.unit} ({answer}). Check the function that reads it."
            raise SourceUnavailableError(msg)
        return _OpenMeter(Metered.begin(self._limits, answer, self._clock.monotonic()))

    def poll(self) -> None:
        """Ask the meter, and count the energy since its last answer."""
        session = self._live
        if session is None:
            return
        answer = self._ask()
        metered = session.metered
        if isinstance(answer, str):
            session.metered = metered.lost(answer)
        else:
            session.metered = metered.taken(answer, self._clock.monotonic(), session.returned_joules)
        if self._live is session:  # the source may have been closed meanwhile
            self._warn_of_loss(self._name, session.metered.account.reason)

    def read(self) -> Mapping[str, Reading]:
        """Return the energy so far, without asking the meter and without a lock.

        Returns:
            The one device. Empty while the source is closed.
        """
        session = self._live
        if session is None:
            return {}
        while True:
            metered = session.metered
            reading = self._reading(metered, session)
            # An answer that came meanwhile did not know of this reading.
            if metered is session.metered:
                return {self._name: reading}

    def _reading(self, metered: Metered, session: _OpenMeter) -> Reading:
        limits, account, now = metered.limits, metered.account, self._clock.monotonic()
        unheard_seconds = now - metered.heard_at
        if account.reason is None and unheard_seconds > limits.hold_seconds:
            account = account.lose(f"no answer for {unheard_seconds:.0f} s")
        answers = account.reason is None
        held_joules = metered.watts * metered.held_seconds_at(now) if answers else 0.0
        known_joules = account.joules or 0.0
        returned_joules = session.note(known_joules + held_joules)
        stale_seconds = limits.stale_seconds if answers else 0.0
        overstated_joules = metered.watts * stale_seconds if limits.unit == "watts" else 0.0
        return Reading(
            joules=returned_joules,
            component=self._component,
            method="sampled" if limits.unit == "watts" else "counter",
            below_joules=min(returned_joules, returned_joules - known_joules + overstated_joules),
            above_joules=held_joules + metered.top_watts * stale_seconds,
            tolerance=self._tolerance,
            gap_seconds=account.gap_seconds_at(now),
            flags=(*account.flags, FROZEN) if metered.is_still and FROZEN not in account.flags else account.flags,
            reason=account.reason,
        )

    def read_settled(self) -> Mapping[str, Reading]:
        """Ask the meter now, and return its answer.

        Returns:
            Readings as from :meth:`read`.
        """
        self.poll()
        return self.read()

    def _ask(self) -> float | str:
        """Return the meter's answer, or the reason why there is none."""
        try:
            answer = self._read()
        # The exceptions of a driver, a serial port or a web client cannot be known here, and none may end a training
        # run. The reason is logged, and stands in the reading.
        except Exception as error:  # noqa: BLE001
            return f"{type(error).__name__}: {error}"
        try:
            number = finite_number(answer)
        except ValueError as error:
            return f"its answer is not valid ({error})"
        if number < 0:
            return f"it answered {number:g}, which is below 0"
        limit_watts = self._limits.max_watts
        if self._limits.unit == "watts" and limit_watts is not None and number > limit_watts:
            return f"it answered {number:g} W, above max_watts={limit_watts:g}"
        return number


def _checked_limits(
    unit: Unit, poll_seconds: float, refresh_seconds: float | None, max_watts: float | None
) -> MeterLimits:
    if unit not in get_args(Unit):
        msg = f"unit must be 'watts' or 'joules', not {described(unit)}."
        raise ConfigurationError(msg)
    return MeterLimits(
        unit=unit,
        poll_seconds=_above_zero(poll_seconds, "poll_seconds"),
        refresh_seconds=None if refresh_seconds is None else _above_zero(refresh_seconds, "refresh_seconds"),
        max_watts=None if max_watts is None else _above_zero(max_watts, "max_watts"),
    )


def _above_zero(value: float, what: str) -> float:
    number = checked_at_least_zero(value, what)
    if number == 0:
        msg = f"{what} must be above 0, not {value!r}."
        raise ConfigurationError(msg)
    return number
