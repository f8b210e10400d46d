"""The wait for data between two steps, and only where nothing else may lie there."""

import pytest
import torch
from frameworks.contract.transformers_driver import _Steps
from frameworks.transformers.scripted import epochs_of, monitor_of, trainer_of
from transformers import TrainerCallback, TrainerControl

from green_callbacks._frameworks.torch import step_waits
from green_callbacks._frameworks.torch.step_waits import StepWaits
from green_callbacks.accountant.guarded_calls import Guarded
from green_callbacks.accountant.loops.data_waits import DataWaits
from green_callbacks.clock import ScriptedClock

SAMPLES, SECONDS = 16, 3.0


class SlowData(torch.utils.data.Dataset):
    def __init__(self, clock):
        self.clock = clock

    def __len__(self):
        return SAMPLES

    def __getitem__(self, at):
        self.clock.advance(SECONDS)
        return {"x": torch.ones(2), "labels": torch.ones(1)}


class Busy(TrainerCallback):
    """A callback of the user that takes long between two steps."""

    def __init__(self, clock):
        self.clock = clock

    def on_step_end(self, *_, **__):
        self.clock.advance(50.0)


def waits(training, *others, **options):
    monitor = monitor_of(training)
    trainer = trainer_of(training, monitor, *others, **options)
    trainer.remove_callback(_Steps)
    trainer.train_dataset = SlowData(training.clock)
    trainer.train()
    return [record.data_wait_seconds for record in epochs_of(monitor)]


@pytest.mark.parametrize("options", [{}, {"gradient_accumulation_steps": 2}])
def test_only_the_loader_counts(training, options):
    assert waits(training, **options) == pytest.approx([SAMPLES * SECONDS] * 3)


def test_evaluations_and_logs_are_no_wait(training):
    found = waits(training, eval_strategy="steps", eval_steps=3, logging_strategy="steps", logging_steps=1)
    assert sum(each or 0.0 for each in found) <= 3 * SAMPLES * SECONDS


def test_a_slow_callback_of_the_user_leaves_the_wait_unknown(training):
    assert set(waits(training, Busy(training.clock))) == {None}


def test_a_slow_hook_of_one_object_leaves_the_wait_unknown(training):
    busy = TrainerCallback()
    busy.on_step_end = lambda *_, **__: training.clock.advance(50.0)
    assert set(waits(training, busy)) == {None}


def test_a_slow_beginning_of_an_epoch_is_no_wait(training):
    class Slow(TrainerCallback):
        def on_epoch_begin(self, *_, **__):
            training.clock.advance(500.0)

    # The first wait is not seen, in which the trainer fetches two batches. Another stands for it.
    assert waits(training, Slow()) == pytest.approx([SAMPLES * SECONDS] * 3, rel=0.2)


class Arguments:
    def __init__(self, kind):
        self.device = torch.device(kind)


STATE, FREE = object(), TrainerControl()


class Event:
    """An event of a GPU whose queue empties at a scripted time."""

    idle_at = 0.0
    is_done = True

    def __init__(self, clock):
        self.seconds = max(clock.monotonic(), Event.idle_at)

    def query(self):
        return Event.is_done

    def elapsed_time(self, other):
        return (other.seconds - self.seconds) * 1000


@pytest.fixture
def gpu(monkeypatch):
    clock = ScriptedClock()
    monkeypatch.setattr(step_waits, "_recorded", lambda: Event(clock))
    monkeypatch.setattr(step_waits, "_callbacks", lambda frame: ())
    monkeypatch.setattr(Event, "idle_at", 0.0)
    monkeypatch.setattr(Event, "is_done", True)
    waits = DataWaits(clock)
    steps = StepWaits(Guarded())
    steps.begin_epoch(waits, Arguments("cuda"), STATE)
    return clock, waits, steps


@pytest.mark.parametrize(("busy_seconds", "waited"), [(0.0, 4.0), (3.0, 1.0), (9.0, 0.0)])
def test_the_time_in_which_the_gpu_works_is_no_wait(gpu, busy_seconds, waited):
    clock, waits, steps = gpu
    for _ in range(10):
        steps.begin_step(STATE)
        clock.advance(1.0)
        Event.idle_at = clock.monotonic() + busy_seconds
        steps.end_step(STATE, FREE)
        clock.advance(4.0)
    steps.begin_step(STATE)
    steps.end_step(STATE, TrainerControl(should_save=True))
    assert waits.take() == pytest.approx(10 * waited)


def test_a_gpu_that_has_not_come_so_far_tells_nothing(gpu, monkeypatch):
    clock, waits, steps = gpu
    monkeypatch.setattr(Event, "is_done", False)
    clock.advance(5.0)
    steps.begin_step(STATE)
    steps.end_step(STATE, FREE)
    assert waits.take() is None


def test_a_driver_that_refuses_events_is_no_fault_of_the_training(gpu, monkeypatch):
    clock, waits, steps = gpu

    def refused():
        raise RuntimeError

    monkeypatch.setattr(step_waits, "_recorded", refused)
    for _ in range(3):
        steps.begin_step(STATE)
        steps.end_step(STATE, FREE)
        clock.advance(1.0)
    assert waits.take() is None


def test_a_device_whose_copies_are_unknown_has_no_wait():
    waits = DataWaits(ScriptedClock())
    steps = StepWaits(Guarded())
    steps.begin_epoch(waits, Arguments("mps"), STATE)
    steps.begin_step(STATE)
    steps.end_step(STATE, FREE)
    assert waits.take() is None
