import signal
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from green_callbacks import CarbonBudget
from green_callbacks.errors import BudgetSpentError

EPOCH_JOULES = 300.0 * 2


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """A ledger with epochs 0 to 2, and a backup with 0 and 1."""
    folder = tmp_path_factory.mktemp("killed")
    script = Path(__file__).with_name("killed.py")
    process = subprocess.run(
        [sys.executable, script, folder / "run.jsonl", folder / "backup"], capture_output=True, check=False, timeout=300
    )
    assert process.returncode == -signal.SIGKILL, process.stderr.decode()
    return folder


def resume(monitor, model, clock, *others):
    x = np.ones((16, 4), "float32")
    time = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: clock.advance(1.0))
    return model.fit(x, x[:, :1], batch_size=8, epochs=4, callbacks=[monitor, time, *others], verbose=0)


def test_a_killed_run_goes_on_and_its_lost_work_counts(killed, monitor_of, model_of, clock, tmp_path):
    ledger = tmp_path / "run.jsonl"
    ledger.write_bytes((killed / "run.jsonl").read_bytes())
    monitor = monitor_of(ledger=ledger)
    run_id = monitor.accountant.run_id
    logs = resume(monitor, model_of(), clock, keras.callbacks.BackupAndRestore(killed / "backup"))

    assert logs.epoch == [2, 3]
    assert logs.history["green/emissions_total_g"] == pytest.approx(
        [n * EPOCH_JOULES / 3600 for n in (4, 5)], rel=1e-9
    ), "two epochs, one that was lost, and two more"
    run = monitor.accountant.close()
    assert (run.epochs_joules, run.outside_joules) == (4 * EPOCH_JOULES, EPOCH_JOULES)
    assert monitor.accountant.run_id == run_id
    again = monitor_of(ledger=ledger).accountant.close()
    assert again.energy_joules == pytest.approx(run.energy_joules, rel=1e-9)


def test_a_budget_that_a_killed_run_has_spent_stays_spent(killed, monitor_of, model_of, clock, tmp_path):
    ledger = tmp_path / "run.jsonl"
    ledger.write_bytes((killed / "run.jsonl").read_bytes())
    monitor = monitor_of(ledger=ledger, policies=[CarbonBudget("1.5 kJ")])

    with pytest.raises(BudgetSpentError):
        resume(monitor, model_of(), clock)

    assert clock.monotonic() == 0.0, "no batch has run"


def test_a_policys_stop_spares_a_backup_that_is_to_be_kept(monitor_of, model_of, clock, tmp_path):
    keep = keras.callbacks.BackupAndRestore(tmp_path / "backup", delete_checkpoint=False)
    resume(monitor_of(policies=[CarbonBudget("1 kJ")], ledger=tmp_path / "run.jsonl"), model_of(), clock, keep)
    logs = resume(
        monitor_of(policies=[CarbonBudget("2 kJ")], ledger=tmp_path / "run.jsonl"),
        model_of(),
        clock,
        keras.callbacks.BackupAndRestore(tmp_path / "backup"),
    )

    assert logs.epoch == [1, 2], "with more budget it goes on after the first epoch"
