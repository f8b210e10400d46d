"""What the planned run will come to, from its first epochs on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf, isfinite
from typing import ClassVar, Final

from green_callbacks.policies._cost_units import Laps
from green_callbacks.policies._epoch_cost import LAST, STEP_EPOCHS, Range, has_stepped, is_new_level, pace
from green_callbacks.policies._repeated_epochs import costs, lost_rows
from green_callbacks.policies.base import Budget
from green_callbacks.records import History, Plan, Verdict
from green_callbacks.text.amounts import format_duration, format_energy, format_mass

__all__ = ["Forecast", "ForecastRecord", "Range", "forecast"]

_JUMP: Final = 0.2
"""A step in the cost of epochs that moves the forecast by more than this share is warned of."""

_RESOLVED_SECONDS: Final = 1.0
"""What sensors tell of one shorter epoch is not sure enough to warn of."""

_BRIEF_SECONDS: Final = 60.0
"""What is over within this time is not worth a warning."""

_REMEMBERED: Final = 500
"""A level that the cost has had within so many epochs is not new."""

_ROUNDING: Final = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastRecord:
    """What the planned run will likely come to; nine of ten runs lie within the ranges.

    Attributes:
        epochs: Length of the plan in epochs; whole where it is planned in epochs. What was spent before them, by an
            earlier fit for one, is in all of the ranges. None where so few epochs have ended that their parts tell.
        kwh: Facility energy of the whole run, in kWh.
        kg: Emissions of the whole run, in kgCO2e, at the carbon intensities of the last epochs. How well an intensity
            itself is known is not in the range: a record holds that.
        seconds: Time of the whole run, in s.
        budget_end: Number of the epochs, or parts of them, after which the first budget is spent; None where all of
            them last.
        budget_end_share: The share of the plan that will be done then.
        budget: That budget.
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
    """Says after every epoch what the planned run will come to; never stops it.

    The epochs after the first (in a long first one its parts, where it decides inside epochs), with what recurs between
    them, say what the others will cost: their median, and a
    range around it that was made to hold in nine of ten runs of steady, noisy or drifting costs. It is estimated anew
    after every epoch, and warns when the last three epochs make a step to a new level that moves it by more than 20 %
    and out of the range that was stated before: images grew, layers were unfrozen, somebody else came to the GPU. Of
    epochs shorter than a second, and within the last minute of the plan, it does not. An accountant asks it without
    being told to.

    Args:
        budgets: Budgets whose end to foretell.
    """

    budgets: tuple[Budget, ...] = ()
    never_stops: ClassVar = True
    """Nobody misses a forecast, so no notice says that it was not asked."""

    def decide(self, history: History, plan: Plan) -> Verdict:
        """Forecast after the last record of the history.

        Args:
            history: All records so far.
            plan: What is known ahead.

        Returns:
            ``warning`` where the forecast jumped, else ``waiting``; the forecast in the reason and in ``values``, which
            are empty while there is none.
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
            jumped = f"Epochs now take {change} energy than before: {_between(before, format_energy)} were expected."
            return Verdict(stop=False, code="warning", reason=f"{jumped} {_words(now, history)}", values=values)
        return Verdict(stop=False, code="waiting", reason=_words(now, history), values=values)


def forecast(history: History, plan: Plan, budgets: Sequence[Budget] = ()) -> ForecastRecord | None:
    """Forecast what the planned run will come to.

    Args:
        history: All records so far.
        plan: What is known ahead.
        budgets: Budgets whose end to foretell.

    Returns:
        The forecast; None before three epochs, or three parts of them, have ended, where no plan is known, where no
        energy was measured, or where it is too large for a number.
    """
    laps = Laps.of(history, plan) if plan.has_end and history.facility_kwh > 0 else None
    if laps is None:
        return None
    ahead = laps.ahead
    kwh_costs, kg_costs = laps.costs(history.cumulative_kwh), laps.costs(history.cumulative_kg)
    kwh, seconds = pace(kwh_costs, ahead), pace(laps.costs(history.cumulative_seconds), ahead)
    kg = _at_one_intensity(kwh, kwh_costs, kg_costs) or pace(kg_costs, ahead)
    ends = [_end(laps, history, plan, each, kg if each.amount.quantity == "emissions_kg" else kwh) for each in budgets]
    first = min(range(len(ends)), key=lambda at: ends[at].expected, default=None)
    planned = laps.planned
    if first is not None and ends[first].low >= planned:
        first = None
    record = ForecastRecord(
        epochs=planned if laps.are_epochs else None,
        kwh=laps.total(history.cumulative_kwh, kwh),
        kg=laps.total(history.cumulative_kg, kg),
        seconds=laps.total(history.cumulative_seconds, seconds),
        budget_end=None if first is None else ends[first],
        budget_end_share=None if first is None else laps.share_at(ends[first].expected),
        budget=None if first is None else budgets[first],
    )
    return record if all(map(isfinite, (planned, *record.kwh, *record.kg, *record.seconds))) else None


def _at_one_intensity(kwh: Range, kwh_costs: Sequence[float], kg_costs: Sequence[float]) -> Range | None:
    """Return the emissions of an energy where the carbon intensity was always the same, which saves time; else None."""
    kg_per_kwh = sum(kg_costs) / sum(kwh_costs) if any(kwh_costs) else 0.0
    if any(abs(kg - kg_per_kwh * kwh) > _ROUNDING * kg for kg, kwh in zip(kg_costs, kwh_costs, strict=True)):
        return None
    return Range(*(kg_per_kwh * end for end in kwh))


def _before_step(history: History, plan: Plan, now: ForecastRecord) -> Range | None:
    """Return the energy in kWh that was expected before a step; None where the last record makes none to speak of."""
    rows, seconds = history.epoch_rows, history.cumulative_seconds
    if now.epochs is None or rows[-1] != len(history) - 1 or now.seconds.expected - seconds[-1] < _BRIEF_SECONDS:
        return None
    costs, lengths = _costs(history, history.cumulative_kwh), _costs(history, seconds)
    if min(lengths[-STEP_EPOCHS:]) < _RESOLVED_SECONDS or not has_stepped(costs):
        return None
    if not is_new_level(_costs(history, history.cumulative_kwh, _REMEMBERED)):
        return None
    laps = Laps.of(history, plan)
    ahead = STEP_EPOCHS + (laps.ahead if laps else 0.0)
    return pace(costs[:-STEP_EPOCHS], ahead).after(history.cumulative_kwh[rows[-STEP_EPOCHS - 1]], ahead)


def _costs(history: History, cumulative: Sequence[float], count: int = LAST) -> list[float]:
    """Return what each of the last epochs took, with what lies outside epochs since the one before."""
    return costs(lost_rows(history), cumulative, history.last_epochs(count + 1))


def _jumps(before: Range, expected: float) -> bool:
    is_out = not before.low <= expected <= before.high
    return is_out and abs(expected - before.expected) > _JUMP * before.expected


def _end(laps: Laps, history: History, plan: Plan, budget: Budget, lap: Range) -> Range:
    """Return after how many epochs or parts a budget is spent; the dearer they are, the earlier."""
    left = max(budget.amount.value - budget.spent(history, plan), 0.0)
    low, middle, high = (laps.after(left / each if each > 0 else inf) for each in reversed(lap))
    return Range(low, middle, high)


def _words(now: ForecastRecord, history: History) -> str:
    whole = "The run with its" if history.fit_row else "The"
    what = "The planned run" if now.epochs is None else f"{whole} {now.epochs:.0f} planned epochs"
    text = (
        f"{what} will likely take {_between(now.kwh, format_energy)}, "
        f"{_between(now.kg, _co2e)} and {_between(now.seconds, format_duration)}."
    )
    if now.budget is None or now.budget_end is None:
        return text
    return f"{text} {_capitalised(now.budget.name)} would be spent after {_until(now)}."


def _until(now: ForecastRecord) -> str:
    if now.epochs is None or now.budget_end is None:
        return f"{min(now.budget_end_share or 0.0, 1.0):.0%} of it"
    earliest, middle, latest = (_epoch_number(end, now.epochs) for end in now.budget_end)
    around = f" (after {earliest} to {latest})" if earliest != latest else ""
    return f"{middle} epochs{around}"


def _between(span: Range, write: Callable[[float], str]) -> str:
    return f"{write(span.expected)} ({write(span.low)} to {write(span.high)})"


def _co2e(kg: float) -> str:
    return f"{format_mass(kg)} CO2e"


def _capitalised(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def _epoch_number(end: float, planned: float) -> str:
    return f"{end:.0f}" if end < planned else f"more than {planned:.0f}"
