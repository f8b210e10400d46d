"""Runs that train at the same time in one process, on threads of their own."""

import gc
import os
import random
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from math import fsum

import pytest
from support.runs import QUIET, WATTS, ListSink, scripted, train
from support.thread_ranks import on_ranks

from green_callbacks import EnergyAccountant, measure, read_ledger
from green_callbacks.clock import ScriptedClock
from green_callbacks.measurement.registry import REGISTRY
from green_callbacks.records import Reading
from green_callbacks.sources import EnergySource, ScriptedSource

LONG_SECONDS = 30.0


class Trainer:
    """A thread that does what it is told, and lives on in between."""

    def __init__(self):
        self._pool = ThreadPoolExecutor(1)

    def do(self, work, *arguments, **options):
        return self._pool.submit(work, *arguments, **options).result(LONG_SECONDS)

    def end(self):
        self._pool.shutdown()


@pytest.fixture
def trainers():
    made = [Trainer() for _ in range(8)]
    yield made
    for each in made:
        each.end()


@pytest.fixture
def clock():
    return ScriptedClock()


def test_a_sink_serves_one_run_at_a_time(caplog):
    shared = ListSink()
    (first, clock), (second, other) = scripted(sinks=[shared]), scripted(sinks=[shared], name="scripted:1")
    first.start()
    second.start()
    train(first, clock, range(2))
    train(second, other, range(3))
    runs = first.close(), second.close()
    assert (shared.runs, len(shared.records)) == ([runs[0]], 2)
    (sentence,) = runs[1].notices
    assert sentence.startswith(f"The sink ListSink serves run {runs[0].run_id}, so it shows nothing of run ")
    assert [each.getMessage() for each in caplog.records] == [sentence]

    third, clock = scripted(sinks=[shared], strict=True)
    third.start()
    train(third, clock, range(1))
    assert third.close() == shared.runs[1]
    assert not third.close().notices


def device_of(record, name="scripted:0"):
    return record.devices[name]


def part(device):
    """What is said of a device: joules, from, to, method, and whether it was shared."""
    return device.joules, device.low_joules, device.high_joules, device.method, "shared" in device.flags


def test_runs_on_two_threads_share_the_device_in_equal_parts(trainers, clock, tmp_path):
    one, other = trainers[:2]
    first, _ = scripted(clock, ledger="first.jsonl")
    second, _ = scripted(clock, ledger="second.jsonl")
    one.do(first.start)
    clock.advance(2)
    one.do(first.begin_epoch, 0)
    clock.advance(3)
    other.do(second.start)
    other.do(second.begin_epoch, 0)
    clock.advance(4)
    record = one.do(first.end_epoch)
    assert part(device_of(record)) == (WATTS * 5, WATTS * 3, WATTS * 7, "modelled", True)
    one.do(first.begin_epoch, 1)
    clock.advance(6)
    record = other.do(second.end_epoch)
    assert part(device_of(record)) == (WATTS * 5, 0.0, WATTS * 10, "modelled", True)
    run = other.do(second.close)
    clock.advance(1)
    record = one.do(first.end_epoch)
    assert part(device_of(record)) == (WATTS * 4, WATTS * 1, WATTS * 7, "modelled", True)
    one.do(first.begin_epoch, 2)
    clock.advance(5)
    record = one.do(first.end_epoch)
    assert part(device_of(record)) == (WATTS * 5, WATTS * 5, WATTS * 5, "counter", False)
    both = one.do(first.close), run
    assert fsum(each.energy_joules for each in both) == WATTS * clock.monotonic()
    kept = [part(device_of(each)) for each in read_ledger(tmp_path / "first.jsonl").history]
    assert [flagged for *_, flagged in kept] == [False, True, True, False]
    assert [method for *_, method, _ in kept] == ["counter", "modelled", "modelled", "counter"]


def test_both_runs_say_that_they_share_and_neither_is_closed(trainers, clock, caplog):
    first, _ = scripted(clock)
    second, _ = scripted(clock)
    trainers[0].do(first.start)
    trainers[1].do(second.start)
    assert first.is_live
    assert second.is_live
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2
    assert all("divided in equal parts" in each for each in said)
    for accountant, trainer in ((first, trainers[0]), (second, trainers[1])):
        (notice,) = trainer.do(accountant.close).notices
        assert notice.startswith(f"Run {accountant.run_id} shares scripted:0 with another run")


def test_a_run_that_joins_two_that_share_keeps_the_notice_and_logs_none(trainers, clock, caplog):
    accountants = [scripted(clock)[0] for _ in range(3)]
    for accountant, trainer in zip(accountants, trainers, strict=False):
        trainer.do(accountant.start)
    assert sum("divided in equal parts" in record.getMessage() for record in caplog.records) == 2
    for accountant, trainer in zip(accountants, trainers, strict=False):
        (notice,) = trainer.do(accountant.close).notices
        assert notice.startswith(f"Run {accountant.run_id} shares scripted:0 with another run")


def test_one_accountant_for_two_trainings_at_the_same_time_says_so(trainers, clock):
    accountant, _ = scripted(clock)
    accountant.start()
    trainers[0].do(accountant.start)
    trainers[0].do(accountant.begin_epoch, 0)
    assert accountant._state.notices.texts == ()
    trainers[1].do(accountant.start)
    (notice,) = trainers[1].do(accountant.close).notices
    assert "the epochs of both are mixed" in notice


class Script:
    """Runs that start, train and end at random times, and what each must have been given."""

    def __init__(self, seed, trainers, names):
        self.random = random.Random(seed)
        self.clock = ScriptedClock()
        self.trainers = trainers
        self.watts = {name: 100.0 * (number + 1) for number, name in enumerate(names)}
        self.live = {}
        self.given = []
        self.used = dict.fromkeys(self.watts, 0.0)

    def source(self, names):
        return ScriptedSource({name: self.watts[name] for name in names}, clock=self.clock)

    def wait(self):
        seconds = float(self.random.choice([0, 1, 2, 3, 6]))
        self.clock.advance(seconds)
        for name in self.watts:
            having = [state for state in self.live.values() if name in state["names"]]
            self.used[name] += seconds * self.watts[name] * bool(having)
            for state in having:
                state["spans"].append((name, seconds, len(having)))

    def start(self, trainer):
        names = self.random.sample(sorted(self.watts), self.random.randint(1, len(self.watts)))
        accountant, _ = scripted(self.clock, sources=[self.source(names)])
        trainer.do(accountant.start)
        self.live[trainer] = {"accountant": accountant, "names": names, "spans": [], "epoch": 0, "records": []}

    def step(self, trainer):
        state = self.live[trainer]
        accountant = state["accountant"]
        work = self.random.choice(["epoch", "epoch", "phase", "end"])
        if work == "epoch":
            trainer.do(accountant.begin_epoch, state["epoch"])
            state["epoch"] += 1
        elif work == "phase":
            trainer.do(accountant.phase, self.random.choice(["train", "validation"]))
        else:
            self.end(trainer)

    def end(self, trainer):
        state = self.live.pop(trainer)
        assert state["accountant"].is_live, "nobody is closed by another"
        run = trainer.do(state["accountant"].close)
        self.given.append((state, run))

    def play(self, steps):
        for _ in range(steps):
            trainer = self.random.choice(self.trainers)
            (self.step if trainer in self.live else self.start)(trainer)
            self.wait()
        for trainer in list(self.live):
            self.end(trainer)


def check(state, run):
    """Check the sums of a run against what it must have been given."""
    for name in state["names"] if run.duration_seconds else ():
        device = run.devices[name]
        watts = state["accountant"]._settings.sources[0]._energies[name](1.0)
        spans = [(seconds * watts, having) for each, seconds, having in state["spans"] if each == name]
        records = [record.devices[name] for record in state["accountant"].history]
        assert device.joules == pytest.approx(fsum(joules / having for joules, having in spans))
        low = fsum(each.low_joules for each in records)
        high = fsum(each.high_joules for each in records)
        assert low == pytest.approx(fsum(joules for joules, having in spans if having == 1), abs=1e-9)
        assert high == pytest.approx(fsum(joules for joules, having in spans))
        for each in records:
            assert (each.method == "modelled") == ("shared" in each.flags)
            assert each.low_joules <= each.joules <= each.high_joules
            assert ("shared" in each.flags) == (each.high_joules > each.low_joules)


@pytest.mark.parametrize("threads", [2, 3, 8])
@pytest.mark.parametrize("seed", range(6))
def test_runs_that_come_and_go_are_given_all_that_the_devices_use_and_no_more(trainers, threads, seed):
    script = Script(seed, trainers[:threads], ["cpu:0", "gpu:0", "gpu:1"])
    script.play(80)
    assert len(script.given) >= threads
    for state, run in script.given:
        check(state, run)
    for name, joules in script.used.items():
        given = [run.devices[name].joules for _, run in script.given if name in run.devices]
        assert fsum(given) == pytest.approx(joules)


class Counted(ScriptedSource):
    """Counts how often it is opened and closed, and by how many threads it is read at once."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.opened = self.closed = self.reads = self.most = 0
        self._here = 0

    def open(self):
        self.opened += 1
        super().open()

    def close(self):
        self.closed += 1
        super().close()

    def read(self):
        self._here += 1
        self.reads += 1
        self.most = max(self.most, self._here)
        time.sleep(0.0002)
        try:
            return super().read()
        finally:
            self._here -= 1


def test_the_source_outlives_the_run_that_brought_it(trainers, clock):
    ours, theirs = Counted(WATTS, clock=clock), Counted(WATTS, clock=clock)
    first, _ = scripted(clock, sources=[ours])
    second, _ = scripted(clock, sources=[theirs])
    trainers[0].do(first.start)
    clock.advance(1)
    trainers[1].do(second.start)
    assert theirs.closed == 1
    clock.advance(2)
    trainers[0].do(first.close)
    assert ours.closed == 0
    (record,) = trainers[1].do(train, second, clock, [0])
    assert part(device_of(record)) == (WATTS * 10, WATTS * 10, WATTS * 10, "counter", False)
    assert trainers[1].do(second.close).energy_joules == WATTS * 11
    assert ours.closed == 1


def test_one_source_may_be_given_to_all_runs(trainers, clock):
    source = Counted(WATTS, clock=clock)
    accountants = [scripted(clock, sources=[source])[0] for _ in range(3)]
    for accountant, trainer in zip(accountants, trainers, strict=False):
        trainer.do(accountant.start)
        clock.advance(6)
    totals = []
    for accountant, trainer in zip(accountants, trainers, strict=False):
        clock.advance(6)
        totals.append(trainer.do(accountant.close).energy_joules)
    assert totals == pytest.approx([WATTS * (6 + 3 + 2 + 2), WATTS * (3 + 2 + 2 + 3), WATTS * (2 + 2 + 3 + 6)])
    assert (source.opened, source.closed, source.most) == (1, 1, 1)
    again, _ = scripted(clock, sources=[source])
    with again:
        assert train(again, clock, [0])[0].energy_joules == WATTS * 10


def test_runs_on_gpus_of_their_own_share_the_processor_alone(trainers, clock):
    def sources(number):
        cpu = ScriptedSource(100.0, name="cpu:0", component="cpu", clock=clock)
        return [ScriptedSource(WATTS, name=f"gpu:{number}", clock=clock), cpu]

    accountants = [scripted(clock, sources=sources(number))[0] for number in range(2)]
    for accountant, trainer in zip(accountants, trainers, strict=False):
        trainer.do(accountant.start)
    for accountant, trainer in zip(accountants, trainers, strict=False):
        trainer.do(accountant.begin_epoch, 0)
    clock.advance(10)
    for number, trainer in enumerate(trainers[:2]):
        record = trainer.do(accountants[number].end_epoch)
        assert part(device_of(record, "cpu:0")) == (500.0, 0.0, 1000.0, "modelled", True)
        assert part(device_of(record, f"gpu:{number}")) == (WATTS * 10, WATTS * 10, WATTS * 10, "counter", False)
        assert record.devices.keys() == {"cpu:0", f"gpu:{number}"}
    for accountant, trainer in zip(accountants, trainers, strict=False):
        trainer.do(accountant.close)


def test_a_run_that_shares_what_two_others_have_measures_the_rest_by_itself(trainers, clock):
    first, _ = scripted(clock, name="gpu:0")
    second, _ = scripted(clock, name="gpu:1")
    source = ScriptedSource({"gpu:0": WATTS, "gpu:1": WATTS, "gpu:2": WATTS}, clock=clock)
    third, _ = scripted(clock, sources=[source])
    for accountant, trainer in zip((first, second, third), trainers, strict=False):
        trainer.do(accountant.start)
    clock.advance(4)
    trainers[0].do(first.close)
    clock.advance(4)
    run = trainers[2].do(third.close)
    joules = {name: device.joules for name, device in run.devices.items()}
    assert joules == {"gpu:0": WATTS * 6, "gpu:1": WATTS * 4, "gpu:2": WATTS * 8}
    trainers[1].do(second.close)


def test_the_same_thread_starting_anew_closes_its_old_run_and_no_other(trainers, clock, caplog):
    old, _ = scripted(clock)
    other, _ = scripted(clock)
    new, _ = scripted(clock)
    trainers[0].do(old.start)
    trainers[1].do(other.start)
    trainers[0].do(new.start)
    assert f"{old.run_id} is closed, because {new.run_id} starts on the same devices" in caplog.text
    assert [each.is_live for each in (old, other, new)] == [False, True, True]
    clock.advance(2)
    assert trainers[1].do(other.close).energy_joules == WATTS * 1
    assert trainers[0].do(new.close).energy_joules == WATTS * 1


def test_a_run_that_was_started_here_and_trains_elsewhere_is_not_of_this_thread(trainers, clock):
    first, _ = scripted(clock)
    second, _ = scripted(clock)
    first.start()
    trainers[0].do(first.begin_epoch, 0)
    second.start()
    assert first.is_live
    clock.advance(2)
    assert trainers[0].do(first.close).energy_joules == second.close().energy_joules == WATTS


def test_a_run_whose_thread_has_ended_is_closed_by_the_next(trainers, clock, caplog):
    dead, _ = scripted(clock)
    thread = threading.Thread(target=dead.start)
    thread.start()
    thread.join(LONG_SECONDS)
    clock.advance(1)
    new, _ = scripted(clock)
    trainers[0].do(new.start)
    assert f"{dead.run_id} is closed, because {new.run_id} starts" in caplog.text
    assert not dead.is_live
    clock.advance(1)
    assert trainers[0].do(new.close).energy_joules == dead.close().energy_joules == WATTS


def test_a_run_whose_thread_ends_meanwhile_does_not_take_part_for_long(trainers, clock, monkeypatch, caplog):
    monkeypatch.setattr("green_callbacks.accountant.run.run.WATCH_SECONDS", 0.01)
    dead, _ = scripted(clock)
    new, _ = scripted(clock)
    gate = threading.Event()

    def die():
        dead.begin_epoch(0)
        gate.wait(LONG_SECONDS)

    thread = threading.Thread(target=die)
    thread.start()
    while not dead.is_live:
        time.sleep(0.001)
    trainers[0].do(new.start)
    clock.advance(2)
    gate.set()
    deadline = time.monotonic() + LONG_SECONDS
    while dead.is_live:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    assert f"Run {dead.run_id} is closed, as the thread that trained it has ended." in caplog.text
    clock.advance(2)
    assert trainers[0].do(new.close).energy_joules == WATTS * 3
    assert dead.close().energy_joules == WATTS * 1


def test_a_run_that_is_dropped_while_another_goes_on_takes_part_no_more(trainers, clock):
    first, _ = scripted(clock)
    second, _ = scripted(clock)
    trainers[0].do(first.start)
    trainers[1].do(second.start)
    clock.advance(2)
    run = first._run
    del first
    deadline = time.monotonic() + LONG_SECONDS
    while run.is_live:
        gc.collect()
        assert time.monotonic() < deadline
        time.sleep(0.001)
    clock.advance(2)
    assert trainers[1].do(second.close).energy_joules == WATTS * 3


def test_runs_on_clocks_of_their_own_have_nothing_to_do_with_one_another(trainers):
    (first, clock), (second, other) = scripted(), scripted()
    trainers[0].do(first.start)
    trainers[1].do(second.start)
    clock.advance(1)
    other.advance(2)
    assert trainers[0].do(first.close).energy_joules == WATTS
    assert trainers[1].do(second.close).energy_joules == WATTS * 2


class Meter(EnergySource):
    """A user's own meter on the clock of the machine: no thread may ask it while another does."""

    poll_seconds = None

    def __init__(self):
        self.turn = threading.Lock()
        self.is_open = False
        self.broken = self.hanging = None
        self.values = []

    def open(self):
        self.is_open = True

    def read(self):
        if not self.turn.acquire(blocking=False):
            self.broken = "asked by two threads at once"
            raise RuntimeError(self.broken)
        try:
            assert self.is_open, "read while it is closed"
            if self.hanging is not None:
                self.hanging.wait(LONG_SECONDS)
            self.values.append(100.0 * time.monotonic())
            return {"gpu:0": Reading(self.values[-1], "gpu", "counter")}
        finally:
            self.turn.release()

    def close(self):
        self.is_open = False


def accountant_of(*sources, **options):
    return EnergyAccountant(sources=sources, ledger=False, **{**QUIET, **options})


def train_for_real(accountant, epochs, seed):
    chance = random.Random(seed)
    with accountant:
        for _ in accountant.epochs(epochs):
            time.sleep(chance.random() * 0.004)
            with accountant.phase("validation"):
                time.sleep(chance.random() * 0.002)
    return accountant.close()


@pytest.mark.parametrize("threads", [2, 3, 8])
def test_runs_on_the_clock_of_the_machine_are_given_all_that_the_device_uses(threads, caplog):
    meter = Meter()
    anchor = accountant_of(meter)
    anchor.start()  # it lives all the time, so that what all of them are given is what the device uses meanwhile
    accountants = [accountant_of(meter) for _ in range(3 * threads)]
    with ThreadPoolExecutor(threads) as pool:
        runs = list(pool.map(train_for_real, accountants, [12] * len(accountants), range(len(accountants))))
    whole = anchor.close()
    used = meter.values[-1] - meter.values[0]
    assert fsum(run.energy_joules for run in (*runs, whole)) == pytest.approx(used, rel=1e-9)
    assert meter.broken is None
    assert all(run.epochs == 12 for run in runs)
    for accountant in accountants:
        for record in accountant.history:
            for device in record.devices.values():
                if device.joules is None:  # a machine so busy that nobody answers in time: said, and caught up later
                    assert device.gap_seconds > 0
                    continue
                assert part(device)[1] <= part(device)[0] <= part(device)[2]
                assert (device.method, "shared" in device.flags) in {("counter", False), ("modelled", True)}
    assert not [record for record in caplog.records if "Traceback" in (record.exc_text or "")]
    assert "is closed, because" not in caplog.text


def test_runs_that_start_at_the_same_moment_measure_a_device_once(caplog):
    meters = [Meter() for _ in range(8)]
    together = threading.Barrier(8)

    def objective(meter):
        accountant = accountant_of(meter)
        together.wait(LONG_SECONDS)
        accountant.start()
        together.wait(LONG_SECONDS)
        accountant.begin_epoch(0)
        time.sleep(0.05)
        record = accountant.end_epoch()
        together.wait(LONG_SECONDS)
        return record, accountant.close()

    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(objective, meters))
    assert sum(meter.is_open for meter in meters) == 0
    for record, run in told:
        device = record.devices["gpu:0"]
        assert part(device)[3:] == ("modelled", True)
        assert device.joules == pytest.approx(100.0 * device.duration_seconds / 8, rel=0.5)
        assert run.epochs == 1


def test_a_source_that_hangs_costs_no_run_more_than_its_own_wait(caplog):
    meter, other = Meter(), Meter()
    first, second = accountant_of(meter), accountant_of(meter)
    del other
    trainer = Trainer()
    first.start()
    trainer.do(second.start)
    first.begin_epoch(0)
    trainer.do(second.begin_epoch, 0)
    meter.hanging = threading.Event()
    began = time.monotonic()
    ended = trainer._pool.submit(second.end_epoch)
    first.end_epoch()
    ended.result(LONG_SECONDS)
    assert time.monotonic() - began < 1.0
    assert caplog.text.count("did not answer in time") == 1
    first.begin_epoch(1)
    meter.hanging.set()
    meter.hanging = None
    deadline = time.monotonic() + LONG_SECONDS
    while first._run.meter.read().tallies["gpu:0"].reading.reason is not None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    record = first.end_epoch()
    assert record.devices["gpu:0"].joules > 0
    one, two = first.close(), trainer.do(second.close)
    assert one.energy_joules + two.energy_joules == pytest.approx(meter.values[-1] - meter.values[0], rel=1e-6)
    trainer.end()


class Polled(ScriptedSource):
    """Wants to be polled every few milliseconds."""

    poll_seconds = 0.005

    def __init__(self, **options):
        super().__init__(WATTS, **options)
        self.pollers = []

    def poll(self):
        self.pollers.append(threading.get_ident())


def until(condition):
    deadline = time.monotonic() + LONG_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_one_run_polls_and_another_goes_on_when_it_ends(trainers, clock):
    source = Polled(clock=clock)
    first, _ = scripted(clock, sources=[source])
    second, _ = scripted(clock, sources=[source])
    trainers[0].do(first.start)
    until(lambda: source.pollers)
    trainers[1].do(second.start)
    seen = len(source.pollers)
    until(lambda: len(source.pollers) > seen + 10)
    trainers[0].do(first.close)
    seen = len(source.pollers)
    until(lambda: len(source.pollers) > seen + 10)
    assert source.pollers[-1] != source.pollers[0]
    trainers[1].do(second.close)
    seen = len(source.pollers)
    time.sleep(0.03)
    assert len(source.pollers) == seen


def test_what_a_silent_device_tells_of_later_is_of_all_who_had_it(trainers, clock):
    source = ScriptedSource(WATTS, lost_seconds=[(3, 9)], clock=clock)
    first, _ = scripted(clock, sources=[source])
    second, _ = scripted(clock, sources=[source])
    trainers[0].do(first.start)
    clock.advance(2)
    trainers[1].do(second.start)
    clock.advance(2)
    trainers[1].do(second.close)
    clock.advance(6)
    run = trainers[0].do(first.close)
    assert run.energy_joules + second.close().energy_joules == WATTS * 10
    (record,) = first.history
    device = device_of(record)
    assert "shared" in device.flags
    assert device.low_joules <= WATTS * 2
    assert device.high_joules >= WATTS * 10 - 1


def test_a_window_beside_runs_measures_the_whole_and_closes_nothing(trainers, clock):
    source = ScriptedSource(WATTS)
    first, second = accountant_of(source), accountant_of(source)
    trainers[0].do(first.start)
    trainers[1].do(second.start)
    with measure([source]) as window:
        time.sleep(0.2)  # long beside what a busy machine takes away
    assert window.energy_joules == pytest.approx(WATTS * window.duration_seconds, rel=0.2)
    assert trainers[0].do(first.close).energy_joules > 0
    assert trainers[1].do(second.close).energy_joules > 0


def test_ranks_of_one_run_are_not_taken_for_runs():
    clock = ScriptedClock()

    def body(ranks):
        cpu = ScriptedSource(100.0, name="cpu:0", component="cpu", clock=clock)
        gpu = ScriptedSource(WATTS, name=f"gpu:{ranks.rank}", clock=clock)
        accountant, _ = scripted(clock, sources=[cpu, gpu])
        accountant.start(ranks=ranks)
        accountant.begin_epoch(0)
        ranks.sum([0.0])
        if ranks.rank == 0:
            clock.advance(10)
        ranks.sum([0.0])
        return accountant.end_epoch(), accountant.close()

    (record, run), _ = on_ranks(2, body)
    assert {name: part(device) for name, device in record.devices.items()} == {
        "cpu:0": (1000.0, 1000.0, 1000.0, "counter", False),
        "gpu:0": (WATTS * 10, WATTS * 10, WATTS * 10, "counter", False),
        "gpu:1": (WATTS * 10, WATTS * 10, WATTS * 10, "counter", False),
    }
    assert run.notices == ()


def test_parts_of_epochs_are_shared_too(trainers, clock):
    first, _ = scripted(clock, decide_every=2)
    second, _ = scripted(clock)
    trainers[0].do(first.start)
    trainers[1].do(second.start)

    def epoch():
        first.begin_epoch(0)
        for _ in first.steps(range(6)):
            clock.advance(1)
        first.end_epoch()

    trainers[0].do(epoch)
    assert trainers[0].do(first.close).energy_joules == WATTS * 3
    rows = [part(device_of(record)) for record in first.history if record.epoch == 0 and record.duration_seconds]
    assert rows == [(WATTS, 0.0, WATTS * 2, "modelled", True)] * 3
    assert trainers[1].do(second.close).energy_joules == WATTS * 3


def test_a_run_that_cannot_start_takes_no_part(trainers, clock, tmp_path):
    first, _ = scripted(clock)
    trainers[0].do(first.start)
    (tmp_path / "folder").mkdir()

    class Failing(ScriptedSource):
        def describe(self):
            raise KeyboardInterrupt

    second, _ = scripted(clock, sources=[Failing(WATTS, clock=clock)])

    def start():
        with pytest.raises(KeyboardInterrupt):
            second.start()

    trainers[1].do(start)
    clock.advance(4)
    assert trainers[0].do(first.close).energy_joules == WATTS * 4
    assert len(gauges()) == 0


def gauges():
    return REGISTRY._claims


@contextmanager
def forked():
    child = os.fork()
    try:
        yield child == 0
    except BaseException:
        if child == 0:
            traceback.print_exc()
            os._exit(1)
        raise
    if child == 0:
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_fork_shares_nothing_with_the_runs_of_its_parent(trainers, clock):
    first, _ = scripted(clock)
    trainers[0].do(first.start)
    with forked() as is_child:
        if is_child:
            own, _ = scripted(clock)
            own.start()
            assert part(device_of(train(own, clock, [0])[0])) == (WATTS * 10, WATTS * 10, WATTS * 10, "counter", False)
            own.close()
    clock.advance(1)
    assert trainers[0].do(first.close).energy_joules == WATTS


def test_after_all_runs_nothing_is_left(trainers, clock):
    for round_ in range(5):
        accountants = [scripted(clock)[0] for _ in range(3)]
        for accountant, trainer in zip(accountants, trainers, strict=False):
            trainer.do(accountant.start)
        for accountant, trainer in list(zip(accountants, trainers, strict=False))[:: (-1) ** round_]:
            clock.advance(1)
            trainer.do(accountant.close)
    assert gauges() == {}
