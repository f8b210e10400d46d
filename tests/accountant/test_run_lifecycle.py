"""Copies, forks, and runs that take one another's place."""

import copy
import os
import pickle
import signal
import subprocess
import sys
import textwrap

import pytest
from support.runs import WATTS, ListSink, scripted, train

from green_callbacks import EnergyAccountant, read_ledger
from green_callbacks.sources import ScriptedSource


@pytest.mark.parametrize("clone", [copy.copy, copy.deepcopy, lambda each: pickle.loads(pickle.dumps(each))])
def test_a_copy_is_a_new_run_with_the_same_options(clone):
    accountant = EnergyAccountant(sources=[ScriptedSource(WATTS)], carbon_intensity=100.0, pue=1.2, sinks=[])
    accountant.start()
    accountant.begin_epoch(0)
    accountant.end_epoch()
    accountant.begin_epoch(1)
    new = clone(accountant)
    assert not new.is_live
    assert len(new.history) == 0
    assert (new.run_id, new.stop_reason) == ("", None)
    assert accountant.is_live
    accountant.close()
    new.start()
    new.begin_epoch(0)
    record = new.end_epoch()
    run = new.close()
    assert run.run_id != accountant.run_id
    assert run.ledger != accountant.close().ledger
    assert (record.pue, record.intensity.g_per_kwh) == (1.2, 100.0)


def test_a_new_run_on_the_same_devices_takes_the_place_of_the_old(caplog):
    old, clock = scripted()
    old.start()
    old.begin_epoch(0)
    clock.advance(3)
    new, _ = scripted(clock)
    new.start()
    assert f"{old.run_id} is closed, because {new.run_id} starts on the same devices" in caplog.text
    assert not old.is_live
    new.begin_epoch(0)
    clock.advance(4)
    caplog.clear()

    record = old.end_epoch()
    old.begin_epoch(1)
    old.observe({"val_acc": 1.0})
    with old.phase("validation"):
        clock.advance(1)
    assert old.end_epoch().energy_joules is None
    assert (record.energy_joules, record.emissions_kg, record.complete) == (None, None, False)
    assert caplog.text == ""

    assert new.end_epoch().energy_joules == WATTS * 5
    assert new.close().energy_joules == WATTS * 5
    assert [(r.epoch, r.complete, r.energy_joules) for r in old.history] == [(0, False, WATTS * 3)]
    assert old.close().energy_joules == WATTS * 3


def test_a_new_run_may_share_the_very_sources_of_the_old():
    old, clock = scripted()
    old.start()
    clock.advance(1)
    new = copy.copy(old)
    new.start()
    (record,) = train(new, clock, [0])
    assert record.energy_joules == WATTS * 10
    new.close()


def test_runs_on_other_devices_go_on_side_by_side():
    first, clock = scripted(name="gpu:0")
    second, _ = scripted(clock, name="gpu:1")
    first.start()
    second.start()
    train(first, clock, [0])
    assert first.is_live
    assert second.is_live
    assert first.close().energy_joules == second.close().energy_joules == WATTS * 10


def test_one_accountant_after_another():
    for _ in range(3):
        accountant, clock = scripted()
        with accountant:
            train(accountant, clock, [0])
        assert accountant.close().energy_joules == WATTS * 10


def test_a_disabled_accountant_does_nothing_at_no_cost(monkeypatch, caplog, tmp_path):
    monkeypatch.setenv("GREEN_CALLBACKS_DISABLE", "1")
    sink = ListSink()
    accountant, clock = scripted(
        ledger="run.jsonl", sinks=[sink], policies=[lambda *_: True], carbon_intensity=None, pue=None
    )
    with accountant:
        assert [(epoch, clock.advance(1)) for epoch in accountant.epochs(3)] == [(0, None), (1, None), (2, None)]
    run = accountant.close()
    assert (run.energy_joules, run.emissions_kg, run.ledger, run.stop_reason) == (None,) * 4
    assert sink.contexts == sink.records == []
    assert list(tmp_path.iterdir()) == []
    assert caplog.text == ""


@pytest.mark.parametrize("value", ["", "0", "false", "No", "off"])
def test_a_disabling_variable_that_says_no_disables_nothing(monkeypatch, value):
    monkeypatch.setenv("GREEN_CALLBACKS_DISABLE", value)
    accountant, clock = scripted()
    with accountant:
        assert train(accountant, clock, [0])[0].energy_joules == WATTS * 10


def run_script(script, folder):
    command = [sys.executable, "-c", textwrap.dedent(script)]
    return subprocess.run(command, cwd=folder, timeout=60, check=False, capture_output=True, text=True)


FORKS = """
    import os, sys, warnings
    from green_callbacks import EnergyAccountant
    from green_callbacks.sources import ScriptedSource

    warnings.simplefilter("ignore", DeprecationWarning)  # of forking with threads: that is the test
    class Busy(ScriptedSource):
        poll_seconds = 0.0005

    options = dict(carbon_intensity=100.0, sinks=[], ledger="run.jsonl")
    accountant = EnergyAccountant(sources=[Busy(300.0)], **options)
    accountant.start()
    accountant.begin_epoch(0)
    for _ in range(20):
        child = os.fork()
        if child == 0:
            assert not accountant.is_live
            accountant.start()
            accountant.observe({"val_acc": 1.0})
            with accountant.phase("validation"):
                pass
            assert accountant.end_epoch().energy_joules is None
            accountant.begin_epoch(1)
            accountant.end_epoch()
            accountant.state_dict()
            before = os.path.getsize("run.jsonl")
            accountant.close()
            own = EnergyAccountant(sources=[Busy(300.0, name="scripted:1")], **{**options, "ledger": False})
            with own:
                for _ in own.epochs(1):
                    pass
            assert own.close().energy_joules > 0
            del accountant
            sys.exit(0)  # runs what is registered for the end of a process
        assert os.waitpid(child, 0)[1] == 0
    record = accountant.end_epoch()
    assert record.epoch == 0 and record.complete and record.energy_joules > 0, record
    accountant.close()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_fork_of_the_process_does_nothing_and_does_not_hang(tmp_path):
    done = run_script(FORKS, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    contents = read_ledger(tmp_path / "run.jsonl")
    assert [record.epoch for record in contents.history if record.epoch is not None] == [0]
    assert (tmp_path / "run.jsonl").read_text(encoding="ascii").count('"type":"end"') == 1


def test_a_run_that_was_not_closed_is_closed_at_the_end_of_the_process(tmp_path):
    script = """
        from green_callbacks import EnergyAccountant
        from green_callbacks.sources import ScriptedSource

        accountant = EnergyAccountant(sources=[ScriptedSource()], carbon_intensity=1.0, sinks=[], ledger="run.jsonl")
        accountant.begin_epoch(0)
        accountant.end_epoch()
        accountant.begin_epoch(1)
    """
    done = run_script(script, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    epochs = [(r.epoch, r.complete) for r in read_ledger(tmp_path / "run.jsonl").history if r.epoch is not None]
    assert epochs == [(0, True), (1, False)]
    assert (tmp_path / "run.jsonl").read_text(encoding="ascii").count('"type":"end"') == 1


def test_signals_are_left_alone():
    before = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    accountant, clock = scripted()
    with accountant:
        train(accountant, clock, [0])
        assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)] == before
