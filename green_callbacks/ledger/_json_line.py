"""Decodes a line of a ledger, which is one JSON object."""

import json
from typing import Any


def _refuse(constant: str) -> object:
    msg = f"{constant} is not a JSON number"
    raise ValueError(msg)


_decode = json.JSONDecoder(parse_constant=_refuse).raw_decode


def fields_of(line: bytes) -> dict[str, Any]:
    """Return the JSON object of a line.

    Args:
        line: The line, with or without its line break.

    Raises:
        ValueError: The line is cut short, or is not an object.
    """
    try:
        fields, end = _decode(line.decode())
    except RecursionError:
        msg = "nested too deeply"
        raise ValueError(msg) from None
    if type(fields) is not dict or line[end:].strip():
        msg = "not one JSON object"
        raise ValueError(msg)
    return fields
