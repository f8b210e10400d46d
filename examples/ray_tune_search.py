"""Search with Ray Tune and Lightning, within one budget for the whole search.

Each trial has a ledger in one folder. ``green-callbacks summary green-callbacks`` compares them afterwards.
"""

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from ray import tune
from ray.tune.integration.pytorch_lightning import TuneReportCheckpointCallback
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from green_callbacks.lightning import EmissionsMonitor
from green_callbacks.ray import SearchBudget, trial_accountant

FOLDER = Path("green-callbacks").absolute()  # on a cluster, a folder that all nodes share
BUDGET = "150 J"
TRIALS = 20
EPOCHS = 8


class Classifier(LightningModule):
    """A network for the sign of a product of sums.

    Args:
        hidden: Number of hidden units.
        rate: Learning rate.
    """

    def __init__(self, hidden: int, rate: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(16, hidden), nn.ReLU(), nn.Linear(hidden, 2))
        self.rate = rate

    def training_step(self, batch: tuple[torch.Tensor, torch.Tensor], batch_idx: int) -> torch.Tensor:
        """Return the loss of a batch."""
        return nn.functional.cross_entropy(self.layers(batch[0]), batch[1])

    def validation_step(self, batch: tuple[torch.Tensor, torch.Tensor], batch_idx: int) -> None:
        """Log the accuracy of a batch."""
        self.log("val_acc", (self.layers(batch[0]).argmax(dim=1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return the optimizer."""
        return torch.optim.Adam(self.parameters(), lr=self.rate)


def loader(count: int, seed: int) -> DataLoader[Any]:
    """Return random data with labels.

    Args:
        count: Number of samples.
        seed: Seed of the samples.
    """
    x = torch.randn(count, 16, generator=torch.Generator().manual_seed(seed))
    y = (x[:, :8].sum(dim=1) * x[:, 8:].sum(dim=1) > 0).long()
    return DataLoader(TensorDataset(x, y), batch_size=32)


def train(config: dict[str, Any]) -> None:
    """Train one trial.

    Args:
        config: The hyperparameters, and the folder of the ledgers.
    """
    monitor = EmissionsMonitor(accountant=trial_accountant(config["folder"], location="FR"))
    report = TuneReportCheckpointCallback(on="train_epoch_end", save_checkpoints=False)  # after the monitor
    trainer = Trainer(
        max_epochs=EPOCHS,
        callbacks=[monitor, report],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(Classifier(config["hidden"], config["rate"]), loader(4000, seed=1), loader(1000, seed=2))


def main() -> None:
    """Search, and print what it took."""
    budget = SearchBudget(BUDGET)
    tuner = tune.Tuner(
        train,
        param_space={
            "folder": str(FOLDER),
            "hidden": tune.choice([8, 16, 32, 64]),
            "rate": tune.loguniform(1e-4, 1e-1),
        },
        tune_config=tune.TuneConfig(metric="val_acc", mode="max", num_samples=TRIALS),
        run_config=tune.RunConfig(
            name="search", storage_path=str(FOLDER.parent / "ray"), stop=budget, callbacks=[budget], verbose=0
        ),
    )
    best = tuner.fit().get_best_result()
    print(budget.summary())
    print(f"best val_acc {best.metrics['val_acc']:.3f} with {best.config['hidden']} hidden units")


if __name__ == "__main__":
    main()
