"""The page that says where every number of a run comes from, in Markdown."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from green_callbacks._version import __version__
from green_callbacks.records import DeviceEnergy, EpochRecord, Intensity, RunRecord
from green_callbacks.sinks._wording import duration, intensity_range, percent, place, significant
from green_callbacks.sinks.base import RunContext
from green_callbacks.text import for_markdown
from green_callbacks.units import format_energy, format_mass

_VERSION: Final = f"green_callbacks {__version__}"
_FACT: Final = ("what", "value")
_METHODS: Final = {
    "counter": "energy counter",
    "sampled": "sampled power",
    "modelled": "modelled, not measured",
}


def provenance(record: EpochRecord, context: RunContext) -> str:
    """Write the page of a run that goes on.

    Args:
        record: The last record.
        context: What is known of the run.

    Returns:
        Markdown.
    """
    facts = {**_carbon(record.intensity, record.pue, context), "run": context.run_id, "version": _VERSION}
    return "\n\n".join(["### How it is known", _devices(record.devices), _table(_FACT, facts.items())])


def final_page(run: RunRecord, context: RunContext) -> str:
    """Write the page of a run that has ended: its totals, and how they are known.

    Args:
        run: The totals.
        context: What is known of the run.

    Returns:
        Markdown.
    """
    facts = {} if run.intensity is None else _carbon(run.intensity, run.pue, context)
    facts |= {"run": run.run_id, "ledger": "none" if run.ledger is None else str(run.ledger), "version": _VERSION}
    return "\n\n".join(
        [
            "### What it came to",
            _table(_FACT, _totals(run).items()),
            "### How it is known",
            _devices(run.devices),
            _table(_FACT, facts.items()),
        ]
    )


def _totals(run: RunRecord) -> dict[str, str]:
    return {
        "epochs": str(run.epochs),
        "time": duration(run.duration_seconds),
        "energy of the machine": _known(run.energy_kwh, format_energy),
        "energy of the facility": _known(run.facility_kwh, format_energy),
        "emissions (CO2e)": _known(run.emissions_kg, format_mass),
        "at least": _known(run.emissions_low_kg, format_mass),
        "at most": _known(run.emissions_high_kg, format_mass),
        "share measured": _known(run.measured_share, percent),
        "stopped because": run.stop_reason or "no policy stopped it",
    }


def _devices(devices: Mapping[str, DeviceEnergy]) -> str:
    if not devices:
        return "No device was measured."
    rows = [
        (
            name,
            device.component,
            _METHODS[device.method],
            f"± {percent(device.tolerance)}" if device.tolerance else "not stated",
            ", ".join(device.flags),
        )
        for name, device in devices.items()
    ]
    return _table(("device", "component", "how obtained", "tolerance", "notes"), rows)


def _carbon(intensity: Intensity, pue: float, context: RunContext) -> dict[str, str]:
    basis = [part for part in (intensity.scope, intensity.basis) if part]
    facts = {
        "carbon intensity": intensity_range(intensity),
        "place": place(intensity),
        "place found by": intensity.found_by,
        "counts": ", ".join(basis),
        "source": intensity.source,
        "licence": intensity.licence,
        "notes": ", ".join(intensity.flags),
        "PUE": f"{significant(pue)} ({context.pue_source})",
    }
    return {name: text for name, text in facts.items() if text}


def _table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    names = list(header)
    lines = [names, ["---"] * len(names), *([_cell(text) for text in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str) -> str:
    """Keep a text from ending its cell or its row, and from being markup."""
    return " ".join(for_markdown(text).split())


def _known(value: float | None, write: Callable[[float], str]) -> str:
    return "not known" if value is None else write(value)
