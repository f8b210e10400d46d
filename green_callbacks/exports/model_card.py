"""The ``co2_eq_emissions`` entry of a Hugging Face model card."""

from pathlib import Path
from typing import Final, Literal

from green_callbacks.errors import ConfigurationError
from green_callbacks.exports._formatting import TOOL, gpu_count, plain, where
from green_callbacks.records import History, Intensity, RunRecord
from green_callbacks.records.coverage import what_counts, who_else
from green_callbacks.records.means import effective_intensity, effective_pue
from green_callbacks.records.reference import AT_THE_WORLDS
from green_callbacks.text import for_terminal, for_yaml
from green_callbacks.text.amounts import format_mass
from green_callbacks.text.wording import percent, significant
from green_callbacks.units import kg_to_grams

TrainingType = Literal["pre-training", "fine-tuning"]
Metadata = dict[str, float | str]

_KEY: Final = "co2_eq_emissions"
_DIGITS: Final = 4
"""Significant digits of the emissions."""


def co2_eq_emissions(
    run: RunRecord, history: History, *, training_type: TrainingType | None = None, hardware: str | None = None
) -> Metadata:
    """Make a model card's entry on emissions.

    The fields follow the documentation of the Hub (https://huggingface.co/docs/hub/model-cards-co2). Unknown fields are
    left out.

    Args:
        run: Totals of the run.
        history: All records of the run.
        training_type: ``pre-training`` or ``fine-tuning``. Defaults to None, which leaves it out.
        hardware: Hardware of the run, in words. Defaults to the number of GPUs.

    Returns:
        ``emissions`` in g, ``source``, and if known ``training_type``, ``geographical_location`` and ``hardware_used``.
        The emissions have no exponent, because the Hub's client reads ``1.2e-05`` as 1.2. Below 0.1 mg, where Python
        writes an exponent, the emissions are a text.

    Raises:
        ConfigurationError: Nothing was measured, so there is no number to write.

    Example:
        >>> from green_callbacks import EpochRecord
        >>> from green_callbacks.analysis import totals
        >>> history = History([EpochRecord.scripted(epoch=0, emissions_kg=0.5)])
        >>> run = totals(history, "my-run", ledger=None, stop_reason=None)
        >>> co2_eq_emissions(run, history, hardware="1 laptop")["emissions"]
        500.0
    """
    intensity = effective_intensity(history)
    if run.emissions_kg is None or intensity is None:
        msg = f"Nothing was measured in the run {run.run_id}, so there are no emissions to write into a model card."
        raise ConfigurationError(msg)
    gpus = gpu_count(run)
    fields = {
        "emissions": _grams(run.emissions_kg),
        "source": _source(run, intensity, effective_pue(history)),
        "training_type": training_type,
        "geographical_location": where(intensity),
        "hardware_used": hardware or (f"{gpus} GPU{'s' if gpus > 1 else ''}" if gpus else None),
    }
    # The Hub and editors show a card, so no text in it may hold invisible characters.
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
    """Write the entry as YAML, to paste between the ``---`` lines of a card.

    Args:
        entry: Result of :func:`co2_eq_emissions`.

    Returns:
        Lines of YAML.

    Example:
        >>> print(front_matter({"emissions": 500.0, "source": "green_callbacks"}))
        co2_eq_emissions:
          emissions: 500.0
          source: "green_callbacks"
    """
    return "\n".join([f"{_KEY}:", *(f"  {name}: {for_yaml(value)}" for name, value in entry.items())])


def write_card(card: Path, entry: Metadata) -> None:
    """Write the entry into a model card on this machine, in place of an older entry. The network is not used.

    Args:
        card: Path of the card (``README.md``), with or without metadata. The file is made if it is missing.
        entry: Result of :func:`co2_eq_emissions`.

    Raises:
        ConfigurationError: ``huggingface_hub`` is missing, or the card cannot be read or written.

    Example:
        >>> from importlib.util import find_spec
        >>> from tempfile import mkdtemp
        >>> if find_spec("huggingface_hub"):  # pip install 'green-callbacks[export]'
        ...     write_card(Path(mkdtemp(), "README.md"), {"emissions": 500.0, "source": "green_callbacks"})
    """
    try:
        from huggingface_hub.repocard import metadata_load, metadata_save
    except ModuleNotFoundError as error:
        msg = "Writing a model card needs huggingface_hub. Run pip install 'green-callbacks[export]'."
        raise ConfigurationError(msg) from error
    import yaml  # huggingface_hub depends on it

    try:
        _refuse_pipe(card)
        metadata = (metadata_load(card) if card.exists() else None) or {}
        metadata_save(card, {**metadata, _KEY: entry})
    except (OSError, ValueError, yaml.YAMLError) as error:
        msg = (
            f"The model card {card} cannot be written ({error}). Name a Markdown file whose metadata, if any, is YAML."
        )
        raise ConfigurationError(msg) from error


def _refuse_pipe(card: Path) -> None:
    """Refuse a pipe or a device, because reading it might never end."""
    if card.exists() and not (card.is_file() or card.is_dir()):
        msg = "it is not a regular file"
        raise ValueError(msg)
