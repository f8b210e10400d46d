"""A training that a signal ends, and its continuation: ``preempted.py FOLDER {begin,begin_jit,resume}``."""

import json
import sys
import time
from pathlib import Path

from frameworks.contract.driver import Training
from frameworks.contract.transformers_driver import trainer_of

from green_callbacks.clock import ScriptedClock
from green_callbacks.sources import ScriptedSource
from green_callbacks.transformers import EmissionsMonitor

BATCH_SECONDS = 0.05
WATTS = 300.0


class Slow(Training):
    """A training whose batches take real time."""

    def batch(self, epoch: int, number: int) -> None:
        """Take it."""
        time.sleep(BATCH_SECONDS)


def main(folder: Path, what: str) -> None:
    """Train for a minute, or resume up to the end of the epoch after the next."""
    training = Slow(folder=folder, clock=ScriptedClock(), epochs=300)
    monitor = EmissionsMonitor(sources=[ScriptedSource(WATTS)], carbon_intensity=300.0, pue=1.0, sinks=[])
    options = {"save_strategy": "steps", "save_steps": 2, "eval_strategy": "no"}
    if what == "resume":
        saved = max(int(path.name.split("-")[1]) for path in folder.glob("checkpoint-*"))
        trainer = trainer_of(training, monitor, **options, max_steps=4 * (saved // 4) + 8)
        trainer.train(resume_from_checkpoint=True)
        run = monitor.accountant.close()
        rows = [(each.epoch, each.step, each.complete) for each in monitor.accountant.history]
        told = {"joules": run.energy_joules, "seconds": run.duration_seconds, "run_id": run.run_id, "rows": rows}
        folder.joinpath("told.json").write_text(json.dumps({**told, "saved": saved}), encoding="utf-8")
    else:
        trainer_of(training, monitor, **options, enable_jit_checkpoint=what == "begin_jit").train()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
