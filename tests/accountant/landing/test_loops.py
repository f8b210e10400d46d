"""Landings of plain loops, which report their steps in any way."""

import logging
from pathlib import Path
from typing import Any

import pytest
from accountant.landing.loops import (
    STEPS,
    LandsAfter,
    accountant_of,
    by_epoch,
    by_steps,
    clock_of,
    expected,
    land,
    observed,
    train,
    unreported,
)
from support.hooked_optimizer import HookedOptimizer

from green_callbacks import CarbonBudget

BEGIN, LENGTH = 6 * STEPS, 3 * STEPS


def said(caplog: pytest.LogCaptureFixture, text: str) -> int:
    return sum(text in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize("batches", [by_steps, observed, by_epoch])
def test_the_rate_goes_to_zero_step_by_step(batches: Any):
    optimizer = HookedOptimizer(0.5, 0.1)
    accountant = land(accountant_of(LandsAfter(6)), optimizer, batches=batches)

    assert optimizer.used == pytest.approx([0.5 * each for each in expected(accountant, BEGIN, LENGTH)], rel=1e-9)
    assert [group["lr"] for group in optimizer.param_groups] == [0.5, 0.1]
    assert optimizer.hook_count == 0
    assert accountant.stop_reason == "Enough. The learning rate went to zero before the stop."
    assert accountant.history.steps == BEGIN + LENGTH


@pytest.mark.parametrize("batches", [by_steps, observed, by_epoch])
def test_a_loop_that_multiplies_its_rate_by_itself_lands_too(batches: Any, caplog: pytest.LogCaptureFixture):
    used: list[float] = []
    accountant = accountant_of(LandsAfter(6))
    train(accountant, lambda: used.append(accountant.landing_factor), batches)

    if batches is by_epoch:
        assert used[BEGIN:] == pytest.approx([5 / 6] * STEPS + [0.5] * STEPS + [1 / 6] * STEPS)
    else:
        assert used == pytest.approx(expected(accountant, BEGIN, LENGTH))
    assert len(used) == BEGIN + LENGTH
    assert not said(caplog, "cannot land")


def test_a_landing_may_end_inside_an_epoch_of_steps():
    optimizer = HookedOptimizer(1.0)
    accountant = land(accountant_of(LandsAfter(2, landing=0.25)), optimizer)

    assert optimizer.used == pytest.approx(expected(accountant, 2 * STEPS, 5))
    assert not accountant.history[-1].complete


def test_a_loop_that_cannot_be_left_inside_an_epoch_ends_its_landing_with_it():
    optimizer = HookedOptimizer(1.0)
    accountant = land(accountant_of(LandsAfter(2, landing=0.25)), optimizer, batches=by_epoch)

    assert optimizer.used == pytest.approx(expected(accountant, 2 * STEPS, STEPS))
    assert accountant.history[-1].complete


@pytest.mark.parametrize("batches", [unreported])
def test_without_steps_the_run_stops_at_once_and_says_so_once(batches: Any, caplog: pytest.LogCaptureFixture):
    optimizer = HookedOptimizer(1.0)
    accountant = land(accountant_of(LandsAfter(3)), optimizer, batches=batches)

    assert optimizer.used == [1.0] * 3 * STEPS
    assert said(caplog, "The loop reports no optimizer steps") == 1
    assert accountant.stop_reason == "Enough."


class WholeNumber:
    """A count of another library, such as the step of a training state of JAX."""

    def __init__(self, value: int) -> None:
        self.value = value

    def __float__(self) -> float:
        return float(self.value)


@pytest.mark.parametrize("kind", [WholeNumber, float])
def test_steps_may_be_numbers_of_any_kind(kind: Any):
    optimizer = HookedOptimizer(1.0)

    def batches(accountant: Any) -> Any:
        done = accountant.history.steps or 0
        for number in range(STEPS):
            yield number
            accountant.observe(step=kind(done + number + 1))

    accountant = land(accountant_of(LandsAfter(6)), optimizer, batches=batches)
    assert optimizer.used == pytest.approx(expected(accountant, BEGIN, LENGTH))


def test_a_loop_over_its_own_epochs_lands_within_its_budget():
    optimizer, accountant = HookedOptimizer(1.0), accountant_of(CarbonBudget("30000 J", landing=0.1))
    accountant.scale_learning_rates(optimizer)
    with accountant:
        for epoch in range(20):
            accountant.begin_epoch(epoch)
            for number in range(STEPS):
                optimizer.step()
                clock_of(accountant).advance(1.0)
                accountant.observe(step=epoch * STEPS + number + 1)
                if accountant.look():
                    break
            accountant.end_epoch()
            if accountant.stop_reason is not None:
                break

    landing = accountant.landing
    assert landing is not None
    assert optimizer.used == pytest.approx(expected(accountant, landing.first_step, landing.steps))
    assert 0.95 * 30_000 < accountant.close().energy_joules <= 30_000


def test_a_run_that_is_resumed_from_its_ledger_goes_on_in_the_landing(tmp_path: Path, caplog: Any):
    caplog.set_level(logging.WARNING)
    ledger, whole, first, second = tmp_path / "run.jsonl", *(HookedOptimizer(1.0) for _ in range(3))
    land(accountant_of(LandsAfter(6)), whole)
    interrupted = accountant_of(LandsAfter(6), ledger=ledger)
    first.fails_at = BEGIN + STEPS
    with pytest.raises(MemoryError):
        land(interrupted, first)
    assert first.hook_count == 0

    resumed = accountant_of(LandsAfter(6), ledger=ledger)
    land(resumed, second)

    assert first.used + second.used == pytest.approx(whole.used, rel=1e-12)
    assert said(caplog, "goes on. The learning rate goes to zero") == 1


@pytest.mark.parametrize("batches", [by_steps, by_epoch])
def test_a_run_that_is_resumed_from_its_state_goes_on_in_the_landing(batches: Any):
    whole, second = HookedOptimizer(1.0), HookedOptimizer(1.0)
    accountant, states = accountant_of(LandsAfter(6)), []

    def saving(accountant: Any) -> Any:
        states.append(accountant.state_dict())
        yield from batches(accountant)

    land(accountant, whole, batches=saving)
    for epoch in (4, 6, 7, 8):
        second.used.clear()
        resumed = accountant_of(LandsAfter(6))
        resumed.load_state_dict(states[epoch])
        land(resumed, second, batches=batches)
        assert second.used == pytest.approx(whole.used[epoch * STEPS :], rel=1e-12)
