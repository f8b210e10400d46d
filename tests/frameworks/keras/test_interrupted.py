import threading
from contextlib import suppress

import keras
import pytest

from green_callbacks import MarginalGain

EPOCH_JOULES = 300.0 * (3 * 1.0 + 2 * 0.5)
JOULES_TO_THE_SECOND_BATCH_OF_THE_SECOND_EPOCH = EPOCH_JOULES + 300.0 * 2
PATIENCE_SECONDS = 60


class Breaking(keras.callbacks.Callback):
    """Raises in the second batch of an epoch, the second one unless told otherwise."""

    def __init__(self, exception, breaking_epoch=1):
        super().__init__()
        self.exception = exception
        self.breaking_epoch = breaking_epoch
        self.epoch = 0

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self.epoch, batch) == (self.breaking_epoch, 1):
            raise self.exception


@pytest.fixture(params=[KeyboardInterrupt, RuntimeError])
def broken(request, fit, monitor_of):
    """A monitor whose fit has been cut short, as in a notebook: the traceback, and so the frames, live on."""
    monitor = monitor_of()
    with pytest.raises(request.param) as caught:
        fit(monitor, after=[Breaking(request.param("cut short"))])
    monitor.traceback = caught.tb
    return monitor


def wait_for_the_end_of(monitor):
    for thread in threading.enumerate():
        if thread.name == "green_callbacks":
            thread.join(PATIENCE_SECONDS)
    assert not monitor.accountant.is_live


@pytest.mark.backend
def test_a_fit_cut_short_is_recorded_to_that_moment_and_no_further(broken, clock):
    wait_for_the_end_of(broken)
    clock.advance(3600.0)  # the user thinks about it

    run = broken.accountant.close()
    assert run.energy_joules == pytest.approx(JOULES_TO_THE_SECOND_BATCH_OF_THE_SECOND_EPOCH, rel=1e-9)
    assert [(record.epoch, record.complete) for record in broken.accountant.history] == [(0, True), (1, False)]


@pytest.mark.backend
def test_the_next_fit_ends_it_first(broken, fit):
    fit(broken, epochs=1)

    rows = [(record.epoch, record.complete, record.energy_joules) for record in broken.accountant.history]
    assert rows == [(0, True, EPOCH_JOULES), (1, False, 600.0), (0, True, EPOCH_JOULES)]


def test_the_next_fits_do_so_too_where_no_traceback_lives(fit, monitor_of, caplog):
    monitor = monitor_of()
    for _ in range(3):
        with suppress(KeyboardInterrupt):
            fit(monitor, after=[Breaking(KeyboardInterrupt())])

    rows = [(record.epoch, record.complete) for record in monitor.accountant.history]
    assert rows[:4] == [(0, True), (1, False)] * 2
    assert "goes on" not in caplog.text


def test_a_fit_with_another_monitor_does_not_blame_it(broken, fit, monitor_of, caplog):
    fit(monitor_of())

    assert not broken.accountant.is_live
    assert "One monitor per training" not in caplog.text


def test_a_rule_is_not_blamed_for_a_fit_that_broke_off_in_its_first_epoch(fit, monitor_of):
    monitor = monitor_of(policies=[MarginalGain("val_loss")])
    with pytest.raises(RuntimeError):
        fit(monitor, after=[Breaking(RuntimeError("out of memory"), breaking_epoch=0)])

    assert monitor.accountant.close().notices == ()


def test_an_evaluation_after_it_is_no_validation_of_it(broken, model_of, passing, data):
    model_of().evaluate(*data, batch_size=10, callbacks=[broken, passing], verbose=0)

    rows = list(broken.accountant.history)
    assert [record.epoch for record in rows] == [0, 1, None]
    assert rows[-1].phases["test"].joules == pytest.approx(150.0, rel=1e-9)
    assert not broken.accountant.is_live


def test_an_evaluation_that_is_cut_short_ends_too(monitor_of, model_of, passing, data):
    class Break(keras.callbacks.Callback):
        def on_test_batch_end(self, batch, logs=None):
            raise KeyboardInterrupt

    monitor = monitor_of()
    with pytest.raises(KeyboardInterrupt):
        model_of().evaluate(*data, callbacks=[monitor, passing, Break()], verbose=0)
    wait_for_the_end_of(monitor)

    assert monitor.accountant.history[-1].phases["test"].joules == 150.0


def test_a_fit_that_dies_with_its_thread_ends_too(fit, monitor_of):
    def cut_short():
        with pytest.raises(RuntimeError):
            fit(monitor, after=[Breaking(RuntimeError())])

    monitor = monitor_of()
    thread = threading.Thread(target=cut_short)
    thread.start()
    thread.join()
    wait_for_the_end_of(monitor)

    assert monitor.accountant.history[-1].complete is False


def test_a_fit_that_goes_on_is_left_alone(fit, monitor_of, monkeypatch):
    monkeypatch.setattr("green_callbacks.accountant.run.run.WATCH_SECONDS", 1e-4)
    monitor = monitor_of()
    fit(monitor, epochs=4)

    assert [record.complete for record in monitor.accountant.history] == [True] * 4
