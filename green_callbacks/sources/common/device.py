"""A base class for sources with live state, a lock that survives a fork, and the account of one device."""

import threading
from abc import abstractmethod
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Final, Generic, Self, TypeVar

from green_callbacks.clock import Clock, SystemClock
from green_callbacks.errors import ConfigurationError
from green_callbacks.process import process_id
from green_callbacks.sources.base import EnergySource
from green_callbacks.text.log import get_logger
from green_callbacks.units import comma_remedy, described, finite_number

SYSTEM_CLOCK: Final[Clock] = SystemClock()

logger = get_logger(__name__)

Live = TypeVar("Live")


class ForkSafeLock:
    """A lock that a forked child always finds free, and that copies as a new one.

    The worker may hold the lock at the moment of a fork. In the child nobody would ever release it.
    """

    def __init__(self) -> None:
        self._renew()

    def _renew(self) -> None:
        self._lock = threading.Lock()
        self._process = process_id()

    def __enter__(self) -> Self:
        if self._process != process_id():
            self._renew()
        self._lock.acquire()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._lock.release()

    def __reduce__(self) -> tuple[type[Self], tuple[()]]:
        return type(self), ()


class LiveSource(EnergySource, Generic[Live]):
    """A source with all live state in one attribute, so that every copy of it is a closed source.

    A source that replaces its live state when it is read does so under the lock of that state. A reading on another
    thread may continue after :meth:`close`, but it changes only the dropped state.
    """

    def __init__(self) -> None:
        self._live: Live | None = None
        self._lock = ForkSafeLock()
        self._warned: set[str] = set()

    @abstractmethod
    def _begin(self) -> Live:
        """Find the devices and return their state at the origin."""

    def open(self) -> None:
        """Find the devices. Does nothing if the source is open.

        Raises:
            SourceUnavailableError: Nothing can be measured here. The message names the remedy.
        """
        if self._live is None:
            self._live = self._begin()

    def close(self) -> None:
        """Release everything live. Safe to call again. A closed source reads no devices.

        It waits for no lock. A call that hangs may hold it, and a signal handler may come at any instruction.
        """
        self._live = None
        self._warned.clear()

    def _warn_of_loss(self, name: str, reason: str | None) -> None:
        """Warn that a device does not answer, once while the source is open."""
        if reason is not None and name not in self._warned:
            self._warned.add(name)
            logger.warning("%s does not answer (%s). Its energy is missing until it does.", name, reason)

    def __getstate__(self) -> dict[str, Any]:
        """Return the options without live state, because an origin in time means nothing in a copy."""
        return self.__dict__ | {"_live": None, "_warned": set()}


@dataclass(frozen=True, slots=True)
class Account:
    """The energy of one device as of its last answer. It is replaced as a whole, so no thread sees half of it.

    Attributes:
        answered_at: Monotonic time of the last answer, in s. Before the first answer it is the time of the origin.
        joules: Energy up to the last answer, in J. None before the first.
        gap_seconds: Time up to the last answer in which nothing was measured, in s.
        flags: Flags for readings.
        reason: Why the device does not answer now. None while it answers.
    """

    answered_at: float
    joules: float | None = None
    gap_seconds: float = 0.0
    flags: tuple[str, ...] = ()
    reason: str | None = None

    def add(self, joules: float, now: float, *flags: str) -> "Account":
        """Count the energy since the last answer, also if the device was lost meanwhile.

        Args:
            joules: The energy, in J.
            now: Monotonic time in s.
            flags: Flags for readings.
        """
        total_joules = (self.joules or 0.0) + joules
        return replace(self, answered_at=now, joules=total_joules, flags=self._flagged(flags), reason=None)

    def skip(self, now: float, *flags: str) -> "Account":
        """Take an answer that does not give the energy since the last one. The time between is a gap.

        Args:
            now: Monotonic time in s.
            flags: Flags for readings.
        """
        return replace(
            self,
            answered_at=now,
            joules=self.joules or 0.0,
            gap_seconds=self.gap_seconds + (now - self.answered_at),
            flags=self._flagged(flags),
            reason=None,
        )

    def lose(self, reason: str) -> "Account":
        """Note that the device does not answer.

        Args:
            reason: Why it does not.
        """
        return replace(self, reason=reason)

    def gap_seconds_at(self, now: float) -> float:
        """Return the unmeasured time in s. While the device is lost, it includes the time since the last answer.

        Args:
            now: Monotonic time in s.
        """
        return self.gap_seconds + (now - self.answered_at if self.reason is not None else 0.0)

    def _flagged(self, flags: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.flags, *flags)))


def checked_at_least_zero(value: float, what: str) -> float:
    """Return an option as a float.

    Args:
        value: The given value.
        what: Name of the option, with its unit.

    Raises:
        ConfigurationError: The value is negative or not finite.
    """
    try:
        number = finite_number(value)
    except ValueError:
        number = -1.0
    if number < 0:
        remedy = comma_remedy(value) if isinstance(value, str) else ""
        msg = f"{what} must be a finite number of at least 0, not {described(value)}{remedy}."
        raise ConfigurationError(msg)
    return number
