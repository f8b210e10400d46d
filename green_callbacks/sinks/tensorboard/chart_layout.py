"""Which charts TensorBoard shows together on its *Custom Scalars* page."""

import re
from collections.abc import Iterable, Sequence
from typing import Final, Literal, NamedTuple

Layout = dict[str, dict[str, list[str | list[str]]]]
"""Charts by category and title, as ``SummaryWriter.add_custom_scalars`` takes them."""

QUALITY: Final = {"max": "green/1_quality_by_mg_co2e", "min": "green/1_loss_by_mg_co2e"}
"""The tags whose step is the emissions so far, by whether more or less of the metric is better.

They are the same in all frameworks, whatever the metric is called. The number puts them first.
"""

SMALL_QUALITY: Final = {"max": "green_detail/quality_by_ug_co2e", "min": "green_detail/loss_by_ug_co2e"}
"""The same of a small run."""


class _Chart(NamedTuple):
    tags: tuple[str, ...]
    kind: Literal["Multiline", "Margin"] = "Multiline"
    needs_first: bool = False

    def is_for(self, known: Sequence[str]) -> bool:
        """Tell whether it has something to show; a margin has nothing without its bounds."""
        if self.kind == "Margin":
            return set(self.tags) <= set(known)
        patterns = self.tags[:1] if self.needs_first else self.tags
        return any(re.match(pattern, tag) for pattern in patterns for tag in known)


# Written as patterns, the same in every run: TensorBoard joins the layouts of the runs that it shows, and charts that
# differ in one tag would stand there twice. Those of a margin are names: a value, its lower and its upper bound.
# TensorBoard shows margins last in their category.
_CHARTS: Final[dict[str, dict[str, _Chart]]] = {
    "Emissions": {
        "Emissions so far (g CO2e)": _Chart((r"green/emissions_total_g$",)),
        "Quality by emissions so far (horizontal: mg CO2e)": _Chart((rf"{QUALITY['max']}$",)),
        "Loss by emissions so far (horizontal: mg CO2e)": _Chart((rf"{QUALITY['min']}$",)),
        "Emissions per epoch (g CO2e)": _Chart((r"green/emissions_g$",)),
        "Budget left (g CO2e)": _Chart((r"green/budget_left_g$",)),
        "Budget left (Wh)": _Chart((r"green/budget_left_wh$",)),
        "Energy per epoch (Wh)": _Chart((r"green/energy_wh$", r"green_detail/.+_energy_wh$")),
        # Lines, no margin: a table of hyperparameters puts a point of its own into the total, and TensorBoard draws no
        # margin whose three curves have other steps.
        "Emissions so far, at least and at most (g CO2e)": _Chart(
            (r"green_detail/emissions_total_(low|high)_g$", r"green/emissions_total_g$"), needs_first=True
        ),
    },
    "Details": {
        "Quality of a small run (horizontal: µg CO2e)": _Chart((rf"{SMALL_QUALITY['max']}$",)),
        "Loss of a small run (horizontal: µg CO2e)": _Chart((rf"{SMALL_QUALITY['min']}$",)),
        "Mean power (W)": _Chart((r"green/watts$", r"green/gpu_watts$", r"green_detail/.+_watts$")),
        "Measured, not modelled (% of the energy)": _Chart((r"green/measured_percent$",)),
        "Carbon intensity (gCO2e/kWh)": _Chart((r"green_detail/intensity_g_per_kwh$",)),
        "What a kilogram still buys (gain per kg CO2e)": _Chart((r"green/gain_per_kg$",)),
        "Whole run, as forecast, with its likely range (g CO2e)": _Chart(
            ("green_detail/forecast_g", "green_detail/forecast_low_g", "green_detail/forecast_high_g"), "Margin"
        ),
    },
}


def layout(tags: Iterable[str]) -> Layout:
    """Lay out the charts for which there is something to show.

    Args:
        tags: Tags of the scalars there are.

    Returns:
        The layout; empty if none of the tags is known.
    """
    known = list(tags)
    categories: Layout = {
        category: {title: [chart.kind, list(chart.tags)] for title, chart in charts.items() if chart.is_for(known)}
        for category, charts in _CHARTS.items()
    }
    return {category: charts for category, charts in categories.items() if charts}
