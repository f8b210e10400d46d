"""Which charts TensorBoard shows together on its *Custom Scalars* page."""

import re
from collections.abc import Iterable
from typing import Final

Layout = dict[str, dict[str, list[str | list[str]]]]
"""Charts by category and title, as ``SummaryWriter.add_custom_scalars`` takes them."""

QUALITY_SUFFIX: Final = "_by_ug_co2e"
"""Ends the tag of a metric whose step is the emissions so far, in micrograms of CO2e."""

_CATEGORY: Final = "Emissions"

# Written as patterns, the same in every run: TensorBoard joins the layouts of the runs that it shows, and charts that
# differ in one tag would stand there twice.
_CHARTS: Final[dict[str, tuple[str, ...]]] = {
    "Quality by emissions so far (1M is 1 g CO2e)": (rf"green/.+{QUALITY_SUFFIX}$",),
    "Emissions so far and budget left (kg CO2e)": (
        r"green/emissions_total_kg$",
        r"green/budget_left_kg$",
    ),
    "What a kilogram still buys (gain per kg CO2e)": (r"green/gain_per_kg$",),
    "Whole run, as forecast (kg CO2e, likely range)": (r"green/forecast_(low_|high_)?kg$",),
    "Energy per epoch (kWh)": (r"green/energy_kwh$", r"green/.+_energy_kwh$"),
    "Mean power (W)": (r"green/watts$", r"green/.+_watts$"),
    "Carbon intensity (gCO2e/kWh)": (r"green/intensity_g_per_kwh$",),
}


def layout(tags: Iterable[str]) -> Layout:
    """Lay out the charts for which there is something to show.

    Args:
        tags: Tags of the scalars there are.

    Returns:
        The layout; without charts if none of the tags is known.
    """
    known = list(tags)
    charts: dict[str, list[str | list[str]]] = {
        title: ["Multiline", list(patterns)]
        for title, patterns in _CHARTS.items()
        if any(re.match(pattern, tag) for pattern in patterns for tag in known)
    }
    return {_CATEGORY: charts}
