"""A paragraph on energy and emissions for the methods of a paper, in Markdown."""

from typing import Final

from green_callbacks.analysis.means import effective_intensity, effective_pue
from green_callbacks.exports._formatting import TOOL, plain
from green_callbacks.records import WORLD, DeviceEnergy, History, Intensity, RunRecord
from green_callbacks.records.coverage import what_counts, who_else
from green_callbacks.records.reference import AT_THE_WORLDS
from green_callbacks.text import for_markdown
from green_callbacks.text.amounts import format_mass
from green_callbacks.text.wording import duration, intensity_range, percent, place, significant

_DIGITS: Final = 3
_METHODS: Final = {"counter": "energy counter", "sampled": "sampled power", "modelled": "model"}
_COMPONENTS: Final = {"gpu": "GPU", "cpu": "CPU", "dram": "memory", "ane": "neural engine"}
_ARGUMENT: Final = "argument"
_GIVEN: Final = "given by the user"
_GUESSES: Final = {
    "time zone": "The place was guessed from the machine's time zone.",
    "world average": "The place is not known: the world's average stands in for it.",
}


def methods(run: RunRecord, history: History, *, pue_source: str | None = None) -> str:
    """Write what a reader needs to judge and to recompute the emissions of a run.

    Args:
        run: The run's totals.
        history: All its records.
        pue_source: Where the PUE comes from, in words; None if that is not known.

    Returns:
        A paragraph: energy in kWh, PUE, how much was measured, carbon intensity with place, year and source, emissions
        with low and high, and the tool. What is not known says so. Nothing of the run's own texts is markup or HTML.
    """
    sentences = [
        _energy(run, effective_pue(history), pue_source),
        _measured(run),
        who_else(run.devices),
        *_emissions(run, effective_intensity(history)),
        f"Accounted with {TOOL} (run {for_markdown(run.run_id)}).",
    ]
    return " ".join(filter(None, sentences))


def _energy(run: RunRecord, pue: float | None, pue_source: str | None) -> str:
    took = f"Training took {duration(run.duration_seconds)} for {run.epochs} epoch{'' if run.epochs == 1 else 's'}"
    if run.energy_kwh is None or run.facility_kwh is None or pue is None:
        return f"{took}; its energy is not known, as nothing was measured."
    source = f"; source: {_GIVEN if pue_source == _ARGUMENT else for_markdown(pue_source)}" if pue_source else ""
    return (
        f"{took} and used {plain(run.energy_kwh, _DIGITS)} kWh of electricity at the computers, "
        f"{plain(run.facility_kwh, _DIGITS)} kWh at the facility "
        f"(power usage effectiveness, PUE: {significant(pue)}{source})."
    )


def _measured(run: RunRecord) -> str:
    left_out = what_counts(run.devices)
    if left_out is not None:
        return f"{for_markdown(left_out)} The true energy and emissions are higher."
    if run.measured_share is None:
        return ""
    share = f"{percent(run.measured_share)} of the energy was measured"
    ways = dict.fromkeys(map(_way, run.devices.values()))
    return f"{share}{', the rest modelled' if run.measured_share < 1 else ''} ({', '.join(ways)})."


def _way(device: DeviceEnergy) -> str:
    component = _COMPONENTS.get(device.component) or for_markdown(device.component)
    return f"{component}: {'nothing' if device.joules is None else _METHODS[device.method]}"


def _emissions(run: RunRecord, intensity: Intensity | None) -> list[str]:
    if intensity is None:
        return ["The carbon intensity is not known."]
    counts = for_markdown(", ".join(filter(None, (intensity.scope, intensity.basis)))) or "what it counts is not known"
    found = f"The carbon intensity is that of {for_markdown(place(intensity))}: {intensity_range(intensity)}"
    sentences = [f"{found} ({counts}; source: {for_markdown(intensity.source)})."]
    if "guessed" in intensity.flags:
        sentences.append(_GUESSES.get(intensity.found_by, "The place was guessed."))
    if run.emissions_kg is None:
        return [*sentences, "Emissions are not known."]
    low, high = run.emissions_low_kg, run.emissions_high_kg
    bounds = "" if low is None or high is None else f" (between {format_mass(low)} and {format_mass(high)})"
    sentences.append(f"Emissions amount to {format_mass(run.emissions_kg)} CO2e{bounds}.")
    if run.reference_kg is not None and intensity.g_per_kwh != WORLD.g_per_kwh:
        sentences.append(f"They would be {format_mass(run.reference_kg)} {AT_THE_WORLDS}.")
    return sentences
