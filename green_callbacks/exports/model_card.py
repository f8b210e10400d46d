"""The ``co2_eq_emissions`` of a Hugging Face model card."""

from pathlib import Path
from typing import Final, Literal

from green_callbacks.analysis.means import effective_intensity, effective_pue
from green_callbacks.errors import ConfigurationError
from green_callbacks.exports._formatting import TOOL, gpu_count, plain, where
from green_callbacks.records import History, Intensity, RunRecord
from green_callbacks.records.coverage import what_counts, who_else
from green_callbacks.records.reference import AT_THE_WORLDS
from green_callbacks.text import for_terminal, for_yaml
from green_callbacks.text.amounts import format_mass
from green_callbacks.text.wording import percent, significant
from green_callbacks.units import kg_to_grams

TrainingType = Literal["pre-training", "fine-tuning"]
Metadata = dict[str, float | str]

_KEY: Final = "co2_eq_emissions"
_DIGITS: Final = 4


def co2_eq_emissions(
    run: RunRecord, history: History, *, training_type: TrainingType | None = None, hardware: str | None = None
) -> Metadata:
    """Make a model card's entry on emissions.

    Fields as in the Hub's documentation (https://huggingface.co/docs/hub/model-cards-co2). What is not known is left
    out.

    Args:
        run: The run's totals.
        history: All its records.
        training_type: ``pre-training`` or ``fine-tuning``; left out unless given.
        hardware: What it ran on, in words; the number of its GPUs unless given.

    Returns:
        ``emissions`` in grams, ``source``, and what is known of ``training_type``, ``geographical_location`` and
        ``hardware_used``. Emissions are a number whose text has no exponent: the Hub's client reads ``1.2e-05`` as
        1.2. Below 0.1 mg, where Python writes numbers with one, they are that text.

    Raises:
        ConfigurationError: Nothing was measured: there is no number to write.
    """
    intensity = effective_intensity(history)
    if run.emissions_kg is None or intensity is None:
        msg = f"Nothing was measured in the run {run.run_id}: there are no emissions to write into a model card."
        raise ConfigurationError(msg)
    gpus = gpu_count(run)
    fields = {
        "emissions": _grams(run.emissions_kg),
        "source": _source(run, intensity, effective_pue(history)),
        "training_type": training_type,
        "geographical_location": where(intensity),
        "hardware_used": hardware or (f"{gpus} GPU{'s' if gpus > 1 else ''}" if gpus else None),
    }
    # Cards are shown by the Hub and by editors, and copied between them.
    return {
        name: for_terminal(value) if isinstance(value, str) else value
        for name, value in fields.items()
        if value is not None
    }


def _grams(emissions_kg: float) -> float | str:
    text = plain(kg_to_grams(emissions_kg), _DIGITS)
    number = float(text)
    return text if "e" in str(number) else number


def _source(run: RunRecord, intensity: Intensity, pue: float | None) -> str:
    left_out = what_counts(run.devices)
    share = None if run.measured_share is None else f"{percent(run.measured_share)} of the energy measured"
    measured = share if left_out is None else left_out.rstrip(".")
    shared = (who_else(run.devices) or "").rstrip(".")
    facility = None if pue is None else f"PUE {significant(pue)}"
    year = "" if intensity.year is None else f", {intensity.year}"
    grid = f"{significant(intensity.g_per_kwh)} gCO2e/kWh ({intensity.source}{year})"
    reference = None if run.reference_kg is None else f"{format_mass(run.reference_kg)} {AT_THE_WORLDS}"
    return "; ".join(filter(None, (TOOL, measured, shared, facility, grid, reference)))


def front_matter(entry: Metadata) -> str:
    """Write the entry as YAML, to paste between the ``---`` of a card.

    Args:
        entry: What :func:`co2_eq_emissions` returned.

    Returns:
        Lines of YAML.
    """
    return "\n".join([f"{_KEY}:", *(f"  {name}: {for_yaml(value)}" for name, value in entry.items())])


def write_card(card: Path, entry: Metadata) -> None:
    """Write the entry into a model card on this machine, in place of the one that it has; without the network.

    Args:
        card: The card (``README.md``), with or without metadata; made if there is none.
        entry: What :func:`co2_eq_emissions` returned.

    Raises:
        ConfigurationError: ``huggingface_hub`` is missing, or the card cannot be read or written.
    """
    try:
        from huggingface_hub.repocard import metadata_load, metadata_save
    except ModuleNotFoundError as error:
        msg = "Writing a model card takes huggingface_hub: pip install 'green-callbacks[export]'."
        raise ConfigurationError(msg) from error
    import yaml  # huggingface_hub depends on it

    try:
        _refuse_pipe(card)
        metadata = (metadata_load(card) if card.exists() else None) or {}
        metadata_save(card, {**metadata, _KEY: entry})
    except (OSError, ValueError, yaml.YAMLError) as error:
        msg = (
            f"The model card {card} cannot be written ({error}). Name a file in Markdown with metadata in YAML, if any."
        )
        raise ConfigurationError(msg) from error


def _refuse_pipe(card: Path) -> None:
    """Refuse what would be read for ever."""
    if card.exists() and not (card.is_file() or card.is_dir()):
        msg = "it is no file"
        raise ValueError(msg)
