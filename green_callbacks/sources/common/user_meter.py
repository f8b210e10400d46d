"""The energy by the answers of a user's meter. Nothing here asks the meter, and nothing waits."""

from dataclasses import dataclass, replace
from typing import Final, Literal

from green_callbacks.sources.common.device import Account
from green_callbacks.sources.common.energy_counter import FROZEN, IMPLAUSIBLE, WENT_ON_SHARE

Unit = Literal["watts", "joules"]

_MISSED_SAMPLES: Final = 3
"""Number of polls without an answer after which the last power is not held any more (by convention)."""
_MISSED_REFRESHES: Final = 2
"""Number of missed refreshes from which a meter stands still (by convention)."""
_LEAST_STILL_SECONDS: Final = 1.0
"""Shortest time, in s, after which a meter stands still, however often it is asked (by convention)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterLimits:
    """The options of a meter.

    Attributes:
        unit: Unit of its answers.
        poll_seconds: Interval between two requests, in s.
        refresh_seconds: Interval at which it has a new value, in s. None if it is not known.
        max_watts: Largest power that it can measure, in W. None if it is not known.
    """

    unit: Unit
    poll_seconds: float
    refresh_seconds: float | None
    max_watts: float | None

    @property
    def hold_seconds(self) -> float:
        """Time for which its last power is held while it does not answer, in s."""
        return _MISSED_SAMPLES * self.poll_seconds

    @property
    def stale_seconds(self) -> float:
        """Largest age of an answer as far as known, in s."""
        return self.refresh_seconds or 0.0

    @property
    def still_seconds(self) -> float:
        """Time for which it may give the same answer, in s."""
        return max(self.hold_seconds, _MISSED_REFRESHES * self.stale_seconds, _LEAST_STILL_SECONDS)


@dataclass(frozen=True, slots=True)
class Metered:
    """A meter as of its last answer. It is replaced as a whole, so that no thread sees half of it.

    Attributes:
        limits: The options of the meter.
        account: The energy so far. The last answer of a counter is its last rise.
        answer: The last answer, in W or J.
        heard_at: Monotonic time of the last answer, in s.
        changed_at: Monotonic time of the last answer that differed from the answer before, in s.
        watts: The power since the last answer as far as known, in W.
        peak_watts: The largest power so far, in W.
        is_still: Whether the meter stands still for longer than it may.
    """

    limits: MeterLimits
    account: Account
    answer: float
    heard_at: float
    changed_at: float
    watts: float
    peak_watts: float
    is_still: bool = False

    @classmethod
    def begin(cls, limits: MeterLimits, answer: float, now: float) -> "Metered":
        """Begin with the first answer.

        Args:
            limits: The options of the meter.
            answer: The answer, in W or J.
            now: Monotonic time in s.
        """
        watts = answer if limits.unit == "watts" else 0.0
        return cls(limits, Account(now, joules=0.0), answer, now, now, watts, watts)

    @property
    def top_watts(self) -> float:
        """Largest power that the meter can measure, as far as known, in W."""
        return self.peak_watts if self.limits.max_watts is None else self.limits.max_watts

    def held_seconds_at(self, now: float) -> float:
        """Return the time for which the last power is held, in s.

        Args:
            now: Monotonic time in s.
        """
        seconds = max(0.0, now - self.account.answered_at)
        return seconds if self.limits.unit == "watts" else min(seconds, self.limits.still_seconds)

    def lost(self, reason: str) -> "Metered":
        """Return the meter after a failed call.

        Args:
            reason: Why it does not answer.
        """
        return replace(self, account=self.account.lose(reason), is_still=False)

    def taken(self, answer: float, now: float, returned_joules: float) -> "Metered":
        """Return the meter after an answer.

        Args:
            answer: The answer, in W or J.
            now: Monotonic time in s.
            returned_joules: Largest energy that was returned so far, in J, which stands after a gap.
        """
        if now < self.heard_at:  # two threads asked, and this answer is the older one
            return self
        changed_at = self.changed_at if answer == self.answer else now
        later = replace(self, answer=answer, heard_at=now, changed_at=changed_at, is_still=False)
        if self.limits.unit == "watts":
            return self._sampled(later, now, returned_joules)
        return self._counted(later, now, returned_joules)

    def _sampled(self, later: "Metered", now: float, returned_joules: float) -> "Metered":
        limits, account = self.limits, self.account
        # A steady load gives the same answers, too, but not if the meter's refresh period is known.
        if limits.refresh_seconds is not None and now - later.changed_at > limits.still_seconds:
            return _standing_still(later)
        elapsed_seconds = now - account.answered_at
        if elapsed_seconds > limits.hold_seconds:
            account = _after_gap(account, now, returned_joules, *((FROZEN,) if self.is_still else ()))
        else:
            account = account.add((self.answer + later.answer) / 2 * elapsed_seconds, now)
        return replace(later, account=account, watts=later.answer, peak_watts=max(self.peak_watts, later.answer))

    def _counted(self, later: "Metered", now: float, returned_joules: float) -> "Metered":
        limits, account = self.limits, self.account
        rise, elapsed_seconds = later.answer - self.answer, now - account.answered_at
        if rise < 0:
            return replace(later, account=_after_gap(account, now, returned_joules, "reset"), watts=0.0)
        if rise == 0:
            return _standing_still(later) if now - later.changed_at > limits.still_seconds else _answering(later)
        room_seconds = max(limits.poll_seconds, limits.stale_seconds)
        if limits.max_watts is not None and rise > limits.max_watts * (elapsed_seconds + room_seconds):
            return replace(later, account=_after_gap(account, now, returned_joules, IMPLAUSIBLE), watts=0.0)
        watts = self._mean_watts(rise, elapsed_seconds)
        if self.is_still and (not self.peak_watts or rise < WENT_ON_SHARE * self.watts * elapsed_seconds):
            flags = (FROZEN,) if self.peak_watts else ()  # a counter that never rose before may only be slow
            account = _after_gap(account, now, returned_joules, *flags)
        else:
            account = account.add(rise, now)
        return replace(later, account=account, watts=watts, peak_watts=max(self.peak_watts, watts))

    def _mean_watts(self, rise: float, elapsed_seconds: float) -> float:
        """Return the power of a rise, in W. Over a short time the steps of a coarse counter would look like power."""
        if not self.peak_watts:  # the first rise may include energy from before the source opened
            return rise / max(elapsed_seconds, self.limits.stale_seconds, self.limits.poll_seconds / 2)
        return rise / elapsed_seconds if elapsed_seconds >= self.limits.poll_seconds / 2 else self.watts


def _answering(metered: Metered) -> Metered:
    return replace(metered, account=replace(metered.account, reason=None))


def _standing_still(metered: Metered) -> Metered:
    limits = metered.limits
    remedy = "" if limits.refresh_seconds else ". If it refreshes less often, pass refresh_seconds="
    reason = f"it has answered the same for more than {limits.still_seconds:.3g} s{remedy}"
    return replace(metered, account=metered.account.lose(reason), is_still=True)


def _after_gap(account: Account, now: float, returned_joules: float, *flags: str) -> Account:
    """Restart after a gap. Energy that was returned for the beginning of the gap stands."""
    return replace(account, joules=max(account.joules or 0.0, returned_joules)).skip(now, *flags)
