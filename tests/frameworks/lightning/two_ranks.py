"""Trains on two processes of this machine and notes what each of them saw: ``two_ranks.py STRATEGY FOLDER``."""

import json
import sys
from pathlib import Path
from typing import Any

from frameworks.lightning.tiny import WATTS, TinyModule, quiet, scripted
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger

from green_callbacks import CarbonBudget
from green_callbacks.clock import ScriptedClock
from green_callbacks.errors import BudgetSpentError
from green_callbacks.lightning import EmissionsMonitor, FrontCheckpoint
from green_callbacks.sources import EnergySource, ScriptedSource

HOST_WATTS = 50.0
RANKS = 2
EPOCH_SECONDS = 2.0 + 0.5
"""Half of the batches each."""
EPOCH_JOULES = EPOCH_SECONDS * (RANKS * WATTS + HOST_WATTS)
BUDGET_JOULES = 3.5 * EPOCH_JOULES


class RankedModule(TinyModule):
    """Its validation score differs between the ranks, and nobody averages it."""

    def score(self) -> float:
        return 0.1 * self.current_epoch + self.global_rank


class Ranked(ScriptedSource):
    """The GPU of this rank, which the launcher tells apart."""

    def open(self) -> None:
        import torch.distributed as dist

        self._energies = {f"gpu:{dist.get_rank()}": energy for energy in self._energies.values()}
        super().open()


class Notes(Callback):
    """Writes down what a rank sees at the end of every fit."""

    def __init__(self, folder: Path, callback: EmissionsMonitor) -> None:
        self.folder, self.callback = folder, callback

    def on_fit_end(self, trainer: Any, pl_module: Any) -> None:
        seen = {
            "epochs": trainer.current_epoch,
            "total_g": float(trainer.callback_metrics["green/emissions_total_g"]),
            "budget_left_wh": float(trainer.callback_metrics["green/budget_left_wh"]),
            "reason": self.callback.accountant.stop_reason,
            "records": len(self.callback.accountant.history),
            "best": trainer.checkpoint_callbacks[1].best_model_path,
            "unsaved": trainer.checkpoint_callbacks[2].best_model_path,
        }
        self.folder.joinpath(f"rank{trainer.global_rank}.json").write_text(json.dumps(seen), encoding="utf-8")

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        if isinstance(exception, BudgetSpentError):
            self.folder.joinpath(f"refused{trainer.global_rank}.txt").touch()


def sources(clock: ScriptedClock) -> list[EnergySource]:
    """One GPU for each rank, and the host that all of them see."""
    return [Ranked(WATTS, clock=clock), ScriptedSource(HOST_WATTS, name="cpu:0", component="cpu", clock=clock)]


def train(strategy: str, folder: Path, checkpoint: Path | None = None) -> None:
    """Train on two processes until three and a half epochs would be overspent."""
    clock = ScriptedClock()
    policies = [CarbonBudget(f"{BUDGET_JOULES} J")]
    callback = EmissionsMonitor(**scripted(clock, sources=sources(clock), policies=policies))
    best = ModelCheckpoint(folder, monitor="green/emissions_total_g", mode="max", filename="best")
    options = {"devices": RANKS, "strategy": strategy, "logger": CSVLogger(folder), "enable_checkpointing": True}
    front = FrontCheckpoint("val_acc", folder / "front", keep=2)
    folder.joinpath("file").touch()
    in_vain = FrontCheckpoint("train_loss_epoch", folder / "file" / "no folder")
    callbacks = [callback, Notes(folder, callback), best, front, in_vain]
    trainer = Trainer(**{**quiet(folder), "max_epochs": 9, **options}, callbacks=callbacks)
    trainer.fit(RankedModule(clock), ckpt_path=checkpoint, weights_only=checkpoint is not None or None)


def main(strategy: str, folder: Path) -> None:
    """Train until the budget is spent; then go on from the checkpoint, which every rank refuses."""
    train(strategy, folder)
    if strategy == "ddp_spawn":
        return  # spawned processes are told of no exception
    try:
        train(strategy, folder, folder / "best.ckpt")
    except BudgetSpentError:
        return
    sys.exit("The spent budget was not refused.")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
