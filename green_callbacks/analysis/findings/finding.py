"""One finding about a run."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A fact about a run with its number, its cost, and what would change it.

    Attributes:
        key: Name of the finding, such as ``data_wait``.
        value: Its number. A share from 0 to 1, or a ratio for ``small_batches``.
        text: Sentences with the number, the cost and the remedy.
        facility_kwh: Energy of the facility that it concerns, in kWh. Defaults to None, if it has no cost.
        emissions_kg: Emissions that it concerns, in kgCO2e. Defaults to None, if it has no cost.
        is_saving: Whether at most that cost could be saved. Defaults to False, for a cost that may be needed.

    Example:
        >>> finding = Finding(key="validation", value=0.4, text="Validation took 40 % of the energy of the epochs.")
        >>> finding.value, finding.emissions_kg is None
        (0.4, True)
    """

    key: str
    value: float
    text: str
    facility_kwh: float | None = None
    emissions_kg: float | None = None
    is_saving: bool = False
