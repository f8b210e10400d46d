"""What a step of Lightning costs with the monitor, beside an empty callback; run it as a script.

The times are CPU times of the training thread: the first decile of the steps of a fit, and the median of many fits that
take turns, so that what else the machine does counts little.
"""

import logging
import tempfile
import time
import warnings
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from step_prices import print_step_prices
from torch.utils.data import DataLoader, TensorDataset

from green_callbacks import CarbonBudget
from green_callbacks.lightning import EmissionsMonitor
from green_callbacks.sources import ScriptedSource

STEPS = 1_000
TURNS = 15
BAR_MICROSECONDS = 6.0


class Step(LightningModule):
    """The smallest module that trains."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(2, 1)
        self.ticks: list[int] = []

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        """Train on a batch."""
        return self.layer(batch[0]).pow(2).mean()

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Note the time, once a step."""
        self.ticks.append(time.thread_time_ns())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return any optimizer."""
        return torch.optim.SGD(self.parameters(), lr=0.01)


def nanoseconds(folder: Path, callbacks: list[Callback]) -> list[int]:
    """Return what each step takes on the training thread."""
    module = Step()
    trainer = Trainer(
        max_epochs=1,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
        callbacks=callbacks,
    )
    trainer.fit(module, DataLoader(TensorDataset(torch.zeros(STEPS, 2)), batch_size=1))
    return [later - earlier for earlier, later in pairwise(module.ticks)]


def monitor(**options: Any) -> EmissionsMonitor:
    """Return a monitor of a GPU by a script, with a budget that it never spends."""
    source = ScriptedSource(300.0)
    return EmissionsMonitor(sources=[source], carbon_intensity=300.0, policies=[CarbonBudget("1 t")], **options)


def main() -> None:
    """Measure and print."""
    logging.disable(logging.WARNING)
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        print_step_prices(
            partial(nanoseconds, Path(folder)),
            Callback,
            monitor,
            owner="Lightning's",
            turns=TURNS,
            bar_microseconds=BAR_MICROSECONDS,
        )


if __name__ == "__main__":
    main()
