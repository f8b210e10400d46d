"""Processors and memory by the RAPL counters that Linux shows in its power capping tree."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from green_callbacks.clock import Clock
from green_callbacks.errors import SourceUnavailableError
from green_callbacks.records import Reading
from green_callbacks.sources._device import SYSTEM_CLOCK, Account, LiveSource
from green_callbacks.sources._rapl import Zone, find_zones

_LONGEST_POLL_SECONDS: Final = 60.0
_SHORTEST_POLL_SECONDS: Final = 0.1
_POLLS_PER_WRAP: Final = 3
_ASLEEP_SECONDS: Final = 10.0
"""By how much the time of day outruns the monotonic clock, which stands still in sleep, before we call it that."""


@dataclass(frozen=True, slots=True)
class _Counter:
    """A zone as of its last answer: what its counter showed, and what that came to."""

    zone: Zone
    account: Account
    shown_joules: float | None = None


@dataclass(frozen=True, slots=True)
class _Counters:
    """All zones, and how far the time of day was ahead of the monotonic clock when they were read."""

    by_name: Mapping[str, _Counter]
    clocks_apart_seconds: float


class PowercapSource(LiveSource[_Counters]):
    """Linux' RAPL counters of Intel and AMD processors, and of their memory where they meter it.

    A counter wraps after some minutes to hours; :meth:`poll` looks often enough to notice every wrap, so a lap may be
    as long as it likes. Where polls were missed for so long that a wrap may have been too, the counter's advance is
    counted as it stands and the device flagged ``wraps_unseen``.

    Args:
        root: The power capping tree.
        clock: The time.
    """

    def __init__(self, root: str | os.PathLike[str] = "/sys/class/powercap", *, clock: Clock = SYSTEM_CLOCK) -> None:
        super().__init__()
        self._root = Path(root)
        self._clock = clock
        self.poll_seconds = _LONGEST_POLL_SECONDS

    def _begin(self) -> _Counters:
        zones = find_zones(self._root)
        self._check_readable(zones)
        third = min(zone.wrap_seconds for zone in zones) / _POLLS_PER_WRAP
        self.poll_seconds = max(_SHORTEST_POLL_SECONDS, min(_LONGEST_POLL_SECONDS, third))
        now = self._clock.monotonic()
        counters = {zone.name: _Counter(zone, Account(answered_at=now)) for zone in zones}
        return self._read_on(_Counters(counters, self._clocks_apart_seconds(now)), now)

    def _check_readable(self, zones: list[Zone]) -> None:
        if not zones:
            msg = (
                f"There is no RAPL counter in {self._root}: it takes Linux on an Intel or AMD processor, its module "
                "(`modprobe intel_rapl_msr`), and neither a virtual machine nor a container that hides it."
            )
            raise SourceUnavailableError(msg)
        refusals = [refusal for zone in zones if (refusal := _refusal(zone)) is not None]
        if len(refusals) < len(zones):
            return
        if isinstance(refusals[0], PermissionError):
            remedy = f"`sudo chmod -R a+r {self._root / zones[0].control}` lets all users, until the next boot"
            msg = f"The RAPL counters in {self._root} may only be read by root: {remedy}."
        else:
            msg = f"The RAPL counters in {self._root} cannot be read ({refusals[0]}): load the module intel_rapl_msr."
        raise SourceUnavailableError(msg) from refusals[0]

    def read(self) -> Mapping[str, Reading]:
        """Read every zone.

        Returns:
            A reading for each package and each memory; nothing while the source is closed.
        """
        with self._lock:
            if self._live is None:
                return {}
            now = self._clock.monotonic()
            self._live = counters = self._read_on(self._live, now)
            for name, counter in counters.by_name.items():
                self._warn_of_loss(name, counter.account.reason)
        return {name: _reading(counter, now) for name, counter in counters.by_name.items()}

    def poll(self) -> None:
        """Look at every counter before it can wrap twice."""
        self.read()

    def _read_on(self, counters: _Counters, now: float) -> _Counters:
        clocks_apart_seconds = self._clocks_apart_seconds(now)
        slept = clocks_apart_seconds - counters.clocks_apart_seconds > _ASLEEP_SECONDS
        by_name = {name: _advanced(counter, now, slept=slept) for name, counter in counters.by_name.items()}
        return _Counters(by_name, clocks_apart_seconds)

    def _clocks_apart_seconds(self, now: float) -> float:
        return self._clock.now().timestamp() - now


def _refusal(zone: Zone) -> OSError | ValueError | None:
    try:
        zone.read_joules()
    except (OSError, ValueError) as refusal:
        return refusal
    return None


def _advanced(counter: _Counter, now: float, *, slept: bool) -> _Counter:
    """Read a counter and carry its account on."""
    zone, account, before = counter.zone, counter.account, counter.shown_joules
    try:
        shown = zone.read_joules()
    except (OSError, ValueError) as error:
        return replace(counter, account=account.lose(f"{zone.counter} cannot be read: {error}"))
    # Suspended to memory, a package loses power and its counter begins anew.
    rise = None if before is None or (slept and shown < before) else zone.rise_joules(before, shown)
    wraps_unseen = now - account.answered_at > max(zone.wrap_seconds, _LONGEST_POLL_SECONDS)
    if rise is None:
        account = account.skip(now, *(() if before is None else ("reset",)))
    elif not wraps_unseen:
        account = account.add(rise, now)
    elif account.reason is None:
        account = account.add(rise, now, "wraps_unseen")
    else:
        account = account.skip(now)
    return _Counter(zone, account, shown)


def _reading(counter: _Counter, now: float) -> Reading:
    account = counter.account
    return Reading(
        joules=account.joules,
        component=counter.zone.component,
        method="counter",
        gap_seconds=account.gap_seconds_at(now),
        flags=account.flags,
        reason=account.reason,
    )
