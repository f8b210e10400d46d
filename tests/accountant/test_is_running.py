"""Training that ends without a word: the framework only says whether it goes on."""

import threading
from pathlib import Path

import pytest

from green_callbacks import EnergyAccountant
from green_callbacks.clock import ScriptedClock
from green_callbacks.sinks import Sink
from green_callbacks.sources import ScriptedSource

PATIENCE_SECONDS = 60


class Slow(Sink):
    """Takes its time with the totals."""

    def __init__(self) -> None:
        self.has_begun = threading.Event()
        self.may_end = threading.Event()
        self.closed = 0

    def write(self, record):
        pass

    def finish(self, run):
        self.has_begun.set()
        self.may_end.wait(PATIENCE_SECONDS)

    def close(self):
        self.closed += 1


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr("green_callbacks.accountant.run.run.WATCH_SECONDS", 1e-3)


@pytest.fixture
def clock():
    return ScriptedClock()


@pytest.fixture
def accountant_of(clock):
    def make(**options):
        source = ScriptedSource(300.0, clock=clock)
        return EnergyAccountant(
            sources=[source], clock=clock, carbon_intensity=100.0, **{"sinks": [], "ledger": False, **options}
        )

    return make


def wait_for_the_worker():
    for thread in threading.enumerate():
        if thread.name.startswith("green_callbacks"):
            thread.join(PATIENCE_SECONDS)


def test_the_open_epoch_is_recorded_and_the_ledger_ended(accountant_of, clock, tmp_path: Path):
    accountant, goes_on = accountant_of(ledger=tmp_path / "run.jsonl"), threading.Event()
    goes_on.set()
    accountant.start(is_running=goes_on.is_set)
    accountant.begin_epoch(0)
    clock.advance(10.0)
    goes_on.clear()
    wait_for_the_worker()

    assert not accountant.is_live
    (record,) = accountant.history
    assert (record.epoch, record.complete, record.energy_joules) == (0, False, 3000.0)
    assert '"type":"end"' in (tmp_path / "run.jsonl").read_text()


def test_nothing_is_closed_while_training_goes_on(accountant_of, clock):
    asked = threading.Semaphore(0)

    def is_running():
        asked.release()
        return True

    accountant = accountant_of().start(is_running=is_running)
    accountant.begin_epoch(0)
    clock.advance(10.0)
    for _ in range(3):
        assert asked.acquire(timeout=PATIENCE_SECONDS)

    assert accountant.end_epoch().energy_joules == 3000.0
    accountant.close()


def test_whoever_closes_meanwhile_waits_and_nothing_is_recorded_twice(accountant_of, clock):
    sink = Slow()
    accountant = accountant_of(sinks=[sink])
    accountant.start(is_running=lambda: clock.monotonic() == 0.0)
    accountant.begin_epoch(0)
    clock.advance(10.0)
    assert sink.has_begun.wait(PATIENCE_SECONDS)
    closed_when_back = []

    def close():
        accountant.close()
        closed_when_back.append(sink.closed)

    closing = threading.Thread(target=close)
    closing.start()
    sink.may_end.set()
    closing.join(PATIENCE_SECONDS)
    wait_for_the_worker()

    assert [record.energy_joules for record in accountant.history] == [3000.0]
    assert closed_when_back == [1]


def test_it_can_be_started_again(accountant_of, clock):
    accountant = accountant_of()
    accountant.start(is_running=lambda: False)
    wait_for_the_worker()
    accountant.start()
    accountant.begin_epoch(0)
    clock.advance(1.0)

    assert accountant.end_epoch().energy_joules == 300.0
    accountant.close()
