"""Those who say what a GPU used: this package, the bare counter, and the peers.

Run by ``bench_nvml.py``, in a process of its own per contender::

    python contenders.py NAME < job.json > result.json

Each is used as its documentation shows, with the shortest interval that it offers in whole seconds where it samples.
What a peer does not tell per window, it is asked by the attribute that its own report is made of.
"""

import ctypes
import importlib
import io
import json
import os
import signal
import sys
import tempfile
import time
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from typing import Any, NamedTuple

JOULES_PER_KWH = 3.6e6
PR_SET_PDEATHSIG = 1


class Told(NamedTuple):
    """What a contender says of a window, in J; the bounds only where it tells them."""

    joules: float
    low_joules: float | None = None
    high_joules: float | None = None


class Contender(ABC):
    """Measures windows of all GPUs that the driver shows."""

    module = ""
    distribution: str | None = None
    begins_at_call = False
    """Whether a window begins when :meth:`begin` is called, and not when it is done."""

    def start(self) -> None:
        """Get ready."""

    @abstractmethod
    def begin(self) -> None:
        """Begin a window."""

    @abstractmethod
    def end(self) -> Told:
        """End it."""


class Epochs(Contender):
    """This package, as every adapter drives it, with its ledger."""

    module, distribution = "green_callbacks.accountant", "green-callbacks"

    def start(self) -> None:
        from green_callbacks import EnergyAccountant
        from green_callbacks.sources import NvmlSource

        self._epoch = 0
        ledger = f"{os.getpid()}.jsonl"  # each fork has one of its own, as runs have
        self._accountant = EnergyAccountant(
            sources=[NvmlSource()], carbon_intensity=100, pue=1.0, sinks=[], ledger=ledger
        )
        self._accountant.start()

    def begin(self) -> None:
        self._accountant.begin_epoch(self._epoch)

    def end(self) -> Told:
        devices = self._accountant.end_epoch().devices.values()
        self._epoch += 1
        return Told(*(sum(getattr(d, name) for d in devices) for name in ("joules", "low_joules", "high_joules")))


class Blocks(Contender):
    """This package, for whoever can wait: ``measure()``."""

    module, distribution = "green_callbacks.window", "green-callbacks"

    def begin(self) -> None:
        from green_callbacks import measure
        from green_callbacks.sources import NvmlSource

        self._block = measure([NvmlSource()])
        self._window = self._block.__enter__()

    def end(self) -> Told:
        self._block.__exit__(None, None, None)
        return Told(self._window.energy_joules, self._window.low_joules, self._window.high_joules)


class Bare(Contender):
    """The difference of two readings of the counter, by NVIDIA's own binding."""

    module, distribution = "pynvml", "nvidia-ml-py"

    def start(self) -> None:
        import pynvml

        pynvml.nvmlInit()
        self._handles = [pynvml.nvmlDeviceGetHandleByIndex(i) for i in range(pynvml.nvmlDeviceGetCount())]
        self._read = pynvml.nvmlDeviceGetTotalEnergyConsumption

    def begin(self) -> None:
        self._first = [self._read(handle) for handle in self._handles]

    def end(self) -> Told:
        last = [self._read(handle) for handle in self._handles]
        return Told((sum(last) - sum(self._first)) / 1e3)


class Zeus(Contender):
    """Zeus, by a window of its monitor."""

    module, distribution = "zeus.monitor", "zeus"

    def start(self) -> None:
        from zeus.monitor import ZeusMonitor

        self._monitor = ZeusMonitor()

    def begin(self) -> None:
        self._monitor.begin_window("window", sync_execution=False)

    def end(self) -> Told:
        return Told(sum(self._monitor.end_window("window", sync_execution=False).gpu_energy.values()))


class CodeCarbon(Contender):
    """CodeCarbon, by a task of its tracker, reading every second."""

    module, distribution = "codecarbon", "codecarbon"

    def start(self) -> None:
        from codecarbon import OfflineEmissionsTracker

        self._tracker = OfflineEmissionsTracker(
            country_iso_code="FRA",
            measure_power_secs=1,
            save_to_file=False,
            log_level="critical",
            allow_multiple_runs=True,
        )
        self._tracker.start_task("first")  # looks for the hardware, once
        self._tracker.stop_task("first")
        self._window = 0

    def begin(self) -> None:
        self._window += 1
        self._tracker.start_task(f"window {self._window}")

    def end(self) -> Told:
        return Told(self._tracker.stop_task(f"window {self._window}").gpu_energy * JOULES_PER_KWH)


class CarbonTracker(Contender):
    """Carbontracker, by an epoch, reading every second; without the PUE that it multiplies by."""

    module, distribution = "carbontracker.tracker", "carbontracker"

    def start(self) -> None:
        from carbontracker import constants
        from carbontracker.tracker import CarbonTracker as Tracker

        self._pue = constants.PUE_2023
        self._tracker = Tracker(epochs=10**6, epochs_before_pred=0, components="gpu", update_interval=1, verbose=0)

    def begin(self) -> None:
        self._tracker.epoch_start()

    def end(self) -> Told:
        self._tracker.epoch_end()
        return Told(float(self._tracker.tracker.total_energy_per_epoch()[-1]) / self._pue * JOULES_PER_KWH)


class Eco2ai(Contender):
    """eco2AI, by the epochs of a training."""

    module, distribution = "eco2ai", "eco2ai"
    begins_at_call = True  # it writes its table after it has read the power

    def start(self) -> None:
        from eco2ai import Tracker

        self._folder = tempfile.TemporaryDirectory()
        self._tracker = Tracker(
            file_name=f"{self._folder.name}/emission.csv", measure_period=1, alpha_2_code="FR", ignore_warnings=True
        )
        self._tracker.start_training()

    def begin(self) -> None:
        self._tracker.new_epoch({"loss": 0})
        self._first = self._tracker._gpu.get_consumption()

    def end(self) -> Told:
        self._tracker.new_epoch({"loss": 0})
        return Told((self._tracker._gpu.get_consumption() - self._first) * JOULES_PER_KWH)


class LandauerGap(Contender):
    """landauer-gap, by a phase of its session. Its Lightning callback makes such a phase for each epoch."""

    module, distribution = "joules", "landauer-gap"

    def start(self) -> None:
        from joules import Session

        self._session = Session(cpu=False)  # polls ten times a second by default

    def begin(self) -> None:
        self._phase = self._session.begin("epoch")

    def end(self) -> Told:
        return Told(self._session.end(self._phase)["energy_j"])


CONTENDERS: dict[str, type[Contender]] = {
    "ours": Epochs,
    "measure()": Blocks,
    "bare": Bare,
    "zeus": Zeus,
    "codecarbon": CodeCarbon,
    "carbontracker": CarbonTracker,
    "eco2ai": Eco2ai,
    "landauer-gap": LandauerGap,
}


def quiet(work: Callable[[], Any]) -> Any:
    """Do something without its prints; what it printed is lost."""
    warnings.simplefilter("ignore")
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        return work()


def end_with(runner: int) -> None:
    """End this process and all that it starts when the benchmark dies, however it does."""
    signal.signal(signal.SIGUSR1, lambda *_: os.killpg(0, signal.SIGKILL))
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGUSR1)
    if os.getppid() != runner:
        sys.exit("the benchmark has ended already")


def main() -> None:
    """Do the job that comes on standard input: import the contender, then measure what is asked."""
    name, job = sys.argv[1], json.load(sys.stdin)
    end_with(job.pop("runner"))
    answer = os.fdopen(os.dup(1), "w")
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    contender = CONTENDERS[name]()
    began = time.perf_counter()
    try:
        quiet(lambda: importlib.import_module(contender.module))
        imported = time.perf_counter() - began
        trials = importlib.import_module("trials")
        result = getattr(trials, job.pop("trial"))(contender, **job) | {"import_seconds": imported}
    # Whatever a peer raises is its result, and is printed in its place.
    except Exception as error:  # noqa: BLE001
        result = {"error": f"{type(error).__name__}: {error}".splitlines()[0]}
    json.dump(result, answer)
    answer.close()
    os._exit(0)  # some peers leave threads and processes that do not end


if __name__ == "__main__":
    main()
