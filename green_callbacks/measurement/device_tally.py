"""What each device came to since it was first read, and what it used between two readings."""

from collections.abc import Collection, Mapping
from datetime import datetime
from math import hypot, sqrt
from typing import Final, NamedTuple

from green_callbacks.measurement.timed_reads import LATE
from green_callbacks.records import DeviceEnergy, Reading
from green_callbacks.sources.common.never_falling import never_below

_UNMEASURED_SHARE: Final = 1 - 1e-9
_PEAK: Final = 5.0
"""No stretch of a run draws more than so many times its mean power for long: NVIDIA's GPUs idle at 10 to 20 % of it."""
_BRIEF_SECONDS: Final = 1e-3
"""A silence shorter than this is none: two edges as close as that are one."""


class Share(NamedTuple):
    """What one of several runs was given of a device; its numbers only grow.

    Attributes:
        joules: The run's tally, in J: all that was used while it had the device alone, and its part of the rest.
        alone_joules: The same without its part of the rest.
        others_joules: What was used besides while it shared the device, in J.
        stretches: How many stretches of time it has shared.
    """

    joules: float
    alone_joules: float
    others_joules: float = 0.0
    stretches: int = 0


_UNSHARED: Final = Share(0.0, 0.0)


class Tally(NamedTuple):
    """The energy of one device since the meter was opened, whatever its counter did meanwhile.

    Attributes:
        joules: Energy in J; never falls.
        reading: The last reading, with its bounds and labels.
        resets: How often the counter began anew.
        answered_seconds: Monotonic time of the last answer, in s.
        silent_seconds: Part of the reading's gap that is the time since the last answer, in s, and that its source has
            not told of. Defaults to 0.
        share: What the run was given of it, where others have shared it. Defaults to nothing shared.
    """

    joules: float
    reading: Reading
    resets: int
    answered_seconds: float
    silent_seconds: float = 0.0
    share: Share = _UNSHARED


class Snapshot(NamedTuple):
    """All devices at one instant.

    Attributes:
        seconds: Monotonic time in s.
        when: Time of day, aware, in UTC.
        tallies: Tally by device.
    """

    seconds: float
    when: datetime
    tallies: Mapping[str, Tally]


def carried_on(before: Tally | None, reading: Reading, seconds: float, late_seconds: float) -> Tally:
    """Carry a tally on to a new reading.

    A counter that fell by more than its uncertainty began anew from zero: what it shows now is the energy since. One
    that fell by less was estimated too high before, and is waited for.

    Args:
        before: The tally so far.
        reading: The last answer.
        seconds: The instant, in s.
        late_seconds: How old the answer is, in s: 0 for one of this instant.

    Returns:
        The tally of this instant.
    """
    if late_seconds > 0:
        reading = reading._replace(gap_seconds=reading.gap_seconds + late_seconds, reason=reading.reason or LATE)
    answered_seconds = seconds - late_seconds
    if before is None:
        return Tally(0.0, reading, 0, answered_seconds, late_seconds)
    if reading.reason is not None and late_seconds <= 0:
        answered_seconds = before.answered_seconds
    joules, last = reading.joules, before.reading.joules
    if joules is None and last is not None:
        return silent(before, seconds, reading.reason or "it tells no energy")
    if joules is None or last is None:
        return Tally(before.joules, reading, before.resets, answered_seconds, late_seconds)
    rise = joules - last
    if rise >= 0:
        return Tally(before.joules + rise, reading, before.resets, answered_seconds, late_seconds)
    if -rise <= before.reading.below_joules + reading.above_joules:
        return Tally(before.joules, _held(before.reading, reading), before.resets, answered_seconds, late_seconds)
    return Tally(before.joules + joules, reading, before.resets + 1, answered_seconds, late_seconds)


def silent(before: Tally, seconds: float, reason: str) -> Tally:
    """Carry a tally on over a device that does not answer: its counter may have gone on when it does again.

    Args:
        before: The tally so far.
        seconds: The instant, in s.
        reason: Why it does not answer.

    Returns:
        The tally of this instant.
    """
    silent_seconds = seconds - before.answered_seconds
    gap_seconds = before.reading.gap_seconds - before.silent_seconds + silent_seconds
    reading = before.reading._replace(gap_seconds=gap_seconds, reason=reason)
    return before._replace(reading=reading, silent_seconds=silent_seconds)


def _held(before: Reading, now: Reading) -> Reading:
    """Return the reading of now at the value of before, so that the next rise is counted from there."""
    assert before.joules is not None and now.joules is not None  # noqa: S101, PT018  the caller has looked
    joules, below, above = never_below(before.joules, (now.joules, now.below_joules, now.above_joules))
    return now._replace(joules=joules, below_joules=below, above_joules=above)


def energy_between(first: Snapshot, last: Snapshot, counted: Collection[str] | None = None) -> dict[str, DeviceEnergy]:
    """Return what every device used from one snapshot to a later one.

    Args:
        first: The beginning.
        last: The end.
        counted: The devices that count; all of them unless given.

    Returns:
        Energy by device, with bounds for the uncertainty of both edges.
    """
    before = first.tallies
    return {
        name: _device(before.get(name), tally, first.seconds, last.seconds)
        for name, tally in last.tallies.items()
        if counted is None or name in counted
    }


def _device(first: Tally | None, last: Tally, began: float, ended: float) -> DeviceEnergy:
    """Return what a device used between two tallies; by place, which takes half the time of names.

    What two edges may be off is independent, and so adds up in squares; what a model may be off is added. What a run
    was given of a stretch that it shared is a model too: it may have used nothing of it, or all.
    """
    seconds = ended - began
    last_joules, reading, resets, at, _, share = last
    read, component, method, below, above, tolerance, last_gap, flags, reason, lag, walk = reading
    if first is None or read is None:
        return DeviceEnergy(None, component, method, seconds, None, None, seconds, tolerance, flags)
    first_joules, before, first_resets, first_at, _, first_share = first
    _, _, _, first_below, first_above, _, first_gap, _, first_reason, first_lag, first_walk = before
    joules, gap_seconds = last_joules - first_joules, min(seconds, max(0.0, last_gap - first_gap))
    if resets > first_resets:
        flags = (*flags, "reset")
    silent_seconds = began - first_at
    carried_joules = 0.0
    if joules and silent_seconds > _BRIEF_SECONDS and last_gap - first_gap < ended - at:
        # It had gone on counting while it did not answer: what it used before this record has come with it.
        flags = (*flags, "catch_up")
        gap_seconds = min(seconds, max(gap_seconds, ended - at))
        carried_joules = min(joules, _PEAK * joules * silent_seconds / max(at - first_at, silent_seconds))
    model = tolerance if method == "modelled" else 0.0
    least = most = joules
    if share is not first_share and share.stretches > first_share.stretches:
        flags, method = flags if "shared" in flags else (*flags, "shared"), "modelled"
        first_alone = first_joules if first_share is _UNSHARED else first_share.alone_joules
        least = min(joules, share.alone_joules - first_alone)
        most = joules + (share.others_joules - first_share.others_joules)
    is_silent = reason is not None and first_reason is not None
    least_seconds = seconds - _BRIEF_SECONDS if is_silent else seconds * _UNMEASURED_SHARE
    if not joules and gap_seconds > 0 and gap_seconds >= least_seconds:
        return DeviceEnergy(None, component, method, seconds, None, None, gap_seconds, tolerance, flags)
    walked = sqrt(walk - first_walk) if walk > first_walk else 0.0
    low = max(0.0, least - hypot(below, first_above, lag - first_lag, walked) - model * least - carried_joules)
    high = most + hypot(above, first_below, lag - first_lag, walked) + model * most
    return DeviceEnergy(joules, component, method, seconds, low, high, gap_seconds, tolerance, flags)
