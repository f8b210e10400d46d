"""Search for a hidden size with Keras Tuner, within one budget for the whole search."""

import math
import os
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # before TensorFlow is imported
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

import keras
import keras_tuner
from sklearn.datasets import load_digits

from green_callbacks import CarbonBudget, read_ledger
from green_callbacks.errors import BudgetSpentError
from green_callbacks.keras import EmissionsMonitor

BUDGET_JOULES = 100.0
LEDGERS = Path("green-callbacks")


def spent_joules() -> float:
    """Return the energy of all trials, in J. Ledgers also hold trials that failed or were refused."""
    histories = [read_ledger(path).history for path in LEDGERS.glob("*.jsonl")]
    return sum(history.energy_joules or 0.0 for history in histories)


class BudgetedSearch(keras_tuner.RandomSearch):  # type: ignore[misc]  # Keras Tuner is not typed
    """Ends the search when its budget refuses a trial. Keras Tuner copies callbacks for each fit, so each is a run."""

    def run_trial(self, trial: Any, *args: Any, **kwargs: Any) -> Any:
        """Train a trial. If nothing is left for it, it has no result, and no more trials follow."""
        try:
            return super().run_trial(trial, *args, **kwargs)
        except BudgetSpentError as error:
            print(f"The search ends. {error}")
            self.oracle.max_trials = len(self.oracle.trials)
            return {self.oracle.objective.name: math.nan}


def classifier(choices: Any) -> keras.Model:
    """Return a network for images of 64 pixels.

    Args:
        choices: The hyperparameters of the trial.
    """
    hidden = choices.Int("hidden", 8, 128, step=8)
    layers = [keras.Input((64,)), keras.layers.Dense(hidden, "relu"), keras.layers.Dense(10, "softmax")]
    model = keras.Sequential(layers)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def main() -> None:
    """Search, and print what it took."""
    digits = load_digits()
    x, y = digits.data / 16, digits.target
    budget = CarbonBudget(f"{BUDGET_JOULES} J", project=LEDGERS)  # of all runs whose ledgers are in that folder
    monitor = EmissionsMonitor(location="FR", policies=[budget])
    search = BudgetedSearch(classifier, objective="val_accuracy", max_trials=50, seed=1, directory="search")
    data = {"validation_data": (x[1400:], y[1400:]), "batch_size": 64, "epochs": 5}
    search.search(x[:1400], y[:1400], callbacks=[monitor], verbose=0, **data)
    done = [trial for trial in search.oracle.trials.values() if trial.status == "COMPLETED"]
    print(f"{len(done)} trials, {spent_joules():.3g} J of {BUDGET_JOULES:.0f} J")
    print(f"best hidden size {search.get_best_hyperparameters()[0].get('hidden')}")


if __name__ == "__main__":
    main()
