import logging
import signal
from pathlib import Path

import pytest
import torch
from frameworks.lightning.tiny import EPOCH_JOULES, TinyModule, epochs, monitor, outside, trainer

from green_callbacks import CarbonBudget, History, MarginalGain, Plan, read_ledger
from green_callbacks.clock import ScriptedClock
from green_callbacks.errors import BudgetSpentError

TWO_AND_A_HALF_EPOCHS = f"{2.5 * EPOCH_JOULES} J"


def test_a_budget_stops_the_run_before_it_is_overspent(tmp_path: Path, clock: ScriptedClock):
    callback = monitor(clock, policies=[CarbonBudget(TWO_AND_A_HALF_EPOCHS)])

    trainer(tmp_path, callback, max_epochs=10).fit(TinyModule(clock))

    run = callback.accountant.close()
    assert run.epochs == 2
    assert run.energy_joules == pytest.approx(2 * EPOCH_JOULES, rel=1e-9)
    assert run.stop_reason is not None
    assert "left" in run.stop_reason


def test_a_gain_that_no_longer_pays_stops_the_run(tmp_path: Path, clock: ScriptedClock):
    scores = [1 - 0.5**epoch for epoch in range(40)]
    callback = monitor(clock, policies=[MarginalGain("val_acc")])

    trainer(tmp_path, callback, max_epochs=40).fit(TinyModule(clock, scores))

    stopped = callback.accountant.close()
    assert 12 <= stopped.epochs < 20  # the plan of 40 epochs is known: not before three tenths of it
    assert "val_acc" in (stopped.stop_reason or "")


def test_a_second_fit_of_another_model_is_judged_by_its_own_curve(tmp_path: Path, clock: ScriptedClock):
    scores = [1 - 0.5**epoch for epoch in range(40)]
    callback = monitor(clock, policies=[MarginalGain("val_acc")])

    trainer(tmp_path, callback, max_epochs=40).fit(TinyModule(clock, scores))
    first = callback.accountant.close()
    trainer(tmp_path, callback, max_epochs=40).fit(TinyModule(clock, scores))
    both = callback.accountant.close()

    assert both.epochs == 2 * first.epochs
    assert both.energy_joules == pytest.approx(2 * first.energy_joules)


def test_only_fresh_values_are_judged(tmp_path: Path, clock: ScriptedClock):
    """Every stale value would look like an epoch that bought nothing."""
    judged: list[int] = []

    def count(history: History, plan: Plan) -> bool:
        judged.append(len(history.metric("val_acc").values))
        return False

    trainer(tmp_path, monitor(clock, policies=[count]), check_val_every_n_epoch=2, max_epochs=4).fit(TinyModule(clock))

    assert judged == [0, 1, 1, 2]


@pytest.mark.parametrize(
    ("least", "said"),
    [({"min_epochs": 3}, "The trainer's min_epochs=3 wins"), ({"min_steps": 9}, "The trainer's min_steps=9 wins")],
)
def test_the_trainers_minimum_wins_and_is_said_once(
    tmp_path: Path, clock: ScriptedClock, caplog: pytest.LogCaptureFixture, least: dict[str, int], said: str
):
    callback, module = monitor(clock, policies=[CarbonBudget(f"{0.5 * EPOCH_JOULES} J")]), TinyModule(clock)

    trainer(tmp_path, callback, max_epochs=10, **least).fit(module)

    assert module.trainer.global_step == 4 * least.get("min_epochs", 0) + least.get("min_steps", 0)
    assert callback.accountant.close().stop_reason is not None
    assert [record.levelno for record in caplog.records if said in record.getMessage()] == [logging.WARNING]


def test_a_policy_knows_the_minimum_and_the_plan(tmp_path: Path, clock: ScriptedClock):
    plans: list[Plan] = []

    def note(history: History, plan: Plan) -> bool:
        plans.append(plan)
        return False

    both = trainer(tmp_path, monitor(clock, policies=[note]), max_epochs=2, min_epochs=1, max_steps=100)
    both.fit(TinyModule(clock))

    assert (plans[0].epochs, plans[0].min_epochs, plans[0].steps) == (2, 1, 100)


@pytest.mark.parametrize("limits", [{"max_epochs": -1, "max_steps": 4}, {"max_epochs": 1000}])
def test_a_default_horizon_is_no_plan(tmp_path: Path, clock: ScriptedClock, limits: dict[str, int]):
    plans: list[Plan] = []

    def stop(history: History, plan: Plan) -> bool:
        plans.append(plan)
        return True

    trainer(tmp_path, monitor(clock, policies=[stop]), **limits).fit(TinyModule(clock))

    assert plans[0].epochs is None


def test_a_time_limit_is_a_plan(tmp_path: Path, clock: ScriptedClock):
    plans: list[Plan] = []

    def stop(history: History, plan: Plan) -> bool:
        plans.append(plan)
        return True

    trainer(tmp_path, monitor(clock, policies=[stop]), max_time={"hours": 1}).fit(TinyModule(clock))

    assert plans[0].seconds == pytest.approx(3600, abs=60)


def test_a_spent_budget_refuses_a_second_fit_before_its_first_batch(tmp_path: Path, clock: ScriptedClock):
    callback = monitor(clock, policies=[CarbonBudget(TWO_AND_A_HALF_EPOCHS)])
    both, module = trainer(tmp_path, callback, max_epochs=10), TinyModule(clock)
    both.fit(module)
    spent = callback.accountant.close().energy_joules

    with pytest.raises(BudgetSpentError):
        both.fit(module)

    assert callback.accountant.close().energy_joules == spent
    assert not callback.accountant.is_live


class Failing(TinyModule):
    """Raises in the second batch of its second epoch."""

    error: BaseException = RuntimeError("out of memory")

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor:
        loss = super().training_step(batch, batch_idx)
        if (self.current_epoch, batch_idx) == (1, 1):
            raise self.error
        return loss


@pytest.mark.parametrize(
    ("error", "raised"), [(RuntimeError("out of memory"), RuntimeError), (KeyboardInterrupt(), SystemExit)]
)
def test_an_exception_closes_the_run_with_all_that_it_used(
    tmp_path: Path, clock: ScriptedClock, error: BaseException, raised: type[BaseException]
):
    callback, module = monitor(clock), Failing(clock)
    module.error = error
    on_interrupt = signal.getsignal(signal.SIGINT)

    with pytest.raises(raised):
        trainer(tmp_path, callback).fit(module)

    signal.signal(signal.SIGINT, on_interrupt)  # Lightning leaves it ignored
    *_, last = callback.accountant.history
    assert not callback.accountant.is_live
    assert (last.epoch, last.complete) == (1, False)
    assert last.energy_joules == pytest.approx(600.0, rel=1e-9)
    ledger = callback.accountant.close().ledger
    assert ledger is not None
    assert list(read_ledger(ledger).history) == list(callback.accountant.history)


def test_an_exception_in_the_validation_leaves_the_next_fit_whole(tmp_path: Path, clock: ScriptedClock):
    class FailsOnce(TinyModule):
        has_failed = False

        def validation_step(self, batch: torch.Tensor, batch_idx: int) -> None:
            super().validation_step(batch, batch_idx)
            if not self.has_failed:
                self.has_failed = True
                raise RuntimeError

    callback, module = monitor(clock), FailsOnce(clock)
    with pytest.raises(RuntimeError):
        trainer(tmp_path, callback).fit(module)

    trainer(tmp_path, callback).fit(module.train())

    history = callback.accountant.history
    assert [(record.epoch, record.complete) for record in epochs(history)] == [
        (0, False),
        (0, True),
        (1, True),
        (2, True),
    ]
    assert outside(history) == []
    assert history[0].energy_joules == pytest.approx(4 * 300 + 150, rel=1e-9)
