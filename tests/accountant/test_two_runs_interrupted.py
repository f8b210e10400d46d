"""An interrupt, or a signal handler, at every line that measures a device for two runs: the other run goes on."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from math import inf

import pytest
from support.injector import HANG_SECONDS, Injector, no_hang
from support.runs import WATTS, scripted
from torture.trial import Interrupted

from green_callbacks.clock import ScriptedClock
from green_callbacks.measurement import read_time_limit
from green_callbacks.measurement.registry import REGISTRY
from green_callbacks.sources import ScriptedSource

FILES = (
    "meter.py",
    "measurement/read_time_limit.py",
    "measurement/gauge.py",
    "measurement/energy_division.py",
    "measurement/registry.py",
    "measurement/device_tally.py",
    "measurement/interrupt_safe_lock.py",
)
SLOW_SECONDS = 5.0


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    """Wait for a late reading as if this thread were late, because a busy machine is not a slow sensor."""
    monkeypatch.setattr(read_time_limit, "_STARVED_SECONDS", -inf)


def raise_it(*_):
    raise Interrupted


def close_both(ours, theirs):
    ours.close()
    theirs.close()


def close_ours(ours, _):
    ours.close()


def life(accountant, clock):
    accountant.start()
    for epoch in range(2):
        accountant.begin_epoch(epoch)
        clock.advance(2)
        accountant.end_epoch()
    accountant.close()


def trial(at, work, pool, source_of):
    """Train with an injection beside another run; return what does not hold, None where it was over before."""
    clock = ScriptedClock()
    ours, _ = scripted(clock, sources=[source_of(clock)])
    theirs, _ = scripted(clock, sources=[source_of(clock)])
    found = []
    pool.submit(theirs.start).result(HANG_SECONDS)
    pool.submit(theirs.begin_epoch, 0).result(HANG_SECONDS)
    injector = Injector(FILES, at, lambda: work(ours, theirs))
    with suppress(Interrupted):
        injector.run(lambda: life(ours, clock))
    ours.close()
    if not injector.place:
        pool.submit(theirs.close).result(HANG_SECONDS)
        return None
    if theirs.is_live:
        alone_from = clock.monotonic()
        began = time.monotonic()
        pool.submit(theirs.end_epoch).result(HANG_SECONDS)
        if time.monotonic() - began > SLOW_SECONDS:
            found.append("the other run had to wait")
        pool.submit(theirs.begin_epoch, 1).result(HANG_SECONDS)
        clock.advance(3)
        record = pool.submit(theirs.end_epoch).result(HANG_SECONDS)
        device = record.devices["scripted:0"]
        if (device.joules, device.method, device.flags) != (WATTS * 3, "counter", ()):
            found.append(f"the other run is given {device} from {alone_from} s on")
    elif work is not close_both:
        found.append("the other run is closed")
    theirs_run = pool.submit(theirs.close).result(HANG_SECONDS)
    given = (ours.close().energy_joules or 0.0) + (theirs_run.energy_joules or 0.0)
    if given > WATTS * clock.monotonic() + 1e-6:
        found.append(f"{given} J of {WATTS * clock.monotonic()} J are given")
    if REGISTRY._claims:
        found.append("a gauge is left behind")
        REGISTRY._claims.clear()
    return [f"{injector.place}: {each}" for each in found]


@pytest.fixture
def pool():
    with ThreadPoolExecutor(1) as made:
        yield made


class ElsewhereSource(ScriptedSource):
    """One that is read on a thread of its own."""

    def read(self):
        return super().read()


@pytest.mark.no_cover
@pytest.mark.parametrize("kind", [ScriptedSource, ElsewhereSource])
@pytest.mark.parametrize("work", [raise_it, close_ours, close_both])
def test_at_every_line_of_a_shared_reading_the_other_run_goes_on(pool, work, kind):
    stride = 13 if work is raise_it else 23  # primes
    at, faults = 1, []
    while True:
        with no_hang():
            found = trial(at, work, pool, lambda clock: kind(WATTS, clock=clock))
        if found is None:
            break
        faults += found
        assert len(faults) < 10, "\n".join(faults)
        at += stride
    assert faults == []
    assert at > 100
