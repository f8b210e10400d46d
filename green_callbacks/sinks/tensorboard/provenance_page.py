"""The page that gives the origin of every number of a run, in Markdown."""

from collections.abc import Iterable, Mapping
from typing import Final

from green_callbacks._version import __version__
from green_callbacks.records import DeviceEnergy, EpochRecord, RunRecord
from green_callbacks.records.coverage import what_counts
from green_callbacks.sinks.base import RunContext
from green_callbacks.text import for_markdown
from green_callbacks.text.facts import DEVICE_COLUMNS, ORIGIN, TOTALS, device_rows, origin_facts, total_facts

_VERSION: Final = f"green_callbacks {__version__}"
_FACT: Final = ("what", "value")


def provenance(record: EpochRecord, context: RunContext, quality: str | None = None) -> str:
    """Write the page of a run that goes on.

    Args:
        record: The last record.
        context: Facts about the run.
        quality: Name of the metric on the quality curve, in words. None if there is none.

    Returns:
        Markdown.
    """
    facts = origin_facts(record.intensity, record.pue, context.pue_source) | _about(context.run_id, quality)
    return "\n\n".join(
        [*_left_out(record.devices), f"### {ORIGIN}", _devices(record.devices), _table(_FACT, facts.items())]
    )


def final_page(run: RunRecord, context: RunContext, quality: str | None = None) -> str:
    """Write the page of a run that has ended, with its totals and their origin.

    Args:
        run: Totals of the run.
        context: Facts about the run.
        quality: Name of the metric on the quality curve, in words. None if there is none.

    Returns:
        Markdown.
    """
    facts = {} if run.intensity is None else origin_facts(run.intensity, run.pue, context.pue_source)
    facts |= {"ledger": "none" if run.ledger is None else str(run.ledger)} | _about(run.run_id, quality)
    return "\n\n".join(
        [
            *_left_out(run.devices),
            f"### {TOTALS}",
            *(f"**Note:** {_cell(text)}" for text in run.notices),
            _table(_FACT, total_facts(run).items()),
            f"### {ORIGIN}",
            _devices(run.devices),
            _table(_FACT, facts.items()),
        ]
    )


def _about(run_id: str, quality: str | None) -> dict[str, str]:
    facts = {"quality on the charts": quality, "run": run_id, "version": _VERSION}
    return {name: text for name, text in facts.items() if text}


def _left_out(devices: Mapping[str, DeviceEnergy]) -> list[str]:
    """Say first which energy is missing from the numbers."""
    text = what_counts(devices)
    return [] if text is None else [f"**{_cell(text)}**"]


def _devices(devices: Mapping[str, DeviceEnergy]) -> str:
    return _table(DEVICE_COLUMNS, device_rows(devices)) if devices else "No device was measured."


def _table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    names = list(header)
    lines = [names, ["---"] * len(names), *([_cell(text) for text in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str) -> str:
    """Escape a text, so that it neither ends its cell or row nor is markup."""
    return " ".join(for_markdown(text).split())
