"""Search for a hidden size with Keras Tuner, within one budget for the whole search."""

import os
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # before TensorFlow is imported
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

import keras
import keras_tuner
from sklearn.datasets import load_digits

from green_callbacks import CarbonBudget, read_ledger
from green_callbacks.keras import EmissionsMonitor

BUDGET_JOULES = 30.0
LEDGERS = Path("green-callbacks")


def spent_joules() -> float:
    """Return the energy of all trials so far, in J. Ledgers also hold the trials that failed."""
    histories = [read_ledger(path).history for path in LEDGERS.glob("*.jsonl")]
    return sum(history.energy_joules or 0.0 for history in histories)


class BudgetedSearch(keras_tuner.RandomSearch):  # type: ignore[misc]  # Keras Tuner is not typed
    """Ends the search when its budget is spent. Keras Tuner copies callbacks for each trial, so they cannot tell."""

    def on_trial_end(self, trial: Any) -> None:
        """Allow no more trials than there are. Zero would mean no limit, so this is no place before the first trial."""
        super().on_trial_end(trial)
        if spent_joules() >= 0.95 * BUDGET_JOULES:  # another epoch would not fit into the rest
            self.oracle.max_trials = len(self.oracle.trials)


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
    print(f"{len(search.oracle.trials)} trials, {spent_joules():.3g} J of {BUDGET_JOULES:.0f} J")
    print(f"best hidden size {search.get_best_hyperparameters()[0].get('hidden')}")


if __name__ == "__main__":
    main()
