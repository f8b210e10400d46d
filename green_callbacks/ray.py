"""Parts for searches with Ray Tune.

>>> from ray import tune
>>> from green_callbacks.ray import SearchBudget
>>> budget = SearchBudget("0.5 kg")
>>> config = tune.RunConfig(stop=budget, callbacks=[budget])

Inside a trial, pass ``EmissionsMonitor(accountant=trial_accountant("/shared/green-callbacks"))`` to Lightning, before
the callback that reports. With Ray Train, every worker passes ``EmissionsMonitor`` to its ``Trainer``.
"""

from ray.tune import Callback, Stopper

from green_callbacks._frameworks.ray.reported import totals
from green_callbacks._frameworks.ray.reporting import report
from green_callbacks._frameworks.ray.search_budget import SearchBudgetHooks
from green_callbacks._frameworks.ray.trial_accountant import trial_accountant


class SearchBudget(SearchBudgetHooks, Callback, Stopper):  # type: ignore[misc]  # Ray is not typed
    __doc__ = SearchBudgetHooks.__doc__


__all__ = ["SearchBudget", "report", "totals", "trial_accountant"]
