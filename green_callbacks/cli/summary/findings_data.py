"""The findings about one run for other programs."""

from pathlib import Path
from typing import Any

from green_callbacks.analysis.findings import findings
from green_callbacks.errors import LedgerError
from green_callbacks.ledger.reader import read_quietly


def findings_of(path: Path) -> list[dict[str, Any]] | None:
    """Return the findings about a run, in plain JSON types.

    Args:
        path: Its ledger.

    Returns:
        One object for each finding. None if the ledger cannot be read, which other lines of the summary tell.
    """
    try:
        contents, _ = read_quietly(path)
    except LedgerError:
        return None
    return [
        {
            "key": each.key,
            "value": each.value,
            "text": each.text,
            "facility_kwh": each.facility_kwh,
            "emissions_kg": each.emissions_kg,
            "is_saving": each.is_saving,
        }
        for each in findings(contents.history, contents.devices)
    ]
