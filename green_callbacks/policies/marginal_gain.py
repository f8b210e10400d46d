"""Stop when more training no longer buys enough."""

from dataclasses import dataclass, field, replace
from functools import cached_property
from math import isfinite, log, log1p
from typing import ClassVar, Final, Literal

from green_callbacks.errors import ConfigurationError
from green_callbacks.metrics import Mode, direction
from green_callbacks.policies._gain_threshold import AHEAD, Price
from green_callbacks.policies._gain_window import Window
from green_callbacks.policies._learning_curve import Curve
from green_callbacks.policies._learning_rate_schedule import drop_ahead, fresh_start
from green_callbacks.policies._next_stop_cost import unmeasured
from green_callbacks.policies._option_checks import flag, number
from green_callbacks.policies._warm_up import ENOUGH_VALUES, arming, is_armed
from green_callbacks.records import History, Plan, Verdict
from green_callbacks.text.amounts import format_energy
from green_callbacks.units import described

_NOT_LEARNING: Final = 0.03
"""A last doubling of the energy that brought less of the way to ``acceptable`` than this is not learning."""

_NUMBERS: Final = ("min_gain_on_doubling", "min_gain_per_kg", "min_gain_per_kwh", "acceptable", "not_learning_after")
"""Options that are numbers, or None."""


@dataclass(frozen=True)
class MarginalGain:
    """Stops when the energy spent last bought less of a metric than it is worth.

    A straight line through the values of the last doubling of the energy, against its logarithm, says how fast the
    metric improves; against the logarithm, learning curves are nearly straight. The rule stops where even the upper end
    of that slope (one-sided 90 % confidence, so that noise makes it wait), and the slope of the latter half alone, are
    below the threshold: with a price, where half as much energy again would not be worth it. All shares are of the
    energy, not of the epochs: a run validated every fourth epoch stops at about the same place.

    It decides once the metric is ``acceptable`` and a fifth of the plan is done (ten values where no plan is known),
    waits while a drop of the learning rate lies ahead and starts afresh after one, by the last half of the energy
    since. A run that is not acceptable is stopped when ``not_learning_after`` of the plan is done and, by ten values or
    more, the last doubling of the energy brought less than 3 % of the way from the first value to ``acceptable``. A
    second fit, whose epochs count from 0 again, is judged by itself.

    Give one threshold at most. A threshold of 0 never stops while there is a new best in the window.

    Args:
        monitor: Key of the metric, e.g. ``val_acc``.
        min_gain_on_doubling: Least gain by the last doubling of the energy, as a share of the whole gain so far;
            knows no scale, neither the metric's nor the kilograms'. The default, with 0.05.
        min_gain_per_kg: Least gain of the metric for one kgCO2e. Counted at the cleanest grid of the run, so that it
            does not stop because the grid turned dirty.
        min_gain_per_kwh: Least gain of the metric for one kWh of facility energy.
        mode: ``max`` where more of the metric is better, ``min`` where less is; ``auto`` goes by the name, and the
            attribute then says which.
        acceptable: Value with which you could live; the rule waits for it.
        not_learning_after: Share of the plan after which a run that is not learning is stopped; None for never.
        on_annealing: Whether to ``hold`` or to ``stop`` where the learning rate is annealed to about zero by the end
            of the plan; the gain of such a schedule comes last.
        report_only: Say where it would have stopped, and never stop.

    Raises:
        ConfigurationError: Several thresholds, one that is negative, or a metric whose mode its name does not tell.
    """

    monitor: str
    min_gain_on_doubling: float | None = field(default=None, kw_only=True)
    min_gain_per_kg: float | None = field(default=None, kw_only=True)
    min_gain_per_kwh: float | None = field(default=None, kw_only=True)
    mode: Mode = field(default="auto", kw_only=True)
    acceptable: float | None = field(default=None, kw_only=True)
    not_learning_after: float | None = field(default=0.5, kw_only=True)
    on_annealing: Literal["hold", "stop"] = field(default="hold", kw_only=True)
    report_only: bool = field(default=False, kw_only=True)
    waits_for_schedule: ClassVar = True
    """It waits for drops of the learning rate, so it misses them where a schedule cannot be read."""

    def __post_init__(self) -> None:
        """Refuse options that cannot work."""
        if not isinstance(self.monitor, str) or not self.monitor.strip():
            msg = f"monitor is {described(self.monitor)}: name the metric to watch, such as 'val_acc'."
            raise ConfigurationError(msg)
        for name in _NUMBERS:
            if getattr(self, name) is not None:
                object.__setattr__(self, name, number(name, getattr(self, name)))
        flag("report_only", self.report_only)
        self._price  # noqa: B018  refuses
        object.__setattr__(self, "mode", direction(self.monitor, self.mode))
        if self.acceptable is not None and not isfinite(self.acceptable):
            msg = f"acceptable is {self.acceptable}: it must be a value that {self.monitor} can reach."
            raise ConfigurationError(msg)
        if self.not_learning_after is not None and not 0 < self.not_learning_after <= 1:
            msg = f"not_learning_after is {self.not_learning_after}: it is a share of the plan, above 0 and at most 1."
            raise ConfigurationError(msg)
        if self.on_annealing not in ("hold", "stop"):
            msg = f"on_annealing is {self.on_annealing!r}: write 'hold' or 'stop'."
            raise ConfigurationError(msg)

    @cached_property
    def _price(self) -> Price:
        return Price.chosen(self.min_gain_per_kg, self.min_gain_per_kwh, self.min_gain_on_doubling)

    @property
    def title(self) -> str:
        """The rule as messages call it, e.g. ``MarginalGain('val_acc')``."""
        return f"{type(self).__name__}({self.monitor!r})"

    @property
    def counts_emissions(self) -> bool:
        """Whether the threshold is a price per kgCO2e."""
        return self.min_gain_per_kg is not None

    def describe(self) -> str:
        """Say the price in words, for the start of a run."""
        return self._price.words(self.monitor)

    def decide(self, history: History, plan: Plan) -> Verdict:
        """Decide after the last record of the history.

        Args:
            history: All records so far.
            plan: What is known ahead.

        Returns:
            ``waiting`` while it cannot or must not decide, ``active`` while training pays, ``stopping`` where it no
            longer does (``warning`` if it only reports). ``values`` holds the gain per kg, per kWh and by a doubling.
            The reason says so where a GPU is missing from the energy that was paid.
        """
        verdict = self._decided(history, plan)
        return replace(verdict, reason=f"{verdict.reason}{unmeasured(history)}") if history.misses_gpu else verdict

    def _decided(self, history: History, plan: Plan) -> Verdict:
        window = self._window(history, plan)
        if isinstance(window, str):
            return Verdict(stop=False, code="waiting", reason=window)
        curve, values = window.curve, window.gains(history)
        why_wait = self._why_wait(history, plan, curve)
        if why_wait:
            return Verdict(stop=False, code="waiting", reason=why_wait, values=values)
        why_stop = self._why_stop(history, curve, window)
        if plan.anneals and self.on_annealing == "hold":
            return Verdict(stop=False, code="waiting", reason=_annealed(why_stop), values=values)
        if not why_stop:
            return Verdict(stop=False, code="active", reason=self._why_go_on(plan, window), values=values)
        if self.report_only:
            return Verdict(
                stop=False, code="warning", reason=f"It would stop here, but only reports. {why_stop}", values=values
            )
        return Verdict(stop=True, code="stopping", reason=why_stop, values=values)

    def _window(self, history: History, plan: Plan) -> Window | str:
        """Take the window by which to judge, or say why there is none."""
        unknown = self._unknown(history)
        if unknown:
            return f"{unknown} {arming(history, plan, self.monitor)}"
        window = Window.of(Curve.of(history, self.monitor, rises=self.mode == "max"), fresh_start(history, plan))
        if window is None:
            return f"There are too few values of {self.monitor} to judge by. {arming(history, plan, self.monitor)}"
        if not window.can_be_judged:
            return f"The values of {self.monitor} lie too far apart to calculate with."
        return window

    def _unknown(self, history: History) -> str | None:
        rows, values = history.metric(self.monitor)
        if not rows:
            seen = ", ".join(sorted(history.metric_names))
            return f"{self.monitor} has not been seen yet" + (f"; seen were {seen}." if seen else ".")
        if rows[-1] != len(history) - 1:
            return f"{self.monitor} was not measured in the last record."
        if not isfinite(values[-1]):
            return f"{self.monitor} is {values[-1]}, which says nothing of its gain."
        kwh = history.cumulative_kwh
        if kwh[-1] <= (kwh[-2] if len(kwh) > 1 else 0.0):
            return "No energy was measured in the last record, so nothing can be said of its price."
        return None

    def _why_stop(self, history: History, curve: Curve, window: Window) -> str | None:
        if not self._is_acceptable(curve):
            return self._why_not_learning(curve, window)
        least = self._price.least_slope(history, curve)
        if least == 0:
            energy = format_energy(window.kwh)
            return None if window.new_best else f"{self.monitor} has found no new best in the last {energy}."
        if window.trend.upper >= least or (late := window.late_slope) >= least:
            return None
        at_most, pays = (log1p(AHEAD) * slope for slope in (max(window.trend.upper, late, 0.0), least))
        ahead = format_energy(AHEAD * curve.spent_kwh)
        return (
            f"More training no longer pays: the {_bought(window)} of {self.monitor}, the next {ahead} would buy "
            f"{at_most:.3g} at most, and {pays:.3g} is the least that pays."
        )

    def _why_not_learning(self, curve: Curve, window: Window) -> str | None:
        trend = window.doubling if len(curve) >= ENOUGH_VALUES else None
        way = curve.turned((self.acceptable or 0.0) - curve.values[0])
        if trend is None or trend.upper * log(2) >= _NOT_LEARNING * way:
            return None
        return (
            f"{self.monitor} is not learning: its best is {curve.best:.4g}, {self.acceptable:.4g} would be acceptable, "
            f"and the last doubling of the energy brought less than {_NOT_LEARNING:.0%} of the way."
        )

    def _why_wait(self, history: History, plan: Plan, curve: Curve) -> str | None:
        drop = drop_ahead(history, plan)
        if drop is not None:
            return f"The learning rate drops at epoch {drop}, and the metric often gains by that."
        if not is_armed(history, plan, len(curve)):
            return f"Too little of the run is done. {arming(history, plan, self.monitor)}"
        if not self._is_acceptable(curve) and not self._gives_up(history, plan):
            return f"{self.monitor} is at {curve.best:.4g} and {self.acceptable:.4g} would be acceptable."
        return None

    def _why_go_on(self, plan: Plan, window: Window) -> str:
        unread = (
            " The learning-rate schedule cannot be read, so nothing is held for it." if plan.schedule_unreadable else ""
        )
        return f"The {_bought(window)} of {self.monitor}.{unread}"

    def _gives_up(self, history: History, plan: Plan) -> bool:
        done = plan.progress(history)
        return self.not_learning_after is not None and done is not None and done >= self.not_learning_after

    def _is_acceptable(self, curve: Curve) -> bool:
        return self.acceptable is None or curve.turned(curve.best - self.acceptable) >= 0


def _annealed(why_stop: str | None) -> str:
    advice = f" Without that it would stop here ({why_stop[:-1]}); next time, plan fewer epochs." if why_stop else ""
    return f"The learning rate is annealed to the end of the plan, and the gain comes last.{advice}"


def _bought(window: Window) -> str:
    bought = f"{window.bought:.3g}" if window.bought > 0 else "nothing"
    return f"last {format_energy(window.kwh)} bought {bought}"
