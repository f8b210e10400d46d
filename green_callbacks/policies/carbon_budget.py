"""Stop before a budget of emissions or energy is overspent."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import isfinite
from os import PathLike, fspath
from os.path import expanduser
from typing import Final, Literal, NamedTuple, Self

from green_callbacks.errors import ConfigurationError
from green_callbacks.policies._next_stop_cost import after_stop, to_come, unmeasured
from green_callbacks.policies._option_checks import flag, landing_share, number
from green_callbacks.policies.base import Left
from green_callbacks.policies.traits import amount_in_force, budget_values
from green_callbacks.records import History, Plan, SharedSpending, Verdict
from green_callbacks.text.amounts import format_energy, format_mass
from green_callbacks.units import Amount, described, parse_amount

_ROUNDING: Final = 1e-9
"""Share of a budget below which a rest is taken for a rounding error of sums. No unit, by experiment."""


class Rest(NamedTuple):
    """The rest of a budget before a landing.

    Attributes:
        until_landing: The amount that may be spent until the landing begins, in the unit of the budget.
        landing: Length of the landing if it begins now, as a share of the spending of the fit.
        reason: Why the run lands, as sentences.
    """

    until_landing: float
    landing: float
    reason: str


@dataclass(frozen=True)
class CarbonBudget:
    """Stops a run before it emits more CO2e, or uses more energy, than its budget.

    The next epoch is expected to cost as much as the most expensive of the last five epochs, plus the checkpoint that
    follows an epoch. Before the first epoch has ended there is no cost to project from. Until then, the run stops only
    when the budget is spent.

    The budget is also checked inside epochs, and the run stops there when nothing is left. A validation and a
    checkpoint still run after such a stop. So a hard budget reserves the cost of the most expensive validation and
    checkpoint so far. With ``decide_every``, the next interval is expected to cost as much as the most expensive of the
    last five intervals. Energy is the energy of the facility, PUE included.

    With ``landing``, the run lands within its budget. Before the budget is spent, the learning rate goes linearly to 0,
    and only then the run stops. The landing begins when the spending, the landing and the reserve reach the budget. It
    takes the rest of the budget, and it becomes shorter if a step becomes more expensive. There is no landing if the
    plan is expected to end within the budget. At equal energy, a landed model is better than a model that was stopped
    at a high learning rate. A loop of your own calls ``accountant.scale_learning_rates(optimizer)`` once, and goes
    through ``accountant.steps(batches)``. If the learning rate cannot be scaled, the run says so and stops without a
    landing.

    The runs of a project may share a budget. Everything in the ledgers of the project counts as spent, killed and
    failed runs included. Runs that train at the same time keep the budget together. Each run tells a registry what it
    has spent, and reserves its next epoch there. The registry is a hidden folder inside the project's folder, or a
    database. Training does not wait for it.

    Args:
        budget: An amount with its unit, e.g. ``"500 g"``, ``"2 kWh"`` or ``"5 MJ"``. A plain number is in kgCO2e.
        project: Folder or glob pattern of the project's ledgers, e.g. ``"logs/resnet*/**/*.jsonl"``. The folder and its
            subfolders must contain the ledger of this run. A run in several files counts once. Defaults to None, a
            budget of this run alone.
        registry: URL of the database in which the runs of the project reserve their epochs, such as
            ``"sqlite:///budget.db"`` or ``"postgresql+psycopg://user@host/name"``. It needs the extra ``registry`` of
            this package. Defaults to the ``registry`` of the configuration, and else to files in the project's folder.
        on_outage: What happens while the registry does not answer. With ``"share"``, a run may spend its share of what
            was left when the registry last answered. With ``"go_on"``, it counts only its own further spending.
            Defaults to ``"share"``.
        spent_before: Spending that no ledger holds, in the unit of the budget (kgCO2e or kWh). Defaults to 0.
        hard: True to stop before the budget is overspent, inside an epoch if necessary. False to stop after the epoch
            that overspends the budget, or sooner with its landing. Defaults to True.
        warn_at: Shares of the budget, above 0 and below 1. Crossing a share logs a warning. Defaults to
            ``(0.5, 0.8, 0.95)``.
        landing: Length of the landing, as a share of the spending of the fit so far, 0 to 1. We recommend 0.1, because
            a budget may end a run that still learns fast. Defaults to 0, a stop without a landing.

    Raises:
        ConfigurationError: The amount cannot be parsed or is not above 0, a share lies outside 0 to 1, or the earlier
            spending is negative.

    Example:
        >>> from green_callbacks.records import EpochRecord, History, Plan
        >>> history = History([EpochRecord.scripted(epoch=0, emissions_kg=0.3)])
        >>> CarbonBudget("500 g").decide(history, Plan(epochs=10)).reason
        '200 g of the budget of 500 g are left, and the next epoch would take about 300 g.'
    """

    budget: str | float
    project: str | PathLike[str] | None = field(default=None, kw_only=True)
    registry: str | None = field(default=None, kw_only=True, repr=False)  # it may hold a password
    on_outage: Literal["share", "go_on"] = field(default="share", kw_only=True)
    spent_before: float = field(default=0.0, kw_only=True)
    hard: bool = field(default=True, kw_only=True)
    warn_at: tuple[float, ...] = field(default=(0.5, 0.8, 0.95), kw_only=True)
    landing: float = field(default=0.0, kw_only=True)

    def __post_init__(self) -> None:
        """Refuse options that cannot work."""
        shares = self.warn_at if isinstance(self.warn_at, Iterable) else (self.warn_at,)
        object.__setattr__(self, "warn_at", tuple(sorted(number("warn_at", share) for share in shares)))
        object.__setattr__(self, "spent_before", number("spent_before", self.spent_before))
        if not (isfinite(self.amount.value) and self.amount.value > 0):
            msg = f"A budget of {described(self.budget)} cannot be kept. It must be above 0, and finite."
            raise ConfigurationError(msg)
        if not all(0 < share < 1 for share in self.warn_at):
            msg = f"warn_at is {self.warn_at}. Give shares of the budget, above 0 and below 1."
            raise ConfigurationError(msg)
        if not (isfinite(self.spent_before) and self.spent_before >= 0):
            msg = f"spent_before is {self.spent_before}. It must be 0 or more, in kgCO2e or kWh like the budget."
            raise ConfigurationError(msg)
        flag("hard", self.hard)
        object.__setattr__(self, "landing", landing_share(self.landing))
        if self.project is not None:
            object.__setattr__(self, "project", _checked_project(self.project))
        _check_sharing(self.project, self.registry, self.on_outage)

    @cached_property
    def amount(self) -> Amount:
        """The budget in kgCO2e or in kWh. Its text is parsed once, at construction."""
        if isinstance(self.budget, str):
            return parse_amount(self.budget)
        return Amount(number("budget", self.budget), "emissions_kg")

    @property
    def counts_emissions(self) -> bool:
        """True for a budget of emissions in kgCO2e, False for a budget of facility energy in kWh."""
        return self.amount.quantity == "emissions_kg"

    @property
    def title(self) -> str:
        """The budget as messages call it, e.g. ``CarbonBudget('500 g')``."""
        return f"{type(self).__name__}({self.budget!r})"

    @cached_property
    def name(self) -> str:
        """The budget as it is called inside a sentence, e.g. ``the budget of 500 g``."""
        owner = "" if self.project is None else f" for {self.project}"
        return f"the budget of {self._format(self.amount.value)}{owner}"

    def describe(self) -> str:
        """Return the budget in words, for the start of a run."""
        when = "before more would be spent" if self.hard else "after the epoch that spends more"
        if self.landing:
            when += "" if self.hard else ", or sooner with its landing"
            when += ". Before the stop, the learning rate goes to zero"
        if self.project is None:
            return f"The run may spend {self._format(self.amount.value)} and is stopped {when}."
        return (
            f"The runs of {self.project} may spend {self._format(self.amount.value)} together. This run is stopped "
            f"{when}."
        )

    def decide(self, history: History, plan: Plan) -> Verdict:
        """Decide after the last record of the history.

        Args:
            history: All records so far.
            plan: The plan of the run, with the spending of other runs.

        Returns:
            ``stopping`` once the budget is spent, or before the epoch that would overspend it. With ``landing``,
            ``landing`` where the rest of the budget is just enough for it. ``warning`` where the last record crossed a
            share of ``warn_at``. ``waiting`` before the first epoch has ended. Otherwise ``active``.
        """
        in_force = self.in_force(plan)
        if in_force is not self:
            return in_force.decide(history, plan)
        budget, spent = self.amount.value, self.spent(history, plan)
        values = budget_values(self.amount, spent)
        note = unmeasured(history)
        if budget - spent < _ROUNDING * budget:
            reason = self._all_spent(spent, plan)
            return Verdict(
                stop=True, code="stopping", reason=f"{reason}{_until_min_epochs(history, plan)}{note}", values=values
            )
        if self._lands(plan):
            rest = None if plan.landing else self._rest(history, plan, 0.0)
            if rest is not None and rest.until_landing <= 0:
                return Verdict(
                    stop=False, code="landing", reason=f"{rest.reason}{note}", values=values, landing=rest.landing
                )
            return self._going_on(history, spent, values, note)
        ahead = to_come(history, plan, self._cumulative(history)) if self.hard else None
        if ahead is not None and spent + ahead.cost > budget * (1 + _ROUNDING):
            reason = (
                f"{self._format(budget - spent)} of {self.name} are left, and "
                f"{ahead.what} would take about {self._format(ahead.cost)}.{self._not_granted(plan)}"
            )
            return Verdict(
                stop=True, code="stopping", reason=f"{reason}{_until_min_epochs(history, plan)}{note}", values=values
            )
        return self._going_on(history, spent, values, note)

    def left_inside(self, history: History, plan: Plan, open_kg: float, open_kwh: float) -> Left:
        """Return the rest of the budget inside an epoch. A hard budget reserves a validation and a checkpoint.

        Before a landing, the rest is the amount that may be spent until the landing begins.

        Args:
            history: All records so far.
            plan: The plan of the run, with the spending of other runs.
            open_kg: Emissions that no record contains yet, in kgCO2e.
            open_kwh: Facility energy that no record contains yet, in kWh.
        """
        in_force = self.in_force(plan)
        if in_force is not self:
            return in_force.left_inside(history, plan, open_kg, open_kwh)
        opened = open_kg if self.counts_emissions else open_kwh
        rest = self._rest(history, plan, opened) if self._lands(plan) and not plan.landing else None
        if rest is not None:
            return Left(rest.until_landing, self.hard, rest.reason, rest.landing)
        spent = self.spent(history, plan) + opened
        left = self.amount.value - spent
        if abs(left) < _ROUNDING * self.amount.value:
            left = 0.0
        reserve = after_stop(history, self._cumulative(history)) if self.hard else 0.0
        reason = self._all_spent(spent, plan)
        if left > 0:
            reason = (
                f"{self._format(left)} of {self.name} are left, and the validation and checkpoint that follow a stop "
                f"would take about {self._format(reserve)}."
            )
        return Left(left - reserve, self.hard, f"{reason}{_until_min_epochs(history, plan)}")

    def _lands(self, plan: Plan) -> bool:
        return self.landing > 0 and not plan.landing_refused

    def _rest(self, history: History, plan: Plan, opened: float) -> Rest | None:
        """Return the rest of the budget before a landing. None if the plan is expected to end within the budget.

        Args:
            history: All records so far.
            plan: The plan of the run, with the spending of other runs.
            opened: Spending that no record contains yet.
        """
        cumulative, spent = self._cumulative(history), self.spent(history, plan)
        own = history.since_fit(cumulative, len(history) - 1) if history else 0.0
        done = plan.progress(history) if history else None
        if done and spent + own * max(1 / done - 1, 0.0) <= self.amount.value * (1 + _ROUNDING):
            return None
        reserve = after_stop(history, cumulative) if self.hard else 0.0
        left, own = self.amount.value - spent - opened - reserve, own + opened
        reason = (
            f"{self.name[:1].upper()}{self.name[1:]} ends this run. {self._format(max(left, 0.0))} of it were left "
            f"for a landing.{_until_min_epochs(history, plan)}"
        )
        share = max(left, 0.0) / own if own > 0 else 0.0
        return Rest((left - self.landing * own) / (1 + self.landing), share, reason)

    def _going_on(self, history: History, spent: float, values: dict[str, float], note: str) -> Verdict:
        left = f"{self._format(self.amount.value - spent)} of {self.name} are left."
        crossed = self._crossed(history, spent)
        if crossed is not None:
            reason = f"{100 * crossed:.0f} % of the budget is spent. {left}{note}"
            return Verdict(stop=False, code="warning", reason=reason, values=values)
        if self.hard and not history.finished_epochs and not history.part_rows:
            reason = f"{left} No epoch has ended yet, so the cost of epoch 0 cannot be projected.{note}"
            return Verdict(stop=False, code="waiting", reason=reason, values=values)
        return Verdict(stop=False, code="active", reason=f"{left}{note}", values=values)

    def _crossed(self, history: History, spent: float) -> float | None:
        """Return the highest share that the last record crossed."""
        budget, cumulative = self.amount.value, self._cumulative(history)
        before = spent - cumulative[-1] + cumulative[-2] if len(cumulative) > 1 else 0.0
        return max((share for share in self.warn_at if before < share * budget <= spent), default=None)

    def spent(self, history: History, plan: Plan) -> float:
        """Return the spending of this run and of the runs before it.

        Args:
            history: All records so far.
            plan: The plan of the run, with the spending of other runs.

        Returns:
            An amount in kgCO2e or kWh, like the budget.
        """
        shared = self._shared(plan)
        others = self.spent_before + (shared.total if shared else 0.0)
        if self.counts_emissions:
            return others + plan.spent_before_kg + history.emissions_kg
        return others + plan.spent_before_kwh + history.facility_kwh

    def in_force(self, plan: Plan) -> Self:
        """Return the budget with the limit that was set for all runs of the project, or else the budget itself.

        Args:
            plan: The plan of the run, with the limit if one was set.
        """
        limit = amount_in_force(self, plan).value
        if limit == self.amount.value:
            return self
        return replace(self, budget=limit if self.counts_emissions else f"{limit!r} kWh")

    def _shared(self, plan: Plan) -> SharedSpending | None:
        return plan.shared_by(self.project, self.amount.quantity) if plan.shared else None

    def _all_spent(self, spent: float, plan: Plan) -> str:
        shared = self._shared(plan)
        if shared is None or shared.total == shared.spent:
            return f"{self._format(spent)} of {self.name} are spent."
        used = spent - shared.held - shared.withheld
        said = f"{self._format(used)} of {self.name} are spent."
        if shared.held:
            said += f" Other runs hold {self._format(shared.held)} for their next epochs."
        rest = self._not_granted(plan)
        return f"{said}{rest} Its next epoch takes more, or others may need it." if rest else said

    def _not_granted(self, plan: Plan) -> str:
        shared = self._shared(plan)
        if shared is None or not shared.withheld:
            return ""
        return f" The rest of {self._format(shared.withheld)} is not granted to this run."

    def _cumulative(self, history: History) -> Sequence[float]:
        return history.cumulative_kg if self.counts_emissions else history.cumulative_kwh

    def _format(self, value: float) -> str:
        return format_mass(value) if self.counts_emissions else format_energy(value)


def _checked_project(project: object) -> str:
    """Return the folder or pattern of a project, with ``~`` replaced by the home folder."""
    if not isinstance(project, str | PathLike) or not _is_path(fspath(project)):
        msg = (
            f"project is {described(project)}. Name the folder of its ledgers, or leave it out for a budget of one run."
        )
        raise ConfigurationError(msg)
    return expanduser(project)  # noqa: PTH111  it may be a pattern


def _is_path(path: str | bytes) -> bool:
    return isinstance(path, str) and bool(path.strip()) and "\0" not in path


def _check_sharing(project: object, registry: object, on_outage: object) -> None:
    if registry is not None and (not isinstance(registry, str) or not registry.strip()):
        msg = "registry takes the URL of a database, such as 'sqlite:///budget.db'. Leave it out for files."
        raise ConfigurationError(msg)
    if registry is not None and project is None:
        msg = "registry= needs project=, the name of the runs that share the budget. Name the folder of their ledgers."
        raise ConfigurationError(msg)
    if on_outage not in ("share", "go_on"):
        msg = f"on_outage is {described(on_outage)}. Write 'share' or 'go_on'."
        raise ConfigurationError(msg)


def _until_min_epochs(history: History, plan: Plan) -> str:
    if not plan.min_epochs or history.epochs_done() >= plan.min_epochs:
        return ""
    return f" The framework's min_epochs={plan.min_epochs} wins until then."
