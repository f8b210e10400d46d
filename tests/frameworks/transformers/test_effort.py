"""Tokens and floating-point operations as the trainer counts them."""

import pytest
from frameworks.contract.driver import BATCH_SIZE, BATCHES, TRAIN_JOULES
from frameworks.transformers.scripted import epochs_of, monitor_of, trainer_of

FLOPS = 1e15
"""Operations of a batch."""
TOKENS = 2 * BATCH_SIZE


def counting_trainer(training, monitor, **options):
    trainer = trainer_of(training, monitor, include_num_input_tokens_seen="all", **options)
    trainer.model.main_input_name = "x"
    trainer.floating_point_ops = lambda inputs: FLOPS
    return trainer


@pytest.mark.parametrize("options", [{}, {"logging_steps": 3}, {"gradient_accumulation_steps": 2}])
def test_each_epoch_has_the_operations_and_tokens_of_its_batches(training, options):
    monitor = monitor_of(training)
    trainer = counting_trainer(training, monitor, **options)

    trainer.train()

    records = epochs_of(monitor)
    assert [record.flops for record in records] == [BATCHES * FLOPS] * 3
    assert [record.tokens for record in records] == [BATCHES * TOKENS] * 3
    run = monitor.accountant.close()
    assert run.flops == trainer.state.total_flos
    assert run.effort.joules_per_token.value == pytest.approx(TRAIN_JOULES / BATCHES / TOKENS)
    assert run.effort.grams_per_exaflop is not None


def test_a_resume_counts_the_work_of_the_checkpoint_once(training):
    training.epochs = 2
    counting_trainer(training, monitor_of(training)).train()
    training.epochs = 3
    monitor = monitor_of(training)

    counting_trainer(training, monitor).train(resume_from_checkpoint=True)

    run = monitor.accountant.close()
    assert (run.flops, run.tokens) == (3 * BATCHES * FLOPS, 3 * BATCHES * TOKENS)
    assert run.effort.steps.units == 3 * BATCHES


@pytest.mark.parametrize("step", [1, 3, 5])
def test_a_resume_inside_an_epoch_counts_each_process_by_what_it_did(training, step):
    training.epochs = 2
    steps = {"save_strategy": "steps", "save_steps": 1, "eval_strategy": "no"}
    counting_trainer(training, monitor_of(training, ledger=False), **steps).train()
    monitor = monitor_of(training)

    trainer = counting_trainer(training, monitor, **{**steps, "save_strategy": "no"})
    trainer.train(resume_from_checkpoint=str(training.folder / f"checkpoint-{step}"))

    effort = monitor.accountant.close().effort
    assert effort.joules_per_step.value == pytest.approx(TRAIN_JOULES / BATCHES)
    assert effort.joules_per_token.value == pytest.approx(TRAIN_JOULES / BATCHES / TOKENS)


def test_a_model_without_operations_has_none(training):
    monitor = monitor_of(training)
    trainer_of(training, monitor).train()

    run = monitor.accountant.close()
    assert (run.flops, run.tokens, run.effort.flops, run.effort.tokens) == (None, None, None, None)


def test_what_the_user_counts_goes_before_the_counts_of_the_trainer(training):
    monitor = monitor_of(training)
    trainer = counting_trainer(training, monitor)
    counted = trainer.floating_point_ops

    def observing(inputs):
        monitor.accountant.observe(samples=1, tokens=3, flops=5.0)
        return counted(inputs)

    trainer.floating_point_ops = observing
    trainer.train()

    run = monitor.accountant.close()
    assert (run.samples, run.tokens, run.flops) == (3 * BATCHES, 9 * BATCHES, 15.0 * BATCHES)
