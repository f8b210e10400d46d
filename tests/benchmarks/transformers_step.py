"""What a step of Hugging Face's Trainer costs with the monitor, beside an empty callback; run it as a script.

The times are CPU times of the training thread: the first decile of the steps of a fit, and the median of many fits that
take turns, so that what else the machine does counts little. The end of an epoch is timed in the hooks themselves.
"""

import logging
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from itertools import pairwise
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from step_prices import print_step_prices
from transformers import Trainer, TrainerCallback, TrainingArguments

from green_callbacks import CarbonBudget
from green_callbacks.sources import ScriptedSource
from green_callbacks.transformers import EmissionsMonitor

STEPS = 400
TURNS = 9
EPOCHS = 60
IMPORTS = 7
BAR_MICROSECONDS = 10.0
BAR_EPOCH_MILLISECONDS = 1.0
BAR_IMPORT_MILLISECONDS = 30.0
_IMPORT = """
import time, transformers.trainer_callback
begin = time.process_time()
import green_callbacks.transformers
print(time.process_time() - begin)
"""


class Step(torch.nn.Module):
    """The smallest module that trains."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(2, 1)
        self.ticks: list[int] = []

    def forward(self, x: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        """Note the time, once a step."""
        self.ticks.append(time.thread_time_ns())
        return {"loss": self.layer(x).pow(2).mean()}


class TimedMonitor(EmissionsMonitor):
    """Times its own hooks at the edges of epochs."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.edges: list[int] = []

    def on_epoch_begin(self, *args: Any, **kwargs: Any) -> None:
        """Time it."""
        begin = time.thread_time_ns()
        super().on_epoch_begin(*args, **kwargs)
        self.edges.append(time.thread_time_ns() - begin)

    def on_epoch_end(self, *args: Any, **kwargs: Any) -> None:
        """Time it, and add it to the beginning of the epoch."""
        begin = time.thread_time_ns()
        super().on_epoch_end(*args, **kwargs)
        self.edges[-1] += time.thread_time_ns() - begin


def train(folder: Path, callbacks: list[TrainerCallback], steps: int, epochs: int) -> list[int]:
    """Return what each step takes on the training thread, in ns."""
    module = Step()
    arguments = TrainingArguments(
        str(folder),
        num_train_epochs=epochs,
        per_device_train_batch_size=1,
        save_strategy="no",
        logging_strategy="no",
        report_to="none",
        use_cpu=True,
        disable_tqdm=True,
    )
    data = [{"x": torch.zeros(2), "labels": torch.zeros(1)}] * steps
    Trainer(module, arguments, train_dataset=data, callbacks=callbacks).train()
    return [later - earlier for earlier, later in pairwise(module.ticks)]


def monitor(**options: Any) -> TimedMonitor:
    """Return a monitor of a GPU by a script, with a budget that it never spends."""
    source = ScriptedSource(300.0)
    return TimedMonitor(sources=[source], carbon_intensity=300.0, policies=[CarbonBudget("1 t")], **options)


def import_milliseconds() -> float:
    """Return the processor time that the import of the adapter takes after that of the trainer's callbacks, in ms."""
    command = [sys.executable, "-c", _IMPORT]
    told = [subprocess.run(command, capture_output=True, text=True, check=True).stdout for _ in range(IMPORTS)]
    return 1e3 * statistics.median(map(float, told))


def main() -> None:
    """Measure and print."""
    logging.disable(logging.WARNING)
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        print_step_prices(
            lambda callbacks: train(Path(folder), callbacks, STEPS, 1),
            TrainerCallback,
            monitor,
            owner="the trainer's",
            turns=TURNS,
            bar_microseconds=BAR_MICROSECONDS,
        )
        timed = monitor()
        train(Path(folder), [timed], 2, EPOCHS)
    epoch = statistics.median(timed.edges) / 1e6
    print(f"the beginning and the end of an epoch: {epoch:.2f} ms (bar: {BAR_EPOCH_MILLISECONDS:.0f} ms)")
    print(f"the import, beside transformers: {import_milliseconds():.0f} ms (bar: {BAR_IMPORT_MILLISECONDS:.0f} ms)")


if __name__ == "__main__":
    main()
