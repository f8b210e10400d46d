"""The same run in other places, in other years, and in other facilities."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from green_callbacks.analysis import effective_intensity, effective_pue
from green_callbacks.analysis.ledger_run import LedgerRun
from green_callbacks.carbon import lookup
from green_callbacks.carbon.pue import EFFICIENT_PUE
from green_callbacks.carbon.tables import has_tables, tables
from green_callbacks.errors import ConfigurationError
from green_callbacks.records import Intensity
from green_callbacks.units import grams_to_kg

DEFAULT_ZONES: Final = (
    *("WORLD", "EU", "US", "CN", "IN", "PL", "DE", "FR", "SE", "NO"),
    *("aws:eu-north-1", "aws:us-east-1", "azure:westeurope", "gcp:europe-north1", "gcp:us-central1"),
)
"""Large emitters, the dirtiest and the cleanest grids of Europe, and popular regions of clouds."""


AVERAGE_PUE: Final = 1.67
"""Average PUE of the world's data centers in 2019, as a ratio (Uptime Institute's survey). It was 1.54 in 2025."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """The energy of a run, and the carbon intensity of its place.

    Attributes:
        energy_kwh: Energy of the computers, in kWh.
        facility_kwh: Energy of the facility, in kWh, which is the sum over records of energy and PUE.
        pue: Energy of the facility divided by the energy of the computers.
        intensity: Carbon intensity of the run. The mean if it changed.
    """

    energy_kwh: float
    facility_kwh: float
    pue: float
    intensity: Intensity

    @property
    def pues(self) -> tuple[float, ...]:
        """PUEs to compare, with the run's own first."""
        return tuple(dict.fromkeys((self.pue, EFFICIENT_PUE, AVERAGE_PUE)))

    def emissions_kg(self, intensity: Intensity, pue: float) -> float:
        """Return the emissions of the same energy of the computers elsewhere, in kgCO2e.

        Args:
            intensity: Carbon intensity of the place.
            pue: PUE of the facility.
        """
        facility_kwh = self.facility_kwh if pue == self.pue else self.energy_kwh * pue
        return grams_to_kg(facility_kwh * intensity.g_per_kwh)

    def counted_alike(self, intensity: Intensity) -> bool:
        """Return whether a figure has the scope of the run's own figure, which is the life cycle or combustion only.

        Args:
            intensity: The figure.
        """
        return intensity.scope is not None and intensity.scope == self.intensity.scope


def spent(run: LedgerRun) -> Spent | None:
    """Return the energy and the intensity of a run. None if nothing was measured.

    Args:
        run: The run.
    """
    totals, intensity, pue = run.totals, effective_intensity(run.history), effective_pue(run.history)
    if not totals.energy_kwh or totals.facility_kwh is None or intensity is None or pue is None:
        return None
    return Spent(energy_kwh=totals.energy_kwh, facility_kwh=totals.facility_kwh, pue=pue, intensity=intensity)


def places(here: Intensity, zones: Sequence[str], year: int | None) -> tuple[list[Intensity], list[str]]:
    """Look up places to compare with.

    Args:
        here: Place of the run.
        zones: Places that the user named. Empty for :data:`DEFAULT_ZONES`.
        year: Year of all figures. None takes the year of the run if there is a figure for it, and else the latest year.

    Returns:
        Carbon intensities, the cleanest first, without the run's own. And the default zones without a figure for that
        year. In a bundle without tables, the default zones have none.

    Raises:
        UnknownZoneError: A named place is in no table.
        ConfigurationError: A named place has no figure for the year.
    """
    found: list[Intensity] = []
    missing: list[str] = []
    if not zones and not has_tables():
        return found, missing
    for zone in zones or DEFAULT_ZONES:
        try:
            found.append(_at(zone, year, here.year))
        except ConfigurationError:
            if zones:
                raise
            missing.append(zone)
    distinct = {(there.zone, there.year): there for there in found if not _same(there, here)}
    return sorted(distinct.values(), key=lambda there: there.g_per_kwh), missing


def _at(zone: str, year: int | None, preferred: int | None) -> Intensity:
    if year is None and preferred is not None:
        try:
            return lookup(zone, year=preferred)
        except ConfigurationError:  # no figure for that year, or an unknown place, which the next line refuses
            return lookup(zone)
    return lookup(zone, year=year)


def _same(there: Intensity, here: Intensity) -> bool:
    return (there.zone, there.year, there.g_per_kwh) == (here.zone, here.year, here.g_per_kwh)


def years(here: Intensity) -> list[Intensity]:
    """Look up the place of a run in all years with a figure.

    Args:
        here: Place of the run.

    Returns:
        Carbon intensities in order of the years, without the run's own. Empty for an unknown place.
    """
    if here.zone is None or not has_tables():
        return []
    found = _figures(here.zone, tables().zones["WORLD"].figures)
    return [there for there in found if not _same(there, here)]


def _figures(zone: str, candidates: Iterable[int]) -> Iterator[Intensity]:
    for year in candidates:
        try:
            yield lookup(zone, year=year)
        except ConfigurationError:  # no figure for that year, or a label that is no place
            continue
