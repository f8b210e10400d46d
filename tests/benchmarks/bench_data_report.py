"""How well a report on the data finds planted wrong labels, and what it costs in time and memory.

Run it where Lightning, scikit-learn and mnist1d are installed. It takes about five minutes on an idle core, and half a
minute with ``--quick``, which leaves out mnist1d and most seeds::

    python tests/benchmarks/bench_data_report.py
"""

import logging
import sys
import time
import tracemalloc
import warnings
from collections.abc import Callable
from itertools import product
from pathlib import Path
from statistics import fmean
from tempfile import mkdtemp
from typing import NamedTuple

import numpy as np
import torch
from landing.sets import SETS
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset

from green_callbacks.data_report import DataReport, find_duplicates
from green_callbacks.lightning import DataReport as LightningReport
from green_callbacks.lightning import Indexed

SHARES = (0.0, 0.05, 0.2)
"""Shares of planted wrong labels."""
LEAST_PRECISION = 0.9
"""Least share of samples that look mislabeled and are, with 20 % of wrong labels."""
MOST_TIME = 0.01
"""Most time that the report may take, as a share of the time of an epoch."""
MOST_BYTES = 16
"""Most memory that the report may take, in bytes a sample."""
EPOCHS = (10, 20, 60)
"""Epochs after which the report is read."""
MANY = 1_000_000
"""Samples of the measurement of memory."""


class Workload(NamedTuple):
    """A network and how it is trained."""

    network: Callable[[], nn.Module]
    batch: int
    rate: float


def dense() -> nn.Module:
    """Return a network of two layers, for digits."""
    return nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 10))


def convolution() -> nn.Module:
    """Return a network of three convolutions, for mnist1d."""
    layers = [nn.Unflatten(1, (1, 40))]
    for channels in (1, 25, 25):
        layers += [nn.Conv1d(channels, 25, 5, stride=2, padding=2), nn.ReLU()]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(125, 10))


WORKLOADS = {"digits": Workload(dense, 32, 1e-3), "mnist1d": Workload(convolution, 64, 5e-3)}


class Found(NamedTuple):
    """What a report found after some epochs."""

    named: int
    right: int
    planted: int
    microseconds: float


def train(name: str, share: float, seed: int) -> dict[int, Found]:
    """Train with planted wrong labels, and read the report on the way."""
    data, workload = SETS[name](), WORKLOADS[name]
    torch.manual_seed(seed)
    wrong = torch.rand(len(data.labels)) < share
    labels = torch.where(wrong, (data.labels + torch.randint(1, 10, wrong.shape)) % 10, data.labels)
    network = workload.network()
    optimizer = torch.optim.Adam(network.parameters(), lr=workload.rate)
    report, found, spent, steps = DataReport(), {}, 0.0, 0
    for epoch in range(1, max(EPOCHS) + 1):
        for index in torch.randperm(len(labels)).split(workload.batch):
            losses = step(network, optimizer, data.inputs[index], labels[index])
            before = time.perf_counter()
            report.observe(index, losses)
            spent += time.perf_counter() - before
            steps += 1
        if epoch in EPOCHS:
            named = list(report._outcome()[1].get("probably_mislabeled", []))
            found[epoch] = Found(len(named), int(wrong[named].sum()), int(wrong.sum()), 1e6 * spent / steps)
    return found


def step(network: nn.Module, optimizer: torch.optim.Optimizer, inputs: Tensor, labels: Tensor) -> Tensor:
    """Train on a batch, and return the loss of each sample."""
    losses = cross_entropy(network(inputs), labels, reduction="none")
    optimizer.zero_grad()
    losses.mean().backward()
    optimizer.step()
    return losses


def wrong_labels(names: list[str], seeds: range) -> bool:
    """Print how well wrong labels are found, and what that costs. Return whether the bars hold."""
    print("set      planted  epochs   named   precision   recall   µs a step")
    holds = True
    for name, share in product(names, SHARES):
        runs = [train(name, share, seed) for seed in seeds]
        for epochs in EPOCHS:
            each = [run[epochs] for run in runs]
            named, right, planted = (sum(run[column] for run in each) for column in range(3))
            precision = f"{right / named:8.1%}" if named else "       -"
            recall = f"{right / planted:8.1%}" if planted else "       -"
            cost = fmean(run.microseconds for run in each)
            print(f"{name:9}{share:6.0%}{epochs:9}{named / len(runs):9.1f}{precision:>11}{recall:>10}{cost:10.1f}")
            holds &= not named or share < max(SHARES) or right >= LEAST_PRECISION * named
            holds &= bool(named) if share == max(SHARES) and epochs == max(EPOCHS) else True
            holds &= not named if share == 0 else True
    return holds


class Timed(LightningReport):
    """A report that knows the time that its hooks took, in s."""

    spent = 0.0

    def on_train_batch_end(self, *args: object) -> None:
        """Take the time of a step."""
        before = time.perf_counter()
        super().on_train_batch_end(*args)
        self.spent += time.perf_counter() - before

    def on_train_epoch_end(self, *args: object) -> None:
        """Take the time of the end of an epoch."""
        before = time.perf_counter()
        super().on_train_epoch_end(*args)
        self.spent += time.perf_counter() - before


class Module(LightningModule):
    """The workload as a module of Lightning."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.network, self.rate = WORKLOADS[name].network(), WORKLOADS[name].rate

    def training_step(self, batch: list[Tensor], _: int) -> dict[str, Tensor]:
        """Return the losses of a batch."""
        inputs, labels, index = batch
        losses = cross_entropy(self.network(inputs), labels, reduction="none")
        return {"loss": losses.mean(), "per_sample_loss": losses, "index": index}

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return the optimizer."""
        return torch.optim.Adam(self.parameters(), lr=self.rate)


def lightning_time(names: list[str]) -> bool:
    """Print the share of the time of an epoch of Lightning that the report takes. Return whether the bar holds."""
    holds = True
    for name in names:
        data, report, epochs = SETS[name](), Timed(path=Path(mkdtemp(), "report.json")), 10
        loader = DataLoader(
            Indexed(TensorDataset(data.inputs, data.labels)), batch_size=WORKLOADS[name].batch, shuffle=True
        )
        options = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
        trainer = Trainer(
            max_epochs=epochs, accelerator="cpu", callbacks=[report], enable_model_summary=False, **options
        )
        before = time.perf_counter()
        trainer.fit(Module(name), loader)
        share = report.spent / (time.perf_counter() - before)
        print(f"{name}: {share:.2%} of the time of {epochs} epochs of Lightning")
        holds &= share <= MOST_TIME
    return holds


def memory() -> bool:
    """Print the memory of a report on many samples. Return whether the bar holds."""
    order = np.random.default_rng(0).permutation(MANY)
    tracemalloc.start()
    report = DataReport()
    report.expect(MANY)
    for index in np.array_split(order, MANY // 256):
        report.observe(index, np.ones(len(index), "f4"))
    held, most = (number / MANY for number in tracemalloc.get_traced_memory())
    state = report.state_dict()
    _, with_state = (number / MANY for number in tracemalloc.get_traced_memory())
    tracemalloc.stop()
    print(f"\n{MANY:,} samples: {held:.1f} B a sample, at most {most:.1f}, and {with_state:.1f} with a checkpoint")
    return len(state) > 0 and round(max(most, with_state), 1) <= MOST_BYTES


def duplicates() -> bool:
    """Print how many duplicates there are in digits, and in a set with copies. Return whether they are right."""
    data = SETS["digits"]()
    plain = [(image, label) for image, label in zip(data.inputs.numpy(), data.labels.tolist(), strict=True)]
    copied = plain + [(image.copy(), (label + 1) % 10) for image, label in plain[::3]]
    none, all_of_them = find_duplicates(plain), find_duplicates(copied)
    print(f"digits: {none.copies} duplicates, and {all_of_them.copies} of {len(plain[::3])} planted copies found")
    return not none.copies and all_of_them.copies == len(all_of_them.conflicting) == len(plain[::3])


def main() -> int:
    """Print everything, and return 1 if a bar does not hold."""
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)
    warnings.filterwarnings("ignore")  # hints of Lightning about workers
    is_quick = "--quick" in sys.argv
    names, seeds = (["digits"], range(1)) if is_quick else (list(WORKLOADS), range(3))
    holds = [wrong_labels(names, seeds), lightning_time(names), memory(), duplicates()]
    print("All bars hold." if all(holds) else f"Bars hold: {holds}")
    return int(not all(holds))


if __name__ == "__main__":
    sys.exit(main())
