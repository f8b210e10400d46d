"""What a kilowatt-hour emits: tables of places, the place of this machine, PUE; no network."""

from green_callbacks.carbon.base import CarbonIntensity
from green_callbacks.carbon.comparison import cleanest_comparable
from green_callbacks.carbon.constant import ConstantIntensity
from green_callbacks.carbon.equivalences import Equivalence, equivalences, equivalent_km
from green_callbacks.carbon.location import resolve_intensity
from green_callbacks.carbon.pue import Pue, resolve_pue
from green_callbacks.carbon.zones import lookup

__all__ = [
    "CarbonIntensity",
    "ConstantIntensity",
    "Equivalence",
    "Pue",
    "cleanest_comparable",
    "equivalences",
    "equivalent_km",
    "lookup",
    "resolve_intensity",
    "resolve_pue",
]
