"""Conversion of records to plain JSON types and back, for the file formats that share it."""

from collections.abc import Mapping
from typing import Any, Final, cast

from green_callbacks.records.checked import (
    MAX_FLAGS,
    MAX_G_PER_KWH,
    MAX_YEAR,
    amount,
    flags,
    mapping,
    one_of,
    optional_amount,
    optional_count,
    optional_text,
    short,
    text,
)
from green_callbacks.records.intensity import FOUND_BY, FoundBy, Intensity

_MAX_FIELDS: Final = 100
"""Most fields of an intensity. Twelve are known, and later versions may write more."""


def encode_intensity(intensity: Intensity) -> dict[str, Any]:
    """Return an intensity as plain JSON types.

    Args:
        intensity: The intensity.

    Returns:
        All its fields. Names of more than 300 characters are shortened.
    """
    fields = {name: getattr(intensity, name) for name in intensity.__slots__}
    shortened = {name: short(value) if isinstance(value, str) else value for name, value in fields.items()}
    return {**shortened, "flags": [short(flag) for flag in intensity.flags[:MAX_FLAGS]]}


def decode_intensity(fields: object) -> Intensity:
    """Read the result of :func:`encode_intensity`.

    Args:
        fields: The fields. Unknown fields are ignored, and absent fields are None.

    Returns:
        The intensity.

    Raises:
        ValueError: A field is missing, or has an impossible type or value. The message names it.
    """
    found: Mapping[str, Any] = mapping(fields, _MAX_FIELDS)
    try:
        return _intensity(found)
    except ValueError as reason:
        msg = f"This is no carbon intensity: {reason}."
        raise ValueError(msg) from reason


def _intensity(found: Mapping[str, Any]) -> Intensity:
    return Intensity(
        g_per_kwh=amount(found.get("g_per_kwh"), MAX_G_PER_KWH),
        low_g_per_kwh=optional_amount(found.get("low_g_per_kwh"), MAX_G_PER_KWH),
        high_g_per_kwh=optional_amount(found.get("high_g_per_kwh"), MAX_G_PER_KWH),
        zone=optional_text(found.get("zone")),
        name=optional_text(found.get("name")),
        year=optional_count(found.get("year"), MAX_YEAR),
        scope=optional_text(found.get("scope")),
        basis=optional_text(found.get("basis")),
        source=text(found.get("source")),
        licence=optional_text(found.get("licence")),
        found_by=cast("FoundBy", one_of(found.get("found_by"), FOUND_BY)),
        flags=flags(found.get("flags", [])),
    )
