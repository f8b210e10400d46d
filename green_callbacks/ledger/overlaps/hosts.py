"""Which names and identities of machines in the heads of ledgers mean the same machine."""

from collections.abc import Iterable
from typing import Final, NamedTuple, Self

_BOOT_SECONDS: Final = 3.0
"""Largest difference, in s, between two statements about one boot. Each is rounded, and clocks are corrected by less
than 2 s. Machines that were resumed from one snapshot differ by more."""
_MOST_FACTS: Final = 6
"""Largest number of facts of an identity. Four are known, and later versions may add some."""


UNIQUE: Final = ("gpu:GPU-", "gpu:MIG-")
"""Beginnings of the names of devices that no other machine has."""


class Place(NamedTuple):
    """A machine, as the head of a ledger names it.

    Attributes:
        name: Name of the machine.
        identity: Facts that tell it from others, separated by ``@``. The first is a hash of the id of its boot, and the
            second the time of the boot in s. Empty if the machine tells only its name.
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


class _Facts(NamedTuple):
    """The facts in an identity.

    Attributes:
        boot: Hash of the id of the boot.
        booted: Time of the boot, in s since 1970. Zero if it is not known.
        more: Further facts, which are compared where both sides know them.
    """

    boot: str
    booted: float
    more: tuple[str, ...]

    @classmethod
    def of(cls, identity: str) -> Self:
        boot, booted, *more = [*identity.split("@"), ""][:_MOST_FACTS]
        try:
            return cls(boot, float(booted or 0.0), tuple(more))
        except ValueError:  # of another version
            return cls(identity, 0.0, ())

    def is_same_as(self, other: "_Facts") -> bool:
        known = zip(self.more, other.more, strict=False)
        if any(one and two and one != two for one, two in known):
            return False
        return not (self.booted and other.booted) or abs(self.booted - other.booted) <= _BOOT_SECONDS


class Hosts:
    """Tells machines apart by their identities, and by their names where a ledger holds no identity.

    Containers of one machine have names of their own and one identity. Machines that were resumed from one snapshot
    differ in the time of the boot, or in another fact.

    Args:
        places: All machines of all runs.
    """

    def __init__(self, places: Iterable[Place]) -> None:
        self._keys: dict[Place, str] = {}
        groups: dict[str, list[tuple[_Facts, str]]] = {}
        for place in sorted({place for place in places if place.identity}):
            facts = _Facts.of(place.identity)
            kept = groups.setdefault(facts.boot, [])
            key = next((key for other, key in kept if facts.is_same_as(other)), None)
            if key is None:
                key = place.identity
                kept.append((facts, key))
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
