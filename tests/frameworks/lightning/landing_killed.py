"""Trains until a batch of its landing, and is killed there: ``landing_killed.py FOLDER STEP``."""

import os
import signal
import sys
import time
from pathlib import Path

import torch
from frameworks.lightning.landed import LandsAfter, Rated, fit
from lightning.pytorch.callbacks import ModelCheckpoint

from green_callbacks.clock import ScriptedClock

WRITTEN_WITHIN_SECONDS = 0.5
BEGINS, SHARE = 6, 0.5
"""Epochs before the landing, and its length of three epochs as a share of them."""


class Killed(Rated):
    killed_at: int

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor | None:
        if self.global_step == self.killed_at:
            time.sleep(WRITTEN_WITHIN_SECONDS)  # records are written by another thread
            os.kill(os.getpid(), signal.SIGKILL)
        return super().training_step(batch, batch_idx)


def checkpoints(folder: Path) -> list[ModelCheckpoint]:
    """Save every fourth step, and every epoch."""
    by_step = ModelCheckpoint(folder, every_n_train_steps=4, save_top_k=-1, filename="{step}")
    by_epoch = ModelCheckpoint(folder, every_n_epochs=1, save_top_k=-1, filename="whole-{step}")
    return [by_step, by_epoch]


if __name__ == "__main__":
    module = Killed(ScriptedClock())
    module.killed_at = int(sys.argv[2])
    target = Path(sys.argv[1])
    fit(target, module, LandsAfter(BEGINS, SHARE), callbacks=checkpoints(target), enable_checkpointing=True)
