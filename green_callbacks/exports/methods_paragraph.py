"""A paragraph on energy and emissions for the methods section of a paper, in Markdown."""

from typing import Final

from green_callbacks.exports._formatting import TOOL, plain
from green_callbacks.records import METHOD_WORDS, WORLD, DeviceEnergy, Effort, History, Intensity, RunRecord
from green_callbacks.records.coverage import what_counts, who_else
from green_callbacks.records.means import effective_intensity, effective_pue
from green_callbacks.records.reference import AT_THE_WORLDS
from green_callbacks.text import for_markdown
from green_callbacks.text.amounts import format_mass
from green_callbacks.text.efforts import effort_facts
from green_callbacks.text.landings import landing_length
from green_callbacks.text.wording import duration, intensity_range, percent, place, significant

_DIGITS: Final = 3
"""Significant digits of an energy."""

_COMPONENTS: Final = {"gpu": "GPU", "cpu": "CPU", "dram": "memory", "ane": "neural engine"}
_ARGUMENT: Final = "argument"
_GIVEN: Final = "given by the user"
_GUESSES: Final = {
    "time zone": "The place was guessed from the machine's time zone.",
    "world average": "The place is not known, so the world's average is used.",
}


def methods(run: RunRecord, history: History, *, pue_source: str | None = None) -> str:
    """Write the paragraph that lets a reader judge and recompute the emissions of a run.

    Args:
        run: Totals of the run.
        history: All records of the run.
        pue_source: Origin of the PUE, in words. Defaults to None, which leaves it out.

    Returns:
        A paragraph with energy in kWh, PUE, and the share that was measured. It also gives the carbon intensity with
        place, year and source, the emissions with their bounds, and the tool. It says over how many epochs or steps a
        run landed. An unknown value is stated as not known. The texts of the run cannot add markup or HTML.

    Example:
        >>> from green_callbacks import EpochRecord
        >>> from green_callbacks.analysis import totals
        >>> history = History([EpochRecord.scripted(epoch=0, emissions_kg=0.5)])
        >>> run = totals(history, "my-run", ledger=None, stop_reason=None)
        >>> methods(run, history).partition(" of electricity")[0]
        'Training took 1.00 s for 1 epoch and used 0.500 kWh'
    """
    sentences = [
        _energy(run, effective_pue(history), pue_source),
        _effort(run.effort, has_validation=history.most_phase_joules("validation") > 0),
        _landing(run),
        _measured(run),
        who_else(run.devices),
        *_emissions(run, effective_intensity(history)),
        f"Accounted with {TOOL} (run {for_markdown(run.run_id)}).",
    ]
    return " ".join(filter(None, sentences))


def _energy(run: RunRecord, pue: float | None, pue_source: str | None) -> str:
    took = f"The run took {duration(run.duration_seconds)}"  # such as a measured command
    if run.epochs:
        took = f"Training took {duration(run.duration_seconds)} for {run.epochs} epoch{'' if run.epochs == 1 else 's'}"
    if run.energy_kwh is None or run.facility_kwh is None or pue is None:
        return f"{took}. Its energy is not known, because nothing was measured."
    source = f"; source: {_GIVEN if pue_source == _ARGUMENT else for_markdown(pue_source)}" if pue_source else ""
    return (
        f"{took} and used {plain(run.energy_kwh, _DIGITS)} kWh of electricity at the computers, "
        f"{plain(run.facility_kwh, _DIGITS)} kWh at the facility "
        f"(power usage effectiveness, PUE: {significant(pue)}{source})."
    )


def _effort(effort: Effort, *, has_validation: bool) -> str:
    """Say what a unit of training took, so that papers on other amounts of data can be compared. Empty if unknown."""
    each = [f"{text} {label.removeprefix('training ')}" for label, text in effort_facts(effort).items()]
    which = "Without validation" if has_validation else "With all energy of its epochs"
    return f"{which}, training took {', '.join(each)}." if each else ""


def _landing(run: RunRecord) -> str:
    """Say how the learning rate ended, because a reader who repeats the training needs it. Empty without a landing."""
    landed = run.landing
    if landed is None or not landed.steps:
        return ""
    end = "" if landed.is_over else ", and did not reach it"
    return f"In the last {landing_length(landed)}, the learning rate went linearly to zero{end}."


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
    return f"{component}: {'nothing' if device.joules is None else METHOD_WORDS[device.method]}"


def _emissions(run: RunRecord, intensity: Intensity | None) -> list[str]:
    if intensity is None:
        return ["The carbon intensity is not known."]
    counts = for_markdown(", ".join(filter(None, (intensity.scope, intensity.basis)))) or "scope not known"
    found = f"The carbon intensity is {intensity_range(intensity)} for {for_markdown(place(intensity))}"
    sentences = [f"{found} ({counts}; source: {for_markdown(intensity.source)})."]
    if "guessed" in intensity.flags:
        sentences.append(_GUESSES.get(intensity.found_by, "The place was guessed."))
    if run.emissions_kg is None:
        return [*sentences, "Emissions are not known."]
    low, high = run.emissions_low_kg, run.emissions_high_kg
    bounds = "" if low is None or high is None else f" (between {format_mass(low)} and {format_mass(high)})"
    sentences.append(f"The emissions are {format_mass(run.emissions_kg)} CO2e{bounds}.")
    if run.reference_kg is not None and intensity.g_per_kwh != WORLD.g_per_kwh:
        sentences.append(f"They would be {format_mass(run.reference_kg)} {AT_THE_WORLDS}.")
    return sentences
