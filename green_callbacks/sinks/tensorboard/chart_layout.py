"""The charts on TensorBoard's *Custom Scalars* page."""

import re
from collections.abc import Iterable, Sequence
from typing import Final, Literal, NamedTuple

Layout = dict[str, dict[str, list[str | list[str]]]]
"""Charts by category and title, in the form of ``SummaryWriter.add_custom_scalars``."""

QUALITY: Final = {"max": "green/1_quality_by_mg_co2e", "min": "green/1_loss_by_mg_co2e"}
"""Tags of the curve of the quality over the emissions, by the mode of the metric.

The tags are the same in all frameworks and for all metrics. The number puts them first.
"""

SMALL_QUALITY: Final = {"max": "green_detail/quality_by_ug_co2e", "min": "green_detail/loss_by_ug_co2e"}
"""Tags of the same curve for a small run."""


class _Chart(NamedTuple):
    tags: tuple[str, ...]
    kind: Literal["Multiline", "Margin"] = "Multiline"
    needs_first: bool = False

    def is_for(self, known: Sequence[str]) -> bool:
        """Return whether the chart has something to show. A margin chart needs all of its tags."""
        if self.kind == "Margin":
            return set(self.tags) <= set(known)
        patterns = self.tags[:1] if self.needs_first else self.tags
        return any(re.match(pattern, tag) for pattern in patterns for tag in known)


# Tags are patterns, and the same in every run. TensorBoard joins the layouts of its runs, so charts which differ in a
# tag would appear twice. A margin chart has names instead: the value, its lower bound and its upper bound.
# TensorBoard shows margin charts last in their category.
_CHARTS: Final[dict[str, dict[str, _Chart]]] = {
    "Emissions": {
        "Emissions so far (g CO2e)": _Chart((r"green/emissions_total_g$",)),
        "Quality by emissions so far (horizontal: mg CO2e)": _Chart((rf"{QUALITY['max']}$",)),
        "Loss by emissions so far (horizontal: mg CO2e)": _Chart((rf"{QUALITY['min']}$",)),
        "Emissions per epoch (g CO2e)": _Chart((r"green/emissions_g$",)),
        "Budget left (g CO2e)": _Chart((r"green/budget_left_g$",)),
        "Budget left (Wh)": _Chart((r"green/budget_left_wh$",)),
        "Energy per epoch (Wh)": _Chart((r"green/energy_wh$", r"green_detail/.+_energy_wh$")),
        # These are lines and not a margin, because a table of hyperparameters adds a point to the total. TensorBoard
        # draws no margin whose three curves differ in their steps.
        "Emissions so far with bounds (g CO2e)": _Chart(
            (r"green_detail/emissions_total_(low|high)_g$", r"green/emissions_total_g$"), needs_first=True
        ),
    },
    "Details": {
        "Quality of a small run (horizontal: µg CO2e)": _Chart((rf"{SMALL_QUALITY['max']}$",)),
        "Loss of a small run (horizontal: µg CO2e)": _Chart((rf"{SMALL_QUALITY['min']}$",)),
        "Mean power (W)": _Chart((r"green/watts$", r"green/gpu_watts$", r"green_detail/.+_watts$")),
        "Measured, not modelled (% of the energy)": _Chart((r"green/measured_percent$",)),
        "What GPUs did (% of the time)": _Chart((r"green_detail/gpu_(utilization|throttled)_percent$",)),
        "Carbon intensity (gCO2e/kWh)": _Chart((r"green_detail/intensity_g_per_kwh$",)),
        "Gain of the metric per kg CO2e": _Chart((r"green/gain_per_kg$",)),
        "Factor of the learning rate in a landing": _Chart((r"green/landing$",)),
        "Predicted emissions of the whole run, with range (g CO2e)": _Chart(
            ("green_detail/forecast_g", "green_detail/forecast_low_g", "green_detail/forecast_high_g"), "Margin"
        ),
    },
}


def layout(tags: Iterable[str]) -> Layout:
    """Lay out the charts that have something to show.

    Args:
        tags: Tags of the scalars of a run.

    Returns:
        The layout. Empty if no tag is known.
    """
    known = list(tags)
    categories: Layout = {
        category: {title: [chart.kind, list(chart.tags)] for title, chart in charts.items() if chart.is_for(known)}
        for category, charts in _CHARTS.items()
    }
    return {category: charts for category, charts in categories.items() if charts}
