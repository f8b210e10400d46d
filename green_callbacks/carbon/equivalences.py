"""Comparisons for a mass of CO2e, each with its source and year."""

from typing import Final, NamedTuple

from green_callbacks.carbon.tables import has_tables, missing, read_table
from green_callbacks.errors import ConfigurationError

_TABLE: Final = "equivalences.csv"


class Equivalence(NamedTuple):
    """An activity that emits the same mass.

    Attributes:
        amount: Amount of the activity, in ``unit``.
        unit: Unit of the amount, such as ``km``.
        what: Name of the activity.
        year: Year of the figure.
        source: Publisher of the figure.
        note: Scope of the figure.

    Example:
        >>> equivalence = Equivalence(amount=4.1, unit="km", what="average car", year=2024, source="US EPA", note="")
        >>> f"{equivalence.amount} {equivalence.unit}"
        '4.1 km'
    """

    amount: float
    unit: str
    what: str
    year: int
    source: str
    note: str


def equivalences(emissions_kg: float) -> tuple[Equivalence, ...]:
    """Compare emissions with everyday activities.

    Args:
        emissions_kg: Emissions in kgCO2e.

    Returns:
        Kilometers of the average car (US EPA, 2024), then of a new car sold in the EU (EEA, 2024). Nothing in a bundle
        without tables.

    Example:
        >>> [each.unit for each in equivalences(1.0)]
        ['km', 'km']
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
    """Return how far the average US passenger car drives for the same emissions.

    Args:
        emissions_kg: Emissions in kgCO2e.

    Returns:
        Kilometers, at 0.244 kgCO2e/km (US EPA, 2024).

    Raises:
        ConfigurationError: The table is missing from a bundle.

    Example:
        >>> round(equivalent_km(1.0).amount, 1)
        4.1
    """
    found = equivalences(emissions_kg)
    if not found:
        raise ConfigurationError(missing(_TABLE))
    return found[0]
