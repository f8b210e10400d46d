"""Train a small convolutional network on handwritten digits with Lightning, and stop when it no longer pays."""

import logging
import warnings
from pathlib import Path

import torch
from lightning.pytorch import LightningModule, Trainer, seed_everything
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset, random_split

from green_callbacks import CarbonBudget, MarginalGain, Summary, TensorBoardSink
from green_callbacks.lightning import EmissionsMonitor

LOGS = Path("logs")
MAX_EPOCHS = 60


class DigitClassifier(LightningModule):
    """A network of two convolutions and a linear layer, for images of 8 by 8 pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.network = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(512, 10),
        )
        self.loss = nn.CrossEntropyLoss()

    def training_step(self, batch: list[Tensor], _batch_idx: int) -> Tensor:
        """Return the loss of a batch."""
        images, labels = batch
        loss: Tensor = self.loss(self.network(images), labels)
        return loss

    def validation_step(self, batch: list[Tensor], _batch_idx: int) -> None:
        """Log the accuracy."""
        images, labels = batch
        correct = self.network(images).argmax(dim=1) == labels
        self.log("val_acc", correct.float().mean(), prog_bar=True)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Return the optimizer."""
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def loaders() -> tuple[DataLoader[tuple[Tensor, ...]], DataLoader[tuple[Tensor, ...]]]:
    """Return the digits that ship with scikit-learn, for training and for validation."""
    digits = load_digits()
    images = torch.tensor(digits.images, dtype=torch.float32).unsqueeze(1) / 16
    data = TensorDataset(images, torch.tensor(digits.target))
    training, validation = random_split(data, [0.8, 0.2])
    return DataLoader(training, batch_size=32, shuffle=True), DataLoader(validation, batch_size=256)


def main() -> None:
    """Train, and print the energy and the emissions."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", module="lightning")  # hints about data workers
    seed_everything(1)
    monitor = EmissionsMonitor(
        location="DE",
        policies=[CarbonBudget("1 g"), MarginalGain("val_acc")],
        sinks=[TensorBoardSink(), Summary(print)],
    )
    trainer = Trainer(
        max_epochs=MAX_EPOCHS,
        accelerator="cpu",
        callbacks=[monitor],
        logger=TensorBoardLogger(LOGS),
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(DigitClassifier(), *loaders())
    print(f"\nTo see the charts, run: tensorboard --logdir {LOGS}")


if __name__ == "__main__":
    main()
