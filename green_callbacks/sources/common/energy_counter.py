"""A cumulative energy counter of any kind, carried on as an account: wraps, resets, leaps, and standing still."""

from dataclasses import dataclass, replace
from typing import Final

from green_callbacks.records import Method, Reading
from green_callbacks.sources.common.device import Account

FROZEN: Final = "counter_frozen"
"""Flag of a counter that stands, or stood, still while its device draws power."""
IMPLAUSIBLE: Final = "counter_implausible"
"""Flag of a counter that rose by more than its device can draw."""
_STILL: Final = "its energy counter stands still"
_ROOM_SECONDS: Final = 0.25
"""A counter may show this much of the past at once, in s: two refreshes of the slowest ones that are known."""
_LONGEST_REFRESH_SECONDS: Final = 1.25
"""The longest time between two refreshes that is believed, in s: emulated RAPL counters refresh once a second (QEMU,
``docs/specs/rapl-msr.rst``)."""
_SURE_REFRESHES: Final = 2.0
"""How many refreshes a counter must miss to stand still."""
_WENT_ON: Final = 0.5
"""A convention: a counter that shows less than half of its last power did not count while it stood still."""
_SHORTEST_MEAN_SECONDS: Final = 0.02
"""Over a shorter time the steps of a counter would look like a power."""
_WARN_SECONDS: Final = 1.2
"""A counter is only warned of after it stood still for longer than any that is known takes to refresh, in s."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterLimits:
    """What a counter cannot do.

    Attributes:
        largest_watts: The largest power that its device can draw, in W.
        still_seconds: How long the counter of a device that is on may stand still, in s; None if it may do so for
            ever.
        range_joules: Where it wraps, in J; None if that is not known, or does not happen.
        wrap_seconds: Time in which it may wrap at the soonest, in s; None if it does not.
    """

    largest_watts: float
    still_seconds: float | None
    range_joules: float | None = None
    wrap_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class CountedEnergy:
    """A counter as of its last answer. Replaced as a whole.

    Because a counter that does not rise says nothing, the account's last answer is that of the last rise.

    Attributes:
        limits: What it cannot do.
        account: The energy so far.
        shown_joules: What it showed last, in J; None before its first answer.
        seen_at: Monotonic time of the last answer, in s.
        watts: Mean power up to the last rise, in W; None before the second.
        refresh_seconds: The longest time between two rises that is known, in s.
        is_still: Whether it stands still for longer than it may.
    """

    limits: CounterLimits
    account: Account
    shown_joules: float | None = None
    seen_at: float = 0.0
    watts: float | None = None
    refresh_seconds: float = 0.0
    is_still: bool = False

    def lost(self, reason: str) -> "CountedEnergy":
        """Note that the counter does not answer.

        Args:
            reason: Why.
        """
        return replace(self, account=self.account.lose(reason), is_still=False)

    def taken(self, shown: float, now: float, *, share: float = 1.0, slept: bool = False) -> "CountedEnergy":
        """Take what the counter shows.

        Args:
            shown: The energy that it shows, in J.
            now: Monotonic time in s.
            share: Which part of a rise counts, 0 to 1. Defaults to all of it.
            slept: Whether the machine was suspended since the last answer.
        """
        before = self.shown_joules
        if before is None:
            return replace(self, account=self.account.skip(now), shown_joules=shown, seen_at=now)
        if shown == before:
            return self._stood_still(now)
        # Suspended to memory, a device loses power and its counter begins anew.
        rise = None if slept and shown < before else self._rise(before, shown, now)
        if rise is None:
            account = self.account.skip(now, "reset" if shown < before else IMPLAUSIBLE)
            return replace(self, account=account, shown_joules=shown, seen_at=now, is_still=False)
        return self._risen(rise, shown, now, share)

    def above_joules(self, now: float) -> float:
        """Return how much energy the counter may not show yet, in J.

        Args:
            now: Monotonic time in s.
        """
        if self.account.reason is not None or self.watts is None:
            return 0.0
        return self.watts * max(self.refresh_seconds, now - self.account.answered_at)

    def is_worth_a_warning(self, now: float) -> bool:
        """Return whether it stands still for so long that it is no slow one.

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
        """Return what is known of the energy now.

        Args:
            now: Monotonic time in s.
            component: What it is a part of.
            method: How it was obtained.
            tolerance: Relative error. Defaults to 0.
            share: Which part of the energy counts, 0 to 1. Defaults to all of it.
            flags: What a reader must know besides what the account says. Defaults to nothing.
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
        """Return the energy between two values, or None if no device could use it in the time."""
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
            # A counter that never moved before may only be slow, so the gap is not flagged.
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
        """Return whether a counter that stood still was only late: it shows what its device used meanwhile."""
        if self.watts is None:  # nothing tells the power: believe that it refreshes slowly, if it may
            return self._slowness_seconds() > 0
        return rise >= _WENT_ON * self.watts * elapsed_seconds

    def _slowness_seconds(self) -> float:
        """Return for how long it was seen to stand still before it rose, in s; 0 if no refresh takes so long."""
        still_seconds = self.seen_at - self.account.answered_at
        return still_seconds if still_seconds <= _LONGEST_REFRESH_SECONDS else 0.0
