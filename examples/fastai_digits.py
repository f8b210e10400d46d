"""Train a small classifier with fastai, and stop when it no longer pays."""

from typing import Any

import torch
from fastai.basics import Callback, CancelFitException, CancelTrainException, DataLoaders, Learner, accuracy
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import TensorDataset

from green_callbacks import CarbonBudget, EnergyAccountant, MarginalGain, Plan

MAX_EPOCHS = 40


class EnergyCallback(Callback):  # type: ignore[misc]  # fastai is not typed
    """Measures a fit per epoch. Pass it with ``fit(cbs=…)``, so that fastai lets go of it even after an exception.

    ``Learner.validate`` calls the hooks of a fit and of an epoch, too, but not the hooks of training.

    Args:
        **options: Options of the accountant, see ``green_callbacks.AccountantOptions``.
    """

    order = 70  # after the recorder, the progress bar and the callbacks that save

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.acct = EnergyAccountant(**options)  # a Learner has no attribute of that name
        self.in_epoch = False

    def before_fit(self) -> None:
        """Begin to measure, after ending a fit that an exception has cut short."""
        self.acct.close()
        self.in_epoch = False
        plan = Plan(epochs=self.n_epoch, epoch_steps=len(self.dls.train))
        self.acct.start(plan=plan, is_running=lambda: self.learn is not None)

    def before_train(self) -> None:
        """Begin an epoch, but not in a search for a learning rate. A spent budget raises before the first batch."""
        if not hasattr(self.learn, "lr_finder"):
            self.acct.begin_epoch(self.epoch)
            self.in_epoch = True

    def after_batch(self) -> None:
        """Count the samples. If a budget is spent, leave the batches, so that the epoch is still validated."""
        if self.training and self.in_epoch:
            self.acct.observe(samples=len(self.xb[0]))
            if self.acct.look():
                raise CancelTrainException

    def before_validate(self) -> None:
        """Begin a validation, or a run of ``validate`` outside a fit."""
        self.acct.phase("validation" if self.in_epoch else "test")

    def after_epoch(self) -> None:
        """End the epoch with the metrics of the recorder, and end the fit if a policy decides so."""
        if not self.in_epoch:
            return
        self.in_epoch = False
        names, values = self.recorder.metric_names[1:-1], self.recorder.values[-1]
        if not self.recorder.cancel_valid:  # the recorder leaves the loss of a training out that was cut short
            self.acct.observe(dict(zip(names[len(names) - len(values) :], values, strict=True)))
        self.acct.end_epoch()
        if self.acct.stop_reason is not None:
            raise CancelFitException

    def after_fit(self) -> None:
        """End the run."""
        self.acct.close()


def main() -> None:
    """Train, and print the energy and the emissions."""
    torch.manual_seed(1)
    digits = load_digits()
    x, y = torch.tensor(digits.data, dtype=torch.float32) / 16, torch.tensor(digits.target)
    train, val = TensorDataset(x[:1400], y[:1400]), TensorDataset(x[1400:], y[1400:])
    loaders = DataLoaders.from_dsets(train, val, bs=64, num_workers=0, device=torch.device("cpu"))
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    learner = Learner(loaders, model, loss_func=nn.CrossEntropyLoss(), metrics=accuracy)
    energy = EnergyCallback(location="FR", policies=[CarbonBudget("1 g"), MarginalGain("accuracy")])
    with learner.no_logging():
        learner.fit(MAX_EPOCHS, lr=3e-3, cbs=[energy])
    run = energy.acct.close()
    print(run.stop_reason)
    print(f"{run.epochs} epochs of {MAX_EPOCHS}, {run.energy_kwh:.2g} kWh, {run.emissions_kg:.2g} kgCO2e")
    print(f"The records are in {run.ledger}.")


if __name__ == "__main__":
    main()
