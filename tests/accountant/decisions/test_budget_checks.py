"""Budgets are looked at inside epochs, without being asked to."""

import sys
import threading
import time
from datetime import timedelta

import pytest
from support import runs
from support.runs import KG_PER_JOULE, WATTS
from support.thread_ranks import on_ranks

from green_callbacks import CarbonBudget, EnergyAccountant, Plan, read_ledger
from green_callbacks.accountant.decisions import budget_checks as looks_module
from green_callbacks.carbon import TraceIntensity
from green_callbacks.clock import ScriptedClock
from green_callbacks.policies import Left
from green_callbacks.records import Verdict
from green_callbacks.sources import PowerSteps, ScriptedSource
from green_callbacks.units import Amount


def joules(seconds):
    return f"{seconds * WATTS} J"


def grams(seconds):
    return f"{seconds * WATTS * KG_PER_JOULE * 1e3} g"


@pytest.fixture
def scripted():
    """Accountants that are closed at the end, whatever comes."""
    made = []

    def make(*arguments, **options):
        accountant, clock = runs.scripted(*arguments, **options)
        made.append(accountant)
        return accountant, clock

    yield make
    for each in made:
        each.close()


def endless(accountant, clock, *, step=1.0, most=100_000):
    """Go through an epoch without an end; return how many steps were done."""
    done = 0
    accountant.begin_epoch(0)
    while done < most:
        clock.advance(step)
        done += 1
        if accountant.look():
            break
    return done


def wait_until(is_so, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not is_so() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert is_so()


@pytest.mark.parametrize("budget", [joules(100), grams(100)])
@pytest.mark.parametrize("step", [0.2, 1.0, 7.0])
def test_an_endless_epoch_is_stopped_within_a_step_of_its_budget(scripted, budget, step, caplog):
    accountant, clock = scripted(policies=[CarbonBudget(budget)])
    done = endless(accountant, clock, step=step)
    assert 100.0 <= done * step + 1e-9 < 100.0 + step + looks_module.LEAST_SECONDS
    assert "are spent." in accountant.stop_reason
    assert f"Stopping in epoch 0. {accountant.stop_reason}" in caplog.messages
    record = accountant.end_epoch()
    assert not record.complete
    assert record.energy_joules == pytest.approx(done * step * WATTS)
    assert accountant.close().epochs == 0


def test_steps_stop_the_loop_without_an_interval(scripted):
    accountant, clock = scripted(policies=[CarbonBudget(joules(30))])
    done = []
    with accountant:
        for epoch in accountant.epochs(3):
            for batch in accountant.steps(range(1000)):
                clock.advance(1.0)
                done.append((epoch, batch))
    assert len(done) == 30
    assert [(r.epoch, r.complete) for r in accountant.history] == [(0, False)]


def test_the_facility_and_what_lies_outside_epochs_count(scripted):
    accountant, clock = scripted(policies=[CarbonBudget(joules(120))], pue=1.5)
    accountant.start()
    clock.advance(20.0)  # 30 with the PUE
    assert endless(accountant, clock) == 60
    accountant.close()


def test_what_was_spent_before_counts(scripted):
    accountant, clock = scripted(policies=[CarbonBudget(joules(100), spent_before=60 * WATTS / 3.6e6)])
    assert endless(accountant, clock) == 40
    accountant.close()


def test_what_the_plan_says_others_have_spent_counts(scripted):
    accountant, clock = scripted(policies=[CarbonBudget(grams(100))])
    accountant.start(plan=Plan(spent_before_kg=50 * WATTS * KG_PER_JOULE))
    assert endless(accountant, clock) == 50
    accountant.close()


def test_a_run_that_goes_on_by_its_ledger_counts_what_it_has_spent(scripted):
    first, clock = scripted(policies=[CarbonBudget(joules(100))], ledger="run.jsonl")
    first.begin_epoch(0)
    clock.advance(70.0)
    first.close()
    second, clock = scripted(clock, policies=[CarbonBudget(joules(100))], ledger="run.jsonl")
    assert endless(second, clock) == 30
    second.close()


def test_emissions_are_priced_as_the_grid_changes(scripted):
    dawn = ScriptedClock().now()
    trace = TraceIntensity([(dawn, 500.0), (dawn + timedelta(seconds=50), 1000.0), (dawn + timedelta(days=1), 1000.0)])
    accountant, clock = scripted(policies=[CarbonBudget(grams(100))], carbon_intensity=trace)
    done = endless(accountant, clock, step=0.5)
    kg = accountant.close().emissions_kg
    assert 125 <= done * 0.5 <= 130, "50 s at one and 75 s at two"
    assert kg == pytest.approx(100 * WATTS * KG_PER_JOULE, rel=0.1)


def test_power_that_rises_meanwhile_is_found_within_a_minute(scripted):
    clock = ScriptedClock()
    source = ScriptedSource(PowerSteps([(0, 10.0), (100, 1000.0)]), clock=clock)
    accountant, _ = scripted(clock, sources=[source], policies=[CarbonBudget("11000 J")])
    done = endless(accountant, clock)
    assert 110 <= done <= 110 + looks_module.MOST_SECONDS
    accountant.close()


def test_a_hard_budget_keeps_the_dearest_validation_in_reserve(scripted):
    accountant, clock = scripted(policies=[CarbonBudget(joules(100))])
    accountant.begin_epoch(0)
    clock.advance(20.0)
    with accountant.phase("validation"):
        clock.advance(8.0)
    accountant.end_epoch()
    accountant.begin_epoch(1)
    done = 0
    while not accountant.look():
        clock.advance(1.0)
        done += 1
    assert done == 64, "28 s were spent, and 8 s are kept"
    assert "the validation and checkpoint that follow a stop would take about" in accountant.stop_reason
    with accountant.phase("validation"):
        clock.advance(8.0)
    accountant.end_epoch()
    assert accountant.close().energy_joules <= 100 * WATTS


def test_a_soft_budget_says_once_that_it_is_spent_and_stops_after_the_epoch(scripted, caplog):
    accountant, clock = scripted(policies=[CarbonBudget(joules(10), hard=False)])
    with accountant:
        for _ in accountant.epochs(5):
            for _ in accountant.steps(range(300)):
                clock.advance(1.0)
    (said,) = [message for message in caplog.messages if "The run ends after this epoch." in message]
    assert said.startswith("In epoch 0: ")
    assert [(r.epoch, r.complete) for r in accountant.history] == [(0, True)]


def test_a_soft_budget_that_lands_says_that_the_run_may_end_inside_the_epoch(scripted, caplog):
    accountant, clock = scripted(policies=[CarbonBudget(joules(1_000), landing=0.1, hard=False)])
    accountant.landing_factor  # noqa: B018  tells that the loop can land
    with accountant:
        for _ in accountant.epochs(50):
            for _ in accountant.steps(range(300)):
                clock.advance(1.0 if accountant.landing is None else 2.0)
    (said,) = [message for message in caplog.messages if "The run ends after this epoch" in message]
    assert said.endswith("The run ends after this epoch, or sooner with its landing.")
    assert accountant.stop_reason is not None


def test_looks_leave_no_record_and_change_no_sum(scripted):
    def spent(*policies):
        clock = ScriptedClock()
        source = ScriptedSource(PowerSteps([(0, 100.0), (33.3, 300.0), (77.7, 50.0)]), clock=clock)
        accountant, _ = scripted(clock, sources=[source], policies=policies, ledger="run.jsonl")
        for _ in accountant.epochs(2):
            for _ in accountant.steps(range(100)):
                clock.advance(0.7)
            with accountant.phase("validation"):
                clock.advance(3.0)
        run = accountant.close()
        records = [(r.energy_joules, r.emissions_kg, r.duration_seconds, r.phases) for r in accountant.history]
        contents = read_ledger(run.ledger)
        assert list(contents.history) == list(accountant.history)
        run.ledger.unlink()
        return run.energy_joules, records

    (joules_without, without), (joules_with, with_looks) = spent(), spent(CarbonBudget("1 kWh"))
    assert joules_with == pytest.approx(joules_without)
    assert len(with_looks) == len(without) == 2
    for ours, theirs in zip(with_looks, without, strict=True):
        assert ours[:3] == pytest.approx(theirs[:3])
        assert {n: tuple(p) for n, p in ours[3].items()} == {n: pytest.approx(tuple(p)) for n, p in theirs[3].items()}


def test_the_meter_is_read_seldom_while_the_budget_lasts(scripted, monkeypatch):
    accountant, clock = scripted(policies=[CarbonBudget(joules(100_000))])
    accountant.start()
    reads = []
    meter = accountant._run.meter
    read = meter.read
    monkeypatch.setattr(meter, "read", lambda **options: reads.append(clock.monotonic()) or read(**options))
    accountant.begin_epoch(0)
    for _ in range(36_000):
        clock.advance(0.1)
        assert not accountant.look()
    assert len(reads) <= 3600 / looks_module.MOST_SECONDS + 10
    accountant.close()


def test_without_a_budget_no_look_reads_the_meter(scripted, monkeypatch):
    accountant, clock = scripted(policies=[lambda *_: False])
    accountant.start()
    accountant.begin_epoch(0)
    monkeypatch.setattr(accountant._run.meter, "read", None)
    for _ in range(100):
        clock.advance(60.0)
        assert accountant.look() is False
    monkeypatch.undo()
    accountant.close()


def test_a_look_calls_nothing_but_the_clock():
    accountant = EnergyAccountant(
        sources=[ScriptedSource(WATTS, clock=ScriptedClock())],
        policies=[CarbonBudget("1 t")],
        carbon_intensity=100.0,
        sinks=[],
        ledger=False,
    )
    called = []
    with accountant:
        accountant.begin_epoch(0)
        accountant.look()
        sys.setprofile(lambda frame, event, _: called.append(frame.f_code.co_name) if event == "call" else None)
        try:
            accountant.look()
        finally:
            sys.setprofile(None)
    assert called == ["look", "is_due"], "is_due() reads the clock"


def test_there_is_nothing_to_look_at_outside_epochs_and_runs(scripted):
    accountant, clock = scripted(policies=[CarbonBudget(joules(1))])
    assert not accountant.look()
    accountant.start()
    clock.advance(0.5)
    assert not accountant.look()
    accountant.begin_epoch(0)
    accountant.end_epoch()
    clock.advance(100.0)
    assert not accountant.look()
    accountant.close()
    assert not accountant.look()


def test_a_loop_that_goes_on_is_told_again_in_that_epoch(scripted):
    accountant, clock = scripted(policies=[CarbonBudget(joules(10))])
    assert endless(accountant, clock) == 10
    assert accountant.look()
    clock.advance(1.0)
    assert accountant.look()
    accountant.end_epoch()
    accountant.begin_epoch(1)
    clock.advance(1.0)
    assert not accountant.look(), "it is the framework that goes on"
    accountant.close()


def test_looks_and_parts_go_together(scripted):
    accountant, clock = scripted(decide_every="40 s", policies=[CarbonBudget(joules(50))])
    with accountant:
        for _ in accountant.epochs(1):
            for _ in accountant.steps(range(1000)):
                clock.advance(1.0)
    parts = [(r.duration_seconds, r.closes_epoch, r.complete) for r in accountant.history]
    assert parts == [(40.0, False, True), (0.0, True, False)], "another part would have overspent it"

    clock = ScriptedClock()
    source = ScriptedSource(PowerSteps([(0, 300.0), (40, 900.0)]), clock=clock)
    accountant, _ = scripted(clock, sources=[source], decide_every="40 s", policies=[CarbonBudget("30 kJ")])
    with accountant:
        for _ in accountant.epochs(1):
            for _ in accountant.steps(range(1000)):
                clock.advance(1.0)
    parts = [(r.duration_seconds, r.closes_epoch, r.complete) for r in accountant.history]
    assert parts[:-1] == [(40.0, False, True)]
    assert 20.0 <= parts[-1][0] <= 25.0, "the power rose inside a part"


def test_a_budget_of_the_users_own_is_asked_inside_epochs(scripted):
    class Own:
        name, amount = "our budget", Amount(1.0, "facility_kwh")

        def spent(self, history, plan):
            return history.facility_kwh

        def decide(self, history, plan):
            return Verdict(stop=False, code="active", reason="Enough is left.")

        def left_inside(self, history, plan, open_kg, open_kwh):
            return Left(10 * WATTS / 3.6e6 - open_kwh, stops=True, reason="Ours is spent.")

    accountant, clock = scripted(policies=[Own()])
    assert endless(accountant, clock) == 10
    assert accountant.close().stop_reason == "Ours is spent."


def test_a_budget_of_the_users_own_that_fails_is_said_once_and_ends_nothing(scripted, caplog):
    class Own(CarbonBudget):
        def left_inside(self, *_):
            raise LookupError(1)

    accountant, clock = scripted(policies=[Own("1 kg")])
    assert endless(accountant, clock, most=500) == 500
    run = accountant.close()
    (said,) = [text for text in run.notices if "failed" in text]
    assert "LookupError" in said
    assert caplog.messages.count(said) == 1


def test_ranks_stop_after_the_same_batch_and_count_together(scripted):
    def body(ranks):
        clock = ScriptedClock()
        accountant, _ = scripted(clock, name=f"gpu:{ranks.rank}", policies=[CarbonBudget(joules(200))])
        accountant.start(ranks=ranks)
        done = 0
        for _ in accountant.epochs(3):
            for _ in accountant.steps(range(10_000)):
                clock.advance(1.0 if ranks.rank == 0 else 1.1)
                done += 1
        return done, accountant.close(together=True).stop_reason

    (first, reason), (second, other) = on_ranks(2, body)
    assert first == second
    assert 200 / 2.1 <= first <= 200 / 2.1 + 2
    assert "are spent." in reason
    assert other == "Rank 0 decided to stop."


def test_ranks_ask_one_another_seldom(scripted):
    sums = []

    def body(ranks):
        clock = ScriptedClock()
        accountant, _ = scripted(clock, name=f"gpu:{ranks.rank}", policies=[CarbonBudget("1 t")])
        accountant.start(ranks=ranks)
        accountant.begin_epoch(0)
        total = ranks.sum

        def counted(vector):
            sums.append(ranks.rank)
            return total(vector)

        ranks.sum = counted
        for _ in range(12_000):
            clock.advance(0.05)
            accountant.look()
        del ranks.sum
        accountant.close()

    on_ranks(2, body)
    assert sums.count(0) == sums.count(1)
    assert sums.count(0) < 120, "of 12,000 batches in ten minutes"


@pytest.mark.parametrize("policies", [[CarbonBudget(joules(0.5))], [CarbonBudget(grams(0.5))]])
def test_real_time_stops_an_endless_epoch(policies):
    accountant = EnergyAccountant(
        sources=[ScriptedSource(WATTS)], policies=policies, carbon_intensity=1000.0, sinks=[], ledger=False
    )
    with accountant:
        began = time.monotonic()
        for _ in accountant.epochs(1):
            for _ in accountant.steps(iter(lambda: time.monotonic() - began < 20, False)):  # noqa: FBT003
                time.sleep(0.01)
    assert "are spent" in accountant.stop_reason
    assert time.monotonic() - began < 5


def test_where_nothing_is_called_after_a_batch_a_thread_looks_and_tells_once():
    told = []
    accountant = EnergyAccountant(
        sources=[ScriptedSource(WATTS)],
        policies=[CarbonBudget(joules(0.3))],
        carbon_intensity=1000.0,
        sinks=[],
        ledger=False,
    )

    def stop():
        told.append(threading.current_thread() is threading.main_thread())
        raise OSError(1)

    accountant.start(on_spent=stop)
    accountant.begin_epoch(0)
    wait_until(lambda: told)
    time.sleep(1.2)
    assert told == [False]
    assert "are spent" in accountant.stop_reason
    assert accountant.end_epoch().complete is False
    accountant.close()


def test_a_loop_that_does_not_ask_is_warned_while_the_epoch_goes_on(scripted, caplog):
    accountant, clock = scripted(policies=[CarbonBudget(joules(10))])
    with accountant:
        for _ in accountant.epochs(3):
            clock.advance(50.0)
            wait_until(lambda: "accountant.steps(batches)" in caplog.text)
            assert accountant.stop_reason is None
    assert accountant.history.finished_epochs == 1
    (said,) = accountant.close().notices
    assert said.startswith("In epoch 0: ")
    assert "accountant.look()" in said


def test_a_loop_that_asks_is_not_warned(scripted, caplog):
    accountant, clock = scripted(policies=[CarbonBudget(joules(10_000))])
    with accountant:
        for _ in accountant.epochs(1):
            for number in accountant.steps(range(3)):
                clock.advance(1.0)
                if number == 2:
                    clock.advance(20_000.0)
                    time.sleep(1.3)
    assert "accountant.steps" not in caplog.text
