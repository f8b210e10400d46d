"""What a mass of CO2e compares to, each with its source and year."""

from typing import Final, NamedTuple

from green_callbacks.carbon.tables import has_tables, missing, read_table
from green_callbacks.errors import ConfigurationError

_TABLE: Final = "equivalences.csv"


class Equivalence(NamedTuple):
    """Something that emits as much.

    Attributes:
        amount: How much of it, in ``unit``.
        unit: Unit of the amount, e.g. ``km``.
        what: What it is.
        year: Year of the figure.
        source: Who published it.
        note: What the figure counts.
    """

    amount: float
    unit: str
    what: str
    year: int
    source: str
    note: str


def equivalences(emissions_kg: float) -> tuple[Equivalence, ...]:
    """Say what emissions compare to.

    Args:
        emissions_kg: Emissions in kgCO2e.

    Returns:
        Kilometres of the average car (US EPA, 2024), then of a new car sold in the EU (EEA, 2024); nothing in a bundle
        without tables.
    """
    if not has_tables(_TABLE):
        return ()
    return tuple(
        Equivalence(
            amount=emissions_kg / float(row["kg_per_unit"]),
            unit=row["unit"],
            what=row["what"],
            year=int(row["year"]),
            source=row["source"],
            note=row["note"],
        )
        for row in read_table(_TABLE)
    )


def equivalent_km(emissions_kg: float) -> Equivalence:
    """Say how far the average US passenger car goes for as much.

    Args:
        emissions_kg: Emissions in kgCO2e.

    Returns:
        Kilometres, at 0.244 kgCO2e/km (US EPA, 2024).

    Raises:
        ConfigurationError: The table was left out of a bundle.
    """
    found = equivalences(emissions_kg)
    if not found:
        raise ConfigurationError(missing(_TABLE))
    return found[0]
