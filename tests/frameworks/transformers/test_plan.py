"""What is known ahead of a training."""

import pytest
from frameworks.contract.driver import BATCH_SIZE, METRIC
from frameworks.transformers.scripted import Endless, epochs_of, monitor_of, rows_of, trainer_of

from green_callbacks import MarginalGain, read_ledger


def plan_of(monitor):
    return read_ledger(monitor.accountant.close().ledger).plan


def test_epochs_and_steps_are_planned(training):
    monitor = monitor_of(training)

    trainer_of(training, monitor).train()

    plan = plan_of(monitor)
    assert (plan.epochs, plan.steps, plan.epoch_steps) == (3, 12, 4)
    assert (plan.anneals, plan.learning_rate_drops, plan.schedule_unreadable) == (False, (), False)


def test_half_an_epoch_is_incomplete(training):
    monitor = monitor_of(training)

    trainer_of(training, monitor, num_train_epochs=1.5).train()

    assert rows_of(monitor) == [(0, 4, True, True), (1, 6, True, False)]
    assert plan_of(monitor).steps == 6
    assert [record.samples for record in epochs_of(monitor)] == [8, 4]


def test_steps_limit_epochs(training):
    monitor = monitor_of(training)

    trainer_of(training, monitor, max_steps=6).train()

    plan = plan_of(monitor)
    assert (plan.epochs, plan.steps) == (2, 6)
    assert rows_of(monitor)[-1] == (1, 6, True, False)


def test_accumulated_batches_are_one_step(training):
    monitor = monitor_of(training)

    trainer_of(training, monitor, gradient_accumulation_steps=3).train()

    assert plan_of(monitor).epoch_steps == 2
    assert [record.step for record in epochs_of(monitor)] == [2, 4, 6]
    assert {record.samples for record in epochs_of(monitor)} == {8}


def test_passes_over_data_without_a_length_are_counted(training):
    monitor = monitor_of(training)
    trainer = trainer_of(training, monitor, max_steps=10, eval_strategy="no", save_strategy="no")
    trainer.train_dataset = Endless(4)

    trainer.train()

    assert rows_of(monitor) == [(0, 4, True, True), (1, 8, True, True), (2, 10, True, False)]
    plan = plan_of(monitor)
    assert (plan.epochs, plan.steps, plan.epoch_steps) == (None, 10, None)


def test_a_resumed_stream_goes_on_with_its_epochs(training):
    options = {"max_steps": 14, "eval_strategy": "no", "save_strategy": "epoch"}
    trainer = trainer_of(training, monitor_of(training), **options)
    trainer.train_dataset = Endless(4)
    trainer.train()

    for saved in (8, 12):
        monitor = monitor_of(training)
        trainer = trainer_of(training, monitor, **options)
        trainer.train_dataset = Endless(40)
        trainer.train(resume_from_checkpoint=str(training.folder / f"checkpoint-{saved}"))

        assert rows_of(monitor)[-1][:2] == (saved // 4, 14)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("linear", (True, (), False)),
        ("cosine", (True, (), False)),
        ("constant", (False, (), False)),
        ("constant_with_warmup", (False, (), False)),
        ("inverse_sqrt", (False, (), False)),
        ("reduce_lr_on_plateau", (False, (), True)),
    ],
)
def test_the_schedules_of_the_trainer_are_read(training, kind, expected):
    monitor = monitor_of(training)
    options = {"metric_for_best_model": "loss"} if kind == "reduce_lr_on_plateau" else {}
    trainer = trainer_of(training, monitor, lr_scheduler_type=kind, num_train_epochs=6, **options)
    if options:
        trainer.args.eval_strategy = "no"

    trainer.train()

    plan = plan_of(monitor)
    assert (plan.anneals, plan.learning_rate_drops, plan.schedule_unreadable) == expected


def test_a_decay_inside_the_last_epoch_holds_the_rule(training):
    training.epochs, training.scores = 12, [0.1, 0.5] + [0.6] * 10
    kinds = {"lr_scheduler_kwargs": {"num_decay_steps": 3}, "lr_scheduler_type": "warmup_stable_decay"}
    held, free = (monitor_of(training, policies=[MarginalGain(METRIC)], ledger=False) for _ in range(2))

    trainer_of(training, free).train()
    trainer_of(training, held, **kinds).train()

    assert free.accountant.close().epochs < 12
    assert held.accountant.close().epochs == 12


def test_tokens_and_samples_are_counted(training):
    monitor = monitor_of(training)
    trainer = trainer_of(training, monitor, include_num_input_tokens_seen="all")
    trainer.model.main_input_name = "x"

    trainer.train()

    assert [record.tokens for record in epochs_of(monitor)] == [2 * 4 * BATCH_SIZE] * 3
