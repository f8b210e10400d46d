"""The stage of a run, which sets whether a stopping rule may decide and how sure it must be."""

from dataclasses import dataclass
from typing import Final, Self

from green_callbacks.policies._learning_curve import Curve
from green_callbacks.policies._warm_up import has_done, is_warmed_up

_LEARNED: Final = 0.25
"""Least share of the way from the first value to ``acceptable``, after which the rule decides. By experiment in
``bench_policies``. With half of this share, runs that only guess are judged as well.
"""

_EARLY: Final = 0.4
"""Share of the plan before which the rule must be surer. By experiment in ``bench_policies``."""
_WIDE: Final = 1.5
"""Factor of the half-width of the confidence interval where the rule must be surer. By experiment in
``bench_policies``.
"""

_NARROW: Final = 0.75
"""The same factor where the rule lands. A landing that begins too early costs less than a stop that comes too early. By
experiment in ``bench_landing``.
"""


@dataclass(frozen=True, slots=True)
class Stage:
    """How far a run has come, in its plan and on the way to an acceptable value.

    Attributes:
        done: Share of the plan that is done. None without a plan.
        values: Number of values of the metric.
        is_acceptable: Whether the best value is acceptable.
        has_learned: Whether the best value has come a quarter of the way from the first value to an acceptable value.
        lands: Whether the rule lands. Defaults to False.
    """

    done: float | None
    values: int
    is_acceptable: bool
    has_learned: bool
    lands: bool = False

    @classmethod
    def of(cls, curve: Curve, acceptable: float | None, done: float | None, *, lands: bool = False) -> Self:
        """Take the stage at the end of a curve.

        Args:
            curve: The curve.
            acceptable: Lowest acceptable value, or the highest if less is better. None if any value is acceptable.
            done: Share of the plan that is done. None without a plan.
            lands: Whether the rule lands. Defaults to False.
        """
        if acceptable is None:
            return cls(done, len(curve), is_acceptable=True, has_learned=True, lands=lands)
        least_gain = _LEARNED * curve.way_to(acceptable)
        return cls(
            done,
            len(curve),
            is_acceptable=curve.turned(curve.best - acceptable) >= 0,
            has_learned=has_done(curve.whole_gain, least_gain),
            lands=lands,
        )

    @property
    def is_warmed_up(self) -> bool:
        """Whether the warm-up is over."""
        return is_warmed_up(self.done, self.values)

    @property
    def margin(self) -> float:
        """Factor of the half-width of the confidence interval.

        It is higher early in the plan, without a plan, and while no value is acceptable. A wrong stop costs most there.
        It is lower for a rule that lands, early in the plan as well.
        """
        if self.done is None or not self.is_acceptable:
            return _WIDE
        if self.lands:
            return _NARROW
        return 1.0 if has_done(self.done, _EARLY) else _WIDE

    def is_open(self, least_slope: float) -> bool:
        """Return whether the rule may stop a run because more training does not pay.

        Args:
            least_slope: The least slope that pays. At 0 any gain pays, so only an acceptable value may end the run.
        """
        return self.is_acceptable or (self.has_learned and least_slope > 0)
