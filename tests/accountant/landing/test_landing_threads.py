"""Ranks that land together, played by threads."""

import logging
from typing import Any

import pytest
from accountant.landing.loops import STEPS, LandsAfter, accountant_of, by_steps, expected, train
from support.hooked_optimizer import HookedOptimizer
from support.thread_ranks import ThreadRanks, on_ranks

from green_callbacks import CarbonBudget, EnergyAccountant

RANKS = 3
WATTS = 300.0


def on_threads(policy: Any, optimizer_of: Any = lambda _: HookedOptimizer(1.0), **options: Any) -> list[Any]:
    """Land on every rank. Return the accountant and the optimizer of each."""

    def body(ranks: ThreadRanks) -> tuple[EnergyAccountant, HookedOptimizer, str | None]:
        accountant, optimizer = accountant_of(policy, **options), optimizer_of(ranks.rank)
        accountant.scale_learning_rates(optimizer)
        accountant.start(ranks=ranks)
        train(accountant, optimizer.step, by_steps)
        return accountant, optimizer, accountant.stop_reason

    return on_ranks(RANKS, body)


@pytest.mark.parametrize("policy", [LandsAfter(4), CarbonBudget(f"{95 * WATTS} J", landing=0.2)])
def test_all_ranks_use_the_same_rates_and_end_together(policy: Any, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.WARNING)
    (first, optimizer, _), *others = on_threads(policy)

    landing = first.landing
    assert landing is not None
    assert optimizer.used == pytest.approx(expected(first, landing.first_step, landing.steps))
    for accountant, other, reason in others:
        assert other.used == optimizer.used
        assert other.hook_count == 0
        assert reason is not None
        assert accountant.landing.first_step == landing.first_step
    texts = [record.getMessage() for record in caplog.records]
    assert sum(text.startswith("Landing ") for text in texts) == 1
    assert sum(text.startswith("Stopping ") for text in texts) == 1


class Silent(HookedOptimizer):
    def step(self) -> None:
        self.used.append(self.param_groups[0]["lr"])


def test_what_one_rank_cannot_scale_lands_on_none(caplog: pytest.LogCaptureFixture):
    def optimizer_of(rank: int) -> HookedOptimizer:
        optimizer = Silent(1.0)
        optimizer.param_groups[0]["lr"] = None if rank == 1 else 1.0
        return optimizer

    ranks = on_threads(LandsAfter(4), optimizer_of)

    assert {len(optimizer.used) for _, optimizer, _ in ranks} == {4 * STEPS}
    assert [accountant.landing for accountant, _, _ in ranks] == [None] * RANKS
    assert ranks[0][2] == "Enough."
    assert sum("of another process cannot be scaled" in each.getMessage() for each in caplog.records) == 1


class Refuses(HookedOptimizer):
    def register_step_post_hook(self, hook: Any) -> Any:
        raise RuntimeError


def test_hooks_that_fail_on_one_rank_stop_all_ranks(caplog: pytest.LogCaptureFixture):
    ranks = on_threads(LandsAfter(4), lambda rank: (Refuses if rank == 2 else HookedOptimizer)(1.0))

    for accountant, optimizer, reason in ranks:
        assert optimizer.used == [1.0] * 4 * STEPS
        assert optimizer.hook_count == 0
        assert accountant.landing is None
        assert reason is not None
    assert sum("could not be scaled" in each.getMessage() for each in caplog.records) == 1


@pytest.mark.parametrize("epoch", [3, 4, 5])
def test_a_checkpoint_of_rank_0_lets_all_ranks_go_on_alike(epoch: int):
    states: list[Any] = []

    def saving(accountant: EnergyAccountant) -> Any:
        if accountant.history:  # on rank 0 alone
            states.append(accountant.state_dict())
        yield from by_steps(accountant)

    def body(ranks: ThreadRanks, state: Any = None) -> list[float]:
        accountant, optimizer = accountant_of(LandsAfter(4)), HookedOptimizer(1.0)
        if state is not None:
            accountant.load_state_dict(state)
        accountant.scale_learning_rates(optimizer)
        accountant.start(ranks=ranks)
        train(accountant, optimizer.step, by_steps if state else saving)
        return optimizer.used

    whole = on_ranks(RANKS, body)
    resumed = on_ranks(RANKS, lambda ranks: body(ranks, states[epoch - 1]))

    assert resumed == [used[epoch * STEPS :] for used in whole]
