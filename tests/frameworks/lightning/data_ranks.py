"""Trains on two processes of this machine with a report on the data: ``data_ranks.py FOLDER``."""

import sys
from pathlib import Path

from frameworks.lightning.test_data_report import Scripted, loader, pairs
from frameworks.lightning.tiny import monitor, quiet
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import ModelCheckpoint

from green_callbacks.clock import ScriptedClock
from green_callbacks.lightning import DataReport, Indexed

SAMPLES = 9
"""An odd number, so that one sample of each epoch is on both ranks."""


class Validated(Scripted):
    """The same, with a validation."""

    def validation_step(self, batch, _index):
        """Do nothing."""


def main(folder: Path) -> None:
    """Train six epochs, and then two more from the checkpoint, which a validation has saved within the epoch."""
    for epochs, ckpt_path in ((6, None), (8, folder / "epoch=5.ckpt")):
        clock = ScriptedClock()
        saved = ModelCheckpoint(folder, "{epoch}", save_top_k=-1, save_on_train_epoch_end=False)
        callbacks = [monitor(clock), DataReport(), saved]
        options = {"accelerator": "cpu", "devices": 2, "strategy": "ddp", "enable_checkpointing": True}
        trainer = Trainer(**{**quiet(folder), **options, "max_epochs": epochs, "callbacks": callbacks})
        data = Indexed(pairs(SAMPLES))
        trainer.fit(Validated(clock), loader(data, shuffle=True), loader(data), ckpt_path=ckpt_path)
        totals = callbacks[1].report.totals()
        folder.joinpath(f"rank{trainer.global_rank}-{epochs}.txt").write_text(f"{totals.visits} {totals.samples}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
