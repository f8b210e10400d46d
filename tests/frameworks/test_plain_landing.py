"""Landings of loops in PyTorch that a user wrote, with schedules, scalers, closures and wrappers."""

from collections.abc import Callable
from typing import Any

import pytest
from accountant.landing.loops import STEPS, LandsAfter, accountant_of, by_epoch, by_steps, expected, train

from green_callbacks import EnergyAccountant

torch = pytest.importorskip("torch")

BEGIN, LENGTH = 6 * STEPS, 3 * STEPS
RATE = 0.1


def weight() -> Any:
    return torch.nn.Parameter(torch.ones(1, dtype=torch.float64))


def scaled(
    make: Callable[[Any], Any],
    schedule_of: Callable[[Any], Any],
    loop: Callable[[Any, Any], object],
    batches: Any = by_steps,
) -> tuple[list[float], list[float], EnergyAccountant]:
    """Train once with a landing. Return the rates of the steps, by the way that the weight went, and the schedule's."""
    moved: list[float] = []
    shown: list[float] = []
    parameter = weight()
    optimizer = make([parameter])
    schedule, accountant = schedule_of(optimizer), accountant_of(LandsAfter(6))

    def step() -> None:
        before = parameter.item()
        shown.append(float(optimizer.param_groups[0]["lr"]))
        parameter.grad = torch.ones_like(parameter)
        loop(optimizer, parameter)
        moved.append(before - parameter.item())
        schedule.step()

    accountant.scale_learning_rates(optimizer)
    train(accountant, step, batches)
    return moved, shown, accountant


def sgd(parameters: Any) -> Any:
    return torch.optim.SGD(parameters, lr=RATE)


def cosine(optimizer: Any) -> Any:
    return torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=200)


def chained(optimizer: Any) -> Any:
    kinds = torch.optim.lr_scheduler
    warm_up = kinds.LinearLR(optimizer, 0.1, 1.0, total_iters=20)
    return kinds.SequentialLR(optimizer, [warm_up, kinds.ExponentialLR(optimizer, 0.99)], milestones=[20])


def drops(optimizer: Any) -> Any:
    return torch.optim.lr_scheduler.MultiStepLR(optimizer, [10, 30, 65, 80], gamma=0.5)


def simply(optimizer: Any, _: Any) -> None:
    optimizer.step()


def with_closure(optimizer: Any, parameter: Any) -> None:
    """The closure sees the rate of the schedule."""
    rate = optimizer.param_groups[0]["lr"]

    def closure() -> Any:
        assert optimizer.param_groups[0]["lr"] == rate
        parameter.grad = torch.ones_like(parameter)
        return torch.zeros(())

    optimizer.step(closure)


def rates_alone(schedule_of: Callable[[Any], Any], count: int) -> list[float]:
    """Return the rates of a schedule without a landing."""
    optimizer = sgd([weight()])
    schedule, rates = schedule_of(optimizer), []
    for _ in range(count):
        rates.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        schedule.step()
    return rates


@pytest.mark.parametrize("schedule_of", [cosine, chained, drops])
@pytest.mark.parametrize("loop", [simply, with_closure])
@pytest.mark.parametrize("batches", [by_steps, by_epoch])
def test_the_weights_move_by_the_rate_times_the_factor(schedule_of: Any, loop: Any, batches: Any):
    moved, shown, accountant = scaled(sgd, schedule_of, loop, batches)

    assert len(moved) == BEGIN + LENGTH
    assert shown == rates_alone(schedule_of, BEGIN + LENGTH)  # to the bit
    factors = expected(accountant, BEGIN, LENGTH)
    assert moved == pytest.approx([rate * factor for rate, factor in zip(shown, factors, strict=True)], rel=1e-6)


def test_groups_that_share_a_tensor_are_scaled_once():
    parameters, moved = [weight(), weight()], []
    groups = [{"params": [each]} for each in parameters]
    optimizer = torch.optim.SGD(groups, lr=torch.tensor(RATE, dtype=torch.float64), foreach=False)
    tensor = optimizer.param_groups[0]["lr"]
    assert tensor is optimizer.param_groups[1]["lr"]
    accountant = accountant_of(LandsAfter(6))
    accountant.scale_learning_rates(optimizer)

    def step() -> None:
        before = [each.item() for each in parameters]
        for each in parameters:
            each.grad = torch.ones_like(each)
        optimizer.step()
        moved.append([then - each.item() for then, each in zip(before, parameters, strict=True)])

    train(accountant, step)

    expected_ways = [RATE * factor for factor in expected(accountant, BEGIN, LENGTH)]
    assert [first for first, _ in moved] == [second for _, second in moved] == pytest.approx(expected_ways, rel=1e-6)
    assert optimizer.param_groups[0]["lr"] is tensor
    assert tensor.item() == RATE


def test_steps_that_a_scaler_skips_count_as_steps_of_the_loop():
    parameter, moved, number = weight(), [], iter(range(1_000))
    optimizer = torch.optim.SGD([parameter], lr=RATE)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0, growth_interval=10_000)
    accountant = accountant_of(LandsAfter(6))
    accountant.scale_learning_rates(optimizer)
    skipped = {30, BEGIN + 4, BEGIN + 17}

    def step() -> None:
        before, scale = parameter.item(), scaler.get_scale()
        parameter.grad = torch.full_like(parameter, float("inf") if next(number) in skipped else scale)
        scaler.step(optimizer)
        scaler.update()
        assert optimizer.param_groups[0]["lr"] == RATE
        moved.append(before - parameter.item())

    scaler.scale(torch.ones(1))
    train(accountant, step)

    factors = expected(accountant, BEGIN, LENGTH)
    ways = [0.0 if at in skipped else RATE * factor for at, factor in enumerate(factors)]
    assert moved == pytest.approx(ways, rel=1e-6, abs=1e-12)


def test_a_step_with_several_closures_is_scaled():
    """LBFGS calls its closure several times in a step."""
    parameter, seen = weight(), []
    optimizer = torch.optim.LBFGS([parameter], lr=RATE, max_iter=3, tolerance_grad=0, tolerance_change=0)
    accountant, ways = accountant_of(LandsAfter(6)), []
    accountant.scale_learning_rates(optimizer)

    def closure() -> Any:
        optimizer.zero_grad()
        seen.append(optimizer.param_groups[0]["lr"])
        loss = parameter.pow(2).sum()
        loss.backward()
        return loss

    def step() -> None:
        before = parameter.item()
        optimizer.step(closure)
        ways.append(1 - parameter.item() / before)

    train(accountant, step)

    assert set(seen) == {RATE}
    assert len(seen) == 3 * (BEGIN + LENGTH)
    factors = expected(accountant, BEGIN, LENGTH)
    after_first = [1 - (1 - RATE * factor) ** 2 for factor in factors[1:]]  # it looks once more than it moves
    assert ways[1:] == pytest.approx(after_first, rel=1e-4)


def test_the_state_of_an_optimizer_holds_the_rate_of_the_schedule_in_mid_landing():
    parameter = weight()
    optimizer, states, accountant = sgd([parameter]), [], accountant_of(LandsAfter(6))
    accountant.scale_learning_rates(optimizer)

    def step() -> None:
        parameter.grad = torch.ones_like(parameter)
        optimizer.step()
        states.append(optimizer.state_dict()["param_groups"][0]["lr"])
        optimizer.load_state_dict(optimizer.state_dict())

    train(accountant, step)

    assert set(states) == {RATE}
    assert parameter.item() == pytest.approx(1 - RATE * sum(expected(accountant, BEGIN, LENGTH)))


def test_an_optimizer_of_fabric_is_scaled():
    fabric_of = pytest.importorskip("lightning.fabric").Fabric
    model = torch.nn.Linear(1, 1, bias=False, dtype=torch.float64)
    fabric = fabric_of(accelerator="cpu", devices=1)
    module, optimizer = fabric.setup(model, sgd(model.parameters()))
    accountant, before = accountant_of(LandsAfter(6)), model.weight.item()
    accountant.scale_learning_rates(optimizer)

    def step() -> None:
        optimizer.zero_grad()
        fabric.backward(module(torch.ones(1, 1, dtype=torch.float64)).sum())
        optimizer.step()

    train(accountant, step)

    assert before - model.weight.item() == pytest.approx(RATE * sum(expected(accountant, BEGIN, LENGTH)))


@pytest.mark.filterwarnings("ignore")  # torch warns of its own parts when it compiles
@pytest.mark.parametrize("rate", [RATE, torch.tensor(RATE, dtype=torch.float64)])
def test_a_compiled_step_is_scaled(rate: Any):
    parameter, moved = weight(), []
    optimizer = torch.optim.SGD([parameter], lr=rate, foreach=False)
    compiled = torch.compile(optimizer.step, backend="eager")
    accountant = accountant_of(LandsAfter(6))
    accountant.scale_learning_rates(optimizer)

    def step() -> None:
        before = parameter.item()
        parameter.grad = torch.ones_like(parameter)
        compiled()
        moved.append(before - parameter.item())

    train(accountant, step)

    assert moved == pytest.approx([RATE * factor for factor in expected(accountant, BEGIN, LENGTH)], rel=1e-6)
