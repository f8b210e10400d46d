"""What the planned run will come to, from its first epochs on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import floor
from typing import Final

from green_callbacks.policies._pace import LAST, STEP_EPOCHS, Range, has_stepped, is_new_level, pace
from green_callbacks.policies.carbon_budget import CarbonBudget
from green_callbacks.records import History, Plan, Verdict
from green_callbacks.records.plan import epochs_done, last_epochs
from green_callbacks.units import format_duration, format_energy, format_mass

__all__ = ["Forecast", "ForecastRecord", "Range", "forecast"]

_EPOCHS: Final = 3
"""The first is not counted, and one alone says nothing of its scatter."""

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
            earlier fit for one, is in all of the ranges.
        kwh: Facility energy of the whole run, in kWh.
        kg: Emissions of the whole run, in kgCO2e, at the carbon intensities of the last epochs. How well an intensity
            itself is known is not in the range: a record holds that.
        seconds: Time of the whole run, in s.
        budget_end: Number of the epochs after which the first budget is spent; None where all of them last.
        budget: That budget.
    """

    epochs: float
    kwh: Range
    kg: Range
    seconds: Range
    budget_end: Range | None = None
    budget: CarbonBudget | None = None


@dataclass(frozen=True)
class Forecast:
    """Says after every epoch what the planned run will come to; never stops it.

    The epochs after the first, with what recurs between them, say what the others will cost: their median, and a
    range around it that was made to hold in nine of ten runs of steady, noisy or drifting costs. It is estimated anew
    after every epoch, and warns when the last three epochs make a step to a new level that moves it by more than 20 %
    and out of the range that was stated before: images grew, layers were unfrozen, somebody else came to the GPU. Of
    epochs shorter than a second, and within the last minute of the plan, it does not. An accountant asks it without
    being told to.

    Args:
        budgets: Budgets whose end to foretell.
    """

    budgets: tuple[CarbonBudget, ...] = ()

    def decide(self, history: History, plan: Plan) -> Verdict:
        """Forecast after the last record of the history.

        Args:
            history: All records so far.
            plan: What is known ahead.

        Returns:
            ``warning`` where the forecast jumped, else ``held``; the forecast in the reason and in ``values``, which
            are empty while there is none.
        """
        now = forecast(history, plan, self.budgets)
        if now is None:
            return Verdict(stop=False, code="held", reason="There is no forecast without a plan and three epochs.")
        values = {
            "green/forecast_kg": now.kg.expected,
            "green/forecast_low_kg": now.kg.low,
            "green/forecast_high_kg": now.kg.high,
            "green/forecast_kwh": now.kwh.expected,
        }
        before = _before_step(history, now)
        if before is not None and _jumps(before, now.kwh.expected):
            change = "more" if now.kwh.expected > before.expected else "less"
            jumped = f"Epochs now take {change} energy than before: {_between(before, format_energy)} were expected."
            return Verdict(stop=False, code="warning", reason=f"{jumped} {_words(now, history)}", values=values)
        return Verdict(stop=False, code="held", reason=_words(now, history), values=values)


def forecast(history: History, plan: Plan, budgets: Sequence[CarbonBudget] = ()) -> ForecastRecord | None:
    """Forecast what the planned run will come to.

    Args:
        history: All records so far.
        plan: What is known ahead.
        budgets: Budgets whose end to foretell.

    Returns:
        The forecast; None before three epochs have ended, where no plan is known, or where no energy was measured.
    """
    ahead = _epochs_ahead(history, plan)
    if ahead is None or len(last_epochs(history, _EPOCHS)) < _EPOCHS or history.facility_kwh <= 0:
        return None
    kwh_costs, kg_costs = _costs(history, history.cumulative_kwh), _costs(history, history.cumulative_kg)
    kwh, seconds = pace(kwh_costs, ahead), pace(_costs(history, history.cumulative_seconds), ahead)
    kg = _at_one_intensity(kwh, kwh_costs, kg_costs) or pace(kg_costs, ahead)
    ends = {budget: _end(history, plan, budget, kg if budget.counts_emissions else kwh) for budget in budgets}
    first = min(ends, key=lambda budget: ends[budget].expected, default=None)
    planned = epochs_done(history) + ahead
    if first is not None and ends[first].low >= planned:
        first = None
    return ForecastRecord(
        epochs=planned,
        kwh=_total(history, history.cumulative_kwh, kwh, ahead),
        kg=_total(history, history.cumulative_kg, kg, ahead),
        seconds=_total(history, history.cumulative_seconds, seconds, ahead),
        budget_end=None if first is None else ends[first],
        budget=first,
    )


def _epochs_ahead(history: History, plan: Plan) -> float | None:
    done, share = epochs_done(history), plan.progress(history)
    return max(done / share - done, 0.0) if share else None


def _costs(history: History, cumulative: Sequence[float], count: int = LAST) -> list[float]:
    """Return what each of the last epochs took, with what lies outside epochs since the one before."""
    rows = last_epochs(history, count + 1)
    return [cumulative[row] - cumulative[before] for before, row in pairwise(rows)]


def _at_one_intensity(kwh: Range, kwh_costs: Sequence[float], kg_costs: Sequence[float]) -> Range | None:
    """Return the emissions of an energy where the carbon intensity was always the same, which saves time; else None."""
    kg_per_kwh = sum(kg_costs) / sum(kwh_costs) if any(kwh_costs) else 0.0
    if any(abs(kg - kg_per_kwh * kwh) > _ROUNDING * kg for kg, kwh in zip(kg_costs, kwh_costs, strict=True)):
        return None
    return Range(*(kg_per_kwh * end for end in kwh))


def _total(history: History, cumulative: Sequence[float], cost: Range, ahead: float) -> Range:
    """Count from the last epoch that has ended; what came after it is the beginning of what is ahead."""
    total = cost.after(cumulative[history.epoch_rows[-1]], ahead)
    return Range(*(max(end, cumulative[-1]) for end in total))


def _before_step(history: History, now: ForecastRecord) -> Range | None:
    """Return the energy in kWh that was expected before a step; None where the last record makes none to speak of."""
    rows, seconds = history.epoch_rows, history.cumulative_seconds
    if rows[-1] != len(history) - 1 or now.seconds.expected - seconds[-1] < _BRIEF_SECONDS:
        return None
    costs, lengths = _costs(history, history.cumulative_kwh), _costs(history, seconds)
    if min(lengths[-STEP_EPOCHS:]) < _RESOLVED_SECONDS or not has_stepped(costs):
        return None
    if not is_new_level(_costs(history, history.cumulative_kwh, _REMEMBERED)):
        return None
    ahead = now.epochs - epochs_done(history) + STEP_EPOCHS
    return pace(costs[:-STEP_EPOCHS], ahead).after(history.cumulative_kwh[rows[-STEP_EPOCHS - 1]], ahead)


def _jumps(before: Range, expected: float) -> bool:
    is_out = not before.low <= expected <= before.high
    return is_out and abs(expected - before.expected) > _JUMP * before.expected


def _end(history: History, plan: Plan, budget: CarbonBudget, cost: Range) -> Range:
    """Return after how many epochs a budget is spent; the dearer they are, the earlier."""
    left, done = max(budget.amount.value - budget.spent(history, plan), 0.0), epochs_done(history)
    low, middle, high = (done + (floor(left / each) if each > 0 else float("inf")) for each in reversed(cost))
    return Range(low, middle, high)


def _words(now: ForecastRecord, history: History) -> str:
    whole = "The run with its" if history.fit_row else "The"
    text = (
        f"{whole} {now.epochs:.0f} planned epochs will likely take {_between(now.kwh, format_energy)}, "
        f"{_between(now.kg, _co2e)} and {_between(now.seconds, format_duration)}."
    )
    if now.budget is None or now.budget_end is None:
        return text
    earliest, middle, latest = (_epoch_number(end, now.epochs) for end in now.budget_end)
    around = f" (after {earliest} to {latest})" if earliest != latest else ""
    return f"{text} {_capitalised(now.budget.name)} would be spent after {middle} epochs{around}."


def _between(span: Range, write: Callable[[float], str]) -> str:
    return f"{write(span.expected)} ({write(span.low)} to {write(span.high)})"


def _co2e(kg: float) -> str:
    return f"{format_mass(kg)} CO2e"


def _capitalised(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def _epoch_number(end: float, planned: float) -> str:
    return f"{end:.0f}" if end < planned else f"more than {planned:.0f}"
