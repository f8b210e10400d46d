from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from frameworks.lightning.tiny import BATCHES, TinyModule, monitor, trainer
from hypothesis import given
from hypothesis import strategies as st
from lightning.pytorch import LightningModule
from sklearn.datasets import load_digits
from torch.optim import lr_scheduler as lrs
from torch.utils.data import DataLoader, TensorDataset

from green_callbacks import History, MarginalGain, Plan
from green_callbacks._frameworks.torch.schedules import Schedule, schedule_plan
from green_callbacks.accountant.guarded_calls import Guarded
from green_callbacks.clock import ScriptedClock

EPOCHS = 12


def optimizer() -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)


def planned(make: Callable[[Any], Any], epochs: int | None = EPOCHS, steps_per_epoch: int | None = 1) -> Plan:
    schedule = Schedule(scheduler=make(optimizer()), steps_per_epoch=steps_per_epoch)
    return schedule_plan([schedule], Plan(epochs=epochs), epochs, Guarded())


def drops(*epochs: int) -> Plan:
    return Plan(epochs=EPOCHS, learning_rate_drops=epochs)


ANNEALS = Plan(epochs=EPOCHS, anneals=True)
FLAT = Plan(epochs=EPOCHS)
UNREADABLE = Plan(epochs=EPOCHS, schedule_unreadable=True)


@pytest.mark.parametrize(
    ("make", "plan"),
    [
        (lambda opt: lrs.MultiStepLR(opt, [4, 8]), drops(4, 8)),
        (lambda opt: lrs.MultiStepLR(opt, [4, 40]), drops(4)),
        (lambda opt: lrs.MultiStepLR(opt, [4], gamma=0.9), FLAT),
        (lambda opt: lrs.StepLR(opt, 5), drops(5, 10)),
        (lambda opt: lrs.StepLR(opt, 5, gamma=0.9), FLAT),
        (lambda opt: lrs.ExponentialLR(opt, 0.95), FLAT),
        (lambda opt: lrs.ExponentialLR(opt, 0.6), ANNEALS),
        (lambda opt: lrs.CosineAnnealingLR(opt, EPOCHS), ANNEALS),
        (lambda opt: lrs.CosineAnnealingLR(opt, EPOCHS, eta_min=0.01), ANNEALS),
        (lambda opt: lrs.CosineAnnealingLR(opt, EPOCHS, eta_min=0.011), FLAT),
        (lambda opt: lrs.CosineAnnealingLR(opt, EPOCHS, eta_min=0.05), FLAT),
        (lambda opt: lrs.CosineAnnealingLR(opt, 10 * EPOCHS), FLAT),
        (lambda opt: lrs.OneCycleLR(opt, max_lr=1.0, total_steps=EPOCHS), ANNEALS),
        (lambda opt: lrs.PolynomialLR(opt, EPOCHS), ANNEALS),
        (lambda opt: lrs.LinearLR(opt, 1.0, 0.0, EPOCHS), ANNEALS),
        (lambda opt: lrs.LinearLR(opt, 0.1, 1.0, 4), FLAT),
        (lambda opt: lrs.ConstantLR(opt, 0.1, 4), FLAT),
        (lambda opt: lrs.LambdaLR(opt, lambda step: 1.0 if step < 6 else 0.1), drops(6)),
        (lambda opt: lrs.LambdaLR(opt, lambda step: 1 - step / EPOCHS), ANNEALS),
        (
            lambda opt: lrs.SequentialLR(opt, [lrs.LinearLR(opt, 0.1, 1.0, 3), lrs.CosineAnnealingLR(opt, 9)], [3]),
            ANNEALS,
        ),
        (
            lambda opt: lrs.SequentialLR(opt, [lrs.CyclicLR(opt, 0.1, 1.0), lrs.ConstantLR(opt)], [3]),
            UNREADABLE,
        ),
        (lrs.ReduceLROnPlateau, UNREADABLE),
        (lambda opt: lrs.CosineAnnealingWarmRestarts(opt, 3), UNREADABLE),
    ],
)
def test_what_a_schedule_does_is_known_ahead(make: Callable[[Any], Any], plan: Plan):
    assert planned(make) == plan


@pytest.mark.parametrize(
    ("decay_steps", "plan"),
    [
        (4, drops(EPOCHS - 1)),  # inside the last epoch of 10 steps
        (1, drops()),  # the last step is trained at the full rate, and only then the rate falls
        (20, drops(EPOCHS - 1)),
    ],
)
def test_a_decay_inside_the_last_epoch_is_known_ahead(decay_steps: int, plan: Plan):
    first = EPOCHS * 10 - decay_steps
    told = planned(lambda opt: lrs.LambdaLR(opt, lambda step: min(1.0, 1 - (step - first) / decay_steps)), EPOCHS, 10)

    assert told == plan


def test_a_drop_after_the_last_step_of_the_plan_is_none():
    schedule = Schedule(scheduler=lrs.MultiStepLR(optimizer(), [18]), steps_per_epoch=4)
    plan = Plan(epochs=5, steps=18, epoch_steps=4)

    assert schedule_plan([schedule], plan, 5, Guarded()) == plan
    assert schedule_plan([schedule], replace(plan, steps=19), 5, Guarded()).learning_rate_drops == (4,)


def test_milestones_are_known_where_no_end_is():
    assert planned(lambda opt: lrs.MultiStepLR(opt, [30, 60]), epochs=None).learning_rate_drops == (30, 60)


def test_a_schedule_without_an_end_cannot_be_read():
    assert planned(lambda opt: lrs.StepLR(opt, 5), epochs=None).schedule_unreadable


def test_a_schedule_whose_pace_is_unknown_cannot_be_read():
    assert planned(lambda opt: lrs.StepLR(opt, 5), steps_per_epoch=None).schedule_unreadable


def test_a_plan_that_is_too_long_to_follow_cannot_be_read():
    assert planned(lambda opt: lrs.StepLR(opt, 5), epochs=10**9).schedule_unreadable


def test_the_drops_of_several_schedules_are_joined():
    schedules = [
        Schedule(scheduler=lrs.MultiStepLR(optimizer(), milestones), steps_per_epoch=1) for milestones in ([6], [3, 6])
    ]

    assert schedule_plan(schedules, Plan(epochs=EPOCHS), EPOCHS, Guarded()) == drops(3, 6)


@given(milestones=st.sets(st.integers(1, 99), max_size=4), per_epoch=st.integers(1, 10))
def test_a_drop_counts_from_the_first_epoch_that_has_all_of_it(milestones: set[int], per_epoch: int):
    plan = planned(lambda opt: lrs.MultiStepLR(opt, sorted(milestones)), epochs=None, steps_per_epoch=per_epoch)

    assert set(plan.learning_rate_drops) == {-(-milestone // per_epoch) for milestone in milestones}


@pytest.mark.parametrize(
    ("config", "options", "dropped"),
    [
        ({"interval": "epoch"}, {}, (2,)),
        ({"interval": "epoch", "frequency": 2}, {}, (4,)),
        ({"interval": "step"}, {"max_epochs": 3}, (1,)),
        ({"interval": "step"}, {"max_epochs": 3, "accumulate_grad_batches": 3}, (1,)),
        ({"interval": "step", "frequency": 2}, {"max_epochs": 3}, (1,)),
        ({"interval": "step", "frequency": BATCHES}, {"max_epochs": 3}, (2,)),
        ({"interval": "step"}, {"max_epochs": -1, "max_steps": 12}, (1,)),
    ],
)
def test_the_trainers_schedules_reach_the_policies(
    tmp_path: Path, clock: ScriptedClock, config: dict[str, Any], options: dict[str, Any], dropped: tuple[int, ...]
):
    """Dropping after two steps: of an epoch, of every second one, of a batch, of every second one."""

    class Scheduled(TinyModule):
        def configure_optimizers(self) -> Any:
            opt = super().configure_optimizers()
            return [opt], [{"scheduler": lrs.MultiStepLR(opt, [2]), **config}]

    plans: list[Plan] = []

    def stop(history: History, plan: Plan) -> bool:
        plans.append(plan)
        return True

    trainer(tmp_path, monitor(clock, policies=[stop]), **{"max_epochs": 6, **options}).fit(Scheduled(clock))

    assert plans[0].learning_rate_drops == dropped
    assert not plans[0].schedule_unreadable


class Digits(LightningModule):
    """A small network on handwritten digits, whose learning rate drops twice; a batch takes a scripted second."""

    def __init__(self, clock: ScriptedClock, milestones: list[int]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.clock, self.milestones = clock, milestones
        self.network = torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 10))
        images, labels = (torch.tensor(each) for each in load_digits(return_X_y=True))
        self.images, self.labels = images.float() / 16, labels

    def training_step(self, batch: list[torch.Tensor], batch_idx: int) -> torch.Tensor:
        self.clock.advance(1.0)
        images, labels = batch
        noisy = images + 0.4 * torch.randn_like(images)
        return torch.nn.functional.cross_entropy(self.network(noisy), labels)

    def validation_step(self, batch: list[torch.Tensor], batch_idx: int) -> None:
        images, labels = batch
        self.log("val_acc", (self.network(images).argmax(1) == labels).float().mean())

    def configure_optimizers(self) -> Any:
        opt = torch.optim.SGD(self.parameters(), lr=0.15, momentum=0.9)
        return [opt], [lrs.MultiStepLR(opt, self.milestones)]

    def train_dataloader(self) -> DataLoader[Any]:
        return DataLoader(TensorDataset(self.images[:600], self.labels[:600]), batch_size=60, shuffle=True)

    def val_dataloader(self) -> DataLoader[Any]:
        return DataLoader(TensorDataset(self.images[600:], self.labels[600:]), batch_size=1197)


def test_a_run_with_two_drops_is_stopped_after_the_last_and_before_the_end(tmp_path: Path, clock: ScriptedClock):
    callback = monitor(clock, policies=[MarginalGain("val_acc")])

    trainer(tmp_path, callback, max_epochs=60).fit(Digits(clock, [20, 40]))

    stopped = callback.accountant.close()
    assert 40 < stopped.epochs <= 51, "after the last drop, with 15 % saved"
    assert "no longer pays" in (stopped.stop_reason or "")
    values = callback.accountant.history.metric("val_acc").values
    assert max(values) > max(values[:20]), "it did gain by the drops"
