"""The world average grid, at which emissions of any place and time can be compared.

Example:
    >>> WORLD.g_per_kwh, WORLD.year
    (458.3, 2025)
"""

from typing import Final

from green_callbacks.records.intensity import Intensity
from green_callbacks.units import GRAMS_PER_KG

WORLD: Final = Intensity(
    g_per_kwh=458.3,
    low_g_per_kwh=37.4,
    high_g_per_kwh=810.2,
    zone="WORLD",
    name="World",
    year=2025,
    scope="lifecycle",
    basis="generation",
    source="Ember (2026); Energy Institute, Statistical Review of World Energy; processed by Our World in Data",
    licence="CC BY 4.0",
    found_by="world average",
)
"""The world average of 2025, the same for every record of any year.

It is defined here so that it exists in a bundle without the tables of the package. The low and the high value are the
5th and 95th percentile of the countries.
"""


AT_THE_WORLDS: Final = f"at the world's average of {WORLD.year} ({WORLD.g_per_kwh:g} gCO2e/kWh)"
"""What texts say of emissions at the world average."""


def reference_kg(facility_kwh: float) -> float:
    """Return the emissions of an energy at the world average, in kgCO2e.

    Args:
        facility_kwh: Energy of the facility, in kWh.
    """
    return facility_kwh * WORLD.g_per_kwh / GRAMS_PER_KG
