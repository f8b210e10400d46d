"""The share of the plan that is done, in fits whose batches, steps and epochs are counted in different ways."""

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from frameworks.lightning.tiny import TinyModule, monitor, trainer
from lightning.pytorch.callbacks import Callback, GradientAccumulationScheduler, Timer
from torch.utils.data import DataLoader, IterableDataset

from green_callbacks import History, Plan
from green_callbacks.clock import ScriptedClock

pytestmark = [
    pytest.mark.filterwarnings("ignore:Your `IterableDataset` has `__len__` defined"),
    pytest.mark.filterwarnings("ignore:You defined a `validation_step` but have no"),
    pytest.mark.filterwarnings("ignore:Length of IterableDataset"),
]

EPOCHS = 6


class Look:
    """A policy that notes the share of the plan that is done, and never stops."""

    def __init__(self) -> None:
        self.at_ends: list[float | None] = []
        self.inside: list[float | None] = []
        self.shares: list[float] = []
        self.plans: list[Plan] = []

    def __call__(self, history: History, plan: Plan) -> None:
        self.shares.append(plan.progress(history) or 0.0)
        (self.at_ends if history[-1].closes_epoch else self.inside).append(plan.progress(history))
        self.plans.append(plan)


class Tiny(TinyModule):
    """Batches as asked for, a second each; no validation."""

    def __init__(self, clock: ScriptedClock, data: Any) -> None:
        super().__init__(clock)
        self.data = data
        self.val_dataloader = None  # type: ignore[assignment]

    def train_dataloader(self) -> Any:
        data = self.data(self.current_epoch) if callable(self.data) else self.data
        return DataLoader(data, batch_size=2)


class Adversaries(Tiny):
    """Two optimizers that step by hand; the second as often as asked for."""

    def __init__(self, clock: ScriptedClock, data: Any, every: int = 1) -> None:
        super().__init__(clock, data)
        self.automatic_optimization = False
        self.every = every

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> None:  # type: ignore[override]
        self.clock.advance(1.0)
        for optimizer in self.optimizers()[: 1 + (batch_idx % self.every == 0)]:
            optimizer.zero_grad()
            self.manual_backward(self.layer(batch).mean())
            optimizer.step()

    def configure_optimizers(self) -> Any:
        return [torch.optim.SGD(self.parameters(), lr=0.1) for _ in range(2)]


class Stream(IterableDataset[torch.Tensor]):
    """Samples whose number is not known, or is told wrongly."""

    def __init__(self, count: int, told: int | None = None) -> None:
        self.count = count
        if told is not None:
            self.told = told
            self.__class__ = Told

    def __iter__(self) -> Iterator[torch.Tensor]:
        return iter(torch.ones(self.count, 2))


class Told(Stream):
    def __len__(self) -> int:
        return self.told


class Skips(Tiny):
    """Ends every epoch after six batches."""

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> int | None:  # type: ignore[override]
        return -1 if batch_idx >= 6 else None


def samples(count: int) -> torch.Tensor:
    return torch.ones(count, 2)


def grown(epoch: int) -> torch.Tensor:
    return samples(8 + 4 * epoch)


def shrunk(epoch: int) -> torch.Tensor:
    return samples(60 - 8 * epoch)


CASES: dict[str, tuple[Callable[[ScriptedClock], Tiny], dict[str, Any]]] = {
    "plain": (lambda clock: Tiny(clock, samples(20)), {}),
    "two optimizers": (lambda clock: Adversaries(clock, samples(20)), {}),
    "two optimizers, one skips": (lambda clock: Adversaries(clock, samples(20), every=3), {}),
    "accumulated": (lambda clock: Tiny(clock, samples(20)), {"accumulate_grad_batches": 4}),
    "accumulated by schedule": (
        lambda clock: Tiny(clock, samples(24)),
        {"more": [GradientAccumulationScheduler({0: 4, 2: 2, 4: 1})]},
    ),
    "no length": (lambda clock: Tiny(clock, Stream(20)), {}),
    "told too long": (lambda clock: Tiny(clock, Stream(20, told=200)), {}),
    "told too short": (lambda clock: Tiny(clock, Stream(40, told=20)), {}),
    "ends early": (lambda clock: Skips(clock, samples(40)), {}),
    "limited": (lambda clock: Tiny(clock, samples(40)), {"limit_train_batches": 0.25}),
    "growing": (lambda clock: Tiny(clock, grown), {"reload_dataloaders_every_n_epochs": 1}),
    "shrinking": (lambda clock: Tiny(clock, shrunk), {"reload_dataloaders_every_n_epochs": 1}),
    "more steps are allowed": (lambda clock: Adversaries(clock, samples(20)), {"max_steps": 1000}),
}


def fit(folder: Path, module: Tiny, look: Look, more: Any = (), parts: int | None = None, **options: Any) -> Any:
    callback = monitor(module.clock, policies=[look], decide_every=parts)
    fitted = trainer(folder, *more, callback, **options)
    fitted.fit(module)
    return fitted


@pytest.mark.parametrize(("make", "options"), CASES.values(), ids=CASES)
@pytest.mark.parametrize("parts", [None, 3], ids=["whole epochs", "parts"])
def test_the_share_of_the_plan_is_that_of_the_epochs(
    tmp_path: Path,
    clock: ScriptedClock,
    make: Callable[[ScriptedClock], Tiny],
    options: dict[str, Any],
    parts: int | None,
):
    look = Look()
    fit(tmp_path, make(clock), look, parts=parts, max_epochs=EPOCHS, **options)
    assert look.at_ends == pytest.approx([(n + 1) / EPOCHS for n in range(EPOCHS)])
    for before, share in pairwise([0.0, *look.shares]):
        assert before <= share <= before + 1 / EPOCHS + 1e-9
    assert bool(look.inside) == bool(parts)


@pytest.mark.parametrize("optimizers", [1, 2])
def test_a_limit_of_steps_is_in_the_count_of_the_trainer(tmp_path: Path, clock: ScriptedClock, optimizers: int):
    look = Look()
    module = (Tiny if optimizers == 1 else Adversaries)(clock, samples(20))
    fitted = fit(tmp_path, module, look, max_epochs=100, max_steps=40 * optimizers)
    assert fitted.global_step == 40 * optimizers
    assert look.at_ends == pytest.approx([0.25, 0.5, 0.75, 1.0])


def test_a_limit_that_is_raised_while_the_fit_goes_on_is_the_plan(tmp_path: Path, clock: ScriptedClock):
    look, module = Look(), Tiny(clock, samples(20))
    fitted = fit(tmp_path, module, look, max_epochs=2)
    fitted.fit_loop.max_epochs = 8
    fitted.fit(module)
    assert look.at_ends == pytest.approx([0.5, 1.0, 3 / 8, 0.5, 5 / 8, 0.75, 7 / 8, 1.0])


def test_a_run_that_goes_on_with_other_batches_and_more_epochs_counts_its_epochs(tmp_path: Path, clock: ScriptedClock):
    look, options = Look(), {"parts": 3, "enable_checkpointing": True}
    fitted = fit(tmp_path, Tiny(clock, samples(20)), look, max_epochs=2, **options)
    fitted.save_checkpoint(tmp_path / "last.ckpt")
    look = Look()
    callback = monitor(clock, policies=[look], decide_every=3)
    resumed = trainer(tmp_path, callback, max_epochs=4, accumulate_grad_batches=2)
    resumed.fit(Tiny(clock, samples(80)), ckpt_path=tmp_path / "last.ckpt")
    assert look.at_ends == pytest.approx([0.75, 1.0])
    assert look.shares == sorted(look.shares)
    assert look.shares[0] <= 0.5 + 0.3 / 4


def test_a_monitor_that_joins_a_resumed_run_knows_the_epochs_before(tmp_path: Path, clock: ScriptedClock):
    fitted = trainer(tmp_path, max_epochs=2)
    fitted.fit(Tiny(clock, samples(20)))
    fitted.save_checkpoint(tmp_path / "last.ckpt")
    look = Look()
    trainer(tmp_path, monitor(clock, policies=[look], decide_every=3), max_epochs=4).fit(
        Tiny(clock, samples(20)), ckpt_path=tmp_path / "last.ckpt"
    )
    assert look.at_ends == pytest.approx([0.75, 1.0])
    assert 0.5 <= look.shares[0] < 0.75


def test_one_long_epoch_is_planned_by_its_steps(tmp_path: Path, clock: ScriptedClock):
    look = Look()
    fit(tmp_path, Tiny(clock, samples(200)), look, parts=20, max_epochs=1)
    assert look.shares == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0, 1.0])


class Clocked(Timer):
    """Lightning's timer, by the scripted clock."""

    def __init__(self, clock: ScriptedClock, seconds: float) -> None:
        super().__init__({"seconds": int(seconds)})
        self.clock, self.begun, self.seconds = clock, clock.monotonic(), seconds

    def on_train_start(self, *arguments: Any) -> None:
        super().on_train_start(*arguments)
        self.begun = self.clock.monotonic()

    def time_elapsed(self, stage: str = "train") -> float:
        return self.clock.monotonic() - self.begun + self._offset

    def time_remaining(self, stage: str = "train") -> float:
        return self.seconds - self.time_elapsed()


class Waits(Callback):
    """Takes time before the first epoch, as a sanity check does."""

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        pl_module.clock.advance(7.0)


def test_a_limit_of_time_counts_as_the_trainer_counts_it(tmp_path: Path, clock: ScriptedClock):
    look = Look()
    fit(tmp_path, Tiny(clock, samples(20)), look, [Clocked(clock, 40.0), Waits()], max_epochs=-1)
    assert look.at_ends == pytest.approx([17 / 40, 27 / 40, 37 / 40, 1.0])


def test_another_fit_has_its_own_limit_of_time(tmp_path: Path, clock: ScriptedClock):
    look = Look()
    callback = monitor(clock, policies=[look])
    for _ in range(2):
        timer = Clocked(clock, 40.0)
        trainer(tmp_path, timer, callback, max_epochs=-1).fit(Tiny(clock, samples(20)))
        clock.advance(100.0)
    assert look.at_ends == pytest.approx([0.25, 0.5, 0.75, 1.0] * 2)


def test_a_timer_that_goes_on_from_a_checkpoint_has_what_is_left_of_its_time(tmp_path: Path, clock: ScriptedClock):
    first = fit(tmp_path, Tiny(clock, samples(20)), Look(), [Clocked(clock, 40.0)], max_epochs=2)
    first.save_checkpoint(tmp_path / "last.ckpt")
    look = Look()
    resumed = trainer(tmp_path, Clocked(clock, 40.0), monitor(clock, policies=[look]), max_epochs=-1)
    resumed.fit(Tiny(clock, samples(20)), ckpt_path=tmp_path / "last.ckpt")
    assert look.at_ends == pytest.approx([0.75, 1.0])
