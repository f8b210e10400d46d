"""What the answers of a user's meter come to. Nothing here asks the meter, and nothing waits."""

from dataclasses import dataclass, replace
from typing import Final, Literal

from green_callbacks.sources.common.device import Account
from green_callbacks.sources.common.energy_counter import FROZEN, IMPLAUSIBLE

Unit = Literal["watts", "joules"]

_MISSED_SAMPLES: Final = 3
"""After how many polls without an answer the last power no longer speaks for the present."""
_MISSED_REFRESHES: Final = 2
"""How many refreshes a meter must miss to stand still."""
_LEAST_STILL_SECONDS: Final = 1.0
"""A meter may stand still for this long, in s, however often it is asked."""
_WENT_ON: Final = 0.5
"""A convention: a counter that shows less than half of its last power did not count while it stood still."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterLimits:
    """What the user says of a meter.

    Attributes:
        unit: What it answers.
        poll_seconds: How often it is asked, in s.
        refresh_seconds: How often it has something new to say, in s; None if that is not known.
        max_watts: The largest power that it can see, in W; None if that is not known.
    """

    unit: Unit
    poll_seconds: float
    refresh_seconds: float | None
    max_watts: float | None

    @property
    def hold_seconds(self) -> float:
        """How long its last power speaks for the present while it does not answer, in s."""
        return _MISSED_SAMPLES * self.poll_seconds

    @property
    def stale_seconds(self) -> float:
        """How old an answer may be, in s, as far as that is known."""
        return self.refresh_seconds or 0.0

    @property
    def still_seconds(self) -> float:
        """How long it may answer the same, in s."""
        return max(self.hold_seconds, _MISSED_REFRESHES * self.stale_seconds, _LEAST_STILL_SECONDS)


@dataclass(frozen=True, slots=True)
class Metered:
    """A meter as of its last answer. Replaced as a whole, so that no thread sees half of it.

    Attributes:
        limits: What the user says of it.
        account: The energy so far; a counter's last answer is that of its last rise.
        answer: What it answered last, in W or J.
        heard_at: Monotonic time of that, in s.
        changed_at: Monotonic time of the last answer that was another than the one before, in s.
        watts: The power since the last answer, as far as that is known, in W.
        peak_watts: The largest power so far, in W.
        is_still: Whether it stands still for longer than it may.
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
            limits: What the user says of it.
            answer: The answer, in W or J.
            now: Monotonic time in s.
        """
        watts = answer if limits.unit == "watts" else 0.0
        return cls(limits, Account(now, joules=0.0), answer, now, now, watts, watts)

    @property
    def top_watts(self) -> float:
        """The largest power that it can see, as far as that is known, in W."""
        return self.peak_watts if self.limits.max_watts is None else self.limits.max_watts

    def held_seconds_at(self, now: float) -> float:
        """Return for how long its last power is held, in s.

        Args:
            now: Monotonic time in s.
        """
        seconds = max(0.0, now - self.account.answered_at)
        return seconds if self.limits.unit == "watts" else min(seconds, self.limits.still_seconds)

    def lost(self, reason: str) -> "Metered":
        """Note that it does not answer.

        Args:
            reason: Why.
        """
        return replace(self, account=self.account.lose(reason), is_still=False)

    def taken(self, answer: float, now: float, told_joules: float) -> "Metered":
        """Take an answer.

        Args:
            answer: The answer, in W or J.
            now: Monotonic time in s.
            told_joules: The most that was told of its energy so far, in J: after a gap that stands.
        """
        if now < self.heard_at:  # two threads asked, and this answer is the older one
            return self
        changed_at = self.changed_at if answer == self.answer else now
        later = replace(self, answer=answer, heard_at=now, changed_at=changed_at, is_still=False)
        if self.limits.unit == "watts":
            return self._sampled(later, now, told_joules)
        return self._counted(later, now, told_joules)

    def _sampled(self, later: "Metered", now: float, told_joules: float) -> "Metered":
        limits, account = self.limits, self.account
        # A steady load may look like this; who says how often the meter refreshes says that it does not.
        if limits.refresh_seconds is not None and now - later.changed_at > limits.still_seconds:
            return _standing_still(later)
        elapsed_seconds = now - account.answered_at
        if elapsed_seconds > limits.hold_seconds:
            account = _after_gap(account, now, told_joules, *((FROZEN,) if self.is_still else ()))
        else:
            account = account.add((self.answer + later.answer) / 2 * elapsed_seconds, now)
        return replace(later, account=account, watts=later.answer, peak_watts=max(self.peak_watts, later.answer))

    def _counted(self, later: "Metered", now: float, told_joules: float) -> "Metered":
        limits, account = self.limits, self.account
        rise, elapsed_seconds = later.answer - self.answer, now - account.answered_at
        if rise < 0:
            return replace(later, account=_after_gap(account, now, told_joules, "reset"), watts=0.0)
        if rise == 0:
            return _standing_still(later) if now - later.changed_at > limits.still_seconds else _answering(later)
        room_seconds = max(limits.poll_seconds, limits.stale_seconds)
        if limits.max_watts is not None and rise > limits.max_watts * (elapsed_seconds + room_seconds):
            return replace(later, account=_after_gap(account, now, told_joules, IMPLAUSIBLE), watts=0.0)
        watts = self._mean_watts(rise, elapsed_seconds)
        if self.is_still and (not self.peak_watts or rise < _WENT_ON * self.watts * elapsed_seconds):
            flags = (FROZEN,) if self.peak_watts else ()  # that never rose before may only be slow
            account = _after_gap(account, now, told_joules, *flags)
        else:
            account = account.add(rise, now)
        return replace(later, account=account, watts=watts, peak_watts=max(self.peak_watts, watts))

    def _mean_watts(self, rise: float, elapsed_seconds: float) -> float:
        """Return the power of a rise. Over a short time the steps of a coarse counter would look like a power."""
        if not self.peak_watts:  # the first rise may hold what was used before the opening
            return rise / max(elapsed_seconds, self.limits.stale_seconds, self.limits.poll_seconds / 2)
        return rise / elapsed_seconds if elapsed_seconds >= self.limits.poll_seconds / 2 else self.watts


def _answering(metered: Metered) -> Metered:
    return replace(metered, account=replace(metered.account, reason=None))


def _standing_still(metered: Metered) -> Metered:
    limits = metered.limits
    remedy = "" if limits.refresh_seconds else "; if it refreshes less often, refresh_seconds= must say so"
    reason = f"it has answered the same for more than {limits.still_seconds:.3g} s{remedy}"
    return replace(metered, account=metered.account.lose(reason), is_still=True)


def _after_gap(account: Account, now: float, told_joules: float, *flags: str) -> Account:
    """Begin anew after a gap; what was told of its beginning, by holding the last power, stands."""
    return replace(account, joules=max(account.joules or 0.0, told_joules)).skip(now, *flags)
