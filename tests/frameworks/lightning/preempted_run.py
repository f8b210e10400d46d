"""Trains until a signal comes, or goes on from the last checkpoint: ``preempted_run.py FOLDER {begin,resume}``."""

import sys
import time
from pathlib import Path

import torch
from frameworks.lightning.tiny import TinyModule, monitor, trainer
from lightning.pytorch.callbacks import ModelCheckpoint

from green_callbacks.clock import ScriptedClock

BATCH_SECONDS = 0.05


class SlowModule(TinyModule):
    """Its batches also take real time, so that a signal finds it training."""

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor:
        time.sleep(BATCH_SECONDS)
        return super().training_step(batch, batch_idx)


if __name__ == "__main__":
    folder, clock, is_resumed = Path(sys.argv[1]), ScriptedClock(), sys.argv[2] == "resume"
    checkpoint = ModelCheckpoint(folder, filename="last", enable_version_counter=False)
    saved = torch.load(folder / "last.ckpt", weights_only=True)["epoch"] if is_resumed else 0
    run = trainer(
        folder, monitor(clock), checkpoint, max_epochs=saved + 3 if is_resumed else 300, enable_checkpointing=True
    )
    run.fit(SlowModule(clock), ckpt_path=folder / "last.ckpt" if is_resumed else None, weights_only=True)
