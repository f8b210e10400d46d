"""What the contract asks of an adapter: to train, to go on, and to say what its framework's stream shows.

A new adapter passes the contract once it has a driver, and a line in ``drivers.py``.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from green_callbacks.clock import ScriptedClock
from green_callbacks.sources import ScriptedSource

WATTS = 300.0
BATCHES, BATCH_SIZE = 4, 2
"""Training batches of an epoch, of which each takes 1 s."""
VALIDATION_BATCHES = 2
"""Validation batches of an epoch, of which each takes 0.5 s."""
TRAIN_JOULES = BATCHES * 1.0 * WATTS
VALIDATION_JOULES = VALIDATION_BATCHES * 0.5 * WATTS
EPOCH_JOULES = TRAIN_JOULES + VALIDATION_JOULES
METRIC = "val_acc"
RATE = 0.01
"""Learning rate of every training, which no schedule changes."""


class LoopError(Exception):
    """What a training loop raises that is to fail."""


@dataclass(kw_only=True)
class Training:
    """A training to run.

    Attributes:
        folder: Where logs, ledgers and checkpoints go.
        clock: The clock that every batch advances.
        epochs: Number of the last epoch, plus 1.
        scores: The validation metric of each epoch. The last one holds for all further epochs.
        fails_at: Epoch and batch in which the loop raises :class:`LoopError`. Defaults to None: it does not fail.
        used: The learning rate of every optimizer step. Filled by a driver that ``notes_rates``.
        logged: What the framework's stream showed of the package's keys in the last epoch. Filled by the driver.
    """

    folder: Path
    clock: ScriptedClock
    epochs: int = 3
    scores: Sequence[float] = (0.5,)
    fails_at: tuple[int, int] | None = None
    used: list[float] = field(default_factory=list)
    logged: dict[str, float] = field(default_factory=dict)

    def score(self, epoch: int) -> float:
        """Return the validation metric of an epoch."""
        return self.scores[min(epoch, len(self.scores) - 1)]

    def batch(self, epoch: int, number: int) -> None:
        """Let a training batch take its second, or fail."""
        if (epoch, number) == self.fails_at:
            raise LoopError
        self.clock.advance(1.0)


class Driver(Protocol):
    """One framework, as the contract drives it."""

    hints: tuple[str, ...]
    """Warnings of the framework that do not concern the adapter, as regular expressions."""
    notes_rates: bool
    """Whether a fit notes the learning rate of every step. If not, the contract of landings is skipped."""
    lacks: dict[str, str]
    """Parts of the contract that the framework does not have, such as ``stream``, with the reason. May be left out."""

    def monitor(self, training: Training, **options: Any) -> Any:
        """Return the adapter's monitor, which can go on with an earlier run in the folder of the training."""
        ...

    def fit(self, monitor: Any, training: Training, *, is_resumed: bool = False) -> None:
        """Train, and keep what a later fit needs to go on.

        Args:
            monitor: The monitor.
            training: The training.
            is_resumed: Whether it goes on, as a new process would, where the fit before it stopped.
        """
        ...

    def evaluate(self, monitor: Any, training: Training) -> None:
        """Run the validation batches once, outside any fit."""
        ...


def scripted(training: Training, **options: Any) -> dict[str, Any]:
    """Return options for exact joules, with as many kg of emissions as kWh."""
    defaults = {
        "sources": [ScriptedSource(WATTS, clock=training.clock)],
        "clock": training.clock,
        "carbon_intensity": 1000.0,
        "pue": 1.0,
        "sinks": [],
        "strict": True,
    }
    return {**defaults, **options}
