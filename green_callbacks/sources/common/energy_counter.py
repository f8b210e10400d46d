"""A cumulative energy counter of any kind, with wraps, resets, leaps and standstills."""

from dataclasses import dataclass, replace
from typing import Final

from green_callbacks.records import Method, Reading
from green_callbacks.sources.common.device import Account

FROZEN: Final = "counter_frozen"
"""Flag of a counter that stands still, or stood still, while its device draws power."""
IMPLAUSIBLE: Final = "counter_implausible"
"""Flag of a counter that rose by more than its device can draw."""
_STILL: Final = "its energy counter stands still"
_ROOM_SECONDS: Final = 0.25
"""Time whose energy a counter may show at once, in s. It is two refreshes of the slowest known counters."""
_LONGEST_REFRESH_SECONDS: Final = 1.25
"""Longest refresh period that is believed, in s. Emulated RAPL counters refresh once a second (QEMU,
``docs/specs/rapl-msr.rst``)."""
_SURE_REFRESHES: Final = 2.0
"""Number of missed refreshes from which a counter stands still (by convention)."""
WENT_ON_SHARE: Final = 0.5
"""Least rise of a counter after a standstill, relative to its last power, that shows that it went on counting.

It is a convention, which files, drivers and users' meters share.
"""
_SHORTEST_MEAN_SECONDS: Final = 0.02
"""Shortest time over which a mean power is computed, in s. Over less time, the steps of a counter would look like
power."""
_WARN_SECONDS: Final = 1.2
"""Time of a standstill before a warning, in s. It is longer than the refresh period of any known counter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterLimits:
    """The limits of a counter.

    Attributes:
        largest_watts: Largest power of the device, in W.
        still_seconds: Longest standstill of the counter while its device is on, in s. None for no limit.
        range_joules: Energy at which the counter wraps, in J. None if it does not wrap, or the energy is not known.
        wrap_seconds: Shortest time between two wraps, in s. None if the counter does not wrap.
    """

    largest_watts: float
    still_seconds: float | None
    range_joules: float | None = None
    wrap_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class CountedEnergy:
    """A counter as of its last answer. It is replaced as a whole.

    A counter that does not rise says nothing. So the account's last answer is the last rise.

    Attributes:
        limits: The limits of the counter.
        account: The energy so far.
        shown_joules: The last value, in J. None before the first answer.
        seen_at: Monotonic time of the last answer, in s.
        watts: Mean power up to the last rise, in W. None before the second rise.
        refresh_seconds: Longest known time between two rises, in s.
        is_still: Whether the counter stands still for longer than its limit.
    """

    limits: CounterLimits
    account: Account
    shown_joules: float | None = None
    seen_at: float = 0.0
    watts: float | None = None
    refresh_seconds: float = 0.0
    is_still: bool = False

    def lost(self, reason: str) -> "CountedEnergy":
        """Return the counter after a failed call.

        Args:
            reason: Why it does not answer.
        """
        return replace(self, account=self.account.lose(reason), is_still=False)

    def taken(self, shown: float, now: float, *, share: float = 1.0, slept: bool = False) -> "CountedEnergy":
        """Return the counter after an answer.

        Args:
            shown: The value, in J.
            now: Monotonic time in s.
            share: Part of a rise that counts, 0 to 1. Defaults to 1.
            slept: Whether the machine was suspended since the last answer. Defaults to False.
        """
        before = self.shown_joules
        if before is None:
            return replace(self, account=self.account.skip(now), shown_joules=shown, seen_at=now)
        if shown == before:
            return self._stood_still(now)
        # While the machine is suspended to memory, devices lose power and counters restart.
        rise = None if slept and shown < before else self._rise(before, shown, now)
        if rise is None:
            account = self.account.skip(now, "reset" if shown < before else IMPLAUSIBLE)
            return replace(self, account=account, shown_joules=shown, seen_at=now, is_still=False)
        return self._risen(rise, shown, now, share)

    def above_joules(self, now: float) -> float:
        """Return the energy that the counter may not show yet, in J.

        Args:
            now: Monotonic time in s.
        """
        if self.account.reason is not None or self.watts is None:
            return 0.0
        return self.watts * max(self.refresh_seconds, now - self.account.answered_at)

    def is_worth_a_warning(self, now: float) -> bool:
        """Return whether the counter stands still for longer than any slow counter does.

        Args:
            now: Monotonic time in s.
        """
        return self.is_still and now - self.account.answered_at >= _WARN_SECONDS

    def reading(
        self,
        now: float,
        component: str,
        method: Method,
        *,
        tolerance: float = 0.0,
        share: float = 1.0,
        flags: tuple[str, ...] = (),
    ) -> Reading:
        """Return the energy as a reading.

        Args:
            now: Monotonic time in s.
            component: Component of the device.
            method: Method of the reading.
            tolerance: Relative tolerance. Defaults to 0.
            share: Part of the energy that counts, 0 to 1. Defaults to 1.
            flags: Further flags. Defaults to none.
        """
        account = self.account
        still = (FROZEN,) if self.is_still else ()
        return Reading(
            joules=account.joules,
            component=component,
            method=method,
            above_joules=share * self.above_joules(now),
            tolerance=tolerance,
            gap_seconds=account.gap_seconds_at(now),
            flags=tuple(dict.fromkeys((*flags, *account.flags, *still))) if flags or still else account.flags,
            reason=account.reason,
        )

    def _stood_still(self, now: float) -> "CountedEnergy":
        still_seconds, account = self.limits.still_seconds, self.account
        if still_seconds is None:
            return replace(self, account=account.add(0.0, now), seen_at=now)
        longest = max(still_seconds, _SURE_REFRESHES * self.refresh_seconds)
        is_still = now - account.answered_at > longest
        if is_still or account.reason is not None:
            account = replace(account, reason=_STILL if is_still else None)
        return replace(self, account=account, seen_at=now, is_still=is_still)

    def _rise(self, before: float, shown: float, now: float) -> float | None:
        """Return the energy between two values in J, or None if no device could use it in the time."""
        rise, limits = shown - before, self.limits
        if rise < 0:
            if limits.range_joules is None or before > limits.range_joules:
                return None
            rise += limits.range_joules
        seconds = now - self.account.answered_at + max(_ROOM_SECONDS, self.refresh_seconds)
        return rise if rise <= limits.largest_watts * seconds else None

    def _risen(self, rise: float, shown: float, now: float, share: float) -> "CountedEnergy":
        account, wrap_seconds = self.account, self.limits.wrap_seconds
        elapsed_seconds = now - account.answered_at
        went_on = not self.is_still or self._went_on(rise, elapsed_seconds)
        is_wrap_unseen = wrap_seconds is not None and elapsed_seconds > wrap_seconds
        if is_wrap_unseen and account.reason is None:
            account = account.add(rise * share, now, "wraps_unseen")
        elif is_wrap_unseen or not went_on:
            # A counter that never rose before may only be slow, so the gap is not flagged.
            account = account.skip(now, *((FROZEN,) if self.is_still and self.watts is not None else ()))
        else:
            account = account.add(rise * share, now)
        is_mean = elapsed_seconds >= _SHORTEST_MEAN_SECONDS
        return replace(
            self,
            account=account,
            shown_joules=shown,
            seen_at=now,
            watts=rise / elapsed_seconds if is_mean else self.watts,
            refresh_seconds=max(self.refresh_seconds, self._slowness_seconds()) if went_on else self.refresh_seconds,
            is_still=False,
        )

    def _went_on(self, rise: float, elapsed_seconds: float) -> bool:
        """Return whether a counter went on counting while it stood still, because it shows the energy of that time."""
        if self.watts is None:  # without a known power, only the refresh period can decide
            return self._slowness_seconds() > 0
        return rise >= WENT_ON_SHARE * self.watts * elapsed_seconds

    def _slowness_seconds(self) -> float:
        """Return the standstill before the last rise, in s. It is 0 if no refresh period is so long."""
        still_seconds = self.seen_at - self.account.answered_at
        return still_seconds if still_seconds <= _LONGEST_REFRESH_SECONDS else 0.0
