"""How long each part of the report takes, and what all parts share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from load import Load

Figures = dict[str, Any]
"""What a section found, by what it is and its unit."""


class LeftOutError(Exception):
    """A section cannot be done here; the text says why, as a sentence."""


@dataclass(frozen=True)
class Plan:
    """How long everything takes; all times in s."""

    doctor_seconds: float = 2.0
    counter_seconds: float = 8.0
    settle_seconds: float = 3.0
    edge_epochs: int = 300
    epochs: Mapping[float, int] = field(default_factory=lambda: {1.0: 20, 2.0: 10, 10.0: 3})
    """How many epochs of each length."""
    windows: Mapping[float, int] = field(default_factory=lambda: {0.2: 8, 0.5: 8, 1.0: 8})
    """How many windows of each length."""
    fit_seconds: float = 30.0
    fit_epochs: int = 60
    idle_seconds: float = 5.0

    @property
    def seconds(self) -> float:
        """How long all of it takes, without what importing and opening take."""
        loads = 2
        epochs = sum(seconds * count for seconds, count in self.epochs.items())
        windows = sum((seconds + 0.5) * count for seconds, count in self.windows.items())
        edges = self.settle_seconds + 0.015 * self.edge_epochs + 0.06 * (self.edge_epochs // 3)
        return (
            self.doctor_seconds
            + 2 * self.counter_seconds
            + edges
            + loads * (self.settle_seconds + epochs + 1.0)
            + loads * (windows + 1.0)
            + self.fit_seconds
            + self.idle_seconds
        )


FULL = Plan()
QUICK = Plan(
    doctor_seconds=0.2,
    counter_seconds=1.0,
    settle_seconds=0.5,
    edge_epochs=30,
    epochs={0.3: 4, 0.6: 2},
    windows={0.2: 2},
    fit_seconds=10.0,
    fit_epochs=4,
    idle_seconds=0.3,
)
"""For the test on the stand-in."""


@dataclass(frozen=True)
class Bench:
    """What all sections share.

    Attributes:
        plan: How long they take.
        load: What keeps the GPU busy.
        uuid: The GPU that is loaded.
        handle: The driver's handle of it, or of the whole GPU where it is a slice.
        nvml: The module ``pynvml``, initialized.
        folder: A folder for files.
        gpus: How many GPUs the framework sees; None if nobody says.
        accelerator: What Lightning trains on.
    """

    plan: Plan
    load: Load
    uuid: str
    handle: Any
    nvml: Any
    folder: Path
    gpus: int | None
    accelerator: str


Section = Callable[[Bench], Figures]
