"""Budgets, a pruner and a stop for the searches of Optuna.

>>> from green_callbacks.optuna import KilogramHalvingPruner, SearchBudget, SearchGain
>>> budget = SearchBudget("2 kg", monitor="val_acc", location="DE")
>>> callbacks = [budget, SearchGain(min_gain_per_kg=0.01)]

Pass the callbacks with ``study.optimize(objective, callbacks=callbacks)``, and the pruner with
``optuna.create_study(pruner=KilogramHalvingPruner())``. A trial is measured inside ``with budget.of(trial) as run:``.
"""

from green_callbacks._frameworks.optuna.halving_pruner import KilogramHalvingPruner
from green_callbacks._frameworks.optuna.search_budget import SearchBudget
from green_callbacks._frameworks.optuna.search_gain import SearchGain
from green_callbacks._frameworks.optuna.trial_run import TrialRun

__all__ = ["KilogramHalvingPruner", "SearchBudget", "SearchGain", "TrialRun"]
