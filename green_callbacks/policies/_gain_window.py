"""The last part of a learning curve, by which more training is judged."""

from dataclasses import dataclass
from math import isfinite, log
from typing import Final, Self

from green_callbacks.policies._gain_trend import MIN_VALUES, Trend, fit, slope_of
from green_callbacks.policies._learning_curve import Curve
from green_callbacks.records import History

_SHARE: Final = 1 / 2
"""Share of the energy that is judged. It is the last doubling, or the last half since a drop of the learning rate."""


@dataclass(frozen=True, slots=True)
class Window:
    """The last half of the energy since the last drop of the learning rate.

    The drop itself often brings a sudden gain, which the window leaves out.

    Attributes:
        curve: The whole curve.
        start: Index of the first value of the window in the curve.
        trend: Straight line through the values of the window.
    """

    curve: Curve
    start: int
    trend: Trend

    @classmethod
    def of(cls, curve: Curve, first_row: int) -> Self | None:
        """Take the window at the end of a curve.

        Args:
            curve: The curve.
            first_row: Row from which on the learning rate has not dropped.

        Returns:
            The window. None if there are too few values to fill it.
        """
        judged_kwh = _SHARE * (curve.spent_kwh - curve.spent_until(first_row - 1))
        start = min(curve.before(curve.spent_kwh - judged_kwh), len(curve) - MIN_VALUES)
        if start < 0 or curve.rows[start] < first_row or curve.spent_until(curve.rows[start]) <= 0:
            return None
        trend = fit(*curve.since(start), rises=curve.rises)
        return None if trend is None else cls(curve, start, trend)

    @property
    def kwh(self) -> float:
        """Energy between the first and the last value of the window, in kWh."""
        return self.curve.spent_kwh - self.curve.spent_until(self.curve.rows[self.start])

    @property
    def bought(self) -> float:
        """Gain by the energy of the window according to the trend, in units of the metric."""
        return self.trend.slope * (self.curve.folds[len(self.curve) - 1] - self.curve.folds[self.start])

    @property
    def doubling(self) -> Trend | None:
        """Trend of the last doubling of the energy, whatever the window. None if it is undetermined."""
        start = self.curve.before(self.curve.spent_kwh / 2)
        if start == self.start:
            return self.trend
        return None if start < 0 else fit(*self.curve.since(start), rises=self.curve.rises)

    @property
    def late_slope(self) -> float:
        """Slope of the second half of the window, for a curve that has begun to rise again."""
        late = min(self.curve.before(self.curve.spent_kwh - self.kwh / 2), len(self.curve) - MIN_VALUES)
        slope = slope_of(*self.curve.since(late), rises=self.curve.rises)
        return self.trend.slope if slope is None else slope

    @property
    def can_be_judged(self) -> bool:
        """Whether all results are finite. Differences of values near 1e308 may not be finite."""
        calculated = (self.trend.upper, self.bought, self.curve.whole_gain, self.curve.spent_kwh)
        return all(map(isfinite, calculated))

    @property
    def new_best(self) -> bool:
        """Whether the best value of the curve lies in the window, after its first value."""
        return self.curve.gained_since(self.start) > 0

    def gains(self, history: History) -> dict[str, float]:
        """Return the marginal gain by metric key, as far as it is finite.

        Args:
            history: All records so far.
        """
        gains = {"green/gain_per_kwh": self.bought / self.kwh}
        kg = history.cumulative_kg[self.curve.last_row] - history.cumulative_kg[self.curve.rows[self.start]]
        if kg > 0:
            gains["green/gain_per_kg"] = self.bought / kg
        if self.curve.whole_gain > 0:
            gains["green/gain_on_doubling"] = self.trend.slope * log(2) / self.curve.whole_gain
        return {name: gain for name, gain in gains.items() if isfinite(gain)}
