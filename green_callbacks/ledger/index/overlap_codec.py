"""Encodes and decodes what an index knows of devices that several processes measured at the same time."""

import json
from collections.abc import Sequence
from typing import Any, Final

from green_callbacks.ledger.limits import MAX_DEVICES, MAX_LINES
from green_callbacks.ledger.overlaps.hosts import Device, Place
from green_callbacks.ledger.overlaps.shares import Part
from green_callbacks.ledger.overlaps.stretches import Stretch
from green_callbacks.records.checked import MAX_JOULES, amount, count, flags, mapping, sequence, text, wrong

_MOST_SECONDS: Final = 1e12
"""Largest time since 1970 in s. The last day of the year 9999 is a quarter of it."""

_STRETCH_FIELDS: Final = 4
"""Number of fields of a stretch (beginning, end, process and devices)."""
_DEVICE_FIELDS: Final = 4
"""Number of fields of a device (machine, identity of the machine, name and owner)."""
_PART_FIELDS: Final = 4
"""Number of fields of a part (amounts, devices, components and number of processes)."""
_AMOUNTS: Final = 5
"""Number of amounts of a part (energy, energy of the facility, emissions and their two bounds)."""

_encode = json.JSONEncoder(separators=(",", ":")).encode


def encode_stretches(stretches: Sequence[Stretch]) -> bytes:
    """Return the times in which a run has measured devices as one line of JSON, without the line break.

    Args:
        stretches: The times.
    """
    said = [[each.began, each.ended, each.process, [_device(one) for one in each.devices]] for each in stretches]
    return _encode(said).encode()


def _device(device: Device) -> list[str]:
    return [*device.place, device.name, device.owner]


def decode_stretches(line: bytes) -> list[Stretch]:
    """Read what :func:`encode_stretches` wrote.

    Args:
        line: The line.

    Raises:
        ValueError: A field has a wrong type or an impossible value.
    """
    return [_stretch(*_parts(said, _STRETCH_FIELDS)) for said in sequence(json.loads(line), MAX_LINES)]


def _stretch(began: object, ended: object, process: object, devices: object) -> Stretch:
    found = frozenset([_known_device(*_parts(each, _DEVICE_FIELDS)) for each in sequence(devices, MAX_DEVICES)])
    return Stretch(_time(began), _time(ended), text(process), found)


def _time(said: object) -> float:
    return amount(said, _MOST_SECONDS, -_MOST_SECONDS)


def _known_device(host: object, identity: object, name: object, owner: object) -> Device:
    return Device(Place(text(host), text(identity)), text(name), text(owner))


def _parts(said: object, length: int) -> list[Any]:
    parts = sequence(said, length)
    if len(parts) != length:
        raise wrong(said, f"list of {length}")
    return parts


def encode_part(part: Part) -> bytes:
    """Return the part of a run as one line of JSON, without the line break.

    Args:
        part: The part.
    """
    return _encode(_said(part)).encode()


def _said(part: Part) -> list[Any]:
    *amounts, devices, components, most = part
    return [amounts, devices, components, most]


def decode_part(line: bytes) -> Part:
    """Read what :func:`encode_part` wrote.

    Args:
        line: The line.

    Raises:
        ValueError: A field has a wrong type or an impossible value.
    """
    return _known_part(json.loads(line))


def _known_part(said: object) -> Part:
    amounts, devices, components, most = _parts(said, _PART_FIELDS)
    joules, kwh, kg, low_kg, high_kg = [amount(each, MAX_JOULES) for each in _parts(amounts, _AMOUNTS)]
    by_device = {text(name): amount(joules, MAX_JOULES) for name, joules in mapping(devices, MAX_DEVICES).items()}
    return Part(joules, kwh, kg, low_kg, high_kg, by_device, flags(components), count(most))


def encode_division(parts: Sequence[Part | None]) -> bytes:
    """Return the parts of several runs as one line of JSON, without the line break.

    Args:
        parts: The parts. None for a run that has shared nothing.
    """
    return _encode([None if part is None else _said(part) for part in parts]).encode()


def decode_division(line: bytes) -> list[Part | None]:
    """Read what :func:`encode_division` wrote.

    Args:
        line: The line.

    Raises:
        ValueError: A field has a wrong type or an impossible value.
    """
    return [None if said is None else _known_part(said) for said in sequence(json.loads(line), MAX_LINES)]
