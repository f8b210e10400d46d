"""What the runs reached, read from their ledgers, and kept in a table."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import sqrt
from pathlib import Path
from statistics import fmean, stdev
from typing import Final, Self

from green_callbacks import History
from green_callbacks.ledger import read_ledger
from green_callbacks.units import joules_to_kwh

TABLE: Final = Path(__file__).with_name("results.csv")
METRIC: Final = "val_acc"
"""Key of the accuracy on the examples that are held out, in the ledgers."""


@dataclass(frozen=True)
class Reached:
    """What the runs of a group reached.

    Attributes:
        wh: Mean energy of a run, in Wh.
        accuracies: Accuracy of each run at its end, in percent, in the order of the seeds.
        fullness: Mean share of the set in the epochs between the first and the last, 0 to 1. For InfoBatch, the mean
            weight of a sample is about one over the share. Defaults to 1.
    """

    wh: float
    accuracies: Sequence[float]
    fullness: float = 1.0

    @property
    def mean(self) -> float:
        """Mean accuracy, in percent."""
        return fmean(self.accuracies)

    def __str__(self) -> str:
        return f"{self.mean:.1f} ± {stdev(self.accuracies):.1f}"

    def minus(self, other: "Reached") -> "Gain":
        """Return the difference to other runs, pair by pair, as far as both have the seed.

        Args:
            other: The other runs.
        """
        return Gain([one - two for one, two in zip(self.accuracies, other.accuracies, strict=False)])

    def first(self, count: int) -> "Reached":
        """Return the same of the first seeds.

        Args:
            count: Number of seeds.
        """
        return replace(self, accuracies=self.accuracies[:count])


@dataclass(frozen=True)
class Gain:
    """The difference between runs with the same seeds.

    Attributes:
        points: The difference of each pair, in percent points.
    """

    points: Sequence[float]

    @property
    def mean(self) -> float:
        """Mean difference, in percent points."""
        return fmean(self.points)

    @property
    def error(self) -> float:
        """Standard error of the mean, in percent points."""
        return stdev(self.points) / sqrt(len(self.points))

    def __str__(self) -> str:
        return f"{round(self.mean, 1) + 0.0:+.1f} ± {self.error:.1f}"


@dataclass(frozen=True)
class Results:
    """All groups, by workload, factor on its low learning rate, and method.

    Attributes:
        groups: What the runs of each group reached.
    """

    groups: Mapping[tuple[str, float, str], Reached] = field(default_factory=dict)

    @classmethod
    def of(cls, ledgers: Iterable[Path]) -> Self:
        """Read the results from ledgers.

        Args:
            ledgers: The ledgers of finished runs.
        """
        found: dict[tuple[str, float, str], dict[int, tuple[float, float, float]]] = {}
        for path in ledgers:
            contents = read_ledger(path)
            labels, history = contents.labels, contents.history
            key = labels["set"], float(labels["rate"]), labels["method"]
            accuracy = round(100 * history[-1].metrics[METRIC], 2)
            wh = 1e3 * joules_to_kwh(history.energy_joules or 0.0)
            found.setdefault(key, {})[int(labels["seed"])] = wh, accuracy, _fullness(history)
        runs = {
            key: list(zip(*(by_seed[seed] for seed in sorted(by_seed)), strict=True)) for key, by_seed in found.items()
        }
        return cls(
            {
                key: Reached(fmean(wh), accuracies, round(fmean(shares), 3))
                for key, (wh, accuracies, shares) in runs.items()
            }
        )

    @classmethod
    def kept(cls) -> Self:
        """Return the results that are in the table of this folder."""
        with TABLE.open(encoding="utf-8", newline="") as lines:
            return cls(
                {
                    (row["set"], float(row["rate"]), row["method"]): Reached(
                        float(row["wh"]), [float(each) for each in row["accuracies"].split()], float(row["fullness"])
                    )
                    for row in csv.DictReader(lines)
                }
            )

    def keep(self) -> None:
        """Write the table of this folder."""
        with TABLE.open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(["set", "rate", "method", "wh", "fullness", "accuracies"])
            for (workload, rate, method), reached in self.groups.items():
                accuracies = " ".join(f"{each:g}" for each in reached.accuracies)
                table.writerow(
                    [workload, f"{rate:g}", method, f"{reached.wh:.4g}", f"{reached.fullness:g}", accuracies]
                )

    def at(self, workload: str, rate: float, method: str) -> Reached | None:
        """Return what the runs of a group reached, or None if there are none.

        Args:
            workload: Name of the workload.
            rate: Factor on its low learning rate.
            method: Name of the method.
        """
        return self.groups.get((workload, rate, method))

    def best_rate(self, workload: str, method: str) -> float:
        """Return the factor on the low learning rate at which a method reached most, by the same seeds for all.

        Args:
            workload: Name of the workload.
            method: Name of the method.
        """
        reached = {
            rate: each.mean for (name, rate, way), each in self.groups.items() if (name, way) == (workload, method)
        }
        return max(reached, key=reached.__getitem__)


def _reached(runs: Iterable[tuple[float, float, float]]) -> Reached:
    wh, accuracies, shares = zip(*runs, strict=True)
    return Reached(fmean(wh), list(accuracies), round(fmean(shares), 3))


def _fullness(history: History) -> float:
    counts = [record.samples or 0 for record in history]
    return fmean(counts[1:-1]) / counts[0]
