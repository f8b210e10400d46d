"""Landings that nobody plans: odd answers of policies, epochs that shrink, counts that restart, swapped optimizers."""

import logging
from collections.abc import Iterator
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
)
from support.hooked_optimizer import HookedOptimizer

from green_callbacks import CarbonBudget, EnergyAccountant, History, Plan, Verdict
from green_callbacks.policies import Left
from green_callbacks.units import parse_amount

BEGIN, LENGTH = 6 * STEPS, 3 * STEPS


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Any:
    caplog.set_level(logging.WARNING)
    return lambda text: sum(text in record.getMessage() for record in caplog.records)


class Odd:
    """Answers anything after some epochs."""

    landing = 0.5

    def __init__(self, **answer: Any) -> None:
        self.answer = {"stop": False, "code": "landing", "reason": "Enough.", **answer}

    def decide(self, history: History, plan: Plan) -> Verdict:
        if history.epochs_done() >= 6:
            return Verdict(**self.answer)
        return Verdict(stop=False, code="active", reason="It goes on.")


@pytest.mark.parametrize("length", [float("nan"), float("inf"), -1.0, 5.0, 1e300, "0.5", [0.5], None])
def test_a_length_that_is_no_share_ends_no_training_and_is_said_once(length: Any, said: Any):
    optimizer = HookedOptimizer(1.0)
    accountant = land(accountant_of(Odd(landing=length), strict=False), optimizer)
    assert set(optimizer.used) == {1.0}
    assert len(optimizer.used) == 30 * STEPS
    assert accountant.stop_reason is None
    assert said("The policy Odd failed. Training goes on without it.") == 1


def test_a_policy_without_a_reason_lands():
    accountant = land(accountant_of(Odd(landing=0.5, reason=None)), HookedOptimizer(1.0))
    assert accountant.stop_reason == "The policy gave no reason. The learning rate went to zero before the stop."


class OddBudget:
    """A user's own budget of 24 kJ, whose landing is anything."""

    name, landing, amount = "mine", 0.1, parse_amount("24000 J")

    def __init__(self, length: Any) -> None:
        self.length = length

    def spent(self, history: History, plan: Plan) -> float:
        return history.facility_kwh

    def decide(self, history: History, plan: Plan) -> Verdict:
        return Verdict(stop=False, code="active", reason="It goes on.")

    def left_inside(self, history: History, plan: Plan, open_kg: float, open_kwh: float) -> Left:
        left = self.amount.value - history.facility_kwh - open_kwh
        return Left(left, stops=True, reason="Mine is spent.", landing=self.length)


@pytest.mark.parametrize("length", [float("nan"), float("inf"), -1.0, "0.5", None])
def test_a_budget_with_an_odd_landing_still_stops(length: Any, said: Any):
    optimizer = HookedOptimizer(1.0)
    accountant = land(accountant_of(OddBudget(length), strict=False), optimizer)
    assert len(optimizer.used) == 8 * STEPS
    assert accountant.stop_reason == "Mine is spent."
    assert said("It stops without a landing.") == 1


def test_a_budget_that_pays_for_no_landing_does_not_claim_one():
    optimizer = HookedOptimizer(1.0)
    accountant = land(accountant_of(CarbonBudget("2900 J", landing=0.1)), optimizer)
    assert set(optimizer.used) == {1.0}
    assert "began to fall" not in accountant.stop_reason
    assert "went to zero" not in accountant.stop_reason


def shrinking(lengths: list[int], *, reports: Any = None) -> Any:
    left = iter(lengths)

    def batches(accountant: EnergyAccountant) -> Iterator[int]:
        length = next(left, 3)
        if reports is None:
            yield from accountant.steps(range(length))
            return
        done = accountant.history.steps or 0
        yield from range(length)
        accountant.observe(step=done + length)

    return batches


SHORTER = [30, 25, 20, 15, 10, 8, 6, 5, 4]


def test_a_landing_goes_on_where_epochs_became_shorter(said: Any):
    optimizer = HookedOptimizer(1.0)
    accountant = land(accountant_of(LandsAfter(6)), optimizer, batches=shrinking(SHORTER))
    assert optimizer.used == pytest.approx(expected(accountant, 108, 56))
    assert said("Epochs had fewer steps than before, so the landing goes on. The learning rate goes to zero") == 1
    assert accountant.stop_reason == "Enough. The learning rate went to zero before the stop."


def test_an_epoch_without_data_does_not_refuse_the_landing_of_a_budget(said: Any):
    optimizer = HookedOptimizer(1.0)
    budget = CarbonBudget("24000 J", landing=0.1)
    land(accountant_of(budget), optimizer, batches=shrinking([10, 10, 0, *[10] * 9]))
    assert not said("cannot land")
    assert optimizer.used[-1] < 0.2


def test_a_landing_that_cannot_go_on_says_what_was_left():
    optimizer = HookedOptimizer(1.0)
    accountant = land(accountant_of(LandsAfter(6)), optimizer, batches=shrinking(SHORTER, reports=by_epoch))
    assert optimizer.used[-1] > 0.4
    assert "The landing left 5" in accountant.stop_reason
    assert not accountant.close().landing.is_over


def test_a_landing_that_the_plan_cuts_short_says_what_was_left():
    optimizer = HookedOptimizer(1.0)
    accountant = land(accountant_of(LandsAfter(6)), optimizer, batches=shrinking([20] * 6 + [5] * 3), epochs=9)
    assert "of the learning rate, because epochs had fewer steps than before. Plan more epochs" in (
        accountant.stop_reason
    )


def test_a_landing_ends_with_an_epoch_that_became_longer():
    optimizer = HookedOptimizer(1.0)
    accountant = land(accountant_of(LandsAfter(6)), optimizer, batches=shrinking([10] * 7 + [30] * 9))
    assert accountant.history.last_epoch == 7
    assert optimizer.used == pytest.approx(
        [max(each, 0.0) for each in expected(accountant, BEGIN, LENGTH)] + [0.0] * 10
    )


def restarting(accountant: EnergyAccountant) -> Iterator[int]:
    for number in range(STEPS):
        yield number
        accountant.observe(step=number + 1)


def test_steps_that_restart_in_every_epoch_stop_at_once(said: Any):
    optimizer = HookedOptimizer(1.0)
    land(accountant_of(LandsAfter(6)), optimizer, batches=restarting)
    assert optimizer.used == [1.0] * BEGIN
    assert said("do not grow from epoch to epoch") == 1


def test_a_count_that_restarts_in_mid_landing_does_not_undo_it():
    optimizer, counts = HookedOptimizer(1.0), [*range(1, 76), *range(3, 99)]
    reported = iter(counts)

    def batches(accountant: EnergyAccountant) -> Iterator[int]:
        for number in range(STEPS):
            yield number
            accountant.observe(step=next(reported))

    land(accountant_of(LandsAfter(6)), optimizer, batches=batches)
    factors = expected(accountant_of(), BEGIN, LENGTH)
    assert optimizer.used == pytest.approx([*factors[:76], *factors[75:-1]])


@pytest.mark.parametrize("batches", [by_steps, observed, by_epoch])
def test_an_optimizer_that_is_swapped_without_a_word_is_told(batches: Any, said: Any):
    first, second, taken = HookedOptimizer(1.0), HookedOptimizer(1.0), iter(range(1_000))
    accountant = accountant_of(LandsAfter(6, landing=1.0))
    accountant.scale_learning_rates(first)

    def step() -> None:
        (first if next(taken) < BEGIN + STEPS else second).step()

    train(accountant, step, batches)
    assert said("no known optimizer took a step") == 1
    assert set(second.used) == {1.0}


def test_an_optimizer_that_steps_seldom_is_not_taken_for_swapped(said: Any):
    optimizer, taken = HookedOptimizer(1.0), iter(range(1, 1_000))
    accountant = accountant_of(LandsAfter(6))
    accountant.scale_learning_rates(optimizer)
    train(accountant, lambda: next(taken) % 8 or optimizer.step())
    assert not said("took a step")


@pytest.mark.parametrize("leaves_after", [7, None])
def test_an_optimizer_is_free_after_the_loop_without_a_close(leaves_after: int | None):
    optimizer, accountant = HookedOptimizer(1.0), accountant_of(LandsAfter(6))
    accountant.scale_learning_rates(optimizer)
    for epoch in accountant.epochs(30):
        for _ in accountant.steps(range(STEPS)):
            optimizer.step()
            clock_of(accountant).advance(1.0)
        if epoch == leaves_after:
            break
    assert optimizer.used[-1] < 0.4
    optimizer.step()
    assert optimizer.used[-1] == 1.0


def test_a_loop_that_goes_on_after_its_landing_is_told_and_trains(said: Any):
    optimizer, accountant = HookedOptimizer(1.0), accountant_of(LandsAfter(6))
    accountant.scale_learning_rates(optimizer)
    with accountant:
        for epoch in range(12):
            accountant.begin_epoch(epoch)
            for number in range(STEPS):
                optimizer.step()
                clock_of(accountant).advance(1.0)
                accountant.observe(step=epoch * STEPS + number + 1)
            accountant.end_epoch()
    assert optimizer.used[:90] == pytest.approx(expected(accountant, BEGIN, LENGTH))
    assert optimizer.used[90:] == [1.0] * 30
    assert said("goes on after the end of its landing") == 1


class Rprop(HookedOptimizer):
    pass


def searching() -> HookedOptimizer:
    optimizer = HookedOptimizer(1.0)
    optimizer.param_groups[0]["line_search_fn"] = "strong_wolfe"
    return optimizer


@pytest.mark.parametrize("make", [Rprop, searching])
def test_an_optimizer_whose_steps_do_not_follow_its_rate_is_refused(make: Any, said: Any):
    optimizer = make()
    land(accountant_of(LandsAfter(6)), optimizer)
    assert len(optimizer.used) == BEGIN
    assert said("do not follow its learning rate") == 1


def test_a_factor_that_is_asked_for_beside_scaled_rates_is_told(said: Any):
    optimizer, accountant = HookedOptimizer(1.0), accountant_of(LandsAfter(6))
    accountant.scale_learning_rates([optimizer])

    def step() -> None:
        optimizer.param_groups[0]["lr"] = accountant.landing_factor
        optimizer.step()

    train(accountant, step)
    assert said("scales the learning rates of the optimizers already") == 1


def test_a_policy_that_begins_to_land_too_late_stops_at_once(said: Any):
    policy, optimizer = LandsAfter(6, landing=0.0), HookedOptimizer(1.0)

    def batches(accountant: EnergyAccountant) -> Iterator[int]:
        policy.landing = 0.5
        yield from by_steps(accountant)

    land(accountant_of(policy), optimizer, batches=batches)
    assert optimizer.used == [1.0] * BEGIN
    assert said("Add the attribute.") == 1


def test_a_function_with_a_length_may_land():
    def decide(history: History, plan: Plan) -> Verdict:
        return LandsAfter(6).decide(history, plan)

    decide.landing = 0.5  # type: ignore[attr-defined]
    optimizer = HookedOptimizer(1.0)
    accountant = land(accountant_of(decide), optimizer)
    assert optimizer.used == pytest.approx(expected(accountant, BEGIN, LENGTH))


class Extended(HookedOptimizer):
    """Sets its rate, calls the step of its base class, and uses the rate once more, as decoupled decay does."""

    def __init__(self, *rates: float) -> None:
        super().__init__(*rates)
        self.again: list[float] = []

    def step(self) -> None:
        for hook in list(self.hooks["before"]):
            hook(self, (), {})
        self.param_groups[0]["lr"] = 2.0 - 0.01 * len(self.used)
        super().step()
        self.again.append(self.param_groups[0]["lr"])
        for hook in list(self.hooks["after"]):
            hook(self, (), {})


@pytest.mark.parametrize("batches", [by_steps, observed, by_epoch])
def test_a_step_that_calls_the_step_of_its_base_class_is_one_step(batches: Any, said: Any):
    optimizer = Extended(2.0)
    accountant = land(accountant_of(LandsAfter(6)), optimizer, batches=batches)
    factors = expected(accountant, BEGIN, LENGTH)
    rates = [(2.0 - 0.01 * at) * factor for at, factor in enumerate(factors)]
    assert optimizer.used == pytest.approx(rates)
    assert optimizer.again == pytest.approx(rates)
    assert optimizer.param_groups[0]["lr"] == 2.0 - 0.01 * (len(factors) - 1)
    assert not said("inside step()")


class Around(HookedOptimizer):
    """Steps an optimizer with the same groups, as SAM does."""

    def __init__(self, inner: HookedOptimizer) -> None:
        super().__init__()
        self.inner, self.param_groups = inner, inner.param_groups

    def step(self) -> None:
        for hook in list(self.hooks["before"]):
            hook(self, (), {})
        self.inner.step()
        for hook in list(self.hooks["after"]):
            hook(self, (), {})


def test_an_optimizer_inside_another_is_scaled_once_if_both_are_given():
    inner = HookedOptimizer(1.0, 0.5)
    outer, accountant = Around(inner), accountant_of(LandsAfter(6))
    accountant.scale_learning_rates(outer, inner)
    train(accountant, outer.step)
    assert inner.used == pytest.approx(expected(accountant, BEGIN, LENGTH))
    assert [group["lr"] for group in inner.param_groups] == [1.0, 0.5]


def test_a_rate_that_is_set_inside_the_step_is_told(said: Any):
    optimizer, accountant = HookedOptimizer(1.0), accountant_of(LandsAfter(6))
    accountant.scale_learning_rates(optimizer)
    taken = iter(range(1_000))

    def step() -> None:
        if next(taken) == BEGIN + 5:
            optimizer.hooks["before"].append(lambda *_: optimizer.param_groups[0].update(lr=1.0))
        optimizer.step()

    train(accountant, step)
    assert optimizer.used[BEGIN + 5 :] == [1.0] * (LENGTH - 5)
    assert said("Other code sets the learning rate inside step() of HookedOptimizer") == 1
