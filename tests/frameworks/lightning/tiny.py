"""A training whose every step takes a scripted second, so that joules are known exactly."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from torch.utils.data import DataLoader

from green_callbacks import EpochRecord
from green_callbacks.clock import ScriptedClock
from green_callbacks.lightning import EmissionsMonitor
from green_callbacks.sources import ScriptedSource

WATTS = 300.0
BATCHES = 4
VALIDATION_BATCHES = 2
TRAIN_JOULES = BATCHES * 1.0 * WATTS
VALIDATION_JOULES = VALIDATION_BATCHES * 0.5 * WATTS
EPOCH_JOULES = TRAIN_JOULES + VALIDATION_JOULES


class TinyBody:
    """A linear layer, 1 s for each training batch and 0.5 s for each other; its validation score is a script."""

    clock: ScriptedClock
    scores: Sequence[float]

    def script(self, clock: ScriptedClock, scores: Sequence[float]) -> None:
        self.clock, self.scores = clock, scores
        self.layer = torch.nn.Linear(2, 1)

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor:
        self.clock.advance(1.0)
        loss = self.layer(batch).pow(2).mean()
        self.log("train_loss", loss, on_epoch=True, on_step=True)
        return loss

    def validation_step(self, batch: torch.Tensor, batch_idx: int) -> None:
        self.clock.advance(0.5)
        self.log("val_acc", self.score())

    def test_step(self, batch: torch.Tensor, batch_idx: int) -> None:
        self.clock.advance(0.5)
        self.log("test_acc", 0.5)

    def predict_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor:
        self.clock.advance(0.5)
        return self.layer(batch)

    def score(self) -> float:
        return self.scores[min(self.current_epoch, len(self.scores) - 1)]

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.01)

    def train_dataloader(self) -> DataLoader[torch.Tensor]:
        return DataLoader(torch.ones(2 * BATCHES, 2), batch_size=2)

    def val_dataloader(self) -> DataLoader[torch.Tensor]:
        return DataLoader(torch.ones(2 * VALIDATION_BATCHES, 2), batch_size=2)

    test_dataloader = predict_dataloader = val_dataloader


class TinyModule(TinyBody, LightningModule):
    def __init__(self, clock: ScriptedClock, scores: Sequence[float] = (0.5,)) -> None:
        super().__init__()
        self.script(clock, scores)


def monitor(clock: ScriptedClock, **options: Any) -> EmissionsMonitor:
    """A callback that sees one GPU of 300 W, and whatever else is given."""
    return EmissionsMonitor(**scripted(clock, **options))


def scripted(clock: ScriptedClock, **options: Any) -> dict[str, Any]:
    """Options for exact joules: 1000 gCO2e/kWh, so that there are as many kg as kWh."""
    defaults = {
        "sources": [ScriptedSource(WATTS, clock=clock)],
        "clock": clock,
        "carbon_intensity": 1000.0,
        "pue": 1.0,
        "sinks": [],
        "strict": True,
    }
    return {**defaults, **options}


def trainer(folder: Path, *callbacks: Any, **options: Any) -> Trainer:
    """A trainer of three epochs on the CPU that is quiet."""
    return Trainer(**{**quiet(folder), "callbacks": list(callbacks), **options})


def quiet(folder: Path) -> dict[str, Any]:
    return {
        "max_epochs": 3,
        "accelerator": "cpu",
        "devices": 1,
        "default_root_dir": folder,
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "num_sanity_val_steps": 0,
    }


def epochs(records: Sequence[EpochRecord]) -> list[EpochRecord]:
    return [record for record in records if record.epoch is not None]


def outside(records: Sequence[EpochRecord]) -> list[EpochRecord]:
    return [record for record in records if record.epoch is None]


def kg(joules: float) -> float:
    return joules / 3.6e6


def grams(joules: float) -> float:
    """What is emitted by them, and how many Wh they are."""
    return joules / 3.6e3
