"""Search for a hidden size with skorch and scikit-learn. Each training stops when it no longer pays."""

from pathlib import Path
from typing import Any

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from skorch import NeuralNetClassifier
from skorch.callbacks import Callback
from torch import nn

from green_callbacks import CarbonBudget, EnergyAccountant, MarginalGain, Plan, read_ledger

MAX_EPOCHS = 30
LEDGERS = Path("green-callbacks")


class EnergyCallback(Callback):  # type: ignore[misc]  # skorch is not typed
    """Measures every fit as a run of its own, which ``partial_fit`` continues. List it as the last callback.

    scikit-learn copies a network with its callbacks, so a callback keeps its arguments as plain attributes.

    Args:
        location: Where the training runs. Defaults to None, for the best guess without the network.
        policies: When a training is to stop. Each copy of the network has the whole budget. Defaults to none.
    """

    def __init__(self, location: str | None = None, policies: tuple[Any, ...] = ()) -> None:
        self.location = location
        self.policies = policies

    def initialize(self) -> "EnergyCallback":
        """Make a new run. skorch calls this at the beginning of ``fit``, and not of ``partial_fit``."""
        self.accountant_ = EnergyAccountant(location=self.location, policies=list(self.policies))
        return self

    def on_train_begin(self, net: Any, **_: Any) -> None:
        """Begin to measure."""
        self.accountant_.start(plan=Plan(epochs=len(net.history) + net.max_epochs))

    def on_epoch_begin(self, net: Any, **_: Any) -> None:
        """Begin an epoch. A spent budget raises here, before the first batch."""
        self.accountant_.begin_epoch(len(net.history) - 1)

    def on_batch_begin(self, net: Any, training: bool, **_: Any) -> None:  # noqa: FBT001  a hook of skorch
        """Tell training from validation."""
        self.accountant_.phase("train" if training else "validation")

    def on_batch_end(self, net: Any, **_: Any) -> None:
        """Stop inside the epoch if a budget is spent. skorch ends a fit well when it is interrupted."""
        if self.accountant_.look():
            raise KeyboardInterrupt

    def on_epoch_end(self, net: Any, **_: Any) -> None:
        """End the epoch, show its energy in the table of skorch, and stop if a policy decides so."""
        row = net.history[-1]
        sizes = [batch["train_batch_size"] for batch in row["batches"] if "train_batch_size" in batch]
        self.accountant_.observe(
            {key: row[key] for key in ("train_loss", "valid_loss", "valid_acc") if key in row}, samples=sum(sizes)
        )
        record = self.accountant_.end_epoch()
        net.history.record("energy_wh", float("nan") if record.energy_kwh is None else 1000 * record.energy_kwh)
        if self.accountant_.stop_reason is not None:
            raise KeyboardInterrupt

    def on_train_end(self, net: Any, **_: Any) -> None:
        """End the run. An epoch that was cut short is recorded as incomplete."""
        self.accountant_.close()


class MeasuredClassifier(NeuralNetClassifier):  # type: ignore[misc]  # skorch is not typed
    """Ends the run when an exception ends a fit, because skorch does not report exceptions to callbacks."""

    def fit_loop(self, *args: Any, **kwargs: Any) -> Any:
        """Train as skorch does."""
        try:
            return super().fit_loop(*args, **kwargs)
        except Exception:
            for _, callback in self.callbacks_:
                if isinstance(callback, EnergyCallback):
                    callback.accountant_.close(together=False)
            raise


class Digits(nn.Module):
    """A network with one hidden layer.

    Args:
        hidden: Size of the hidden layer. Defaults to 32.
    """

    def __init__(self, hidden: int = 32) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(64, hidden), nn.ReLU(), nn.Linear(hidden, 10), nn.Softmax(dim=-1))

    def forward(self, x: torch.Tensor) -> Any:
        """Return the probability of each digit."""
        return self.layers(x)


def main() -> None:
    """Search, and print the energy of all trainings together."""
    torch.manual_seed(1)
    digits = load_digits()
    policies = (CarbonBudget("1 g"), MarginalGain("valid_acc"))
    net = MeasuredClassifier(
        Digits, max_epochs=MAX_EPOCHS, lr=1.0, batch_size=64, verbose=0, callbacks=[EnergyCallback("FR", policies)]
    )
    search = GridSearchCV(net, {"module__hidden": [16, 64]}, cv=2, error_score="raise")
    search.fit(digits.data[:400].astype("float32") / 16, digits.target[:400])
    histories = [read_ledger(path).history for path in sorted(LEDGERS.glob("*.jsonl"))]
    epochs = [history.finished_epochs for history in histories]
    print(f"{len(histories)} trainings of {epochs} epochs, of which {MAX_EPOCHS} were allowed")
    print(f"{sum(history.emissions_kg for history in histories):.2g} kgCO2e, the last training included")
    print(f"best hidden size {search.best_params_['module__hidden']}, val_acc {search.best_score_:.3f}")


if __name__ == "__main__":
    main()
