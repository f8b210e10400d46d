"""How a policy stops a Trainer, and what it leaves."""

from dataclasses import dataclass

import pytest
from frameworks.contract.driver import EPOCH_JOULES, WATTS, LoopError
from frameworks.transformers.scripted import monitor_of, rows_of, trainer_of
from transformers import TrainerCallback

from green_callbacks import CarbonBudget, Verdict
from green_callbacks.errors import BudgetSpentError


@dataclass
class StopsAt:
    """Stops at a record."""

    rows: int

    def decide(self, history, plan):
        is_over = sum(record.epoch is not None for record in history) >= self.rows
        return Verdict(stop=is_over, code="test", reason="Enough.")


def checkpoints(training):
    return sorted(int(path.name.split("-")[1]) for path in training.folder.glob("checkpoint-*"))


@pytest.mark.parametrize("saves", ["epoch", "steps", "no"])
@pytest.mark.parametrize("evaluates", ["epoch", "steps", "no"])
def test_a_stop_inside_an_epoch_leaves_an_evaluation_and_a_checkpoint(training, saves, evaluates):
    monitor = monitor_of(training, policies=[CarbonBudget(f"{1.5 * EPOCH_JOULES} J")])
    trainer = trainer_of(
        training, monitor, eval_strategy=evaluates, save_strategy=saves, eval_steps=100, save_steps=100
    )

    trainer.train()

    step = trainer.state.global_step
    assert 4 <= step < 12
    assert monitor.accountant.stop_reason
    if saves != "no":
        assert checkpoints(training)[-1] == step
    else:
        assert checkpoints(training) == []
    if evaluates != "no":
        assert [logs["step"] for logs in trainer.state.log_history if "val_loss" in logs][-1] == step
    rows = rows_of(monitor)
    assert rows[-1][1] == step
    assert monitor.accountant.history.energy_joules == pytest.approx(training.clock.monotonic() * WATTS)


def test_a_rule_stops_inside_an_epoch_that_is_evaluated_by_steps(training):
    monitor = monitor_of(training, policies=[StopsAt(3)])
    trainer = trainer_of(training, monitor, eval_strategy="steps", eval_steps=2, save_strategy="steps", save_steps=100)

    trainer.train()

    assert trainer.state.global_step == 6
    assert checkpoints(training) == [6]
    assert rows_of(monitor)[:3] == [(0, 2, False, True), (0, 4, True, True), (1, 6, False, True)]
    assert len([logs for logs in trainer.state.log_history if "val_loss" in logs]) == 3


def test_a_stop_at_the_end_of_an_epoch_saves_once(training):
    monitor = monitor_of(training, policies=[StopsAt(2)])
    trainer = trainer_of(training, monitor, save_strategy="steps", save_steps=100)
    saved = []
    trainer.add_callback(type("Saves", (TrainerCallback,), {"on_save": lambda *_, **__: saved.append(1)}))

    trainer.train()

    assert checkpoints(training) == [8]
    assert len(saved) == 1
    assert rows_of(monitor) == [(0, 4, True, True), (1, 8, True, True)]


def test_decisions_every_few_steps_stop_inside_an_epoch(training):
    monitor = monitor_of(training, policies=[StopsAt(2)], decide_every=3)
    trainer = trainer_of(training, monitor)

    trainer.train()

    assert trainer.state.global_step in {4, 6}
    assert monitor.accountant.stop_reason == "Enough."


def test_a_finished_budget_is_refused_at_the_resume(training):
    budget = CarbonBudget(f"{1.5 * EPOCH_JOULES} J")
    trainer_of(training, monitor_of(training, policies=[budget])).train()
    monitor = monitor_of(training, policies=[budget])
    spent_seconds = training.clock.monotonic()

    with pytest.raises(BudgetSpentError):
        trainer_of(training, monitor).train(resume_from_checkpoint=True)

    assert training.clock.monotonic() == spent_seconds
    assert not monitor.accountant.is_live


def test_an_interrupt_is_recorded(training):
    training.fails_at = (1, 1)
    monitor = monitor_of(training)
    with pytest.raises(LoopError):
        trainer_of(training, monitor).train()

    training.fails_at = None
    trainer_of(training, monitor).train()

    rows = rows_of(monitor)
    assert rows[:2] == [(0, 4, True, True), (1, 5, True, False)]
    assert monitor.accountant.close().energy_joules == pytest.approx(4 * EPOCH_JOULES + WATTS)
