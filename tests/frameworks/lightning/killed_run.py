"""Trains four epochs with a checkpoint after each, and is killed in the third: ``killed_run.py FOLDER``."""

import os
import signal
import sys
import time
from pathlib import Path

import torch
from frameworks.lightning.tiny import TinyModule, monitor, trainer
from lightning.pytorch.callbacks import ModelCheckpoint

from green_callbacks.clock import ScriptedClock

WRITTEN_WITHIN_SECONDS = 0.5


class KilledModule(TinyModule):
    def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor:
        if (self.current_epoch, batch_idx) == (2, 1):
            time.sleep(WRITTEN_WITHIN_SECONDS)  # records are written by another thread
            os.kill(os.getpid(), signal.SIGKILL)
        return super().training_step(batch, batch_idx)


if __name__ == "__main__":
    folder, clock = Path(sys.argv[1]), ScriptedClock()
    checkpoint = ModelCheckpoint(folder, save_top_k=-1, filename="{epoch}")
    trainer(folder, monitor(clock), checkpoint, max_epochs=4, enable_checkpointing=True).fit(KilledModule(clock))
