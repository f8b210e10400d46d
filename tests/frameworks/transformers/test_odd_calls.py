"""What a user does with a monitor that nobody planned."""

import copy
import gc
import pickle
import threading

import pytest
import torch
from frameworks.contract.driver import EPOCH_JOULES, WATTS, LoopError
from frameworks.transformers.scripted import epochs_of, messages, monitor_of, rows_of, trainer_of
from transformers import EarlyStoppingCallback, TrainerCallback

from green_callbacks import EnergyAccountant
from green_callbacks.errors import ConfigurationError
from green_callbacks.transformers import EmissionsMonitor


def test_a_smaller_batch_size_is_a_second_attempt(training):
    monitor = monitor_of(training)
    trainer = trainer_of(training, monitor, auto_find_batch_size=True)
    attempts = []
    batch = training.batch

    def first_fails(epoch, number):
        if (epoch, number) == (0, 2) and not attempts:
            attempts.append(1)
            msg = "CUDA out of memory."
            raise torch.OutOfMemoryError(msg)
        batch(epoch, number)

    training.batch = first_fails

    trainer.train()

    assert rows_of(monitor)[0][0] == 0
    assert not rows_of(monitor)[0][3]
    assert [record.epoch for record in epochs_of(monitor)[1:]] == [0, 1, 2]
    assert monitor.accountant.close().energy_joules == pytest.approx(training.clock.monotonic() * WATTS)


def test_two_trainers_share_a_run(training):
    monitor = monitor_of(training)

    for _ in range(2):
        trainer_of(training, monitor).train()

    assert monitor.accountant.close().energy_joules == 6 * EPOCH_JOULES


def test_two_monitors_in_one_trainer_are_said_once(training, caplog):
    first, second = monitor_of(training), monitor_of(training)

    trainer_of(training, first, second).train()

    assert rows_of(second) == [(epoch, 4 * epoch + 4, True, True) for epoch in range(3)]
    assert len(messages(caplog)) == 1
    assert not first.accountant.is_live


def test_a_monitor_that_is_listed_twice_counts_once(training, caplog):
    monitor = monitor_of(training)

    trainer_of(training, monitor, monitor).train()

    assert rows_of(monitor) == [(epoch, 4 * epoch + 4, True, True) for epoch in range(3)]
    assert monitor.accountant.close().energy_joules == 3 * EPOCH_JOULES
    assert [message for message in messages(caplog) if "twice" in message]


class AddsInside(TrainerCallback):
    """Adds a monitor to the trainer after a step."""

    def __init__(self, step, monitor):
        self.step, self.monitor, self.trainer = step, monitor, None

    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step == self.step:
            self.trainer.add_callback(self.monitor)


@pytest.mark.parametrize(("step", "rows"), [(4, [(1, 8, True, True)]), (6, [(1, 8, True, False)])])
def test_a_monitor_that_is_added_to_a_training_counts_from_there_and_says_so(training, caplog, step, rows):
    monitor = monitor_of(training)
    adds = AddsInside(step, monitor)
    adds.trainer = trainer_of(training, adds, eval_strategy="no", eval_on_start=step == 6)

    adds.trainer.train()

    assert rows_of(monitor) == [*rows, (2, 12, True, True)]
    assert monitor.accountant.close().energy_joules == (12 - step) * WATTS
    assert [f"after its step {step}" in message for message in messages(caplog)] == [True]
    assert all(record.phases.keys() == {"train"} for record in epochs_of(monitor))


@pytest.mark.parametrize(("step", "rows"), [(6, [(1, 8, True, False)]), (7, [(1, 8, True, False)]), (8, [])])
def test_a_monitor_that_was_away_over_the_end_of_an_epoch_says_so(training, caplog, step, rows):
    monitor = monitor_of(training)
    adds = AddsInside(step, monitor)

    def removes(args, state, control, **_):
        if state.global_step == 1:
            adds.trainer.remove_callback(monitor)

    adds.on_optimizer_step = removes
    adds.trainer = trainer_of(training, adds, monitor, eval_strategy="no")

    adds.trainer.train()

    first, *more = rows_of(monitor)
    assert (first[0], first[2:]) == (0, (True, False))
    assert more == [*rows, (2, 12, True, True)]
    assert monitor.accountant.close().energy_joules == 12 * WATTS
    assert [message for message in messages(caplog) if "removed from its trainer" in message]


class TrainsInside(TrainerCallback):
    """Trains another model at the end of the first epoch."""

    def __init__(self, inner):
        self.inner = inner

    def on_epoch_end(self, args, state, control, **kwargs):
        if self.inner is not None:
            inner, self.inner = self.inner, None
            inner.train()


def test_a_training_inside_a_training_counts_for_the_first(training, caplog):
    monitor = monitor_of(training)
    inner = trainer_of(training, monitor, num_train_epochs=1, save_strategy="no")

    trainer_of(training, TrainsInside(inner), monitor).train()

    assert rows_of(monitor) == [(epoch, 4 * epoch + 4, True, True) for epoch in range(3)]
    assert monitor.accountant.close().energy_joules == 4 * EPOCH_JOULES
    assert [message for message in messages(caplog) if "inside another training" in message]


def test_an_exception_is_noticed_while_nobody_trains(training):
    training.fails_at = (1, 2)
    monitor = monitor_of(training)

    with pytest.raises(LoopError):
        trainer_of(training, monitor).train()
    for thread in threading.enumerate():
        if thread.name.startswith("green_callbacks"):
            thread.join(30)

    assert not monitor.accountant.is_live
    assert monitor.accountant.close().energy_joules == EPOCH_JOULES + 2 * WATTS


def test_an_interrupt_ends_a_training_as_an_exception_does(training):
    monitor = monitor_of(training)
    batch = training.batch

    def interrupted(epoch, number):
        if (epoch, number) == (1, 0):
            raise KeyboardInterrupt
        batch(epoch, number)

    training.batch = interrupted
    with pytest.raises(KeyboardInterrupt):
        trainer_of(training, monitor).train()

    assert monitor.accountant.close(together=False).energy_joules == EPOCH_JOULES


def test_a_copied_trainer_has_a_run_of_its_own(training):
    monitor = monitor_of(training)
    trainer = trainer_of(training, monitor)
    trainer.train()

    state = copy.deepcopy(trainer.state)
    copied = copy.deepcopy(monitor)
    loaded = pickle.loads(pickle.dumps(trainer.state))

    assert isinstance(state.stateful_callbacks["green_callbacks.EmissionsMonitor"], dict)
    assert loaded.stateful_callbacks == state.stateful_callbacks
    assert copied.accountant.run_id != monitor.accountant.run_id


def test_a_monitor_that_is_let_go_during_nothing_leaves_nothing(training):
    monitor = monitor_of(training)
    trainer_of(training, monitor).train()
    del monitor
    gc.collect()

    assert not [thread for thread in threading.enumerate() if thread.name.startswith("green_callbacks")]


def test_early_stopping_of_the_trainer_goes_along(training):
    training.epochs, training.scores = 9, [0.5, 0.4, 0.3, 0.2]
    monitor = monitor_of(training)
    trainer = trainer_of(training, monitor, EarlyStoppingCallback(1), metric_for_best_model="eval_loss")
    trainer.evaluate = lambda **options: type(trainer).__mro__[1].evaluate(trainer, **options)
    trainer.compute_metrics = None

    trainer.train()

    assert all(complete for *_, complete in rows_of(monitor))


@pytest.mark.parametrize("hook", ["setup", "set_model", "set_params", "on_fit_start"])
def test_another_framework_is_refused(hook):
    with pytest.raises(ConfigurationError, match=r"green_callbacks\.lightning"):
        getattr(EmissionsMonitor(), hook)(None)


def test_an_accountant_of_the_user_is_used(training):
    accountant = EnergyAccountant(ledger=False, sinks=[], sources=[])

    assert EmissionsMonitor(accountant).accountant is accountant
    with pytest.raises(ConfigurationError, match="no effect beside accountant"):
        EmissionsMonitor(accountant, pue=1.2)
