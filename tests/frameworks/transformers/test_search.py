"""A search for hyper-parameters with one monitor, which is one run."""

import optuna
import pytest
from frameworks.contract.driver import EPOCH_JOULES, WATTS
from frameworks.contract.transformers_driver import Scripted
from frameworks.transformers.scripted import monitor_of, rows_of, trainer_of

from green_callbacks import CarbonBudget
from green_callbacks.errors import BudgetSpentError


def search(training, monitor, trials, **options):
    trainer = trainer_of(training, monitor, num_train_epochs=1, save_strategy="no")
    trainer.model_init = lambda _: Scripted(training)
    trainer.optimizer = trainer.lr_scheduler = None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return trainer.hyperparameter_search(
        hp_space=lambda trial: {"learning_rate": trial.suggest_float("learning_rate", 1e-4, 1e-2)},
        compute_objective=lambda metrics: metrics["val_acc"],
        n_trials=trials,
        backend="optuna",
        **options,
    )


def test_a_search_is_one_run(training):
    monitor = monitor_of(training)

    search(training, monitor, 3)

    assert rows_of(monitor) == [(0, 4, True, True)] * 3
    assert monitor.accountant.close().energy_joules == 3 * EPOCH_JOULES


def test_a_budget_of_the_monitor_is_a_budget_of_the_search(training):
    monitor = monitor_of(training, policies=[CarbonBudget(f"{2.5 * EPOCH_JOULES} J")])

    with pytest.raises(BudgetSpentError):
        search(training, monitor, 9)

    spent = monitor.accountant.close().energy_joules
    assert 2 * EPOCH_JOULES < spent <= 2.5 * EPOCH_JOULES + WATTS  # it is checked after each batch


def test_a_pruned_trial_is_recorded(training):
    monitor = monitor_of(training)

    class Prunes(optuna.pruners.BasePruner):
        def prune(self, study, trial):
            return trial.number == 1

    search(training, monitor, 3, pruner=Prunes())

    assert monitor.accountant.close().energy_joules == 3 * EPOCH_JOULES
    assert rows_of(monitor) == [(0, 4, True, True)] * 3
