"""What schedules of torch's own classes tell of what is to come, and that others tell nothing."""

import functools
import math
import random
import sys
import types
from collections.abc import Callable
from math import cos
from typing import Any

import pytest
import torch
from torch.optim import lr_scheduler as lrs

from green_callbacks import Plan
from green_callbacks._frameworks.torch.schedules import Schedule, _rates, schedule_plan
from green_callbacks.accountant.guarded_calls import Guarded

EPOCHS = 12


def optimizer(*rates: float) -> torch.optim.Optimizer:
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": rate} for rate in rates or (0.1,)]
    return torch.optim.SGD(groups)


def planned(make: Callable[[Any], Any], steps_per_epoch: int = 1) -> Plan:
    schedule = Schedule(scheduler=make(optimizer()), steps_per_epoch=steps_per_epoch)
    return schedule_plan([schedule], Plan(epochs=EPOCHS), EPOCHS, Guarded())


def drops(*epochs: int) -> Plan:
    return Plan(epochs=EPOCHS, learning_rate_drops=epochs)


UNREADABLE = Plan(epochs=EPOCHS, schedule_unreadable=True)

OF_TORCH: dict[str, Callable[[Any], Any]] = {
    "multi step": lambda opt: lrs.MultiStepLR(opt, [3, 3, 7], 0.6),
    "step": lambda opt: lrs.StepLR(opt, 4, 0.3),
    "exponential": lambda opt: lrs.ExponentialLR(opt, 0.8),
    "constant": lambda opt: lrs.ConstantLR(opt, 0.2, 5),
    "constant of no steps": lambda opt: lrs.ConstantLR(opt, 0.2, 0),
    "linear": lambda opt: lrs.LinearLR(opt, 0.1, 0.7, 5),
    "linear of no steps": lambda opt: lrs.LinearLR(opt, 0.1, 1.0, 0),
    "polynomial": lambda opt: lrs.PolynomialLR(opt, 8, 1.5),
    "polynomial of no steps": lambda opt: lrs.PolynomialLR(opt, 0),
    "cosine": lambda opt: lrs.CosineAnnealingLR(opt, 7, 0.01),
    "one cycle": lambda opt: lrs.OneCycleLR(opt, 1.0, total_steps=30),
    "one cycle of three phases": lambda opt: lrs.OneCycleLR(
        opt, [1.0, 2.0, 3.0], total_steps=30, three_phase=True, anneal_strategy="linear"
    ),
    "lambda": lambda opt: lrs.LambdaLR(opt, [lambda at: 0.9**at, lambda at: max(0.0, 1 - at / 9), lambda _: 1]),
    "sequence": lambda opt: lrs.SequentialLR(
        opt, [lrs.LinearLR(opt, 0.2, 1.0, 3), lrs.StepLR(opt, 4), lrs.CosineAnnealingLR(opt, 9)], [3, 12]
    ),
    "sequence that is chained": lambda opt: lrs.SequentialLR(
        opt, [lrs.ConstantLR(opt, 0.1, 99), lrs.ExponentialLR(opt, 0.5)], [2]
    ),
}


@pytest.mark.parametrize("make", OF_TORCH.values(), ids=OF_TORCH)
def test_a_schedule_is_read_as_torch_follows_it(make: Callable[[Any], Any]):
    opt = optimizer(0.1, 0.0, 0.02)  # the second group does not learn
    scheduler = make(opt)
    first = [group["initial_lr"] for group in opt.param_groups]
    rates = _rates(scheduler)
    assert rates is not None
    assert len(rates) == sum(map(bool, first))
    for step in range(30):
        followed = [
            rate / base for rate, base in zip([group["lr"] for group in opt.param_groups], first, strict=True) if base
        ]
        assert [rate(step) for rate in rates] == pytest.approx(followed, abs=1e-9), step
        opt.step()
        scheduler.step()


def test_a_schedule_that_is_restored_goes_on_from_where_it_stands():
    """As in a run that was resumed with another batch size: what it has taken is known, and not how."""
    scheduler = lrs.MultiStepLR(optimizer(), [30, 60])
    scheduler.last_epoch = 20
    schedule = Schedule(scheduler=scheduler, steps_per_epoch=5, epoch=2)
    assert schedule_plan([schedule], Plan(), 20, Guarded()).learning_rate_drops == (4, 10)
    begun = Schedule(scheduler=lrs.MultiStepLR(optimizer(), [3]), steps_per_epoch=1, epoch=5)
    assert schedule_plan([begun], Plan(), EPOCHS, Guarded()).learning_rate_drops == (8,), "added in mid-training"


def test_every_group_counts_that_learns():
    slow = lrs.LambdaLR(optimizer(0.1, 0.1), [lambda _: 1.0, lambda epoch: 1.0 if epoch < 7 else 0.1])
    assert planned(lambda _: slow) == drops(7)
    assert planned(lambda _: lrs.StepLR(optimizer(0.0), 3)) == drops()


class Wrapped(lrs.CosineAnnealingLR):
    """A warm-up of the user's own, around a schedule of torch."""

    def get_lr(self) -> Any:
        return [0.1 for _ in self.base_lrs]


@pytest.mark.parametrize(
    "make",
    [
        lambda opt: Wrapped(opt, EPOCHS),
        lambda opt: lrs.ChainedScheduler([lrs.ConstantLR(opt), lrs.ExponentialLR(opt, 0.9)]),
        lambda opt: lrs.SequentialLR(opt, [Wrapped(opt, 3), lrs.StepLR(opt, 3)], [3]),
        lambda opt: lrs.CyclicLR(opt, 0.1, 1.0),
        lambda opt: lrs.MultiplicativeLR(opt, lambda _: 0.9),
    ],
    ids=["derived", "chained", "derived in a sequence", "cyclic", "multiplicative"],
)
def test_what_is_not_torchs_own_class_or_not_known_cannot_be_read(make: Callable[[Any], Any]):
    assert planned(make) == UNREADABLE


def test_a_cosine_that_swings_within_an_epoch_cannot_be_read():
    """As where its length was meant in epochs, and it steps at every batch."""
    assert planned(lambda opt: lrs.CosineAnnealingLR(opt, EPOCHS), steps_per_epoch=100) == UNREADABLE


def test_a_cosine_that_rises_again_anneals_nothing():
    plan = planned(lambda opt: lrs.CosineAnnealingLR(opt, EPOCHS // 2))
    assert not plan.anneals
    assert max(plan.learning_rate_drops) <= EPOCHS // 2


def test_a_schedule_that_torch_itself_cannot_follow_is_unreadable_and_hides_no_other(caplog: Any):
    never = lrs.StepLR(optimizer(), 1)
    never.step_size = 0
    schedules = [Schedule(scheduler=each, steps_per_epoch=1) for each in (never, lrs.MultiStepLR(optimizer(), [4]))]
    plan = schedule_plan(schedules, Plan(), EPOCHS, Guarded())
    assert (plan.schedule_unreadable, plan.learning_rate_drops) == (True, (4,))
    assert "cannot be read (ZeroDivisionError" in caplog.text


COUNT = {"calls": 0}


def counted(epoch: int) -> float:
    COUNT["calls"] += 1
    return 0.9**epoch


class Warmup:
    """A schedule as an object, which may do anything."""

    def __call__(self, epoch: int) -> float:
        return min(1.0, epoch / 3)


def closed_over(total: int) -> Callable[[int], float]:
    def share(step: int) -> float:
        if step < WARM:
            return float(step + 1) / max(1, WARM)
        return 0.5 * (1 + math.cos(math.pi * min((step - WARM) / (total - WARM), 1.0)))

    return share


def looked_up(found: dict[str, float]) -> Callable[[int], float]:
    return lambda epoch: 1.0 if found["val_loss"] > epoch else 0.1


def waiting(epoch: int) -> float:
    while epoch > 1:
        epoch -= 2
    return 0.5 + epoch


WARM = 2
momentary = 0.3


@pytest.mark.parametrize(
    ("function", "is_read"),
    [
        (closed_over(EPOCHS), True),
        (lambda epoch: 0.95**epoch, True),
        (lambda epoch: 1.0 if 3 < epoch <= 7 or not epoch else round(cos(epoch), 3), True),
        (lambda epoch: WARM / (WARM + epoch), True),
        (counted, False),
        (looked_up({"val_loss": 3.0}), False),
        (lambda epoch: momentary**epoch, False),
        (lambda epoch: random.random() / (1 + epoch), False),
        (lambda epoch: sys.stdout.write("") or 1.0 + epoch, False),
        (waiting, False),
        (Warmup(), False),
        (Warmup().__call__, False),
        (functools.partial(pow, 0.9), False),
    ],
    ids=[
        *("warm-up and cosine", "decay", "conditions", "constant"),
        *("counts", "metric", "variable", "random", "writes", "loops", "object", "method", "partial"),
    ],
)
def test_a_function_is_asked_ahead_only_where_it_does_nothing_but_arithmetic(
    function: Callable[[int], float], *, is_read: bool
):
    scheduler = lrs.LambdaLR(optimizer(), function)
    COUNT["calls"] = 0
    state = random.getstate()
    plan = planned(lambda _: scheduler)
    assert plan.schedule_unreadable is not is_read
    assert (COUNT["calls"], random.getstate()) == (0, state)


def test_the_schedules_of_transformers_are_read(monkeypatch: pytest.MonkeyPatch):
    """They are partial functions of its own module; one that only says so is not."""
    library = types.ModuleType("transformers.optimization")

    def _get_linear_lambda(step: int, *, total: int) -> float:
        return max(0.0, float(total - step) / float(max(1, total)))

    library._get_linear_lambda = _get_linear_lambda  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "transformers.optimization", library)
    linear = functools.partial(_get_linear_lambda, total=EPOCHS)
    assert planned(lambda opt: lrs.LambdaLR(opt, linear)).anneals
    posing = functools.partial(closed_over(EPOCHS))
    posing.func.__module__ = "transformers.optimization"
    assert planned(lambda opt: lrs.LambdaLR(opt, posing)).schedule_unreadable
