"""One of two processes that train together, started by torchrun: ``two_processes.py DRIVER FOLDER``."""

import json
import sys
from importlib import import_module
from pathlib import Path

import torch.distributed as dist
from frameworks.contract.driver import Training
from frameworks.contract.drivers import DRIVERS

from green_callbacks import Verdict
from green_callbacks.clock import ScriptedClock

name, folder = sys.argv[1], Path(sys.argv[2])
dist.init_process_group("gloo")
rank = dist.get_rank()
module, kind = DRIVERS[name].split(":")
driver = getattr(import_module(module), kind)()
training = Training(folder=folder, clock=ScriptedClock(), epochs=9)


def two_epochs(history, plan):
    stop = history.epochs_done() >= 2
    return Verdict(stop=stop, code="stopping" if stop else "active", reason="Two epochs are enough.")


monitor = driver.monitor(training, policies=[two_epochs])
driver.fit(monitor, training)
run, history = monitor.accountant.close(), monitor.accountant.history
told = {
    "epochs": [record.epoch for record in history if record.closes_epoch],
    "joules": run.energy_joules,
    "steps": len(training.used),
    "stop": run.stop_reason,
}
(folder / f"rank {rank}.json").write_text(json.dumps(told))
dist.destroy_process_group()
