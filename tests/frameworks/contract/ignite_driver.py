"""PyTorch-Ignite, as the contract drives it."""

from typing import Any

import torch
from frameworks.contract.driver import BATCH_SIZE, BATCHES, METRIC, RATE, VALIDATION_BATCHES, Training, scripted
from ignite.engine import Engine, Events
from ignite.handlers import Checkpoint, DiskSaver
from torch.utils.data import DataLoader

from green_callbacks.ignite import EmissionsMonitor


class Ignite:
    """``green_callbacks.ignite``."""

    hints = ()
    notes_rates = True

    def monitor(self, training: Training, **options: Any) -> EmissionsMonitor:
        return EmissionsMonitor(**scripted(training, **options))

    def fit(self, monitor: Any, training: Training, *, is_resumed: bool = False) -> None:
        weight = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
        optimizer = torch.optim.SGD([weight], lr=RATE)

        def step(engine: Engine, batch: torch.Tensor) -> None:
            training.batch(engine.state.epoch - 1, (engine.state.iteration - 1) % BATCHES)
            before = weight.item()
            weight.grad = torch.ones_like(weight)
            optimizer.step()
            training.used.append(before - weight.item())

        trainer, evaluator = Engine(step), self._evaluator(training)
        evaluator.add_event_handler(
            Events.EPOCH_COMPLETED,
            lambda: evaluator.state.metrics.update({METRIC: training.score(trainer.state.epoch - 1)}),
        )
        trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda: evaluator.run(_loader(VALIDATION_BATCHES)))
        monitor.attach(trainer, evaluator, optimizer)
        states = {"trainer": trainer, "green": monitor}
        saver = DiskSaver(training.folder / "checkpoints", require_empty=False)
        save = Checkpoint(states, saver, filename_pattern="last.pt")
        trainer.add_event_handler(Events.EPOCH_COMPLETED, save)
        if is_resumed:
            Checkpoint.load_objects(states, training.folder / "checkpoints" / "last.pt")
        trainer.run(_loader(BATCHES), max_epochs=training.epochs)
        values = trainer.state.metrics.items()
        training.logged = {key: float(value) for key, value in values if key.startswith("green/")}

    def evaluate(self, monitor: Any, training: Training) -> None:
        evaluator = self._evaluator(training)
        monitor.attach(Engine(lambda engine, batch: None), evaluator)
        evaluator.run(_loader(VALIDATION_BATCHES))

    def _evaluator(self, training: Training) -> Engine:
        return Engine(lambda engine, batch: training.clock.advance(0.5))


def _loader(batches: int) -> Any:
    return DataLoader(torch.ones(BATCH_SIZE * batches, 1), batch_size=BATCH_SIZE)
