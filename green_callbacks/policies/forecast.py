"""A forecast of the planned run, from its first epochs on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf, isfinite
from typing import ClassVar, Final

from green_callbacks.policies._cost_units import CostUnits
from green_callbacks.policies._epoch_cost import LAST, STEP_EPOCHS, Range, has_stepped, is_new_level, pace
from green_callbacks.policies._repeated_epochs import costs, lost_rows
from green_callbacks.policies.base import Budget
from green_callbacks.policies.traits import amount_in_force
from green_callbacks.records import History, Plan, Verdict
from green_callbacks.text.amounts import format_duration, format_energy, format_mass

__all__ = ["Forecast", "ForecastRecord", "Range", "forecast"]

_JUMP: Final = 0.2
"""Relative change of the forecast above which a step in the cost is reported. No unit, by experiment."""

_RESOLVED_SECONDS: Final = 1.0
"""Length of an epoch, in s, below which the error of sensors is too large for a warning. By experiment."""

_BRIEF_SECONDS: Final = 60.0
"""Remaining time, in s, below which a warning is useless."""

_REMEMBERED: Final = 500
"""Number of epochs in which a level of cost is remembered. A remembered level is not new."""

_ROUNDING: Final = 1e-9
"""Relative error of costs, below which two carbon intensities count as equal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastRecord:
    """A forecast of the planned run. The true totals lie within the ranges in nine of ten runs.

    Attributes:
        epochs: Length of the plan in epochs, a whole number if the plan is in epochs. A landing ends the plan. None if
            the forecast rests on parts of epochs. Earlier spending, for example by an earlier fit, is included in all
            ranges.
        kwh: Facility energy of the whole run, in kWh.
        kg: Emissions of the whole run, in kgCO2e, at the carbon intensities of the last epochs. The uncertainty of an
            intensity is not included. Each record holds it.
        seconds: Time of the whole run, in s.
        budget_end: Number of epochs, or parts of epochs, after which the first budget is spent. None if all budgets
            last.
        budget_end_share: Share of the plan that will be done then. None if all budgets last.
        budget: The first budget to be spent. None if all budgets last.

    Example:
        >>> spent = Range(low=1.0, expected=1.1, high=1.3)
        >>> ForecastRecord(epochs=20, kwh=spent, kg=spent, seconds=spent).kg.expected
        1.1
    """

    epochs: float | None
    kwh: Range
    kg: Range
    seconds: Range
    budget_end: Range | None = None
    budget_end_share: float | None = None
    budget: Budget | None = None


@dataclass(frozen=True)
class Forecast:
    """Reports after every epoch the expected totals of the planned run. It never stops a run.

    The forecast rests on all epochs except the first, with the rows outside epochs between them. In a long first epoch
    it rests on its parts, if policies decide inside epochs. It is the median cost, with a range that holds in nine of
    ten runs of steady, noisy or drifting costs.

    It warns if the last three epochs are on a new level of cost. Then the forecast must have moved by more than 20 %,
    and out of its former range. Causes are larger images, unfrozen layers, or another user of the GPU. It does not warn
    for epochs below one second, or in the last minute of the plan. An accountant asks for a forecast without being told
    to.

    Args:
        budgets: Budgets whose end to predict. Defaults to none.

    Example:
        >>> from green_callbacks.records import EpochRecord, History, Plan
        >>> history = History([EpochRecord.scripted(epoch=epoch, emissions_kg=0.1) for epoch in range(5)])
        >>> round(Forecast().decide(history, Plan(epochs=20)).values["green/forecast_kg"], 3)
        2.0
    """

    budgets: tuple[Budget, ...] = ()
    never_stops: ClassVar = True
    """Nobody misses a forecast, so no notice says that it was not asked."""

    def decide(self, history: History, plan: Plan) -> Verdict:
        """Forecast after the last record of the history.

        Args:
            history: All records so far.
            plan: The plan of the run.

        Returns:
            ``warning`` if the forecast jumped, otherwise ``waiting``. The reason and ``values`` hold the forecast.
            ``values`` is empty without a forecast.
        """
        now = forecast(history, plan, self.budgets)
        if now is None:
            return Verdict(stop=False, code="waiting", reason="There is no forecast without a plan and three epochs.")
        values = {
            "green/forecast_kg": now.kg.expected,
            "green/forecast_low_kg": now.kg.low,
            "green/forecast_high_kg": now.kg.high,
            "green/forecast_kwh": now.kwh.expected,
        }
        before = _before_step(history, plan, now)
        if before is not None and _jumps(before, now.kwh.expected):
            change = "more" if now.kwh.expected > before.expected else "less"
            jumped = f"Epochs now take {change} energy than before. {_between(before, format_energy)} were expected."
            return Verdict(stop=False, code="warning", reason=f"{jumped} {_words(now, history, plan)}", values=values)
        return Verdict(stop=False, code="waiting", reason=_words(now, history, plan), values=values)


def forecast(history: History, plan: Plan, budgets: Sequence[Budget] = ()) -> ForecastRecord | None:
    """Forecast the totals of the planned run.

    Args:
        history: All records so far.
        plan: The plan of the run.
        budgets: Budgets whose end to predict. Defaults to none.

    Returns:
        The forecast. None before three epochs, or three parts of epochs, have ended. Also None without a plan, without
        measured energy, or if a total is too large for a number.

    Example:
        >>> from green_callbacks.records import EpochRecord, History, Plan
        >>> history = History([EpochRecord.scripted(epoch=epoch, emissions_kg=0.1) for epoch in range(5)])
        >>> round(forecast(history, Plan(epochs=20)).kwh.expected, 3)
        2.0
    """
    units = CostUnits.of(history, plan) if plan.has_end and history.facility_kwh > 0 else None
    if units is None:
        return None
    ahead = units.ahead
    kwh_costs, kg_costs = units.costs(history.cumulative_kwh), units.costs(history.cumulative_kg)
    kwh, seconds = pace(kwh_costs, ahead), pace(units.costs(history.cumulative_seconds), ahead)
    kg = _at_one_intensity(kwh, kwh_costs, kg_costs) or pace(kg_costs, ahead)
    laps = [kg if each.amount.quantity == "emissions_kg" else kwh for each in budgets]
    ends = [_end(units, history, plan, each, lap) for each, lap in zip(budgets, laps, strict=True)]
    may_end = [at for at, each in enumerate(budgets) if not _lands_within(units, history, plan, each, laps[at])]
    first = min(may_end, key=lambda at: ends[at].expected, default=None)
    planned = units.planned
    if first is not None and ends[first].low >= planned:
        first = None
    record = ForecastRecord(
        epochs=planned if units.are_epochs else None,
        kwh=units.total(history.cumulative_kwh, kwh),
        kg=units.total(history.cumulative_kg, kg),
        seconds=units.total(history.cumulative_seconds, seconds),
        budget_end=None if first is None else ends[first],
        budget_end_share=None if first is None else units.share_at(ends[first].expected),
        budget=None if first is None else budgets[first],
    )
    return record if all(map(isfinite, (planned, *record.kwh, *record.kg, *record.seconds))) else None


def _at_one_intensity(kwh: Range, kwh_costs: Sequence[float], kg_costs: Sequence[float]) -> Range | None:
    """Return the emissions of an energy at a constant carbon intensity. None if the intensity changed."""
    kg_per_kwh = sum(kg_costs) / sum(kwh_costs) if any(kwh_costs) else 0.0
    if any(abs(kg - kg_per_kwh * kwh) > _ROUNDING * kg for kg, kwh in zip(kg_costs, kwh_costs, strict=True)):
        return None
    return Range(*(kg_per_kwh * end for end in kwh))


def _before_step(history: History, plan: Plan, now: ForecastRecord) -> Range | None:
    """Return the energy in kWh that was expected before a step. None without a step worth a warning."""
    rows, seconds = history.epoch_rows, history.cumulative_seconds
    if now.epochs is None or rows[-1] != len(history) - 1 or now.seconds.expected - seconds[-1] < _BRIEF_SECONDS:
        return None
    costs, lengths = _costs(history, history.cumulative_kwh), _costs(history, seconds)
    if min(lengths[-STEP_EPOCHS:]) < _RESOLVED_SECONDS or not has_stepped(costs):
        return None
    if not is_new_level(_costs(history, history.cumulative_kwh, _REMEMBERED)):
        return None
    units = CostUnits.of(history, plan)
    ahead = STEP_EPOCHS + (units.ahead if units else 0.0)
    return pace(costs[:-STEP_EPOCHS], ahead).after(history.cumulative_kwh[rows[-STEP_EPOCHS - 1]], ahead)


def _costs(history: History, cumulative: Sequence[float], count: int = LAST) -> list[float]:
    """Return the cost of each of the last epochs, with the rows outside epochs before it."""
    return costs(lost_rows(history), cumulative, history.last_epochs(count + 1))


def _jumps(before: Range, expected: float) -> bool:
    is_out = not before.low <= expected <= before.high
    return is_out and abs(expected - before.expected) > _JUMP * before.expected


def _lands_within(units: CostUnits, history: History, plan: Plan, budget: Budget, lap: Range) -> bool:
    """Return whether a landing is expected to end before a budget is spent. A landing may take all of it."""
    left = amount_in_force(budget, plan).value - budget.spent(history, plan)
    return plan.landing is not None and left >= lap.expected * units.ahead * (1 - _ROUNDING)


def _end(units: CostUnits, history: History, plan: Plan, budget: Budget, lap: Range) -> Range:
    """Return the number of epochs or parts after which a budget is spent. Expensive epochs spend it earlier."""
    left = max(amount_in_force(budget, plan).value - budget.spent(history, plan), 0.0)
    low, middle, high = (units.after(left / each if each > 0 else inf) for each in reversed(lap))
    return Range(low, middle, high)


def _words(now: ForecastRecord, history: History, plan: Plan) -> str:
    whole = "The run with its" if history.fit_row else "The"
    what = "The planned run" if now.epochs is None else f"{whole} {now.epochs:.0f} planned epochs"
    what = what if plan.landing is None else "With its landing, the run"
    text = (
        f"{what} will likely take {_between(now.kwh, format_energy)}, "
        f"{_between(now.kg, _co2e)} and {_between(now.seconds, format_duration)}."
    )
    if now.budget is None or now.budget_end is None:
        return text
    return f"{text} {_capitalized(now.budget.name)} would be spent after {_until(now)}."


def _until(now: ForecastRecord) -> str:
    if now.epochs is None or now.budget_end is None:
        return f"{100 * min(now.budget_end_share or 0.0, 1.0):.0f} % of it"
    earliest, middle, latest = (_epoch_number(end, now.epochs) for end in now.budget_end)
    around = f" (after {earliest} to {latest})" if earliest != latest else ""
    return f"{middle} epochs{around}"


def _between(span: Range, write: Callable[[float], str]) -> str:
    return f"{write(span.expected)} ({write(span.low)} to {write(span.high)})"


def _co2e(kg: float) -> str:
    return f"{format_mass(kg)} CO2e"


def _capitalized(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def _epoch_number(end: float, planned: float) -> str:
    return f"{end:.0f}" if end < planned else f"more than {planned:.0f}"
