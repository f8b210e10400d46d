"""Trainings that land, with a note of every learning rate that an optimizer uses."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from frameworks.lightning.tiny import monitor, trainer
from lightning.pytorch import LightningModule, Trainer
from torch.optim import lr_scheduler
from torch.utils.data import DataLoader

from green_callbacks import History, Plan, Verdict
from green_callbacks.clock import ScriptedClock
from green_callbacks.lightning import EmissionsMonitor
from green_callbacks.records import Landing

BATCHES, EPOCHS = 5, 12
RATE = 0.1


class LandsAfter:
    """Asks for a landing as soon as some epochs have ended."""

    def __init__(self, epochs: int, landing: float = 0.25) -> None:
        self.epochs, self.landing = epochs, landing

    def decide(self, history: History, plan: Plan) -> Verdict:
        if plan.landing is None and history.epochs_done() >= self.epochs:
            return Verdict(stop=False, code="landing", reason="Enough.", landing=self.landing)
        return Verdict(stop=False, code="active", reason="It goes on.")


class Noted:
    """Notes the learning rate that each step uses."""

    used: list[float]

    def _init_group(self, group: dict[str, Any], *more: Any) -> Any:
        vars(self).setdefault("used", []).append(float(group["lr"]))
        return super()._init_group(group, *more)


class NotedSGD(Noted, torch.optim.SGD):
    pass


class NotedAdam(Noted, torch.optim.AdamW):
    pass


SCHEDULES: dict[str, Callable[[Any, int], Any]] = {
    "cosine": lambda optimizer, steps: lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps),
    "linear": lambda optimizer, steps: lr_scheduler.LinearLR(optimizer, 1.0, 0.01, total_iters=steps),
    "exponential": lambda optimizer, steps: lr_scheduler.ExponentialLR(optimizer, gamma=0.5 ** (1 / steps)),
    "step": lambda optimizer, steps: lr_scheduler.StepLR(optimizer, max(steps // 3, 1), gamma=0.5),
    "lambda": lambda optimizer, steps: lr_scheduler.LambdaLR(optimizer, lambda step: 1 - 0.9 * step / steps),
    "one cycle": lambda optimizer, steps: lr_scheduler.OneCycleLR(
        optimizer, RATE, total_steps=steps + 1, cycle_momentum=False
    ),
}


class Rated(LightningModule):
    """Two linear layers. Every training batch takes a second, and every validation batch half of one."""

    def __init__(
        self,
        clock: ScriptedClock,
        *,
        optimizers: Callable[["Rated"], Sequence[Any]] = lambda module: [NotedSGD(module.parameters(), lr=RATE)],
        schedule: str = "cosine",
        planned: int = EPOCHS,
        interval: str = "step",
        manual: bool = False,
        scores: Sequence[float] = (0.5,),
    ) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.clock, self.scores = clock, scores
        self.first, self.second = torch.nn.Linear(2, 1), torch.nn.Linear(2, 1)
        self.made, self.schedule, self.planned, self.interval = optimizers(self), schedule, planned, interval
        self.automatic_optimization = not manual
        self.between: list[list[float]] = []
        """The rates that everybody else sees before every batch."""

    def loss(self, batch: torch.Tensor) -> torch.Tensor:
        return (self.first(batch) + self.second(batch)).pow(2).mean()

    def on_train_batch_start(self, batch: torch.Tensor, batch_idx: int) -> None:
        self.between.append(
            [float(group["lr"]) for each in self.made for group in each.param_groups if group["lr"] is not None]
        )

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor | None:
        self.clock.advance(1.0)
        if self.automatic_optimization:
            return self.loss(batch)
        for optimizer, schedule in zip(self.made, self.lr_schedulers_of(), strict=True):
            optimizer.zero_grad()
            self.manual_backward(self.loss(batch))
            next(each for each in self.optimizers_of() if each.optimizer is optimizer).step()
            schedule.step()
        return None

    def optimizers_of(self) -> list[Any]:
        found = self.optimizers()
        return found if isinstance(found, list) else [found]

    def lr_schedulers_of(self) -> list[Any]:
        found = self.lr_schedulers()
        return found if isinstance(found, list) else [found]

    def validation_step(self, batch: torch.Tensor, batch_idx: int) -> None:
        self.clock.advance(0.5)
        self.log("val_acc", self.scores[min(self.current_epoch, len(self.scores) - 1)])
        self.log("val_loss", self.loss(batch))

    def configure_optimizers(self) -> Any:
        steps = self.planned * BATCHES if self.interval == "step" else self.planned
        schedules = [SCHEDULES[self.schedule](each, steps) for each in self.made]
        if not self.automatic_optimization:
            return self.made, schedules
        return self.made, [{"scheduler": each, "interval": self.interval} for each in schedules]

    def train_dataloader(self) -> DataLoader[torch.Tensor]:
        return DataLoader(torch.linspace(-1, 1, 4 * BATCHES).view(-1, 2), batch_size=2)

    def val_dataloader(self) -> DataLoader[torch.Tensor]:
        return DataLoader(torch.ones(4, 2), batch_size=2)


def fit(
    folder: Path,
    module: Rated,
    *policies: Any,
    callbacks: Sequence[Any] = (),
    ckpt_path: Path | None = None,
    options: dict[str, Any] | None = None,
    **trained: Any,
) -> tuple[EmissionsMonitor, Trainer]:
    """Train a module under policies. Return the monitor and the trainer."""
    callback = monitor(module.clock, policies=list(policies), **(options or {}))
    fitted = trainer(folder, callback, *callbacks, **{"max_epochs": EPOCHS, **trained})
    resumed = {} if ckpt_path is None else {"ckpt_path": ckpt_path, "weights_only": False}
    fitted.fit(module, **resumed)
    return callback, fitted


def factors(landing: Landing | None, steps: int, steps_a_batch: int = 1) -> list[float]:
    """Return the factor of every batch of a run, which is 1 outside the landing."""
    assert landing is not None
    batches = range(0, steps, steps_a_batch)
    middles = [(step + steps_a_batch / 2 - landing.first_step) / landing.steps for step in batches]
    return [1 - min(max(middle, 0.0), 1.0) if middle > 0 else 1.0 for middle in middles]


def two_layers(module: Rated) -> Sequence[Any]:
    """Return an optimizer for each layer."""
    return [NotedSGD(module.first.parameters(), lr=RATE), NotedAdam(module.second.parameters(), lr=RATE / 3)]
