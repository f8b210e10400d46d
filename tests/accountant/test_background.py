"""What goes on beside training: heartbeats, sensors that want to be read, runs that end without a word."""

import threading
import time

import pytest
from support.runs import WATTS, ListSink, scripted, train

from green_callbacks import read_ledger
from green_callbacks.accountant.run import run as run_module
from green_callbacks.accountant.run.heartbeat import Heartbeat
from green_callbacks.clock import ScriptedClock
from green_callbacks.sources import PowerSteps, ScriptedSource

LONG_SECONDS = 30.0


def wait_until(condition):
    deadline = time.monotonic() + LONG_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_sources_are_polled_on_the_runs_own_thread():
    polled, names = threading.Event(), set()

    class Polled(ScriptedSource):
        poll_seconds = 0.001

        def poll(self):
            names.add(threading.current_thread().name)
            polled.set()

    clock = ScriptedClock()
    accountant, _ = scripted(clock, sources=[Polled(WATTS, clock=clock)])
    with accountant:
        assert polled.wait(LONG_SECONDS)
    assert names == {"green_callbacks"}


def test_a_heartbeat_tells_what_was_used_since_the_last_record(monkeypatch, tmp_path):
    monkeypatch.setattr(run_module, "HEARTBEAT_SECONDS", 0.001)
    accountant, clock = scripted(ledger="run.jsonl")
    accountant.start()
    train(accountant, clock, [0])
    accountant.begin_epoch(1)
    clock.advance(7)

    def told():
        history = read_ledger("run.jsonl").history if (tmp_path / "run.jsonl").exists() else []
        return [(r.epoch, r.complete, r.energy_joules) for r in history]

    wait_until(lambda: told() == [(0, True, WATTS * 10), (None, False, WATTS * 7)])
    accountant.end_epoch()
    accountant.close()
    assert told() == [(0, True, WATTS * 10), (1, True, WATTS * 7)]
    assert list(read_ledger("run.jsonl").history) == list(accountant.history)


def test_nothing_new_is_no_heartbeat(monkeypatch, tmp_path):
    beats, pauses = threading.Semaphore(0), []
    monkeypatch.setattr(run_module, "HEARTBEAT_SECONDS", 0.001)
    beat = Heartbeat.beat

    def counted(heartbeat):
        beat(heartbeat)
        beats.release()

    monkeypatch.setattr(Heartbeat, "beat", counted)
    accountant, clock = scripted(ledger="run.jsonl")
    accountant.start()
    train(accountant, clock, [0])
    pauses += [beats.acquire(timeout=LONG_SECONDS) for _ in range(5)]
    accountant.close()
    assert all(pauses)
    assert [r.epoch for r in read_ledger("run.jsonl").history] == [0]
    assert (tmp_path / "run.jsonl").read_text(encoding="ascii").count("heartbeat") == 0


def test_a_run_whose_training_ended_without_a_word_is_closed(monkeypatch):
    monkeypatch.setattr(run_module, "WATCH_SECONDS", 0.001)
    running, sink = threading.Event(), ListSink()
    running.set()
    accountant, clock = scripted(sinks=[sink])
    accountant.start(is_running=running.is_set)
    train(accountant, clock, [0])
    accountant.begin_epoch(1)
    clock.advance(3)
    assert accountant.is_live
    running.clear()
    wait_until(lambda: sink.closed)
    assert not accountant.is_live
    run = accountant.close()
    assert [(r.epoch, r.complete, r.energy_joules) for r in sink.records] == [
        (0, True, WATTS * 10),
        (1, False, WATTS * 3),
    ]
    assert run.energy_joules == WATTS * 13
    assert sink.closed == 1


def test_closing_while_the_worker_closes_waits_for_it(monkeypatch):
    monkeypatch.setattr(run_module, "WATCH_SECONDS", 0.001)
    closing, gate = threading.Event(), threading.Event()

    class Slow(ListSink):
        def finish(self, run):
            closing.set()
            gate.wait(LONG_SECONDS)
            super().finish(run)

    sink = Slow()
    accountant, clock = scripted(sinks=[sink])
    accountant.start(is_running=lambda: False)
    clock.advance(1)
    assert closing.wait(LONG_SECONDS)
    threading.Timer(0.01, gate.set).start()
    accountant.close()
    assert len(sink.runs) == sink.closed == 1


def test_what_becomes_known_ahead_reaches_the_policies():
    from green_callbacks import Plan

    plans = []
    accountant, clock = scripted(policies=[lambda _, plan: plans.append(plan)], plan=Plan(min_epochs=3))
    accountant.expect(Plan(epochs=7))  # not begun: nothing to tell
    accountant.start(plan=Plan(epochs=9))
    train(accountant, clock, [0])
    accountant.expect(Plan(epochs=8))
    train(accountant, clock, [1])
    accountant.close()
    assert plans == [Plan(epochs=9, min_epochs=3), Plan(epochs=8, min_epochs=3)]


def test_a_phase_in_which_nothing_was_measured_has_what_the_others_measured():
    clock = ScriptedClock()
    source = ScriptedSource(PowerSteps([(0, 100)]), lost_seconds=[(10, 20)], clock=clock)
    accountant, _ = scripted(clock, sources=[source])
    accountant.start()
    accountant.begin_epoch(0)
    clock.advance(10)
    accountant.phase("validation")
    clock.advance(5)
    accountant.phase("train")
    clock.advance(5)
    accountant.phase("validation")
    clock.advance(5)
    record = accountant.end_epoch()
    accountant.close()
    assert record.energy_joules == pytest.approx(2500.0)
    assert sum(phase.joules for phase in record.phases.values()) == pytest.approx(2500.0)
    assert {name: phase.seconds for name, phase in record.phases.items()} == {"train": 15.0, "validation": 10.0}


def test_a_heartbeat_never_follows_a_record_that_tells_of_the_same(monkeypatch):
    accountant, clock = scripted(ledger="run.jsonl")
    accountant.start()
    accountant.begin_epoch(0)
    clock.advance(10)
    run = accountant._run
    told = run.ledger.heartbeat
    ended = threading.Thread(target=accountant.end_epoch)

    def slow(record):
        ended.start()  # the epoch ends just before the heartbeat is handed over
        ended.join(0.2)
        told(record)

    monkeypatch.setattr(run.ledger, "heartbeat", slow)
    run._heartbeat.beat()
    ended.join(LONG_SECONDS)
    run.ledger.flush(LONG_SECONDS)
    assert read_ledger("run.jsonl").history.energy_joules == WATTS * 10
    accountant.close()
