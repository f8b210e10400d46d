"""Which metrics stand in which record, and what an evaluation costs."""

import pytest
from frameworks.contract.driver import BATCHES, EPOCH_JOULES, TRAIN_JOULES, VALIDATION_BATCHES, VALIDATION_JOULES
from frameworks.transformers.scripted import data_of, epochs_of, messages, monitor_of, rows_of, trainer_of
from transformers import TrainerCallback

from green_callbacks import MarginalGain

SCORES = [0.1, 0.2, 0.3]


def test_each_evaluation_inside_an_epoch_ends_a_part_with_its_metrics(training):
    training.scores = SCORES
    monitor = monitor_of(training)
    trainer = trainer_of(training, monitor, eval_strategy="steps", eval_steps=2, save_strategy="no")

    trainer.train()

    assert rows_of(monitor) == [(at // 4, at + 2, at % 4 == 2, True) for at in range(0, 12, 2)]
    records = epochs_of(monitor)
    assert all(set(record.metrics) >= {"val_acc", "val_loss"} for record in records)
    assert {record.phases["validation"].joules for record in records} == {VALIDATION_JOULES}
    assert [record.metrics["val_acc"] for record in records[1::2]] == SCORES
    assert records[0].samples == 4


@pytest.mark.parametrize("strategy", ["epoch", "steps"])
def test_all_evaluation_sets_judge_the_same_epoch(training, strategy):
    monitor = monitor_of(training)
    trainer = trainer_of(training, monitor, eval_strategy=strategy, eval_steps=BATCHES)
    trainer.eval_dataset = {"a": data_of(1), "b": data_of(VALIDATION_BATCHES)}

    trainer.train()

    assert rows_of(monitor) == [(epoch, 4 * epoch + 4, True, True) for epoch in range(3)]
    for record in epochs_of(monitor):
        assert {"val_a_acc", "val_b_acc"} <= set(record.metrics)
        assert record.phases["validation"].joules == 1.5 * VALIDATION_JOULES


def test_an_evaluation_before_the_first_epoch_is_outside_epochs(training):
    monitor = monitor_of(training)

    trainer_of(training, monitor, eval_on_start=True).train()

    run = monitor.accountant.close()
    assert run.outside_joules == VALIDATION_JOULES
    assert run.epochs_joules == 3 * EPOCH_JOULES
    outside = [record for record in monitor.accountant.history if record.epoch is None]
    assert sum(record.phases["validation"].joules for record in outside if record.energy_joules) == VALIDATION_JOULES


class Evaluates(TrainerCallback):
    """Evaluates another set at the end of each epoch, as code of a user does."""

    trainer = None

    def on_epoch_end(self, args, state, control, **kwargs):
        self.trainer.evaluate(data_of(1), metric_key_prefix="test")


@pytest.mark.parametrize("is_first", [True, False])
def test_an_evaluation_by_another_callback_leaves_the_epoch_whole(training, is_first):
    monitor, other = monitor_of(training), Evaluates()
    trainer = trainer_of(training, *([other, monitor] if is_first else [monitor, other]))
    Evaluates.trainer = trainer

    trainer.train()

    # It cancels the evaluation that the trainer was about to do.
    assert rows_of(monitor) == [(epoch, 4 * epoch + 4, True, True) for epoch in range(3)]
    assert all("test_acc" in record.metrics for record in epochs_of(monitor))
    assert monitor.accountant.close().epochs_joules == 3 * (TRAIN_JOULES + VALIDATION_JOULES / 2)


def test_an_evaluation_outside_a_training_is_measured_from_its_second_batch(training, caplog):
    monitor = monitor_of(training)
    trainer = trainer_of(training, monitor)

    trainer.evaluate(data_of(3))
    trainer.predict(data_of(3))

    assert monitor.accountant.close().outside_joules == 2 * VALIDATION_JOULES
    assert not monitor.accountant.is_live
    assert [message for message in messages(caplog) if "with monitor.accountant:" in message]
    assert len([message for message in messages(caplog) if "first batch" in message]) == 1


def test_a_block_measures_all_of_an_evaluation(training, caplog):
    monitor = monitor_of(training)
    trainer = trainer_of(training, monitor)

    with monitor.accountant:
        trainer.evaluate()

    assert monitor.accountant.close().outside_joules == VALIDATION_JOULES
    assert not messages(caplog)


def test_an_evaluation_that_fails_leaves_the_next_one_measured(training):
    monitor = monitor_of(training)
    trainer = trainer_of(training, monitor)
    trainer.data_collator = None
    with pytest.raises(TypeError):
        trainer.evaluate(data_of(3))
    trainer = trainer_of(training, monitor)
    trainer.train()

    trainer.evaluate(data_of(3))

    assert monitor.accountant.close().outside_joules == VALIDATION_JOULES


def test_without_an_evaluation_the_training_loss_is_observed(training):
    monitor = monitor_of(training)

    trainer_of(training, monitor, eval_strategy="no").train()

    assert rows_of(monitor) == [(epoch, 4 * epoch + 4, True, True) for epoch in range(3)]
    assert all("loss" in record.metrics for record in epochs_of(monitor))


def test_times_and_counts_are_no_metrics(training):
    monitor = monitor_of(training)

    trainer_of(training, monitor, logging_strategy="steps", logging_steps=1).train()

    assert set(epochs_of(monitor)[0].metrics) == {"loss", "grad_norm", "val_loss", "val_acc"}


def test_a_metric_that_is_not_a_number_is_kept_out(training):
    training.scores = [float("nan"), 0.5, float("inf")]
    monitor = monitor_of(training)

    trainer_of(training, monitor).train()

    assert [record.metrics.get("val_acc") for record in epochs_of(monitor)][1] == 0.5
    assert rows_of(monitor) == [(epoch, 4 * epoch + 4, True, True) for epoch in range(3)]


class AsksLate(TrainerCallback):
    """Asks for an evaluation at the end of the epoch, after the monitor."""

    def on_epoch_end(self, args, state, control, **kwargs):
        control.should_evaluate = True


def test_metrics_that_come_too_late_are_said_once(training, caplog):
    monitor = monitor_of(training, policies=[MarginalGain("val_acc")])

    trainer_of(training, monitor, AsksLate(), eval_delay=100).train()

    assert [message for message in messages(caplog) if "List EmissionsMonitor last" in message]
    assert rows_of(monitor) == [(epoch, 4 * epoch + 4, True, True) for epoch in range(3)]
