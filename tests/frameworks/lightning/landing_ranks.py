"""Lands on two processes, by a rule, by a budget and after a resume: ``landing_ranks.py FOLDER``."""

import json
import sys
from pathlib import Path
from typing import Any

import torch
from frameworks.lightning.landed import LandsAfter, Rated, fit
from frameworks.lightning.two_ranks import RANKS, sources
from lightning.pytorch.callbacks import ModelCheckpoint
from torch.utils.data import DataLoader

from green_callbacks import CarbonBudget
from green_callbacks.clock import ScriptedClock

BEGINS, SHARE, BATCHES = 4, 0.5, 20
"""Epochs before the landing, its length as a share of them, and batches of a rank in an epoch."""
BUDGET_JOULES = 50_000.0
"""About 3.6 epochs of both ranks and the host."""


class Ranked(Rated):
    """Rank 1 sees other values, and rank 0 alone decides by its own."""

    def train_dataloader(self) -> DataLoader[torch.Tensor]:
        return DataLoader(torch.linspace(-1, 1, 8 * BATCHES).view(-1, 2), batch_size=2)


def train(folder: Path, name: str, policy: Any, ckpt_path: Path | None = None) -> None:
    """Train, and write the rates that this rank has used."""
    clock = ScriptedClock()
    module = Ranked(clock, schedule="exponential", planned=40)
    saved = ModelCheckpoint(folder / name, every_n_train_steps=7, save_top_k=-1, filename="{step}")
    trained = {"devices": RANKS, "strategy": "ddp", "callbacks": [saved], "enable_checkpointing": True}
    options = {"sources": sources(clock)}
    callback, fitted = fit(folder / name, module, policy, ckpt_path=ckpt_path, options=options, **trained)
    landing = callback.accountant.landing
    seen = {
        "used": module.made[0].used,
        "between": [rates[0] for rates in module.between],
        "landing": [landing.first_step, landing.steps, landing.last_epoch],
        "step": fitted.global_step,
        "reason": callback.accountant.stop_reason,
        "spent": callback.accountant.close().energy_joules,
    }
    folder.joinpath(f"{name}-{fitted.global_rank}.json").write_text(json.dumps(seen), encoding="utf-8")


if __name__ == "__main__":
    target = Path(sys.argv[1])
    train(target, "rule", LandsAfter(BEGINS, SHARE))
    train(target, "budget", CarbonBudget(f"{BUDGET_JOULES} J", landing=0.1))
    train(target, "resumed", LandsAfter(BEGINS, SHARE), target / "rule" / "step=98.ckpt")
