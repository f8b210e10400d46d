"""Encodes and decodes the entries of an index."""

import json
from pathlib import Path
from typing import Any, Final

from green_callbacks.errors import LedgerError
from green_callbacks.ledger._head_codec import decode_head, encode_head
from green_callbacks.ledger.closing_line import decode_closing, encode_closing
from green_callbacks.ledger.index.ledger_entry import LedgerEntry, UnreadLedger
from green_callbacks.ledger.ledger_files import shown
from green_callbacks.ledger.limits import MAX_POINTS
from green_callbacks.records.checked import MAX_TEXT, amount, flag, mapping, optional_text, text

_HERE: Final = "\0"
"""Stands for the path of the ledger in a sentence, because the folder may be renamed."""

_MAX_SAID: Final = 20_000
"""Longest sentences about a file, in characters. They may name the path several times."""

_MAX_FIELDS: Final = 100
"""Largest number of fields of an entry. About six are known, and later versions may add some."""

_MOST_BEST: Final = 1e308
"""Largest value of a metric, just below the largest float. No unit."""

_BARE: Final[dict[str, Any]] = {"front": [], "curve": [], "devices": {}, "facts": {}}
_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


def encode_entry(entry: LedgerEntry | UnreadLedger, path: Path) -> bytes:
    """Return an entry as one line of JSON, without the line break.

    Args:
        entry: The entry.
        path: The ledger.

    Raises:
        ValueError: A number is not finite.
    """
    fields: dict[str, Any]
    if isinstance(entry, UnreadLedger):
        fields = {"unread": _without_path(entry.reason, path)}
    else:
        closing, head = encode_closing(entry.closing, MAX_POINTS), encode_head(entry.head)
        remark = None if entry.remark is None else _without_path(entry.remark, path)
        fields = {"closing": _BARE | _lean(closing), "head": _lean(head), "closed": entry.is_closed}
        fields |= _lean({"stop": entry.closing.stop_reason, "best": entry.best, "remark": remark})
    return str(_encode(fields)).encode()


def _lean(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields that are not empty."""
    return {name: value for name, value in fields.items() if value not in (None, {}, [])}


def decode_entry(line: bytes, path: Path) -> LedgerEntry | UnreadLedger:
    """Read what :func:`encode_entry` wrote.

    Args:
        line: The line.
        path: The ledger.

    Raises:
        ValueError: A field has a wrong type or an impossible value.
        RecursionError: The line is nested too deeply.
    """
    get = mapping(json.loads(line), _MAX_FIELDS).get
    if get("unread") is not None:
        return UnreadLedger(_with_path(text(get("unread"), _MAX_SAID), path))
    best, remark = get("best"), optional_text(get("remark"), _MAX_SAID)
    fields = mapping(get("head"), _MAX_FIELDS)
    try:
        head = decode_head(fields, "The index")
    except LedgerError as reason:
        raise ValueError(str(reason)) from reason
    return LedgerEntry(
        closing=decode_closing(mapping(get("closing"), _MAX_FIELDS), optional_text(get("stop"), MAX_TEXT)),
        head=head,
        is_closed=flag(get("closed")),
        best=None if best is None else amount(best, _MOST_BEST, -_MOST_BEST),
        remark=None if remark is None else _with_path(remark, path),
    )


def _without_path(said: str, path: Path) -> str:
    return said.replace(shown(path), _HERE)


def _with_path(said: str, path: Path) -> str:
    return said.replace(_HERE, shown(path))
