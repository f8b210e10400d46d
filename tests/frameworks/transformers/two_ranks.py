"""Trains on two processes, and notes what each of them saw. ``torchrun`` runs it: ``two_ranks.py FOLDER``."""

import json
import os
import sys
from pathlib import Path

from frameworks.contract.driver import EPOCH_JOULES, Training, scripted
from frameworks.contract.transformers_driver import trainer_of

from green_callbacks import CarbonBudget
from green_callbacks.clock import ScriptedClock
from green_callbacks.sources import ScriptedSource
from green_callbacks.transformers import EmissionsMonitor


class Ranked(ScriptedSource):
    """The GPU of this rank."""

    def open(self) -> None:
        """Name it by the rank."""
        self._energies = {f"gpu:{os.environ['RANK']}": energy for energy in self._energies.values()}
        super().open()


def main(folder: Path) -> None:
    """Train twice, the second time from the checkpoint of the first."""
    seen = {}
    for name, epochs, is_resumed in (("first", 9, False), ("second", 9, True)):
        training = Training(folder=folder, clock=ScriptedClock(), epochs=epochs)
        joules = 2 * EPOCH_JOULES * 0.5  # each rank has half of the batches
        budget = CarbonBudget(f"{(2.5 if name == 'first' else 4.5) * joules} J")
        options = scripted(training, sources=[Ranked(300.0, clock=training.clock)], policies=[budget])
        monitor = EmissionsMonitor(**options)
        trainer = trainer_of(training, monitor, ddp_backend="gloo", include_num_input_tokens_seen="all")
        trainer.model.main_input_name = "x"
        trainer.floating_point_ops = lambda inputs: 1e15
        trainer.train(resume_from_checkpoint=is_resumed)
        run = monitor.accountant.close()
        seen[name] = {
            "step": trainer.state.global_step,
            "reason": monitor.accountant.stop_reason,
            "records": [(each.epoch, each.step, each.complete, each.samples) for each in monitor.accountant.history],
            "devices": sorted(run.devices),
            "joules": run.energy_joules,
            "run_id": run.run_id,
            "counts": (run.samples, run.tokens, run.flops, run.effort.steps and run.effort.steps.units),
        }
    folder.joinpath(f"rank{os.environ['RANK']}.json").write_text(json.dumps(seen), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
