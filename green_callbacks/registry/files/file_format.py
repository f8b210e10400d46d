"""The text of the files of a budget, and checks of what a file from elsewhere may hold."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final, NoReturn

from green_callbacks.registry.claim_checks import (
    LARGEST_AMOUNT,
    LONGEST_PATH,
    check_amount,
    check_name,
    checked_entry,
)
from green_callbacks.registry.files.told_sessions import Mark, Told
from green_callbacks.registry.protocol import Entry
from green_callbacks.units import described

SCHEMA: Final = 1
"""Version of the format. A file of a later version is not read."""
LONGEST_FILE: Final = 16 * 2**20
"""Largest size of a file, in bytes. A thousand entries with paths of the longest kind take 5 MB."""
_LARGEST_COUNT: Final = 10**12
"""Largest number of a claim or a session."""


@dataclass(slots=True)
class Content:
    """What a file tells.

    Attributes:
        sessions: Last claims of sessions. Defaults to none.
        entries: Totals of runs that do not claim. Defaults to none.
        marks: Claims after which a session was declared dead. Defaults to none.
        ends: Claims after which a session ended, as its ledger tells. Defaults to none.
    """

    sessions: list[Told] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    ends: list[Mark] = field(default_factory=list)


def encoded(content: Content) -> bytes:
    """Return the bytes of a file.

    Args:
        content: What the file tells.
    """
    told = {
        "schema": SCHEMA,
        "sessions": [asdict(each) for each in content.sessions],
        "entries": content.entries,
        "dead": content.marks,
        "ended": content.ends,
    }
    return json.dumps({name: value for name, value in told.items() if value}, allow_nan=False).encode("ascii")


def encoded_limit(limit: float) -> bytes:
    """Return the bytes of the file that holds the set limit."""
    return json.dumps({"schema": SCHEMA, "limit": limit}).encode("ascii")


def decoded(data: bytes) -> Content:
    """Return what a file tells.

    Args:
        data: The bytes of the file.

    Raises:
        ValueError: The file is damaged, or another program has written it. The message is half a sentence.
    """
    told = _document(data)
    return Content(
        [_session(each) for each in _list(told, "sessions")],
        [_entry(each) for each in _list(told, "entries")],
        [_mark(each) for each in _list(told, "dead")],
        [_mark(each) for each in _list(told, "ended")],
    )


def decoded_limit(data: bytes) -> float:
    """Return the set limit that a file holds.

    Args:
        data: The bytes of the file.

    Raises:
        ValueError: The file is damaged.
    """
    limit: Any = _document(data).get("limit")
    check_amount("limit", limit)
    return float(limit)


def _document(data: bytes) -> Mapping[str, Any]:
    try:
        told = json.loads(data)
    except RecursionError:
        msg = "it is nested too deeply"
        raise ValueError(msg) from None
    if not isinstance(told, dict) or not isinstance(told.get("schema"), int):
        msg = "it does not say what it is"
        raise ValueError(msg)  # noqa: TRY004  every fault of a file is a ValueError
    if told["schema"] != SCHEMA:
        msg = "another version of green_callbacks has written it"
        raise ValueError(msg)
    return told


def _list(told: Mapping[str, Any], name: str) -> list[object]:
    found = told.get(name, [])
    if not isinstance(found, list):
        _refuse(name, found)
    return found


def _session(told: object) -> Told:
    if not isinstance(told, dict) or told.keys() != _CHECKS.keys():
        _refuse("session", told)
    for name, check in _CHECKS.items():
        check(name, told[name])
    return Told(**told)


def _check_cost(name: str, value: object) -> None:
    if value is not None:
        check_amount(name, value)


def _check_offset(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= LARGEST_AMOUNT:
        _refuse(name, value)


def _check_count(name: str, value: object) -> None:
    if type(value) is not int or not 0 <= value <= _LARGEST_COUNT:
        _refuse(name, value)


def _check_flag(name: str, value: object) -> None:
    if not isinstance(value, bool):
        _refuse(name, value)


def _check_text(name: str, value: object) -> None:
    if not isinstance(value, str) or len(value) > LONGEST_PATH:
        _refuse(name, value)


def _refuse(name: str, value: object) -> NoReturn:
    msg = f"{name} is {described(value)}"
    raise ValueError(msg)


_CHECKS: Final[Mapping[str, Callable[[str, object], None]]] = {
    "run_id": check_name,
    "session": check_name,
    "order": _check_count,
    "number": _check_count,
    "offset": _check_offset,
    "spent": check_amount,
    "under_way": check_amount,
    "wanted": check_amount,
    "limit": check_amount,
    "is_asking": _check_flag,
    "is_ended": _check_flag,
    "epoch_cost": _check_cost,
    "host": _check_text,
    "ledger": _check_text,
    "told_at": _check_offset,
}
"""The fields of a session, each with the check of its value."""


def _entry(told: object) -> Entry:
    if not isinstance(told, list) or len(told) != len(Entry._fields):
        _refuse("entry", told)
    _check_text("ledger", told[2])
    _check_text("host", told[3])
    _check_flag("is_closed", told[4])
    return checked_entry(Entry(*told))


def _mark(told: object) -> Mark:
    if not isinstance(told, list) or len(told) != len(Mark._fields):
        _refuse("mark", told)
    check_name("run_id", told[0])
    check_name("session", told[1])
    _check_count("number", told[2])
    return Mark(*told)
