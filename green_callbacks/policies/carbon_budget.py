"""Stop before a budget of emissions or energy is overspent."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import isfinite
from os import PathLike, fspath
from os.path import expanduser
from sys import float_info
from typing import Final

from green_callbacks.errors import ConfigurationError
from green_callbacks.policies._next_stop_cost import after_stop, to_come, unmeasured
from green_callbacks.policies._option_checks import flag, number
from green_callbacks.policies.base import Left
from green_callbacks.records import History, Plan, Verdict
from green_callbacks.records.plan import epochs_done
from green_callbacks.text.amounts import format_energy, format_mass
from green_callbacks.units import Amount, described, parse_amount

_ROUNDING: Final = 1e-9
"""Share of a budget that sums may be off by rounding."""


@dataclass(frozen=True)
class CarbonBudget:
    """Stops a run before it would emit more CO2e, or use more energy, than it may.

    The next epoch is taken to cost as much as the dearest of the last five, with what follows outside epochs (a
    checkpoint). Before the first epoch has ended there is nothing to project from, and the run is stopped only once
    the budget is spent. It looks inside epochs too, without being asked to, and stops there once nothing is left; what
    follows such a stop, a validation and a checkpoint, is kept in reserve, as dear as the dearest so far. With
    ``decide_every`` it also expects the next part to cost as much as the dearest of the last five. Energy is that of
    the facility, PUE included.

    A budget may be shared by the runs of a project: what their ledgers hold when a run starts, killed and failed runs
    included, is spent before it. Runs that go on at the same time learn of one another at their next start only, so
    several of them together may overspend what each of them alone would keep.

    Args:
        budget: An amount with its unit, e.g. ``"500 g"``, ``"2 kWh"`` or ``"5 MJ"``; a plain number is kgCO2e.
        project: Where the ledgers of the project's runs lie, this one's among them: a folder (those in it
            and anywhere below it) or a pattern such as ``"logs/resnet*/**/*.jsonl"``. A run that stands in several
            files counts once. None for a budget of this run alone.
        spent_before: What the project's other runs have spent, in kgCO2e or kWh, as the budget; the accountant reads it
            from their ledgers at the start.
        hard: Stop before the budget would be overspent, inside an epoch where need be. If False, stop after the epoch
            that overspends it.
        warn_at: Shares of the budget at whose crossing to warn, above 0 and below 1.

    Raises:
        ConfigurationError: The amount cannot be parsed or is not above 0, a share lies outside 0 to 1, or what was
            spent before is negative.
    """

    budget: str | float
    project: str | PathLike[str] | None = field(default=None, kw_only=True)
    spent_before: float = field(default=0.0, kw_only=True)
    hard: bool = field(default=True, kw_only=True)
    warn_at: tuple[float, ...] = field(default=(0.5, 0.8, 0.95), kw_only=True)

    def __post_init__(self) -> None:
        """Refuse options that cannot work."""
        shares = self.warn_at if isinstance(self.warn_at, Iterable) else (self.warn_at,)
        object.__setattr__(self, "warn_at", tuple(sorted(number("warn_at", share) for share in shares)))
        object.__setattr__(self, "spent_before", number("spent_before", self.spent_before))
        if not (isfinite(self.amount.value) and self.amount.value > 0):
            msg = f"A budget of {described(self.budget)} cannot be kept: it must be above 0, and finite."
            raise ConfigurationError(msg)
        if not all(0 < share < 1 for share in self.warn_at):
            msg = f"warn_at is {self.warn_at}: these are shares of the budget, above 0 and below 1."
            raise ConfigurationError(msg)
        if not (isfinite(self.spent_before) and self.spent_before >= 0):
            msg = f"spent_before is {self.spent_before}: it must be 0 or more, in kgCO2e or kWh as the budget."
            raise ConfigurationError(msg)
        flag("hard", self.hard)
        if self.project is not None:
            object.__setattr__(self, "project", _named(self.project))

    @cached_property
    def amount(self) -> Amount:
        """The budget in kgCO2e or in kWh; its text is parsed once, at construction."""
        if isinstance(self.budget, str):
            return parse_amount(self.budget)
        return Amount(number("budget", self.budget), "emissions_kg")

    @property
    def counts_emissions(self) -> bool:
        """Whether it is a budget of emissions, in kgCO2e; if not, one of facility energy, in kWh."""
        return self.amount.quantity == "emissions_kg"

    @cached_property
    def name(self) -> str:
        """What to call it in a sentence, e.g. ``the budget of 500 g``."""
        whose = "" if self.project is None else f" for {self.project}"
        return f"the budget of {self._format(self.amount.value)}{whose}"

    def describe(self) -> str:
        """Say the budget in words, for the start of a run."""
        when = "before it would be overspent" if self.hard else "after the epoch that overspends it"
        if self.project is None:
            return f"The run may spend {self._format(self.amount.value)} and is stopped {when}."
        return (
            f"The runs of {self.project} may spend {self._format(self.amount.value)} together. Others have spent "
            f"{self._format(self.spent_before)} of it; this one is stopped {when}."
        )

    def decide(self, history: History, plan: Plan) -> Verdict:
        """Decide after the last record of the history.

        Args:
            history: All records so far.
            plan: What is known ahead, with what other runs have spent.

        Returns:
            ``stopping`` once the budget is spent, or before the epoch that would overspend it; ``warning`` where the
            last record crossed a share; ``held`` while there is no epoch to project from; else ``armed``.
        """
        budget, spent = self.amount.value, self.spent(history, plan)
        values = self._values(budget, spent)
        said = unmeasured(history)
        if spent >= budget:
            reason = f"{self._format(spent)} of {self.name} are spent."
            return Verdict(
                stop=True, code="stopping", reason=f"{reason}{_until_min_epochs(history, plan)}{said}", values=values
            )
        ahead = to_come(history, plan, self._cumulative(history)) if self.hard else None
        if ahead is not None and spent + ahead.cost > budget:
            reason = (
                f"{self._format(budget - spent)} of {self.name} are left, and "
                f"{ahead.what} would take about {self._format(ahead.cost)}."
            )
            return Verdict(
                stop=True, code="stopping", reason=f"{reason}{_until_min_epochs(history, plan)}{said}", values=values
            )
        return self._going_on(history, spent, values, said)

    def left_inside(self, history: History, plan: Plan, open_kg: float, open_kwh: float) -> Left:
        """Return what is left inside an epoch; a hard budget keeps a validation and a checkpoint in reserve.

        Args:
            history: All records so far.
            plan: What is known ahead, with what other runs have spent.
            open_kg: Emissions that are in no record yet, in kgCO2e.
            open_kwh: Facility energy that is in no record yet, in kWh.
        """
        spent = self.spent(history, plan) + (open_kg if self.counts_emissions else open_kwh)
        left = self.amount.value - spent
        if abs(left) < _ROUNDING * self.amount.value:
            left = 0.0
        reserve = after_stop(history, self._cumulative(history)) if self.hard else 0.0
        reason = f"{self._format(spent)} of {self.name} are spent."
        if left > 0:
            reason = (
                f"{self._format(left)} of {self.name} are left, and the validation and checkpoint that follow a stop "
                f"would take about {self._format(reserve)}."
            )
        return Left(left - reserve, self.hard, f"{reason}{_until_min_epochs(history, plan)}")

    def _going_on(self, history: History, spent: float, values: dict[str, float], said: str) -> Verdict:
        left = f"{self._format(self.amount.value - spent)} of {self.name} are left"
        crossed = self._crossed(history, spent)
        if crossed is not None:
            return Verdict(
                stop=False,
                code="warning",
                reason=f"{crossed:.0%} of the budget are spent: {left}.{said}",
                values=values,
            )
        if self.hard and not history.finished_epochs and not history.part_rows:
            reason = f"{left}; no epoch has ended yet, so the cost of epoch 0 cannot be projected."
            return Verdict(stop=False, code="held", reason=f"{reason}{said}", values=values)
        return Verdict(stop=False, code="armed", reason=f"{left}.{said}", values=values)

    def _crossed(self, history: History, spent: float) -> float | None:
        """Return the highest share that the last record crossed."""
        budget, cumulative = self.amount.value, self._cumulative(history)
        before = spent - cumulative[-1] + cumulative[-2] if len(cumulative) > 1 else 0.0
        return max((share for share in self.warn_at if before < share * budget <= spent), default=None)

    def spent(self, history: History, plan: Plan) -> float:
        """Return what is spent of it, by this run and those before.

        Args:
            history: All records so far.
            plan: What is known ahead, with what other runs have spent.

        Returns:
            An amount in kgCO2e or kWh, as the budget.
        """
        if self.counts_emissions:
            return self.spent_before + plan.spent_before_kg + history.emissions_kg
        return self.spent_before + plan.spent_before_kwh + history.facility_kwh

    def _cumulative(self, history: History) -> Sequence[float]:
        return history.cumulative_kg if self.counts_emissions else history.cumulative_kwh

    def _values(self, budget: float, spent: float) -> dict[str, float]:
        unit = "kg" if self.counts_emissions else "kwh"
        return {f"green/budget_left_{unit}": budget - spent, "green/budget_share": min(spent / budget, float_info.max)}

    def _format(self, value: float) -> str:
        return format_mass(value) if self.counts_emissions else format_energy(value)


def _named(project: object) -> str:
    """Return the folder or pattern of a project, with the home of ``~``."""
    if not isinstance(project, str | PathLike) or not isinstance(fspath(project), str) or not str(project).strip():
        msg = (
            f"project is {described(project)}: name the folder of its ledgers, or leave it out for a budget of one run."
        )
        raise ConfigurationError(msg)
    return expanduser(project)  # noqa: PTH111  it may be a pattern


def _until_min_epochs(history: History, plan: Plan) -> str:
    if not plan.min_epochs or epochs_done(history) >= plan.min_epochs:
        return ""
    return f" The framework's min_epochs={plan.min_epochs} wins until then."
