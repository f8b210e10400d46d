"""The hooks by which a budget follows the trials of Ray Tune."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from green_callbacks._frameworks.ray.reported import main_key, read_result
from green_callbacks._frameworks.ray.search_spending import SearchSpending
from green_callbacks.errors import BudgetSpentError, ConfigurationError
from green_callbacks.policies import CarbonBudget
from green_callbacks.text.amounts import format_energy, format_mass
from green_callbacks.text.log import get_logger

logger = get_logger(__name__)

_SILENT_RESULTS: Final = 2
"""Number of results without a total after which a trial counts as silent. The first may come before an epoch ends."""
_ROUNDING: Final = 1e-6
"""Share of a budget by which sums of reports may differ through rounding. No unit, by experiment."""

_NOT_IN_CALLBACKS: Final = (
    "%s was passed as stop= only, so failed and restored trials count too little. Pass the same object also in "
    "callbacks=[…] of the RunConfig."
)
_NOT_STOPPING: Final = (
    "%s was passed in callbacks= only, so it counts but stops nothing. Pass the same object also as stop=, beside "
    "others as in stop=[budget, MaximumIterationStopper(10)]."
)
_HAS_PROJECT: Final = (
    "SearchBudget counts the trials of one search, and not the other runs of %s. Give the CarbonBudget to the trials, "
    "as in trial_accountant(policies=[CarbonBudget(…, project=…)]), and an amount such as '2 kg' to SearchBudget."
)
_REFUSAL: Final = re.compile(rf"^{BudgetSpentError.__module__}\.{BudgetSpentError.__name__}: (.*)$", re.MULTILINE)
_REFUSED: Final = "Stopping the search, because a budget has refused trial %s. %s"
_SILENT: Final = (
    "The results of trial %s have no %s, so the trial does not count for %s. Put EmissionsMonitor before the callback "
    "that reports, and report after each epoch of training. A loop of your own calls report() of green_callbacks.ray."
)


class SearchBudgetHooks:
    """Ends a search of Ray Tune before its trials together spend more than a budget.

    Pass the same object as ``stop=`` and in ``callbacks=``. Then ``Tuner.restore()`` goes on with the spending so far.
    The budget counts the totals that the trials report, of failed, stopped and restarted trials too. If a trial starts
    from a checkpoint of another trial, as in population based training, only its own spending counts.

    A result needs ``green/emissions_total_g``, which ``EmissionsMonitor`` of Lightning puts among the metrics of the
    trainer. A loop of your own calls :func:`green_callbacks.ray.report`. The first trial without it is named.

    A running trial is expected to spend its most expensive recent epoch once more. The search ends when these epochs no
    longer fit. Ray then stops all trials, also inside an epoch. So the budget is kept if it has room for the first
    epochs. For a process that ended inside an epoch, the share of the epoch that may have passed is added. What a trial
    spends after its last report is only in its ledger.

    Each trial on a machine measures the whole of a device that it shares with others. Then the trials seem to spend
    more than the machine, and the budget ends the search earlier. ``green-callbacks summary`` counts such energy once.

    All copies of an object count for one budget, and a second search with the object goes on with its spending.
    Searches in several processes, and other runs, share a ``CarbonBudget(…, project=…)`` among the policies of the
    trials. When it refuses a trial, this class ends the search, in place of one failed trial after another.

    Args:
        budget: An amount such as ``"0.5 kg"`` or ``"2 kWh"``, or a :class:`green_callbacks.CarbonBudget` without a
            project. A number is in kgCO2e. Energy is the energy of the facility.

    Raises:
        ConfigurationError: The budget cannot be kept, or has a project.

    Example:
        >>> from ray import tune
        >>> from green_callbacks.ray import SearchBudget
        >>> budget = SearchBudget("0.5 kg")
        >>> config = tune.RunConfig(stop=budget, callbacks=[budget])
        >>> budget("trial_1", {"green/emissions_total_g": 600.0}), round(budget.spent, 3)
        (True, 0.6)
    """

    def __init__(self, budget: str | float | CarbonBudget) -> None:
        self.budget = budget if isinstance(budget, CarbonBudget) else CarbonBudget(budget)
        if self.budget.project is not None:
            raise ConfigurationError(_HAS_PROJECT % self.budget.project)
        self._search = SearchSpending.named()

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_search": (self._search.name, self._search.encode())}

    def __setstate__(self, state: dict[str, Any]) -> None:
        name, saved = state["_search"]
        vars(self).update(state, _search=SearchSpending.named(name))
        self._search.merge(saved)

    @property
    def spent(self) -> float:
        """Spending of all trials so far, in kgCO2e or kWh like the budget."""
        return self.budget.spent_before + self._search.spent

    @property
    def left(self) -> float:
        """Rest of the budget, in kgCO2e or kWh like the budget. It is negative after an overspending."""
        return self.budget.amount.value - self.spent

    @property
    def spent_by_trial(self) -> dict[str, float]:
        """Spending by the id of the trial, in kgCO2e or kWh like the budget."""
        return {trial_id: each.total for trial_id, each in self._search.trials.items()}

    def summary(self) -> str:
        """Return what the search has spent, in sentences."""
        lost, trials = self._search.lost, len(self._search.trials)
        guess = f" Of this, {self._written(lost)} is expected of epochs that did not end." if lost else ""
        has = "trial has" if trials == 1 else "trials have"
        return f"{trials} {has} spent {self._written(self.spent)} of {self._written(self.budget.amount.value)}.{guess}"

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Count a result.

        Args:
            trial_id: The trial.
            result: Its result.

        Returns:
            Whether the search ends.
        """
        search = self._search
        search.is_asked = True
        if not search.is_followed:
            self._say_once(_NOT_IN_CALLBACKS, self.budget.title)
            (search.running.discard if result.get("done") else search.running.add)(trial_id)
        self._count(trial_id, result)
        search.is_over = search.is_over or self._would_overspend()
        return search.is_over

    def stop_all(self) -> bool:
        """Return whether the search ends."""
        return self._search.is_over or self.left <= 0

    def setup(self, **_: Any) -> None:
        """Note that Ray calls the hooks of callbacks, too."""
        self._search.is_followed = True
        self._search.is_asked = False

    def on_trial_start(self, iteration: int, trials: Iterable[Any], trial: Any, **_: Any) -> None:
        """Note that a process of a trial has started, and what its checkpoint contains."""
        saved = trial.latest_checkpoint_result
        said = read_result(saved.metrics or {}, self.budget.amount.quantity) if saved is not None else None
        self._search.begin(trial.trial_id, said and said.total)

    def on_trial_result(
        self, iteration: int, trials: Iterable[Any], trial: Any, result: dict[str, Any], **_: Any
    ) -> None:
        """Count a result that another condition of ``stop=`` has kept from this one."""
        self._count(trial.trial_id, result)
        if not self._search.is_asked:
            self._say_once(_NOT_STOPPING, self.budget.title)

    def on_trial_recover(self, iteration: int, trials: Iterable[Any], trial: Any, **_: Any) -> None:
        """Count what a process may have spent that died. End the search if a budget has refused the trial."""
        refusal = _refusal(trial.error_file)
        if refusal:
            self._search.is_over = True
            self._search.running.discard(trial.trial_id)
            self._say_once(_REFUSED, trial.trial_id, refusal)
            return
        self._search.lose(trial.trial_id)

    on_trial_error = on_trial_recover

    def on_trial_complete(self, iteration: int, trials: Iterable[Any], trial: Any, **_: Any) -> None:
        """Note that a trial is over."""
        self._search.end([trial.trial_id])

    def on_step_end(self, iteration: int, trials: Iterable[Any], **_: Any) -> None:
        """Note which trials run. Ray has no hook for a pause."""
        self._search.running &= {trial.trial_id for trial in trials if trial.status == "RUNNING"}

    def on_experiment_end(self, trials: Iterable[Any], **_: Any) -> None:
        """Say what the search came to."""
        for trial_id in sorted(self._search.running):  # it was interrupted
            self._search.lose(trial_id)
        logger.info("%s", self.summary())

    def get_state(self) -> dict[str, Any]:
        """Return the spending for a restored search."""
        return self._search.encode()

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on with the spending of a search that was cut short.

        Args:
            state: The value of :meth:`get_state`.
        """
        self._search.merge(state)

    def _count(self, trial_id: str, result: Mapping[str, Any]) -> None:
        said = read_result(result, self.budget.amount.quantity)
        if said is not None:
            self._search.tell(trial_id, said, result.get("time_this_iter_s"))
        elif result.get("training_iteration", 0) >= _SILENT_RESULTS:
            self._say_once(_SILENT, trial_id, main_key(self.budget.amount.quantity), self.budget.name)

    def _would_overspend(self) -> bool:
        held = self._search.held
        if self.left > 0 and held <= self.left + _ROUNDING * self.budget.amount.value:
            return False
        logger.warning(
            "Stopping the search. %s of %s are left, and the next epochs of %d trials would take about %s.",
            self._written(max(self.left, 0.0)),
            self.budget.name,
            len(self._search.running),
            self._written(held),
        )
        return True

    def _say_once(self, message: str, *arguments: object) -> None:
        if message not in self._search.said:
            self._search.said.add(message)
            logger.warning(message, *arguments)

    def _written(self, amount: float) -> str:
        return format_mass(amount) if self.budget.counts_emissions else format_energy(amount)


def _refusal(file: str | None) -> str:
    """Return why a budget refused to start a trial, from the file of its errors. Empty for any other error."""
    if not file:
        return ""
    try:
        text = Path(file).read_text(errors="replace")
    except OSError:
        return ""
    found = _REFUSAL.search(text.rpartition("Failure # ")[2])  # the file holds earlier failures, too
    return found[1] if found else ""
