"""The part of a learning curve by which more training is judged."""

from dataclasses import dataclass
from typing import Final, Self

from green_callbacks.policies._curve import Curve
from green_callbacks.policies._trend import MIN_VALUES, Trend, fit
from green_callbacks.records import History

_SHARE: Final = 1 / 3
"""The share of the energy that is judged; scored on real learning curves in ``tests/benchmarks``."""

_SHARE_SINCE_DROP: Final = 1 / 2
"""The share of the energy since the learning rate dropped: what it brings at once is not judged."""


@dataclass(frozen=True, slots=True)
class Window:
    """The last third of the energy, or the last half of that since the learning rate dropped, if that is less.

    Attributes:
        curve: The whole curve.
        start: Index of the curve's value at which the window begins.
        trend: The straight line through its values.
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
            The window; None while there are too few values to fill it.
        """
        origin_kwh = curve.kwh[first_row - 1] if first_row else 0.0
        judged_kwh = min(_SHARE * curve.spent_kwh, _SHARE_SINCE_DROP * (curve.spent_kwh - origin_kwh))
        start = min(curve.before(curve.spent_kwh - judged_kwh), len(curve) - MIN_VALUES)
        if start < 0 or curve.rows[start] < first_row:
            return None
        trend = fit(*curve.since(start), rises=curve.rises)
        return None if trend is None else cls(curve, start, trend)

    @property
    def kwh(self) -> float:
        """Energy between its first and its last value, in kWh."""
        return self.curve.spent_kwh - self.curve.kwh[self.curve.rows[self.start]]

    @property
    def bought(self) -> str:
        """What its energy bought by the trend, in units of the metric."""
        return f"{self.trend.slope * self.kwh:.3g}" if self.trend.slope > 0 else "nothing"

    @property
    def at_most(self) -> str:
        """What its energy bought at most, at 90 % confidence."""
        return f"{max(self.trend.upper, 0.0) * self.kwh:.3g}"

    @property
    def new_best(self) -> bool:
        """Whether the best value of the curve lies in it, after its first."""
        return self.curve.gained_since(self.start) > 0

    def gains(self, history: History) -> dict[str, float]:
        """Return the marginal gain under the metric keys of the package.

        Args:
            history: All records so far.
        """
        gains = {"green/gain_per_kwh": self.trend.slope}
        kg = history.cumulative_kg[self.curve.rows[-1]] - history.cumulative_kg[self.curve.rows[self.start]]
        if kg > 0:
            gains["green/gain_per_kg"] = self.trend.slope * self.kwh / kg
        if self.curve.whole_gain > 0:
            gains["green/gain_on_doubling"] = self.trend.slope * self.curve.spent_kwh / 2 / self.curve.whole_gain
        return gains
