"""Landings in fits that change on the way: optimizers that are swapped, epochs that shrink, stops that are undone."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from frameworks.lightning.landed import RATE, LandsAfter, NotedSGD, Rated, factors, fit
from lightning.pytorch import Callback
from lightning.pytorch.callbacks import GradientAccumulationScheduler
from torch.utils.data import DataLoader, IterableDataset

from green_callbacks.clock import ScriptedClock

LENGTHS = [30, 25, 20, 16, 12, 10, 8, 6, 4, 4]
"""Batches of the first epochs. Later epochs have three."""


class Stream(IterableDataset[torch.Tensor]):
    """Has fewer samples in each pass, and no length."""

    def __init__(self) -> None:
        self._lengths = itertools.chain(LENGTHS, itertools.repeat(3))

    def __iter__(self) -> Iterator[torch.Tensor]:
        return iter(torch.ones(2 * next(self._lengths), 2))


class Shrinking(Rated):
    def train_dataloader(self) -> DataLoader[torch.Tensor]:
        return DataLoader(Stream(), batch_size=2)


class Swaps(Callback):
    """Replaces the optimizer in the middle of a landing, as some modules do when they unfreeze layers."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_end(self, trainer: Any, pl_module: Any, *_: Any) -> None:
        if trainer.global_step == self.step:
            trainer.strategy.optimizers = [NotedSGD(pl_module.parameters(), lr=RATE)]


class Undoes(Callback):
    """Lets no other callback stop the training."""

    def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
        trainer.should_stop = False

    def on_train_epoch_end(self, trainer: Any, *_: Any) -> None:
        trainer.should_stop = False


def test_a_landing_goes_on_until_its_last_step_where_epochs_shrink(tmp_path: Path, clock: ScriptedClock):
    module = Shrinking(clock)
    callback, trainer = fit(tmp_path, module, LandsAfter(6), max_epochs=40)
    landing = callback.accountant.landing
    shown = [rates[0] for rates in module.between]
    ways = factors(landing, landing.end)
    assert trainer.global_step == landing.end
    assert module.made[0].used == pytest.approx([rate * way for rate, way in zip(shown, ways, strict=True)], rel=1e-6)
    assert callback.accountant.stop_reason == "Enough. The learning rate went to zero before the stop."


def test_a_landing_goes_on_where_more_batches_are_accumulated(tmp_path: Path, clock: ScriptedClock):
    callback, trainer = fit(
        tmp_path,
        Rated(clock),
        LandsAfter(6),
        callbacks=[GradientAccumulationScheduler({0: 1, 3: 2, 7: 5})],
        max_epochs=40,
    )
    assert trainer.global_step == callback.accountant.landing.end
    assert callback.accountant.stop_reason is not None


def test_an_optimizer_that_is_swapped_in_mid_landing_is_scaled(tmp_path: Path, clock: ScriptedClock):
    module = Rated(clock)
    callback, trainer = fit(tmp_path, module, LandsAfter(6, 0.5), callbacks=[Swaps(33)], max_epochs=40)
    landing, (second,) = callback.accountant.landing, trainer.optimizers
    assert second.used == pytest.approx([RATE * landing.factor(step) for step in range(33, landing.end)], rel=1e-6)
    assert second.param_groups[0]["lr"] == RATE
    assert not second._optimizer_step_pre_hooks


def test_a_trainer_that_does_not_stop_trains_on_at_its_own_rate(
    tmp_path: Path, clock: ScriptedClock, caplog: pytest.LogCaptureFixture
):
    module = Rated(clock)
    fit(tmp_path, module, LandsAfter(6), callbacks=[Undoes()])
    assert module.made[0].used[40:] == [rates[0] for rates in module.between[40:]]
    assert sum("goes on after the end of its landing" in record.getMessage() for record in caplog.records) == 1
