"""Plant wrong labels in handwritten digits, train with Lightning, and let a report on the data find them."""

import json
import logging
import warnings

import torch
from lightning.pytorch import LightningModule, Trainer, seed_everything
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset

from green_callbacks import Summary
from green_callbacks.lightning import DataReport, EmissionsMonitor, Indexed

WRONG_SHARE = 0.2


class DigitClassifier(LightningModule):
    """A network of two layers, whose training step returns the loss of each sample."""

    def __init__(self) -> None:
        super().__init__()
        self.network = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 10))

    def training_step(self, batch: list[Tensor], _batch_idx: int) -> dict[str, Tensor]:
        """Return the mean loss, the loss of each sample and the index of each sample."""
        images, labels, index = batch
        losses = cross_entropy(self.network(images), labels, reduction="none")
        return {"loss": losses.mean(), "per_sample_loss": losses, "index": index}

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Return the optimizer."""
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def main() -> None:
    """Train, and compare the samples that look mislabeled with the samples that are."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", module="lightning")  # hints about data workers
    seed_everything(1)
    digits = load_digits()
    images, labels = torch.tensor(digits.data, dtype=torch.float32) / 16, torch.tensor(digits.target)
    wrong = torch.rand(len(labels)) < WRONG_SHARE
    labels[wrong] = (labels[wrong] + torch.randint(1, 10, (int(wrong.sum()),))) % 10
    data = TensorDataset(images, labels)

    monitor, report = EmissionsMonitor(location="DE", sinks=[Summary(print)]), DataReport()
    report.report.find_duplicates(data)
    trainer = Trainer(
        max_epochs=15,
        accelerator="cpu",
        callbacks=[monitor, report],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(DigitClassifier(), DataLoader(Indexed(data), batch_size=32, shuffle=True))

    file = report.report.write()
    found = json.loads(file.read_text())["indices"]["probably_mislabeled"] if file else []
    print(f"\n{len(found)} samples look mislabeled, and {int(wrong[found].sum())} of them are. See {file}.")


if __name__ == "__main__":
    main()
