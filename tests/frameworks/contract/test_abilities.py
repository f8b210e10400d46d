"""Each cell of README's table of frameworks holds."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from frameworks.contract.abilities import ABILITIES, AT_ONCE, ONE_RUN, SOON, TITLES, table
from frameworks.contract.driver import BATCHES, EPOCH_JOULES, WATTS, LoopError, Training
from frameworks.contract.drivers import INSTALLED

from green_callbacks import CarbonBudget
from green_callbacks.clock import ScriptedClock

ROOT = Path(__file__).parents[3]
PATIENCE_SECONDS = 20
"""Longest time, in s, that the third batch takes where a stop comes within seconds."""


@pytest.fixture
def abilities(request):
    name = request.node.callspec.params["driver"]
    if name not in ABILITIES:
        pytest.skip("It has no row of its own.")
    return ABILITIES[name]


@dataclass(kw_only=True)
class Slow(Training):
    """A training whose third batch waits for a stop."""

    done: list[tuple[int, int]] = field(default_factory=list)
    monitors: list[object] = field(default_factory=list)

    def batch(self, epoch, number):
        super().batch(epoch, number)
        self.done.append((epoch, number))
        until = time.monotonic() + PATIENCE_SECONDS
        while number == 2 and self.monitors[0].accountant.stop_reason is None and time.monotonic() < until:
            time.sleep(0.05)


def test_readme_has_this_table():
    assert table() in (ROOT / "README.md").read_text(encoding="utf-8")
    assert {name for names in TITLES.values() for name in names} == set(ABILITIES)


def test_a_budget_stops_inside_an_epoch(driver, abilities, tmp_path):
    training = Slow(folder=tmp_path, clock=ScriptedClock(), epochs=1)
    monitor = driver.monitor(training, policies=[CarbonBudget(f"{1.5 * WATTS} J")])
    training.monitors.append(monitor)

    driver.fit(monitor, training)

    assert "budget" in monitor.accountant.close().stop_reason
    assert len(training.done) <= (2 if abilities.budget.startswith(AT_ONCE) else 3) < BATCHES
    assert abilities.budget.startswith((AT_ONCE, SOON))


def test_a_checkpoint_carries_the_account_without_the_ledger(driver, abilities, training):
    if abilities.resume != "checkpoint":
        pytest.skip(f"It resumes from {abilities.resume}, as the contract of adapters tests.")
    driver.fit(driver.monitor(training), training)
    for ledger in training.folder.rglob("*.jsonl"):
        ledger.unlink()

    training.epochs += 1
    driver.fit(resumed := driver.monitor(training), training, is_resumed=True)

    assert resumed.accountant.close().energy_joules == pytest.approx(4 * EPOCH_JOULES, rel=1e-9)


def test_a_failure_is_recorded_at_once_or_soon(driver, abilities, training):
    training.fails_at = (1, 2)
    monitor = driver.monitor(training)

    with pytest.raises(LoopError):
        driver.fit(monitor, training)

    if abilities.exception == "at once":
        assert not monitor.accountant.is_live
    until = time.monotonic() + PATIENCE_SECONDS
    while monitor.accountant.is_live and time.monotonic() < until:
        time.sleep(0.05)
    assert [record.complete for record in monitor.accountant.history] == [True, False]


@pytest.mark.skipif("ignite" not in INSTALLED, reason="The other frameworks test this in suites of their own.")
def test_two_processes_are_one_run(tmp_path):
    assert ABILITIES["ignite"].ranks == ONE_RUN
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]

    subprocess.run(
        [*launch, str(Path(__file__).with_name("two_processes.py")), "ignite", str(tmp_path)],
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"},
        check=True,
        timeout=120,
    )

    first, second = (json.loads((tmp_path / f"rank {rank}.json").read_text()) for rank in range(2))
    assert len(list(tmp_path.rglob("*.jsonl"))) == 1
    assert first["epochs"] == [0, 1]
    assert second["epochs"] == []
    assert first["joules"] == pytest.approx(2 * EPOCH_JOULES, rel=0.5)  # batches are shared out or not
    assert first["steps"] == second["steps"]
    assert first["stop"] is not None
