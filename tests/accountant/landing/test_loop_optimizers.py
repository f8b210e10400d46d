"""Optimizers of a plain loop that lands. They may be several, come late, fail or be wrapped."""

from collections.abc import Callable
from typing import Any

import pytest
from accountant.landing.loops import STEPS, LandsAfter, accountant_of, by_steps, clock_of, expected, land, train
from support.hooked_optimizer import HookedOptimizer

from green_callbacks import EnergyAccountant, MarginalGain

BEGIN, LENGTH = 6 * STEPS, 3 * STEPS


def said(caplog: pytest.LogCaptureFixture, text: str) -> int:
    return sum(text in record.getMessage() for record in caplog.records)


def test_several_optimizers_are_scaled_alike_and_each_only_once():
    first, second = HookedOptimizer(1.0), HookedOptimizer(2.0, 3.0)
    accountant = land(accountant_of(LandsAfter(6)), first, second, first)

    factors = expected(accountant, BEGIN, LENGTH)
    assert second.used == pytest.approx([2 * factor for factor in factors])
    assert first.used[::2] == first.used[1::2] == pytest.approx(factors)


def test_an_optimizer_that_comes_late_is_scaled():
    optimizer, accountant = HookedOptimizer(1.0), accountant_of(LandsAfter(6))

    def step() -> None:
        if len(optimizer.used) == 2 * STEPS + 3:
            accountant.scale_learning_rates(optimizer)
        optimizer.step()

    train(accountant, step)

    assert optimizer.used == pytest.approx(expected(accountant, BEGIN, LENGTH))
    assert not [text for text in accountant.close().notices if "cannot land" in text]


def test_an_optimizer_that_is_given_again_is_scaled_once(caplog: pytest.LogCaptureFixture):
    optimizer, accountant = HookedOptimizer(1.0), accountant_of(LandsAfter(6))

    def step() -> None:
        accountant.scale_learning_rates(optimizer)
        optimizer.step()

    train(accountant, step)

    assert optimizer.used == pytest.approx(expected(accountant, BEGIN, LENGTH))
    assert optimizer.hook_count == 0
    assert not said(caplog, "shortened")


def test_another_optimizer_in_mid_landing_goes_on_with_it():
    first, second = HookedOptimizer(1.0), HookedOptimizer(2.0)
    accountant = accountant_of(LandsAfter(6))

    def step() -> None:
        if len(first.used) == BEGIN + 12:
            accountant.scale_learning_rates(second)
        (first if len(first.used) < BEGIN + 12 else second).step()

    accountant.scale_learning_rates(first)
    train(accountant, step)

    factors = expected(accountant, BEGIN, LENGTH)
    assert first.used == pytest.approx(factors[: BEGIN + 12])
    assert second.used == pytest.approx([2 * factor for factor in factors[BEGIN + 12 :]])
    assert first.hook_count == second.hook_count == 0


def test_an_optimizer_without_a_rate_in_mid_landing_stops_the_run():
    first, second = HookedOptimizer(1.0), HookedOptimizer(2.0)
    second.param_groups[0]["lr"] = None
    accountant = accountant_of(LandsAfter(6))

    def step() -> None:
        if len(first.used) == BEGIN + 12:
            accountant.scale_learning_rates(second)
        first.step()

    accountant.scale_learning_rates(first)
    train(accountant, step)

    assert accountant.stop_reason == "Enough."
    assert len(first.used) == BEGIN + 13
    assert first.hook_count == 0


def test_a_rate_that_can_no_longer_be_scaled_ends_no_training(caplog: pytest.LogCaptureFixture):
    class Forgetful(HookedOptimizer):
        def step(self) -> None:
            if len(self.used) == BEGIN + 12:
                self.param_groups[1]["lr"] = None
            super().step()

    optimizer = Forgetful(1.0, 2.0)
    land(accountant_of(LandsAfter(6)), optimizer)

    assert optimizer.used[BEGIN + 12 :] == [1.0] * (LENGTH - 12)
    assert said(caplog, "A learning rate could not be scaled in the landing") == 1


def test_a_step_that_raises_leaves_its_rate_no_later_than_the_next_report():
    optimizer, between = HookedOptimizer(1.0), []
    optimizer.fails_at = BEGIN + 4

    def step() -> None:
        between.append(optimizer.param_groups[0]["lr"])
        try:
            optimizer.step()
        except MemoryError:
            assert optimizer.param_groups[0]["lr"] < 1

    land_with = accountant_of(LandsAfter(6))
    land_with.scale_learning_rates(optimizer)
    train(land_with, step)

    assert set(between) == {1.0}
    assert len(optimizer.used) == BEGIN + LENGTH - 1
    factors = expected(land_with, BEGIN, LENGTH)
    assert optimizer.used == pytest.approx(factors[: BEGIN + 4] + factors[BEGIN + 5 :])


def test_an_optimizer_that_takes_its_steps_elsewhere_is_told(caplog: pytest.LogCaptureFixture):
    optimizer, accountant = HookedOptimizer(1.0), accountant_of(LandsAfter(6))
    accountant.scale_learning_rates(optimizer)
    train(accountant, lambda: None)

    assert said(caplog, "without a call of step()") == 1


class Wrapper:
    """Delegates everything to an inner optimizer, as the optimizers of some libraries do."""

    def __init__(self, optimizer: Any) -> None:
        self._optimizer = optimizer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._optimizer, name)


class LooksLikeOne(HookedOptimizer):
    """Is an optimizer by its class, holds none of its state, and steps an inner one. Accelerate's does so."""

    def __init__(self, optimizer: HookedOptimizer) -> None:
        self.optimizer = optimizer

    @property
    def param_groups(self) -> Any:
        return self.optimizer.param_groups

    def step(self) -> None:
        self.optimizer.step()


@pytest.mark.parametrize("wrapper", [Wrapper, LooksLikeOne])
def test_a_wrapped_optimizer_is_scaled(wrapper: Any):
    inner = HookedOptimizer(1.0)
    accountant = land(accountant_of(LandsAfter(6)), wrapper(inner))
    assert inner.used == pytest.approx(expected(accountant, BEGIN, LENGTH))
    assert inner.hook_count == 0


def scheduled(accountant: EnergyAccountant, rate_of: Callable[[int], float], *, observes: bool = False) -> int | None:
    """Train with a rate that changes after each epoch; the epoch in which a landing began."""
    optimizer, begun = HookedOptimizer(rate_of(0)), None
    accountant.scale_learning_rates(optimizer)
    with accountant:
        for epoch in accountant.epochs(60):
            begun = begun or accountant.landing
            for _ in by_steps(accountant):
                optimizer.step()
                clock_of(accountant).advance(1.0)
            if observes:
                accountant.observe(learning_rate=1.0)
            optimizer.param_groups[0]["lr"] = rate_of(epoch + 1)
            accountant.observe({"val_acc": 0.9 if epoch else 0.5})
    return begun and begun.epoch


def test_the_rate_of_a_loop_is_recorded_so_that_rules_wait_for_its_top_and_see_its_end():
    rule = MarginalGain("val_acc", landing=0.2)
    rising = accountant_of(rule)
    assert scheduled(rising, lambda epoch: min(epoch + 1, 45) / 45) == 45
    assert [record.learning_rate for record in rising.history][:3] == pytest.approx([1 / 45, 2 / 45, 3 / 45])
    low = accountant_of(rule)
    assert scheduled(low, lambda epoch: 1.0 if epoch < 10 else 0.1) is None
    assert "below 15 % of its highest" in (low.stop_reason or "")


def test_an_observed_rate_replaces_the_rate_of_the_optimizer():
    accountant = accountant_of(MarginalGain("val_acc", landing=0.2))
    assert scheduled(accountant, lambda epoch: min(epoch + 1, 45) / 45, observes=True) == 17
    assert accountant.history[0].learning_rate == 1.0


def test_what_is_no_optimizer_has_no_rate_and_ends_nothing():
    accountant = accountant_of(strict=False)
    accountant.scale_learning_rates(object())
    train(accountant, lambda: None, epochs=2)
    assert [record.learning_rate for record in accountant.history] == [None, None]
