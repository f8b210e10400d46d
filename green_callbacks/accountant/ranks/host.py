"""The machine of a process, as the processes of a run tell machines apart."""

import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
BOOT_SECONDS: Final = 2.0
"""Largest difference of the times of boot, in s, that processes of one host report. Their clock may be corrected
between the two readings, and machines that were resumed from one snapshot differ by more."""


class Host(NamedTuple):
    """A machine.

    Attributes:
        id: The id of its boot, which containers share, or its name where the system does not tell it.
        name: Its name, which virtual machines may share, and containers do not.
        booted: Time of its boot in s since 1970, or None if unknown.
    """

    id: str
    name: str
    booted: float | None = None

    @property
    def has_id(self) -> bool:
        """Whether the system tells the id of its boot."""
        return self.id != self.name


def host_name() -> str:
    """Return the name of this machine. Empty if the system does not know it."""
    import socket  # imported late, because it takes as long as half of the package

    try:
        return socket.gethostname()
    except OSError:
        return ""


def this_host() -> Host:
    """Return the machine of this process."""
    name = host_name()
    try:
        boot_id = _BOOT_ID.read_text().strip()
    except (OSError, ValueError):
        boot_id = ""
    return Host(boot_id or name, name, _booted())


def _booted() -> float | None:
    """Return the time of the boot, in s since 1970, by the clocks of the system."""
    clock = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", None))
    if clock is None:
        return None
    return round(time.time() - time.clock_gettime(clock), 3)


def told_apart(hosts: Sequence[Host]) -> list[str]:
    """Return the host of each process as a name that no other host has.

    Hosts of one id are one host, unless they booted at different times. Hosts of one name get a part of their id, or a
    number.

    Args:
        hosts: The hosts of all processes.
    """
    kept: list[Host] = []
    places = [_place(host, kept) for host in hosts]
    shared = Counter(host.name for host in kept)
    ids = Counter((host.name, host.id[:8]) for host in kept)
    names = [
        host.name
        if shared[host.name] == 1
        else f"{host.name}-{host.id[:8]}"
        if ids[host.name, host.id[:8]] == 1
        else f"{host.name}-{at}"
        for at, host in enumerate(kept)
    ]
    return [names[place] for place in places]


def _place(host: Host, kept: list[Host]) -> int:
    """Return the position of a host among those that are known, and add it if it is new."""
    for at, other in enumerate(kept):
        if host.id == other.id and (
            host.booted is None or other.booted is None or abs(host.booted - other.booted) < BOOT_SECONDS
        ):
            return at
    kept.append(host)
    return len(kept) - 1
