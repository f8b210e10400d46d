"""The page that gives the origin of every number of a run, in Markdown."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from green_callbacks._version import __version__
from green_callbacks.records import METHOD_WORDS, DeviceEnergy, EpochRecord, Intensity, RunRecord
from green_callbacks.records.coverage import what_counts
from green_callbacks.sinks.base import RunContext
from green_callbacks.text import for_markdown
from green_callbacks.text.amounts import format_mass
from green_callbacks.text.landings import landing_spent
from green_callbacks.text.wording import duration, intensity_range, percent, place, significant

_VERSION: Final = f"green_callbacks {__version__}"
_FACT: Final = ("what", "value")
_ORIGIN: Final = "### Origin of the numbers"


def provenance(record: EpochRecord, context: RunContext, quality: str | None = None) -> str:
    """Write the page of a run that goes on.

    Args:
        record: The last record.
        context: Facts about the run.
        quality: Name of the metric on the quality curve, in words. None if there is none.

    Returns:
        Markdown.
    """
    facts = _carbon(record.intensity, record.pue, context) | _about(context.run_id, quality)
    return "\n\n".join([*_left_out(record.devices), _ORIGIN, _devices(record.devices), _table(_FACT, facts.items())])


def final_page(run: RunRecord, context: RunContext, quality: str | None = None) -> str:
    """Write the page of a run that has ended, with its totals and their origin.

    Args:
        run: Totals of the run.
        context: Facts about the run.
        quality: Name of the metric on the quality curve, in words. None if there is none.

    Returns:
        Markdown.
    """
    facts = {} if run.intensity is None else _carbon(run.intensity, run.pue, context)
    facts |= {"ledger": "none" if run.ledger is None else str(run.ledger)} | _about(run.run_id, quality)
    return "\n\n".join(
        [
            *_left_out(run.devices),
            "### Totals",
            *(f"**Note:** {_cell(text)}" for text in run.notices),
            _table(_FACT, _totals(run).items()),
            _ORIGIN,
            _devices(run.devices),
            _table(_FACT, facts.items()),
        ]
    )


def _about(run_id: str, quality: str | None) -> dict[str, str]:
    facts = {"quality on the charts": quality, "run": run_id, "version": _VERSION}
    return {name: text for name, text in facts.items() if text}


def _totals(run: RunRecord) -> dict[str, str]:
    """Return the totals in few rows, because TensorBoard shows a page in a low box."""
    emissions, low, high = (
        _known(kg, format_mass) for kg in (run.emissions_kg, run.emissions_low_kg, run.emissions_high_kg)
    )
    energy, facility = (_known(kwh, _watt_hours) for kwh in (run.energy_kwh, run.facility_kwh))
    return {
        "emissions (CO2e)": emissions if run.emissions_kg is None else f"{emissions} ({low} to {high})",
        "energy": energy if run.pue == 1.0 or run.energy_kwh is None else f"{energy}, {facility} with the facility",
        "share measured": _known(run.measured_share, percent),
        "epochs": f"{run.epochs} in {duration(run.duration_seconds)}",
        "stopped because": run.stop_reason or "no policy stopped it",
        **_landing(run),
    }


def _landing(run: RunRecord) -> dict[str, str]:
    """Return how the learning rate went to 0. Empty without a landing."""
    landed = run.landing
    if landed is None:
        return {}
    end = "the learning rate went to zero" if landed.is_over else "the learning rate had not reached zero"
    return {"landing": f"{end}. It took {landing_spent(landed, run.pue)}"}


def _left_out(devices: Mapping[str, DeviceEnergy]) -> list[str]:
    """Say first which energy is missing from the numbers."""
    text = what_counts(devices)
    return [] if text is None else [f"**{_cell(text)}**"]


def _devices(devices: Mapping[str, DeviceEnergy]) -> str:
    if not devices:
        return "No device was measured."
    rows = [
        (
            name,
            device.component,
            "not measured" if device.joules is None else METHOD_WORDS[device.method],
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
        "license": intensity.licence,
        "notes": ", ".join(intensity.flags),
        "PUE": f"{significant(pue)} ({context.pue_source})",
    }
    return {name: text for name, text in facts.items() if text}


def _table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    names = list(header)
    lines = [names, ["---"] * len(names), *([_cell(text) for text in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str) -> str:
    """Escape a text, so that it neither ends its cell or row nor is markup."""
    return " ".join(for_markdown(text).split())


def _watt_hours(kwh: float) -> str:
    """Write an energy in Wh, the unit of the charts."""
    return f"{significant(1000.0 * kwh)} Wh"


def _known(value: float | None, write: Callable[[float], str]) -> str:
    return "not known" if value is None else write(value)
