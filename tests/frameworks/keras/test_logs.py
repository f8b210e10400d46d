"""What Keras shows of a run: two keys, the same in every epoch."""

import csv
import warnings
from math import isnan

import keras
import pytest

from green_callbacks import CarbonBudget, MarginalGain

KEYS = ["green/emissions_total_g", "green/energy_wh"]
STEP_WH = 300.0 / 3600


def ours(keys):
    return sorted(key for key in keys if "green/" in key)


@pytest.mark.backend
def test_logs_have_the_same_two_keys_in_every_epoch(fit, monitor_of):
    keys = []
    look = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: keys.append(ours(logs)))
    policies = [CarbonBudget("1 kg"), MarginalGain("val_loss", report_only=True)]
    fit(monitor_of(policies=policies), after=[look], validation_freq=2, epochs=6)

    assert keys == [KEYS] * 6


def test_a_file_of_the_logs_has_what_the_history_has(fit, monitor_of, tmp_path):
    logger = keras.callbacks.CSVLogger(tmp_path / "log.csv")
    history = fit(monitor_of(policies=[MarginalGain("val_loss")]), after=[logger], validation_freq=2, epochs=4).history

    with (tmp_path / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    for key in KEYS:
        assert [float(row[key]) for row in rows] == history[key]
    assert {row[f"val_{key}"] for row in rows for key in KEYS} == {"NA"}, "Keras expects them of any metric"


def test_the_progress_line_has_two_of_them(fit, monitor_of, capsys):
    fit(monitor_of(policies=[CarbonBudget("1 kg"), MarginalGain("val_loss")]), epochs=2, verbose=2)

    lines = [line for line in capsys.readouterr().out.splitlines() if "val_loss" in line]
    assert [line.count("green/") for line in lines] == [2, 2]


def test_what_is_not_measured_is_nan(fit, monitor_of, monkeypatch):
    monkeypatch.setenv("GREEN_CALLBACKS_DISABLE", "1")
    logs = fit(monitor_of(), epochs=2).history

    assert [isnan(value) for key in KEYS for value in logs[key]] == [True] * 4


@pytest.mark.backend
def test_an_epoch_in_parts_is_logged_whole(fit, monitor_of, passing):
    monitor = monitor_of(decide_every=4)
    logs = fit(monitor, callbacks=[passing, monitor], batch_size=2, validation_data=None, epochs=2).history

    assert len(monitor.accountant.history) == 6, "three parts each"
    assert logs["green/energy_wh"] == pytest.approx([10 * STEP_WH] * 2, rel=1e-9)


@pytest.mark.parametrize("writer", [keras.callbacks.CSVLogger, keras.callbacks.EarlyStopping])
def test_who_stands_before_the_monitor_and_misses_its_metrics_is_named(fit, monitor_of, writer, tmp_path, caplog):
    made = (
        writer(tmp_path / "log.csv") if writer is keras.callbacks.CSVLogger else writer("green/energy_wh", mode="min")
    )
    monitor = monitor_of()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # Keras says it too, in every epoch
        fit(monitor, before=[made])

    [notice] = monitor.accountant.close().notices
    assert writer.__name__ in notice
    assert "List EmissionsMonitor first" in notice
    assert notice in caplog.text


def test_callbacks_that_need_none_of_its_metrics_may_stand_anywhere(fit, monitor_of, tmp_path):
    monitor = monitor_of()
    others = [keras.callbacks.EarlyStopping("val_loss"), keras.callbacks.ModelCheckpoint(tmp_path / "last.keras")]
    fit(monitor, before=[*others, keras.callbacks.ReduceLROnPlateau(), keras.callbacks.TerminateOnNaN()])

    assert monitor.accountant.close().notices == ()


def test_a_backup_that_a_policys_stop_would_delete_is_named(fit, monitor_of, tmp_path):
    budget, free = monitor_of(policies=[CarbonBudget("1 kg")]), monitor_of()
    for monitor in (budget, free):
        fit(monitor, after=[keras.callbacks.BackupAndRestore(tmp_path / "backup")])

    assert "delete_checkpoint=False" in budget.accountant.close().notices[0]
    assert free.accountant.close().notices == ()


def test_a_rule_on_a_validation_that_never_takes_place_says_so(fit, monitor_of):
    monitor = monitor_of(policies=[MarginalGain("val_loss")])
    fit(monitor, callbacks=[monitor], validation_data=None, epochs=1)

    assert any("no validation takes place" in notice for notice in monitor.accountant.close().notices)


def test_a_callback_of_the_users_own_may_validate(fit, monitor_of):
    validates = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(val_loss=0.5))
    monitor = monitor_of(policies=[MarginalGain("val_loss")])
    fit(monitor, before=[validates], validation_data=None)

    assert monitor.accountant.close().notices == ()


def test_a_validation_that_comes_later_is_waited_for(fit, monitor_of):
    monitor = monitor_of(policies=[MarginalGain("val_loss")])
    fit(monitor, validation_freq=3, epochs=4)

    assert not any("watches the metric" in notice for notice in monitor.accountant.close().notices)


def test_a_metric_that_is_added_after_the_monitor_is_missed_with_the_remedy(fit, monitor_of):
    class Adds(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["val_f1"] = 0.1 * epoch

    monitor = monitor_of(policies=[MarginalGain("val_f1")])
    fit(monitor, after=[Adds()], validation_data=None, epochs=1)
    late = [notice for notice in monitor.accountant.close().notices if "val_f1" in notice]
    assert len(late) == 1
    assert "List EmissionsMonitor after" in late[0]

    monitor = monitor_of(policies=[MarginalGain("val_f1")])
    fit(monitor, before=[Adds()], validation_data=None)
    assert monitor.accountant.close().notices == ()


def test_a_metric_that_the_monitor_has_read_is_not_said_to_come_later(fit, monitor_of, model_of):
    model = model_of()
    model.compile("sgd", loss=lambda truth, guess: keras.ops.mean(guess) * float("inf"))
    monitor = monitor_of(policies=[MarginalGain("val_loss")])
    fit(monitor, model=model, epochs=1)

    assert not any("after that callback" in notice for notice in monitor.accountant.close().notices)
