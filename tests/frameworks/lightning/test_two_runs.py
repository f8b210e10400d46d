"""Trials of a search that train at the same time, on threads of one process."""

from concurrent.futures import ThreadPoolExecutor
from math import fsum
from pathlib import Path
from typing import Any

import pytest
from frameworks.lightning.tiny import WATTS, TinyModule, epochs, monitor, scripted, trainer
from lightning.pytorch import Callback

from green_callbacks import EnergyAccountant, RunRecord, read_ledger
from green_callbacks.clock import ScriptedClock

TRIALS = 6


class Pruned(Exception):  # noqa: N818  as searches call it
    """What a search raises in a trial that is not worth its time."""


class Pruner(Callback):
    """Prunes every third trial after its second epoch."""

    def __init__(self, number: int) -> None:
        self.is_pruned = number % 3 == 2

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        if self.is_pruned and trainer.current_epoch == 1:
            raise Pruned


@pytest.mark.filterwarnings("ignore:.*")  # of Lightning's, to each thread anew
def test_trials_on_two_threads_are_each_measured_to_their_end(
    tmp_path: Path, clock: ScriptedClock, caplog: pytest.LogCaptureFixture
):
    def trial(number: int) -> RunRecord:
        callback = monitor(clock)
        fit = trainer(tmp_path / str(number), callback, Pruner(number))
        if number % 3 == 2:
            with pytest.raises(Pruned):
                fit.fit(TinyModule(clock))
        else:
            fit.fit(TinyModule(clock))
        return callback.accountant.close()

    search = EnergyAccountant(**scripted(clock, ledger=False, strict=False)).start()
    with ThreadPoolExecutor(2) as pool:
        runs = list(pool.map(trial, range(TRIALS)))
    whole = search.close()

    assert "is closed, because" not in caplog.text
    given = [run.energy_joules or 0.0 for run in (*runs, whole)]
    assert fsum(given) == pytest.approx(WATTS * clock.monotonic(), rel=1e-9)
    for number, run in enumerate(runs):
        assert run.ledger is not None
        records = epochs(list(read_ledger(run.ledger).history))
        ended = [record.complete for record in records]
        assert ended == [True] * (2 if number % 3 == 2 else 3)  # the pruner comes after the monitor
        for record in records:
            device = record.devices["scripted:0"]
            assert (device.method, device.flags, device.low_joules) == ("modelled", ("shared",), 0.0)
            assert device.joules is not None
            assert device.high_joules is not None
            assert device.joules <= device.high_joules
        assert any("shares scripted:0 with another run" in notice for notice in run.notices)
