"""The carbon intensity of electricity, with everything that is needed to judge it."""

from dataclasses import dataclass
from typing import Final, Literal, get_args

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
"""How the place of a carbon intensity was found."""


FOUND_BY: Final = frozenset(get_args(FoundBy))
"""All values of ``FoundBy``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Intensity:
    """The emissions of a kilowatt-hour at one place and time.

    Attributes:
        g_per_kwh: Carbon intensity, in gCO2e/kWh.
        low_g_per_kwh: Lower bound, in gCO2e/kWh. Defaults to None, if unknown.
        high_g_per_kwh: Upper bound, in gCO2e/kWh. Defaults to None, if unknown.
        zone: Code of the place, e.g. ``DE`` or ``US-CA``. Defaults to None, for a number that the user gave.
        name: English name of the place. Defaults to None.
        year: Year of the figure. Defaults to None, for a number that the user gave.
        scope: ``lifecycle`` (including plants and fuel supply) or ``direct`` (combustion only). Defaults to None.
        basis: ``generation`` or ``consumption`` of the zone. Defaults to None.
        source: Publisher of the figure.
        licence: License of the figure. Defaults to None.
        found_by: How the place was found.
        flags: Short words that a reader must know, e.g. ``guessed`` or ``stale``. Defaults to none.

    Example:
        >>> given = Intensity(g_per_kwh=360.0, high_g_per_kwh=400.0, source="our utility", found_by="argument")
        >>> given.lowest_g_per_kwh, given.highest_g_per_kwh
        (360.0, 400.0)
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
        """Lower bound, in gCO2e/kWh. The intensity itself if there is no bound."""
        return self.g_per_kwh if self.low_g_per_kwh is None else self.low_g_per_kwh

    @property
    def highest_g_per_kwh(self) -> float:
        """Upper bound, in gCO2e/kWh. The intensity itself if there is no bound."""
        return self.g_per_kwh if self.high_g_per_kwh is None else self.high_g_per_kwh
