"""Train with Lightning, judge the average of the recent weights, and keep this average when the rule stops the run."""

import logging
import warnings

import torch
from lightning.pytorch import Trainer, seed_everything
from lightning.pytorch.callbacks import WeightAveraging
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from lightning_digits import DigitClassifier, loaders
from torch.optim.lr_scheduler import CosineAnnealingLR

from green_callbacks import MarginalGain
from green_callbacks.lightning import EmissionsMonitor, recent_average

MAX_EPOCHS = 60


class AnnealedClassifier(DigitClassifier):
    """The network of the other example, with a learning rate that falls to zero at the end of the plan."""

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Return the optimizer and its schedule."""
        optimizer = torch.optim.Adam(self.parameters(), lr=3e-3)
        return [optimizer], [CosineAnnealingLR(optimizer, MAX_EPOCHS)]


def main() -> None:
    """Train, and validate the averaged weights."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", module="lightning")  # hints about data workers
    seed_everything(1)
    # The average need not wait until the learning rate is zero.
    monitor = EmissionsMonitor(location="DE", policies=[MarginalGain("val_acc", on_annealing="stop")])
    average = WeightAveraging(multi_avg_fn=recent_average())  # on a GPU, add device="cuda"
    trainer = Trainer(
        max_epochs=MAX_EPOCHS, accelerator="cpu", callbacks=[monitor, average], logger=False, enable_progress_bar=False
    )
    model = AnnealedClassifier()
    trainer.fit(model, *loaders())
    print(f"{trainer.current_epoch} of {MAX_EPOCHS} epochs. {monitor.accountant.stop_reason}")
    print(f"val_acc of the average, which is in the model now: {trainer.callback_metrics['val_acc']:.4f}")


if __name__ == "__main__":
    main()
