"""The body of :class:`green_callbacks.optuna.KilogramHalvingPruner`."""

from collections.abc import Sequence
from math import isfinite
from statistics import median
from typing import Any, Final, NamedTuple

from optuna.pruners import BasePruner

from green_callbacks._frameworks.optuna.live_spending import live_kg
from green_callbacks._frameworks.optuna.trial_attributes import PREFIX, own_kg, spending_by_trial
from green_callbacks.analysis.halving import Halving
from green_callbacks.errors import ConfigurationError
from green_callbacks.text.amounts import format_mass
from green_callbacks.text.log import get_logger
from green_callbacks.text.wording import significant
from green_callbacks.units import described, parse_amount

logger = get_logger(__name__)

_RUNG: Final = f"{PREFIX}rung:"
"""Begins the system attribute of a completed rung. Its index follows."""
_FIRST_TRIALS: Final = 5
"""Number of trials whose first epochs set the first rung. By experiment, more of them change no choice."""


class Answer(NamedTuple):
    """What the pruner says of a trial.

    Attributes:
        prunes: Whether the trial ends.
        reason: Why, as a sentence. Empty where no rung was reached.
    """

    prunes: bool
    reason: str = ""


class KilogramHalvingPruner(BasePruner):  # type: ignore[misc]  # Optuna is not typed here
    """Prunes the trials of a study by successive halving whose rungs are kilograms of CO2e.

    A trial completes a rung when it has emitted so much, and not when it has trained for so many epochs. It goes on if
    it is among the best of the trials at that rung. So an expensive configuration has to be good sooner than a cheap
    configuration. On learning curves with unknown prices, this finds better trials for the same emissions than rungs
    in epochs, and than the median pruner.

    The pruner reads what :class:`SearchBudget` writes to the trials. A measurement of your own may call
    ``trial.set_user_attr("green_callbacks:emissions_kg", kg)`` before ``trial.should_prune()``. It works with every
    storage, with threads and with processes. In a study of several objectives, :class:`SearchBudget` asks the pruner
    itself, because Optuna does not.

    A trial whose emissions are not known is not pruned, and the pruner says so once.

    Args:
        min_emissions: Emissions at the first rung, such as ``"5 g"``. A plain number is in kgCO2e. ``"auto"`` takes the
            median of what the first epochs of the first five trials emitted. Defaults to ``"auto"``.
        reduction_factor: Factor between the emissions of two rungs, at least 2. At each rung, one of that many trials
            goes on. Defaults to 3.

    Raises:
        ConfigurationError: The amount is no mass above 0, or the factor is below 2.

    Example:
        >>> import optuna
        >>> from green_callbacks.optuna import KilogramHalvingPruner
        >>> study = optuna.create_study(pruner=KilogramHalvingPruner("5 g", reduction_factor=3))
    """

    def __init__(self, min_emissions: str | float = "auto", reduction_factor: int = 3) -> None:
        self._min_kg = None if min_emissions == "auto" else _kilograms(min_emissions)
        if isinstance(reduction_factor, bool) or not isinstance(reduction_factor, int):
            msg = f"reduction_factor takes a whole number of at least 2, not {described(reduction_factor)}."
            raise ConfigurationError(msg)
        self._reduction_factor = reduction_factor
        Halving(1.0 if self._min_kg is None else self._min_kg, reduction_factor)
        self._has_said = False

    def prune(self, study: Any, trial: Any) -> bool:
        """Return whether a trial ends now. Optuna calls this for ``trial.should_prune()``.

        Args:
            study: The study.
            trial: The trial, with the values that it has reported.
        """
        values = trial.intermediate_values
        if not values:
            return False
        best = _best(values.values(), rises=_rises(study))
        last = values[max(values)]
        answer = self.judge(study, trial, last if last != last else best, rises=_rises(study))  # noqa: PLR0124
        if answer.prunes:
            logger.info("%s", answer.reason)
        return answer.prunes

    def judge(self, study: Any, trial: Any, value: float, *, rises: bool) -> Answer:
        """Judge a trial by a value, whatever the number of objectives.

        Args:
            study: The study.
            trial: The trial, or a frozen trial.
            value: Its best value so far. Not a number for a trial that has diverged.
            rises: Whether more of the value is better.
        """
        kg = live_kg(study.study_name, trial.number)
        if kg is None:
            kg = own_kg(trial)
        if kg is None:
            self._say_unknown(trial)
            return Answer(prunes=False)
        trials = study.get_trials(deepcopy=False)
        own = next(each for each in trials if each.number == trial.number)
        rungs = self._rungs(trials)
        if rungs is None:
            return Answer(prunes=False)
        for rung in range(_completed(own), rungs.completed(kg)):
            others = _values_at(rung, trials, but=trial.number)
            _keep(study, own, rung, value)
            if not rungs.goes_on(value, others, rises=rises):
                return Answer(prunes=True, reason=_reason(trial, rungs, rung, value, others))
        return Answer(prunes=False)

    def _rungs(self, trials: Sequence[Any]) -> Halving | None:
        """Return the rungs. None while no trial has ended its first epoch, and none was set."""
        if self._min_kg is not None:
            return Halving(self._min_kg, self._reduction_factor)
        spent = spending_by_trial(trials)
        firsts = [spent[number].first_kg for number in sorted(spent)]
        known = [kg for kg in firsts if kg is not None and kg > 0][:_FIRST_TRIALS]
        known = known or [kg for trial in trials if (kg := own_kg(trial)) is not None and kg > 0][:1]
        return Halving(median(known), self._reduction_factor) if known else None

    def _say_unknown(self, trial: Any) -> None:
        if not self._has_said:
            self._has_said = True
            logger.warning(
                "The emissions of trial %d are not known, so KilogramHalvingPruner does not prune it. Measure each "
                "trial with SearchBudget.of(trial), or set its user attribute green_callbacks:emissions_kg.",
                trial.number,
            )


def _kilograms(given: object) -> float:
    if isinstance(given, str):
        amount = parse_amount(given)
        if amount.quantity == "emissions_kg":
            return amount.value
    elif isinstance(given, int | float) and not isinstance(given, bool):
        return float(given)
    msg = f"min_emissions takes a mass of CO2e such as '5 g', or 'auto', not {described(given)}."
    raise ConfigurationError(msg)


def _rises(study: Any) -> bool:
    return bool(study.directions[0].name == "MAXIMIZE")


def _best(values: Any, *, rises: bool) -> float:
    known = [float(value) for value in values if isfinite(value)]
    if not known:
        return float("nan")
    return max(known) if rises else min(known)


def _completed(trial: Any) -> int:
    """Return the number of rungs that a trial has completed itself. A retried trial holds copies of others."""
    rung = 0
    while (held := trial.system_attrs.get(f"{_RUNG}{rung}")) is not None and held[0] == trial.number:
        rung += 1
    return rung


def _values_at(rung: int, trials: Sequence[Any], *, but: int) -> list[float]:
    """Return the values of the other trials at a rung."""
    kept = ((trial.number, trial.system_attrs.get(f"{_RUNG}{rung}")) for trial in trials if trial.number != but)
    found = [held[1] for number, held in kept if held is not None and held[0] == number]
    return [float("nan") if value is None else value for value in found]


def _keep(study: Any, trial: Any, rung: int, value: float) -> None:
    """Keep the value of a trial at a rung where every process of the study reads it, as Optuna's own pruners do."""
    held = [trial.number, value if isfinite(value) else None]  # JSON of some databases has no NaN
    study._storage.set_trial_system_attr(trial._trial_id, f"{_RUNG}{rung}", held)  # noqa: SLF001  no public way


def _reason(trial: Any, rungs: Halving, rung: int, value: float, others: Sequence[float]) -> str:
    at = f"Trial {trial.number} is pruned at {format_mass(rungs.rung_kg(rung))}"
    if value != value:  # noqa: PLR0124  not a number
        return f"{at}, because its value is not a number."
    count = len(others) + 1
    kept = rungs.kept(count)
    rank = "the best" if kept == 1 else f"among the best {kept}"
    return f"{at}. Its value of {significant(value, 4)} is not {rank} of the {count} trials that got there."
