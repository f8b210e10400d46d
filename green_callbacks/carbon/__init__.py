"""Carbon intensities in gCO2e/kWh, the place of this machine, and the PUE.

Intensities come from tables of places, from traces, and from live services. Only ``poll`` and ``forecast`` of the live
providers use the network. Importing this package loads no network client.

Example:
    >>> LOCATION_VARIABLE, INTENSITY_VARIABLE
    ('GREEN_CALLBACKS_LOCATION', 'GREEN_CALLBACKS_INTENSITY')
    >>> PUE_VARIABLE, TOKEN_VARIABLE
    ('GREEN_CALLBACKS_PUE', 'GREEN_CALLBACKS_ELECTRICITY_MAPS_TOKEN')
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from green_callbacks.carbon.base import (
    CarbonIntensity,
    PolledIntensity,
    VaryingIntensity,
    checked_intensity,
    is_varying,
    mean_intensity,
)
from green_callbacks.carbon.cloud import CloudIntensity
from green_callbacks.carbon.comparison import cleanest_comparable
from green_callbacks.carbon.constant import ConstantIntensity
from green_callbacks.carbon.equivalences import Equivalence, equivalences, equivalent_km
from green_callbacks.carbon.location import resolve_intensity, said_intensity
from green_callbacks.carbon.pue import Pue, resolve_pue
from green_callbacks.carbon.trace import TraceIntensity
from green_callbacks.carbon.zones import lookup
from green_callbacks.configuration import INTENSITY_VARIABLE, LOCATION_VARIABLE, PUE_VARIABLE, TOKEN_VARIABLE

if TYPE_CHECKING:
    from green_callbacks.carbon.live.electricity_maps import ElectricityMaps
    from green_callbacks.carbon.live.uk import UkCarbonIntensity

_LIVE: Final = {"ElectricityMaps": "electricity_maps", "UkCarbonIntensity": "uk"}
"""Modules of the classes that are loaded only on demand."""

__all__ = [
    "INTENSITY_VARIABLE",
    "LOCATION_VARIABLE",
    "PUE_VARIABLE",
    "TOKEN_VARIABLE",
    "CarbonIntensity",
    "CloudIntensity",
    "ConstantIntensity",
    "ElectricityMaps",
    "Equivalence",
    "PolledIntensity",
    "Pue",
    "TraceIntensity",
    "UkCarbonIntensity",
    "VaryingIntensity",
    "checked_intensity",
    "cleanest_comparable",
    "equivalences",
    "equivalent_km",
    "is_varying",
    "lookup",
    "mean_intensity",
    "resolve_intensity",
    "resolve_pue",
    "said_intensity",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401  a class of any kind
    if name in _LIVE:
        return getattr(import_module(f"{__name__}.live.{_LIVE[name]}"), name)
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
