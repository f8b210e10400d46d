"""What the tests of Hugging Face's Trainer share."""

from typing import Any

import torch
from frameworks.contract.driver import BATCH_SIZE, EPOCH_JOULES, Training, scripted
from frameworks.contract.transformers_driver import data_of, trainer_of
from torch.utils.data import IterableDataset

from green_callbacks.transformers import EmissionsMonitor

__all__ = ["EPOCH_JOULES", "Endless", "data_of", "epochs_of", "messages", "monitor_of", "rows_of", "trainer_of"]


class Endless(IterableDataset):
    """Samples without a length, which end after some batches."""

    def __init__(self, batches: int) -> None:
        self.batches = batches

    def __iter__(self):
        return iter([{"x": torch.ones(2), "labels": torch.ones(1)}] * (self.batches * BATCH_SIZE))


def monitor_of(training: Training, **options: Any) -> EmissionsMonitor:
    """Return a monitor of a scripted GPU."""
    return EmissionsMonitor(**scripted(training, **options))


def epochs_of(monitor: EmissionsMonitor) -> list[Any]:
    """Return the records of epochs, and of parts of epochs."""
    return [record for record in monitor.accountant.history if record.epoch is not None]


def rows_of(monitor: EmissionsMonitor) -> list[tuple[Any, ...]]:
    """Return epoch, steps, whether it closes the epoch and whether it is complete, of each record of an epoch."""
    return [(each.epoch, each.step, each.closes_epoch, each.complete) for each in epochs_of(monitor)]


def messages(caplog: Any) -> list[str]:
    """Return what the package has warned of."""
    return [
        record.getMessage()
        for record in caplog.records
        if record.name.startswith("green_callbacks") and record.levelname == "WARNING"
    ]
