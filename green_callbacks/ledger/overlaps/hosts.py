"""Which names and identities of machines in the heads of ledgers mean the same machine."""

from collections.abc import Iterable
from typing import Final, NamedTuple

_BOOT_SECONDS: Final = 3.0
"""Largest difference, in s, between two statements about one boot. Each is rounded, and clocks are corrected by less
than 2 s. Machines that were resumed from one snapshot differ by more."""


UNIQUE: Final = ("gpu:GPU-", "gpu:MIG-")
"""Beginnings of the names of devices that no other machine has."""


class Place(NamedTuple):
    """A machine, as the head of a ledger names it.

    Attributes:
        name: Name of the machine.
        identity: Hash of its boot and time of the boot, as ``1a2b3c@1764350000``. Empty if the machine tells none.
    """

    name: str
    identity: str = ""


class Device(NamedTuple):
    """A device, as far as it can be compared with the devices of other runs.

    Attributes:
        place: Its machine. Empty for a device whose name no other machine has.
        name: Its name on that machine.
        owner: The process whose own share of the device this is. Empty for the whole device.
    """

    place: Place
    name: str
    owner: str = ""


class Hosts:
    """Tells machines apart by their identities, and by their names where a ledger holds no identity.

    Containers of one machine have names of their own and one identity. Machines that were resumed from one snapshot
    have one hash and different times of the boot.

    Args:
        places: All machines of all runs.
    """

    def __init__(self, places: Iterable[Place]) -> None:
        known = sorted({(*_parsed(place.identity), place) for place in places if place.identity})
        self._keys: dict[Place, str] = {}
        last_hash, last_boot, key = "", 0.0, ""
        for digest, boot, place in known:
            if digest != last_hash or boot - last_boot > _BOOT_SECONDS:
                key = place.identity
            last_hash, last_boot = digest, boot
            self._keys[place] = key
        named: dict[str, set[str]] = {}
        for place, found in self._keys.items():
            named.setdefault(place.name, set()).add(found)
        self._by_name = {name: min(found) for name, found in named.items() if len(found) == 1}

    def key(self, place: Place) -> str:
        """Return a text that only this machine has.

        Args:
            place: The machine.
        """
        found = self._keys.get(place) or self._by_name.get(place.name)
        return f"name:{place.name}" if found is None else found

    def key_of(self, device: Device) -> tuple[str, str, str]:
        """Return what only this device has.

        Args:
            device: The device.
        """
        return self.key(device.place), device.name, device.owner


def _parsed(identity: str) -> tuple[str, float]:
    digest, _, boot = identity.partition("@")
    try:
        return digest, float(boot or 0.0)
    except ValueError:  # of another version
        return identity, 0.0
