"""Carbon intensity of electricity, with all that is needed to judge it."""

from dataclasses import dataclass
from typing import Literal

FoundBy = Literal[
    "argument",
    "environment",
    "configuration",
    "cloud hint",
    "cloud metadata",
    "time zone",
    "world average",
    "provider",
    "scripted",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Intensity:
    """What a kilowatt-hour emits at one place and time.

    Attributes:
        g_per_kwh: Carbon intensity in gCO2e/kWh.
        low_g_per_kwh: Lower bound in gCO2e/kWh; None where nothing is known of it.
        high_g_per_kwh: Upper bound in gCO2e/kWh; None where nothing is known of it.
        zone: Code of the place, e.g. ``DE`` or ``US-CA``; None for a number that was given.
        name: English name of the place.
        year: Year of the figure; None for a number that was given.
        scope: ``lifecycle`` (with building plants and providing fuel) or ``direct`` (combustion only).
        basis: ``generation`` or ``consumption`` of the zone.
        source: Who published it.
        licence: Licence of the figure.
        found_by: How the place was found.
        flags: Short words that a reader must know, e.g. ``guessed`` or ``stale``.
    """

    g_per_kwh: float
    low_g_per_kwh: float | None = None
    high_g_per_kwh: float | None = None
    zone: str | None = None
    name: str | None = None
    year: int | None = None
    scope: str | None = None
    basis: str | None = None
    source: str
    licence: str | None = None
    found_by: FoundBy
    flags: tuple[str, ...] = ()

    @property
    def lowest_g_per_kwh(self) -> float:
        """Lower bound in gCO2e/kWh; the intensity itself where nothing is known of it."""
        return self.g_per_kwh if self.low_g_per_kwh is None else self.low_g_per_kwh

    @property
    def highest_g_per_kwh(self) -> float:
        """Upper bound in gCO2e/kWh; the intensity itself where nothing is known of it."""
        return self.g_per_kwh if self.high_g_per_kwh is None else self.high_g_per_kwh
