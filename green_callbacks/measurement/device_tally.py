"""The energy of each device since its first reading, and between two readings."""

from collections.abc import Collection, Mapping
from datetime import datetime
from math import hypot, sqrt
from typing import Final, NamedTuple

from green_callbacks.measurement.activity_watch import NOT_WATCHED
from green_callbacks.measurement.read_time_limit import LATE
from green_callbacks.records import ActivityTotals, DeviceEnergy, Reading
from green_callbacks.sources.common.never_falling import never_below

_UNMEASURED_SHARE: Final = 1 - 1e-9
"""Share of an interval above which a gap covers all of it. The margin is for rounding."""
_PEAK: Final = 5.0
"""Largest ratio of power to mean power. It follows from NVIDIA's GPUs, which idle at 10 to 20 % of their peak."""
_BRIEF_SECONDS: Final = 1e-3
"""Time without an answer, in s, below which there is no gap, because two edges this close are one."""


class Share(NamedTuple):
    """The part of a device's energy that one of several runs got. Its numbers only grow.

    Attributes:
        joules: The run's tally, in J. It is the energy without other runs, and the run's part of the shared energy.
        alone_joules: The energy while it had the device alone, in J.
        others_joules: The parts of other runs while it shared the device, in J.
        shared_readings: Number of readings at which it shared the device.
    """

    joules: float
    alone_joules: float
    others_joules: float = 0.0
    shared_readings: int = 0


_UNSHARED: Final = Share(0.0, 0.0)


class Tally(NamedTuple):
    """The energy of one device since the meter was opened, also across resets of its counter.

    Attributes:
        joules: Energy in J. It never falls.
        reading: The last reading, with its bounds and labels.
        resets: Number of resets of the counter.
        answered_seconds: Monotonic time of the last answer, in s.
        silent_seconds: Part of the reading's gap, in s, that is the time since the last answer, and that its source did
            not report. Defaults to 0.
        share: The part of the run, if other runs have shared the device. Defaults to nothing shared.

    >>> reading = Reading(5.0, "cpu", "counter")
    >>> Tally(joules=0.0, reading=reading, resets=0, answered_seconds=0.0).joules  # at the first reading
    0.0
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
        activity: What devices did so far besides using energy, by device. Defaults to nothing.

    >>> from datetime import UTC
    >>> Snapshot(12.5, datetime(2025, 1, 1, tzinfo=UTC), {}).seconds
    12.5
    """

    seconds: float
    when: datetime
    tallies: Mapping[str, Tally]
    activity: Mapping[str, ActivityTotals] = NOT_WATCHED


def carried_on(before: Tally | None, reading: Reading, seconds: float, late_seconds: float) -> Tally:
    """Carry a tally on to a new reading.

    A counter that fell by more than its uncertainty was reset to zero, and shows the energy since then. A counter that
    fell by less was estimated too high before, and keeps its value until the energy has caught up.

    Args:
        before: The tally so far.
        reading: The last answer.
        seconds: The instant, in s.
        late_seconds: Age of the answer, in s, which is 0 for an answer of this instant.

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
        return silent(before, seconds, reading.reason or "it reports no energy")
    if joules is None or last is None:
        return Tally(before.joules, reading, before.resets, answered_seconds, late_seconds)
    rise = joules - last
    if rise >= 0:
        return Tally(before.joules + rise, reading, before.resets, answered_seconds, late_seconds)
    if -rise <= before.reading.below_joules + reading.above_joules:
        return Tally(before.joules, _held(before.reading, reading), before.resets, answered_seconds, late_seconds)
    return Tally(before.joules + joules, reading, before.resets + 1, answered_seconds, late_seconds)


def silent(before: Tally, seconds: float, reason: str) -> Tally:
    """Carry a tally on while the device does not answer. Its counter may go on meanwhile.

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
    """Return the present reading with the value of the last one, from which the next rise is counted."""
    assert before.joules is not None and now.joules is not None  # noqa: S101, PT018  the caller has checked
    joules, below, above = never_below(before.joules, (now.joules, now.below_joules, now.above_joules))
    return now._replace(joules=joules, below_joules=below, above_joules=above)


def energy_between(first: Snapshot, last: Snapshot, counted: Collection[str] | None = None) -> dict[str, DeviceEnergy]:
    """Return the energy of every device between two snapshots.

    Args:
        first: The beginning.
        last: The end.
        counted: The devices that count. Defaults to all.

    Returns:
        Energy by device, with bounds for the uncertainty of both edges.

    >>> from datetime import UTC
    >>> tallies = [Tally(joules, Reading(joules, "cpu", "counter"), 0, joules) for joules in (0.0, 8.0)]
    >>> edges = [Snapshot(t.joules, datetime(2025, 1, 1, tzinfo=UTC), {"cpu:0": t}) for t in tallies]
    >>> energy_between(*edges)["cpu:0"].joules
    8.0
    """
    before = first.tallies
    return {
        name: _device(before.get(name), tally, first.seconds, last.seconds)
        for name, tally in last.tallies.items()
        if counted is None or name in counted
    }


def _device(first: Tally | None, last: Tally, began: float, ended: float) -> DeviceEnergy:
    """Return the energy of a device between two tallies. Values are passed by place, which takes half the time.

    The errors of two edges are independent, so their squares add up. The error of a model is added. A shared part is a
    model too, because the run may have used nothing of it, or all.
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
        # The counter went on while the device did not answer, so energy from before this record is in it.
        flags = (*flags, "catch_up")
        gap_seconds = min(seconds, max(gap_seconds, ended - at))
        carried_joules = min(joules, _PEAK * joules * silent_seconds / max(at - first_at, silent_seconds))
    model = tolerance if method == "modelled" else 0.0
    least = most = joules
    if share is not first_share and share.shared_readings > first_share.shared_readings:
        flags, method = flags if "shared" in flags else (*flags, "shared"), "modelled"
        least, most = _shared_range(joules, share, first_joules, first_share)
    is_silent = reason is not None and first_reason is not None
    least_seconds = seconds - _BRIEF_SECONDS if is_silent else seconds * _UNMEASURED_SHARE
    if not joules and gap_seconds > 0 and gap_seconds >= least_seconds:
        return DeviceEnergy(None, component, method, seconds, None, None, gap_seconds, tolerance, flags)
    walked = sqrt(walk - first_walk) if walk > first_walk else 0.0
    low = max(0.0, least - hypot(below, first_above, lag - first_lag, walked) - model * least - carried_joules)
    high = most + hypot(above, first_below, lag - first_lag, walked) + model * most
    return DeviceEnergy(joules, component, method, seconds, low, high, gap_seconds, tolerance, flags)


def _shared_range(joules: float, share: Share, first_joules: float, first_share: Share) -> tuple[float, float]:
    """Return the least and the most that a run may have used of a device that it has shared, in J."""
    first_alone = first_joules if first_share is _UNSHARED else first_share.alone_joules
    return min(joules, share.alone_joules - first_alone), joules + (share.others_joules - first_share.others_joules)
