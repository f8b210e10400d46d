"""Engines whose batches take scripted time, at 300 W."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from ignite.engine import Engine, Events
from torch.utils.data import DataLoader

from green_callbacks.clock import ScriptedClock
from green_callbacks.ignite import EmissionsMonitor
from green_callbacks.sources import ScriptedSource

BATCHES, BATCH_SIZE = 4, 2
EPOCH_JOULES = 300.0 * (BATCHES * 1.0 + 0.5)
"""An epoch of four batches of 1 s, and an evaluation of one batch of 0.5 s."""


class UserError(Exception):
    """What code of the user raises."""


@dataclass
class Script:
    """Engines that share a scripted clock."""

    folder: Any
    clock: ScriptedClock = field(default_factory=ScriptedClock)
    scores: Sequence[Any] = (0.1, 0.2, 0.3, 0.4, 0.5)

    def __post_init__(self) -> None:
        self.trainer, self.evaluator = self.engine(1.0), self.engine(0.5)
        self.evaluator.add_event_handler(Events.EPOCH_COMPLETED, self._score)

    def engine(self, seconds: float) -> Engine:
        return Engine(lambda engine, batch: self.clock.advance(seconds))

    def _score(self) -> None:
        at = min(self.trainer.state.epoch, len(self.scores)) - 1
        self.evaluator.state.metrics["val_acc"] = self.scores[at]

    def monitor(self, **options: Any) -> EmissionsMonitor:
        defaults = {
            "sources": [ScriptedSource(300.0, clock=self.clock)],
            "clock": self.clock,
            "carbon_intensity": 1000.0,
            "pue": 1.0,
            "sinks": [],
            "ledger": self.folder / "run.jsonl",
            "strict": True,
        }
        return EmissionsMonitor(**{**defaults, **options})

    def validate(self) -> None:
        """Let the trainer validate after each epoch, by a handler that is attached now."""
        self.trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda: self.evaluator.run([0]))

    def run(self, epochs: int | None = 3, **options: Any) -> None:
        self.trainer.run(loader(), max_epochs=epochs, **options)


def loader(batches: int = BATCHES) -> Any:
    return DataLoader(torch.ones(BATCH_SIZE * batches, 1), batch_size=BATCH_SIZE)


def rows(monitor: EmissionsMonitor) -> list[tuple[Any, ...]]:
    """Return index, completeness, steps, samples and metric of each record of an epoch."""
    return [
        (each.epoch, each.complete, each.step, each.samples, each.metrics.get("val_acc"))
        for each in monitor.accountant.history
        if each.epoch is not None
    ]
