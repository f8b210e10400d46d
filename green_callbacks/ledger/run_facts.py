"""Facts about a run that a table of many runs shows beside its totals."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from green_callbacks.ledger._row_decoding import moment
from green_callbacks.records import DeviceEnergy, History
from green_callbacks.records.checked import MAX_TEXT, mapping, optional_text, short
from green_callbacks.records.coverage import what_counts
from green_callbacks.records.means import effective_intensity
from green_callbacks.text.wording import place

_MAX_FIELDS: Final = 100
"""Largest number of facts that are read. Six are known, and later versions may add some."""


class RunFacts(NamedTuple):
    """When and where a run ran, and which accelerators its energy leaves out.

    Attributes:
        began_at: When the first record began. Defaults to None, without a record.
        ended_at: When the last record ended. Defaults to None, without a record.
        place: Place and year of the carbon intensity, in words. Defaults to None, without a record.
        scope: ``lifecycle`` or ``direct``. Defaults to None, if not known or if the records do not agree.
        basis: ``generation`` or ``consumption``. Defaults to None, if not known or if the records do not agree.
        left_out: Sentence that names the accelerators without energy. Defaults to None, if nothing is left out.

    Example:
        >>> RunFacts(place="Germany (DE), 2025").scope is None
        True
    """

    began_at: datetime | None = None
    ended_at: datetime | None = None
    place: str | None = None
    scope: str | None = None
    basis: str | None = None
    left_out: str | None = None


def facts_of(history: History, devices: Mapping[str, DeviceEnergy]) -> RunFacts:
    """Return the facts about a run.

    Args:
        history: All its records.
        devices: Energy by device, over all records.
    """
    intensity = effective_intensity(history)
    if intensity is None:
        return RunFacts()
    return RunFacts(
        began_at=history[0].started_at,
        ended_at=_end(history),
        place=place(intensity),
        scope=None if intensity.scope is None else short(intensity.scope),
        basis=None if intensity.basis is None else short(intensity.basis),
        left_out=(what_counts(devices) or "")[:MAX_TEXT] or None,
    )


def _end(history: History) -> datetime:
    last = history[-1]
    try:
        return moment((last.started_at + timedelta(seconds=last.duration_seconds)).isoformat())
    except (OverflowError, ValueError):  # a forged record may begin in the year 9999
        return last.started_at


def encode_facts(facts: RunFacts) -> dict[str, Any]:
    """Return the known facts as JSON types.

    Args:
        facts: The facts.
    """
    known = {name: value for name, value in facts._asdict().items() if value is not None}
    return {name: _written(value) for name, value in known.items()}


def _written(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return str(value)[:MAX_TEXT]


def decode_facts(said: object) -> RunFacts:
    """Read what :func:`encode_facts` wrote.

    Args:
        said: The fields. Unknown fields are ignored.

    Raises:
        ValueError: A field has a wrong type or an impossible value.
    """
    get = mapping(said, _MAX_FIELDS).get
    return RunFacts(
        began_at=_optional_moment(get("began_at")),
        ended_at=_optional_moment(get("ended_at")),
        place=optional_text(get("place"), MAX_TEXT),
        scope=optional_text(get("scope")),
        basis=optional_text(get("basis")),
        left_out=optional_text(get("left_out"), MAX_TEXT),
    )


def _optional_moment(said: object) -> datetime | None:
    return None if said is None else moment(said)
