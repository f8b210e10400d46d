"""Trains with Lightning, which saves and requeues by itself when Slurm signals it: ``lightning_job.py FOLDER``."""

import signal
import sys
import time
from pathlib import Path

import torch
from frameworks.lightning.tiny import TinyModule, monitor, trainer
from lightning.pytorch.plugins.environments import SLURMEnvironment

from green_callbacks.clock import ScriptedClock

BATCH_SECONDS = 0.05


class SlowModule(TinyModule):
    """Its batches also take real time, so that a signal finds it training."""

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor:
        time.sleep(BATCH_SECONDS)
        (FOLDER / "step").touch()
        return super().training_step(batch, batch_idx)


if __name__ == "__main__":
    FOLDER, clock = Path(sys.argv[1]), ScriptedClock()
    is_again = bool(list(FOLDER.glob("hpc_ckpt_*.ckpt")))
    run = trainer(
        FOLDER,
        monitor(clock),
        max_epochs=6 if is_again else 300,
        plugins=[SLURMEnvironment(auto_requeue=True, requeue_signal=signal.SIGUSR1)],
        enable_checkpointing=True,
    )
    run.fit(SlowModule(clock))
