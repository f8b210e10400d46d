"""The least gain of a metric that justifies its energy, in three forms."""

from bisect import bisect_left
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite, log, log1p
from sys import float_info
from typing import Final

from green_callbacks.errors import ConfigurationError
from green_callbacks.policies._learning_curve import Curve
from green_callbacks.records import History

DEFAULT_GAIN_ON_DOUBLING: Final = 0.05
"""Default of ``min_gain_on_doubling``, as a share of the whole gain so far. By experiment in ``bench_policies``."""
AHEAD: Final = 1 / 2
"""Future energy that a price must justify, as a share of past energy. By definition of the price."""

_SPANS: Final = 10
"""Number of equal parts of a run among which the cleanest grid is searched. By experiment."""


@dataclass(frozen=True, slots=True)
class Price:
    """A threshold, in exactly one of its forms.

    Attributes:
        per_kg: Least gain of the metric for one kgCO2e.
        per_kwh: Least gain of the metric for one kWh of facility energy.
        on_doubling: Least gain by the last doubling of the energy, as a share of the whole gain so far.
    """

    per_kg: float | None = None
    per_kwh: float | None = None
    on_doubling: float | None = None

    @classmethod
    def chosen(cls, per_kg: float | None, per_kwh: float | None, on_doubling: float | None) -> "Price":
        """Return the threshold that is set, or the default threshold.

        Raises:
            ConfigurationError: Several thresholds are set, or a threshold is negative or not finite.
        """
        given = {
            "min_gain_per_kg": per_kg,
            "min_gain_per_kwh": per_kwh,
            "min_gain_on_doubling": on_doubling,
        }
        named = {name: value for name, value in given.items() if value is not None}
        if len(named) > 1:
            msg = f"Give one threshold at most, not {' and '.join(named)}."
            raise ConfigurationError(msg)
        for name, value in named.items():
            if not isfinite(value) or value < 0:
                msg = f"{name} is {value}. It must be 0 or more."
                raise ConfigurationError(msg)
        return cls(per_kg, per_kwh, on_doubling) if named else cls(on_doubling=DEFAULT_GAIN_ON_DOUBLING)

    def least_slope(self, history: History, curve: Curve) -> float:
        """Return the least gain of the metric while the energy grows by a factor of e.

        With g on doubling and a whole gain G, the least slope is g G / ln 2. With a price p per kWh and past energy E,
        the next E / 2 must gain p E / 2, so the least slope is (p E / 2) / ln(3 / 2).

        Args:
            history: All records so far.
            curve: The learning curve of the metric.
        """
        if self.on_doubling is not None:
            least = self.on_doubling * curve.whole_gain / log(2)
        else:
            per_kwh = self.per_kg * cleanest_kg_per_kwh(history) if self.per_kg else self.per_kwh or 0.0
            least = per_kwh * AHEAD * curve.spent_kwh / log1p(AHEAD)
        return min(least, float_info.max)  # because a high price may overflow

    def words(self, monitor: str) -> str:
        """Return the price as a sentence.

        Args:
            monitor: Key of the metric.
        """
        if self.per_kg is not None:
            return f"1 kg of CO2e must gain at least {self.per_kg:g} of {monitor}."
        if self.per_kwh is not None:
            return f"1 kWh must gain at least {self.per_kwh:g} of {monitor}."
        share = f"{self.on_doubling or 0:.3g}"
        return f"A doubling of the energy must gain at least {share} times the whole gain of {monitor}."


def cleanest_kg_per_kwh(history: History) -> float:
    """Return the carbon intensity at which energy is priced, in kgCO2e/kWh.

    It is the intensity of the last record, or of the cleanest tenth of the run if that is lower. A run must not stop
    just because the grid turned dirty.

    Args:
        history: All records so far.
    """
    kg, kwh = history.cumulative_kg, history.cumulative_kwh
    last = bisect_left(kwh, kwh[-1])
    rows = sorted({0, last - 1, last} | {min(bisect_left(kwh, kwh[-1] * i / _SPANS), last) for i in range(_SPANS)})
    spans = [(kg[end] - kg[start], kwh[end] - kwh[start]) for start, end in pairwise(rows) if start >= 0]
    return min((mass / energy for mass, energy in spans if energy > 0), default=kg[-1] / kwh[-1])
