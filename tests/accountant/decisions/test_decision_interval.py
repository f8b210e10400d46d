"""Records and decisions inside an epoch."""

import threading

import pytest
from support.runs import KG_PER_JOULE, WATTS, scripted
from support.thread_ranks import on_ranks

from green_callbacks import CarbonBudget, read_ledger, replay
from green_callbacks.accountant.decisions.decision_interval import DecisionInterval, EpochParts
from green_callbacks.clock import ScriptedClock
from green_callbacks.errors import ConfigurationError


@pytest.mark.parametrize(
    ("written", "interval"),
    [
        (500, (500, None)),
        ("500 steps", (500, None)),
        ("1 step", (1, None)),
        ("90 s", (None, 90.0)),
        ("1.5 min", (None, 90.0)),
        ("2 hours", (None, 7200.0)),
        (" 1h ", (None, 3600.0)),
        ("1 hour", (None, 3600.0)),
    ],
)
def test_an_interval_is_written_in_steps_or_time(written, interval):
    assert DecisionInterval.parse(written) == interval


@pytest.mark.parametrize(
    "written", [0, -5, "0 steps", "1.5 steps", "ten", "5", "5 epochs", "inf s", "0 s", "", True, 2.5]
)
def test_what_is_no_interval_is_refused_at_construction(written):
    with pytest.raises(ConfigurationError, match=r"decide_every=.* is no interval. Write a number of steps"):
        scripted(decide_every=written)


def run_of(accountant, clock, *, steps, validate=0.0):
    """An epoch of steps of a second each, and a validation."""
    done = 0
    for _ in accountant.steps(range(steps)):
        clock.advance(1.0)
        done += 1
    with accountant.phase("validation"):
        clock.advance(validate)
    return done


@pytest.mark.parametrize("every", [4, "4 steps", "4 s"])
def test_the_parts_of_an_epoch_are_the_epoch(every, tmp_path):
    accountant, clock = scripted(decide_every=every, ledger=tmp_path / "run.jsonl")
    for _ in accountant.epochs(2):
        run_of(accountant, clock, steps=10, validate=3.0)
    run = accountant.close()

    parts = [record for record in accountant.history if record.epoch == 1]
    assert [(p.step, p.duration_seconds, p.closes_epoch, p.complete) for p in parts] == [
        (14, 4.0, False, True),
        (18, 4.0, False, True),
        (20, 5.0, True, True),
    ]
    assert sum(p.energy_joules for p in parts) == pytest.approx(13 * WATTS)
    assert (run.epochs, accountant.history.steps) == (2, 20)
    assert list(read_ledger(run.ledger).history) == list(accountant.history)


def test_without_an_interval_there_are_no_parts():
    accountant, clock = scripted()
    for _ in accountant.epochs(1):
        run_of(accountant, clock, steps=10)
    assert [record.closes_epoch for record in accountant.history] == [True]
    assert not accountant.decides_inside_epochs


def test_a_loop_of_one_epoch_is_stopped_by_its_budget_inside_it():
    budget = CarbonBudget(f"{20.5 * WATTS} J")
    accountant, clock = scripted(decide_every=1, policies=[budget])
    done = [run_of(accountant, clock, steps=100) for _ in accountant.epochs(1)]

    run = accountant.close()
    assert done == [20]
    assert run.emissions_kg == pytest.approx(20 * WATTS * KG_PER_JOULE)
    assert run.epochs == 0, "the epoch was cut short"
    assert accountant.history[-1].complete is False
    stop = replay(accountant.history, budget)
    assert (stop.record.step, stop.record.closes_epoch) == (20, False)


def test_an_epoch_that_goes_on_after_a_stop_can_be_said_to_be_whole():
    accountant, clock = scripted(decide_every=1, policies=[CarbonBudget(f"{2.5 * WATTS} J")])
    accountant.begin_epoch(0)
    for _ in range(5):
        clock.advance(1.0)
        assert accountant.end_step()
        accountant.end_part()
    assert accountant.end_epoch(complete=True).complete
    assert accountant.close().epochs == 1


def test_an_epoch_after_a_stop_is_whole_again():
    accountant, clock = scripted(decide_every=1, policies=[lambda history, _: len(history) == 1])
    for epoch in range(2):
        accountant.begin_epoch(epoch)
        clock.advance(1.0)
        accountant.end_step()
        accountant.end_part()
        accountant.end_epoch()
    assert [r.complete for r in accountant.history if r.closes_epoch] == [False, True]


def test_metrics_stand_on_the_part_in_which_they_were_fresh():
    accountant, clock = scripted(decide_every=2)
    accountant.begin_epoch(0)
    for step in range(1, 6):
        clock.advance(1.0)
        accountant.observe({"loss": 1 / step} if step == 3 else {}, samples=8)
        if accountant.end_step():
            accountant.end_part()
    accountant.end_epoch()
    assert [(r.metrics, r.samples) for r in accountant.history] == [({}, 16), ({"loss": 1 / 3}, 16), ({}, 8)]


def test_parts_outside_epochs_are_none(caplog):
    accountant, clock = scripted(decide_every=1)
    accountant.start()
    clock.advance(1.0)
    assert not accountant.end_step()
    assert accountant.end_part().energy_joules is None
    assert "had not begun" in caplog.text
    assert accountant.close().energy_joules == pytest.approx(WATTS)


def test_ranks_end_their_parts_together_by_the_clock_of_rank_0():
    def body(ranks):
        clock = ScriptedClock()
        accountant, _ = scripted(clock, name=f"gpu:{ranks.rank}", decide_every="10 s")
        accountant.start(ranks=ranks)
        accountant.begin_epoch(0)
        ended = []
        for step in range(1, 101):
            clock.advance(0.5 if ranks.rank == 0 else 0.7)
            if accountant.end_step():
                ended.append((step, accountant.end_part().duration_seconds))
        accountant.close()
        return ended

    first, second = on_ranks(2, body)
    assert [step for step, _ in first] == [step for step, _ in second] == [20, 40, 60, 80, 100]
    assert [seconds for _, seconds in first] == pytest.approx([10.0] * 5)


def test_ranks_ask_for_the_time_seldom():
    asked = []

    class Ranks:
        rank, size = 0, 2

        def sum(self, vector):
            asked.append(vector)
            return vector

    clock = ScriptedClock()
    parts = EpochParts(DecisionInterval(None, 600.0), Ranks(), clock)
    due = 0
    while not due:
        clock.advance(0.05)
        due = parts.count(1)
    assert clock.monotonic() == pytest.approx(600.0, abs=0.1)
    assert len(asked) < 20, "of 12,000 steps"


def test_a_stop_inside_an_epoch_reaches_all_ranks():
    def body(ranks):
        clock = ScriptedClock()
        accountant, _ = scripted(
            clock, name=f"gpu:{ranks.rank}", decide_every=1, policies=[CarbonBudget(f"{2 * 5.5 * WATTS} J")]
        )
        accountant.start(ranks=ranks)
        steps = 0
        for _ in accountant.epochs(3):
            for _ in accountant.steps(range(10)):
                clock.advance(1.0)
                steps += 1
        return steps, accountant.close().energy_joules, threading.get_ident()

    assert [steps for steps, _, _ in on_ranks(2, body)] == [5, 5]


def test_a_killed_run_that_begins_its_epoch_again_does_not_count_its_parts_twice(tmp_path):
    ledger = tmp_path / "run.jsonl"
    first, clock = scripted(decide_every=2, ledger=ledger)
    first.begin_epoch(0)
    for _ in first.steps(range(5)):
        clock.advance(1.0)
    first.close()

    second, clock = scripted(clock, decide_every=2, ledger=ledger)
    for _ in second.epochs(1):
        run_of(second, clock, steps=5)
    run = second.close()

    parts = [record for record in second.history if record.epoch == 0]
    assert [p.duration_seconds for p in parts] == [2.0, 2.0, 1.0]
    assert run.outside_joules == pytest.approx(5 * WATTS)
    assert run.energy_joules == pytest.approx(10 * WATTS)
    assert list(read_ledger(ledger).history) == list(second.history)


def test_a_run_that_goes_on_inside_its_epoch_keeps_what_it_did_before_its_checkpoint():
    first, clock = scripted(decide_every=2)
    first.begin_epoch(0)
    state = None
    for at, _ in enumerate(first.steps(range(7))):
        if at == 4:
            state = first.state_dict()
        clock.advance(1.0)
    assert state["step"] == 4
    first.close()

    second, clock = scripted(clock, decide_every=2)
    second.load_state_dict(state)
    second.begin_epoch(0)
    for _ in second.steps(range(3)):
        clock.advance(1.0)
    second.end_epoch()
    parts = [(r.step, r.complete) for r in second.history if r.epoch == 0]
    assert parts == [(2, True), (4, True), (6, True), (7, True)]
