"""The machine of a process, as the processes of a run tell machines apart."""

import time
from collections import Counter
from collections.abc import Sequence
from typing import Final, NamedTuple

from green_callbacks.accountant.ranks.machine_facts import boot_id, firmware_id, network_id, own_name

BOOT_SECONDS: Final = 2.0
"""Largest difference of the times of boot, in s, that processes of one host report. Their clock may be corrected
between the two readings, and machines that were resumed from one snapshot differ by more."""


class Host(NamedTuple):
    """A machine.

    Attributes:
        id: The id of its boot, which containers share. Where the system does not tell it, its name, and its network
            addresses after a slash where they are known.
        name: Its name, which virtual machines may share, and containers do not.
        booted: Time of its boot in s since 1970, or None if unknown.
        own_name: The name again if it is the machine's, and not a container's. Defaults to empty, if unknown.
        firmware: The id of its firmware, which containers share. Defaults to empty, if unknown.
        network: Its network addresses, after the id of their namespace and a slash. Defaults to empty, if unknown.
    """

    id: str
    name: str
    booted: float | None = None
    own_name: str = ""
    firmware: str = ""
    network: str = ""

    @property
    def has_id(self) -> bool:
        """Whether the system tells the id of its boot."""
        return self.id != self.name and not self.id.startswith(f"{self.name}/")

    @property
    def digits(self) -> str:
        """The first digits of the id, or of the hash of the addresses."""
        return self.id.removeprefix(f"{self.name}/")[:8]

    def is_same_as(self, other: "Host") -> bool:
        """Return whether nothing tells two machines apart.

        Virtual machines that were resumed from one snapshot have one id, and perhaps one time of boot.

        Args:
            other: The other machine.
        """
        if self.id != other.id or _differ(self.own_name, other.own_name) or _differ(self.firmware, other.firmware):
            return False
        (place, _, _), (other_place, _, _) = self.network.partition("/"), other.network.partition("/")
        if place == other_place and _differ(self.network, other.network):
            return False
        return self.booted is None or other.booted is None or abs(self.booted - other.booted) < BOOT_SECONDS


def _differ(one: str, other: str) -> bool:
    """Return whether two facts are known and differ."""
    return bool(one and other and one != other)


def host_name() -> str:
    """Return the name of this machine. Empty if the system does not know it."""
    import socket  # imported late, because it takes as long as half of the package

    try:
        return socket.gethostname()
    except OSError:
        return ""


def this_host() -> Host:
    """Return the machine of this process."""
    name, network = host_name(), network_id()
    addresses = network.partition("/")[2]
    known = boot_id() or (f"{name}/{addresses}" if addresses else name)
    return Host(known, name, _booted(), own_name(name), firmware_id(), network)


def _booted() -> float | None:
    """Return the time of the boot, in s since 1970, by the clocks of the system."""
    clock = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", None))
    if clock is None:
        return None
    return round(time.time() - time.clock_gettime(clock), 3)


def told_apart(hosts: Sequence[Host]) -> list[str]:
    """Return the host of each process as a name that no other host has.

    Hosts of one id are one host, unless something else tells them apart. Hosts of one name get a part of their id, or
    a number.

    Args:
        hosts: The hosts of all processes.
    """
    kept: list[Host] = []
    places = [_place(host, kept) for host in hosts]
    shared = Counter(host.name for host in kept)
    ids = Counter((host.name, host.digits) for host in kept)
    names = [
        host.name
        if shared[host.name] == 1
        else f"{host.name}-{host.digits}"
        if ids[host.name, host.digits] == 1
        else f"{host.name}-{at}"
        for at, host in enumerate(kept)
    ]
    return [names[place] for place in places]


def _place(host: Host, kept: list[Host]) -> int:
    """Return the position of a host among those that are known, and add it if it is new."""
    for at, other in enumerate(kept):
        if host.is_same_as(other):
            return at
    kept.append(host)
    return len(kept) - 1
