"""Stop when more training no longer gains enough."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import isfinite, log, log1p
from typing import ClassVar, Final, Literal

from green_callbacks.errors import ConfigurationError
from green_callbacks.metrics import Mode, direction
from green_callbacks.policies._gain_threshold import AHEAD, Price
from green_callbacks.policies._gain_window import Window
from green_callbacks.policies._landing_gate import Gate, landing_gate
from green_callbacks.policies._learning_curve import Curve
from green_callbacks.policies._learning_rate_schedule import drop_ahead, fresh_start
from green_callbacks.policies._next_stop_cost import unmeasured
from green_callbacks.policies._option_checks import flag, landing_share, number
from green_callbacks.policies._run_stage import Stage
from green_callbacks.policies._warm_up import ENOUGH_VALUES, has_done, warm_up_note, warm_up_sentence
from green_callbacks.policies.landing import would_land
from green_callbacks.records import History, Plan, Verdict
from green_callbacks.text.amounts import format_energy
from green_callbacks.units import described

_NOT_LEARNING: Final = 0.03
"""Least share of the way to ``acceptable`` that the last doubling of the energy must bring. By experiment in
``bench_policies``.
"""

_LANDS: Final = "The run lands, so the rule waits for its end."

_ROUNDING: Final = 1e-9
"""Share of the whole gain below which a gain is taken for a rounding error of a line fit. No unit."""

_NUMBERS: Final = ("min_gain_on_doubling", "min_gain_per_kg", "min_gain_per_kwh", "acceptable", "not_learning_after")
"""Names of the options that are numbers, or None."""


@dataclass(frozen=True)
class MarginalGain:
    """Stops when the latest energy gained less of a metric than it is worth.

    A straight line is fitted to the metric against the logarithm of the energy, over the last doubling of the energy.
    Learning curves are nearly straight against this logarithm. The rule stops if two slopes are below the threshold.
    The first is the upper end of the slope's one-sided 90 % confidence interval, so noise makes the rule wait. The
    second is the slope of the second half alone. With a price, the rule stops if half as much energy again would not be
    worth it. All shares are shares of the energy, not of the epochs. So a run that validates every fourth epoch stops
    at about the same place.

    The rule decides from 30 % of the plan on, or from ten values on without a plan. By then, the best value must have
    come a quarter of the way from the first value to ``acceptable``. So a run may stop that has learned and then
    flattened below ``acceptable``, and the message says so. In three cases the rule must be surer, so the interval is
    1.5 times as wide. These are runs before 40 % of the plan, below ``acceptable``, and without a plan.

    The rule waits while a drop of the learning rate is to come. It knows the schedules of PyTorch and Keras. For a
    loop of your own, pass ``plan=Plan(learning_rate_drops=(30, 60))`` or ``plan=Plan(anneals=True)`` to the accountant.
    After a drop it starts again, with the last half of the energy since the drop. A second fit is judged by itself. Its
    epochs count from 0 again.

    A run that is not acceptable also stops if it is not learning. This is decided when ``not_learning_after`` of the
    plan is done. The run is not learning if there are ten values or more, and the last doubling of the energy brought
    less than 3 % of the way from the first value to ``acceptable``.

    With ``landing``, the rule does not stop at a high learning rate. It lets the rate go linearly to 0 first, which
    brings most of the gain that annealing brings last. So the rule no longer waits for the end of an annealed schedule.
    A landing that begins too early costs less than a stop that comes too early. So the interval is only 0.75 times as
    wide once the metric is acceptable, if a plan is known. A run that is not learning stops without a landing, and so
    does a run whose rate is below 15 % of its highest. The rule waits while the rate rises. If the plan ends sooner
    than a landing would, training goes on to the end of the plan. A loop of your own calls
    ``accountant.scale_learning_rates(optimizer)`` once, and goes through ``accountant.steps(batches)``. If the learning
    rate cannot be scaled, the run says so and stops without a landing, even under an annealed schedule.

    Give one threshold at most. A threshold of 0 never stops while there is a new best value in the window, and waits
    until the metric is ``acceptable``. Set ``acceptable`` together with a price. Without it, a run that begins to learn
    late may stop before that. To lose less quality, give a lower minimum gain per kilogram.

    Args:
        monitor: Key of the metric, e.g. ``val_acc``.
        min_gain_on_doubling: Least gain by the last doubling of the energy, as a share of the whole gain so far. It
            depends on no scale, neither of the metric nor of the emissions. Defaults to 0.05, unless another threshold
            is set.
        min_gain_per_kg: Least gain of the metric for one kgCO2e. Emissions are counted at the cleanest grid of the run,
            so that the rule does not stop just because the grid turned dirty. A lower price loses less quality and
            saves less energy. Set ``acceptable`` as well. Defaults to None.
        min_gain_per_kwh: Least gain of the metric for one kWh of facility energy. Defaults to None.
        mode: ``max`` if more of the metric is better, ``min`` if less is better. ``auto`` derives the mode from the
            name, and the attribute then holds the result. Defaults to ``auto``.
        acceptable: Lowest value of the metric that you would accept, or the highest if less is better. The rule waits
            for a quarter of the way to it. Defaults to None, which accepts any value.
        not_learning_after: Share of the plan after which a run that is not learning stops. None to never stop it.
            Defaults to 0.5.
        on_annealing: ``hold`` to wait if the learning rate is annealed by the end of the plan, ``stop`` to decide as
            usual. The gain of an annealed schedule comes last. It has no effect with ``landing``. Defaults to ``hold``.
        landing: Length of the landing, as a share of the optimizer steps so far, 0 to 1. We recommend 0.2. A landing
            ends with an epoch, unless an epoch is longer than half of it. Defaults to 0, a stop without a landing.
        report_only: True to report where the rule would stop, and never to stop. Defaults to False.

    Raises:
        ConfigurationError: Several thresholds are set, a threshold is negative, the landing is no share, or the name of
            the metric does not imply its mode.

    Example:
        >>> from green_callbacks.records import EpochRecord, History, Plan
        >>> values = [0.5] + [0.9] * 30
        >>> records = [
        ...     EpochRecord.scripted(epoch=epoch, emissions_kg=0.1, metrics={"val_acc": value})
        ...     for epoch, value in enumerate(values)
        ... ]
        >>> MarginalGain("val_acc").decide(History(records), Plan(epochs=100)).code
        'stopping'
    """

    monitor: str
    min_gain_on_doubling: float | None = field(default=None, kw_only=True)
    min_gain_per_kg: float | None = field(default=None, kw_only=True)
    min_gain_per_kwh: float | None = field(default=None, kw_only=True)
    mode: Mode = field(default="auto", kw_only=True)
    acceptable: float | None = field(default=None, kw_only=True)
    not_learning_after: float | None = field(default=0.5, kw_only=True)
    on_annealing: Literal["hold", "stop"] = field(default="hold", kw_only=True)
    landing: float = field(default=0.0, kw_only=True)
    report_only: bool = field(default=False, kw_only=True)
    waits_for_schedule: ClassVar = True
    """The rule waits for drops of the learning rate, so it misses them if a schedule cannot be read."""

    def __post_init__(self) -> None:
        """Refuse options that cannot work."""
        if not isinstance(self.monitor, str) or not self.monitor.strip():
            msg = f"monitor is {described(self.monitor)}. Name the metric to watch, such as 'val_acc'."
            raise ConfigurationError(msg)
        for name in _NUMBERS:
            if getattr(self, name) is not None:
                object.__setattr__(self, name, number(name, getattr(self, name)))
        flag("report_only", self.report_only)
        object.__setattr__(self, "landing", landing_share(self.landing))
        self._price  # noqa: B018  refuses
        object.__setattr__(self, "mode", direction(self.monitor, self.mode))
        if self.acceptable is not None and not isfinite(self.acceptable):
            msg = f"acceptable is {self.acceptable}. It must be a value that {self.monitor} can reach."
            raise ConfigurationError(msg)
        if self.not_learning_after is not None and not 0 < self.not_learning_after <= 1:
            msg = f"not_learning_after is {self.not_learning_after}. Give a share of the plan, above 0 and at most 1."
            raise ConfigurationError(msg)
        if self.on_annealing not in ("hold", "stop"):
            msg = f"on_annealing is {self.on_annealing!r}. Write 'hold' or 'stop'."
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
        """Return the price in words, for the start of a run."""
        price = self._price.words(self.monitor)
        if self.report_only:
            return f"{price} The rule only reports, and never stops the run."
        return f"{price} Before a stop, the learning rate goes to zero." if self.landing else price

    def decide(self, history: History, plan: Plan) -> Verdict:
        """Decide after the last record of the history.

        Args:
            history: All records so far.
            plan: The plan of the run.

        Returns:
            ``waiting`` while the rule cannot or must not decide, ``active`` while training pays, and ``stopping`` or
            ``landing`` when it no longer pays. With ``report_only``, ``warning`` replaces both. ``values`` holds the
            gain per kg, per kWh and by a doubling of the energy. The reason says if the energy of a GPU is missing.
        """
        verdict = self._decided(history, plan)
        return replace(verdict, reason=f"{verdict.reason}{unmeasured(history)}") if history.misses_gpu else verdict

    def _decided(self, history: History, plan: Plan) -> Verdict:
        window = self._window(history, plan)
        if isinstance(window, str):
            return Verdict(stop=False, code="waiting", reason=window)
        curve, values = window.curve, window.gains(history)
        least = self._price.least_slope(history, curve)
        lands = self.landing > 0 and not plan.landing_refused
        stage = Stage.of(curve, self.acceptable, plan.progress(history), lands=lands)
        why_wait = self._why_wait(history, plan, curve, stage, least)
        if why_wait:
            return Verdict(stop=False, code="waiting", reason=why_wait, values=values)
        if plan.landing is not None:
            return Verdict(stop=False, code="waiting", reason=_LANDS, values=values)
        not_learning = self._why_not_learning(window) if self._gives_up(stage) else None
        why_stop = not_learning or self._why_stop(window, stage, least)
        if plan.anneals and self.on_annealing == "hold" and not self.landing:
            return Verdict(stop=False, code="waiting", reason=_annealed(why_stop), values=values)
        if not why_stop:
            return Verdict(stop=False, code="active", reason=self._why_go_on(plan, window), values=values)
        gate = Gate("stop") if not_learning or not self.landing else landing_gate(history, plan, self.landing)
        return self._ending(history, plan, why_stop, gate, values)

    def _ending(self, history: History, plan: Plan, why_stop: str, gate: Gate, values: Mapping[str, float]) -> Verdict:
        """Return the verdict on a run that no longer learns enough."""
        why = f"{why_stop} {gate.why}" if gate.why else why_stop
        if gate.way == "wait":
            return Verdict(stop=False, code="waiting", reason=why, values=values)
        if self.report_only:
            would = would_land(history, plan, self.landing) if gate.way == "land" else "It would stop here"
            return Verdict(stop=False, code="warning", reason=f"{would}, but only reports. {why}", values=values)
        if gate.way == "land":
            return Verdict(stop=False, code="landing", reason=why, values=values, landing=self.landing)
        return Verdict(stop=True, code="stopping", reason=why, values=values)

    def _window(self, history: History, plan: Plan) -> Window | str:
        """Return the window by which to judge, or the reason why there is none."""
        unknown = self._unknown(history)
        if unknown:
            return f"{unknown}{warm_up_note(history, plan, self.monitor)}"
        start = fresh_start(history, plan)
        window = Window.of(Curve.of(history, self.monitor, rises=self.mode == "max"), start)
        if window is None:
            since = " since the last drop of the learning rate" if start > history.fit_row else ""
            note = warm_up_note(history, plan, self.monitor)
            return f"There are too few values of {self.monitor}{since}, so the rule waits for more.{note}"
        if not window.can_be_judged:
            return f"The values of {self.monitor} differ so much that their gain is not finite."
        return window

    def _unknown(self, history: History) -> str | None:
        rows, values = history.metric(self.monitor)
        if not rows:
            seen = ", ".join(sorted(history.metric_names))
            return f"{self.monitor} has not been reported yet." + (f" Reported metrics: {seen}." if seen else "")
        if rows[-1] != len(history) - 1:
            return f"{self.monitor} was not reported in the last record."
        if not isfinite(values[-1]):
            return f"{self.monitor} is {values[-1]}, so its gain is unknown."
        kwh = history.cumulative_kwh
        if kwh[-1] <= (kwh[-2] if len(kwh) > 1 else 0.0):
            return "No energy was measured in the last record, so the price of the gain is unknown."
        return None

    def _why_stop(self, window: Window, stage: Stage, least: float) -> str | None:
        """Return why more training does not pay, or None.

        Args:
            window: The window by which to judge.
            stage: How far the run has come.
            least: The least slope that pays.
        """
        if not stage.is_open(least):
            return None
        if least == 0:
            energy = format_energy(window.kwh)
            return None if window.new_best else f"{self.monitor} has reached no new best value in the last {energy}."
        upper = window.trend.upper_at(stage.margin)
        if upper >= least or (late := window.late_slope) >= least:
            return None
        at_most, pays = (log1p(AHEAD) * slope for slope in (max(upper, late, 0.0), least))
        ahead = format_energy(AHEAD * window.curve.spent_kwh)
        limits = f"The next {ahead} would gain at most {at_most:.3g}, and the least that pays is {pays:.3g}."
        if stage.is_acceptable:
            return f"More training no longer pays. The {_gained(window)} of {self.monitor}. {limits}"
        shape = "gets worse" if upper < -least else "has flattened"
        return f"{self.monitor} {shape} and is not acceptable yet. {self._short_of(window.curve)} {limits}"

    def _why_not_learning(self, window: Window) -> str | None:
        curve = window.curve
        trend = window.doubling if len(curve) >= ENOUGH_VALUES else None
        if trend is None or trend.upper * log(2) >= _NOT_LEARNING * curve.way_to(self.acceptable or 0.0):
            return None
        return (
            f"{self.monitor} is not learning. {self._short_of(curve)} The last doubling of the energy brought less "
            f"than {100 * _NOT_LEARNING:.0f} % of the way."
        )

    def _short_of(self, curve: Curve) -> str:
        return f"Its best value is {curve.best:.4g}, and {self.acceptable:.4g} would be acceptable."

    def _why_wait(self, history: History, plan: Plan, curve: Curve, stage: Stage, least: float) -> str | None:
        drop = drop_ahead(history, plan)
        if drop is not None:
            return f"The learning rate drops at epoch {drop}, and the metric often gains by that."
        if not stage.is_warmed_up:
            return f"Too little of the run is done. {warm_up_sentence(history, plan, self.monitor)}"
        if stage.is_open(least) or self._gives_up(stage):
            return None
        until = "once it is acceptable" if stage.has_learned else "after a quarter of the way from the first value"
        return f"{self.monitor} is not good enough yet. {self._short_of(curve)} The rule decides {until}."

    def _why_go_on(self, plan: Plan, window: Window) -> str:
        unread = (
            " The learning-rate schedule cannot be read, so the rule does not wait for it."
            if plan.schedule_unreadable
            else ""
        )
        return f"The {_gained(window)} of {self.monitor}.{unread}"

    def _gives_up(self, stage: Stage) -> bool:
        if stage.is_acceptable or self.not_learning_after is None or stage.done is None:
            return False
        return has_done(stage.done, self.not_learning_after)


def _annealed(why_stop: str | None) -> str:
    advice = (
        f" Otherwise the rule would stop here. {why_stop} Next time, plan fewer epochs, or give landing=0.2."
        if why_stop
        else ""
    )
    return f"The learning rate is annealed until the end of the plan, and the gain comes last.{advice}"


def _gained(window: Window) -> str:
    least = _ROUNDING * window.curve.whole_gain
    gain = f"{window.bought:.3g}" if window.bought > least else "nothing"
    return f"last {format_energy(window.kwh)} gained {gain}"
