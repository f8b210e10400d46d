"""Whatever happens in a run, everything used is counted, and counted once."""

import json
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.runs import KG_PER_JOULE, scripted
from support.strategies import comparable, totals_of

from green_callbacks import CarbonBudget, History, MarginalGain, Plan, read_ledger, replay
from green_callbacks.clock import ScriptedClock
from green_callbacks.errors import BudgetSpentError
from green_callbacks.sources import ScriptedSource

SECONDS = st.sampled_from([0.0, 0.0004, 0.5, 7.0, 3600.0])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("wait"), SECONDS),
        st.tuples(st.just("begin"), st.integers(0, 3)),
        st.tuples(st.just("end"), st.none()),
        st.tuples(st.just("step"), st.integers(1, 3)),
        st.tuples(st.just("phase"), st.sampled_from(["train", "validation", "test", "other"])),
        st.tuples(st.just("observe"), st.floats()),
        st.tuples(st.just("restart"), SECONDS),
        st.tuples(st.just("resume"), SECONDS),
    ),
    max_size=25,
)


class SteppedClock(ScriptedClock):
    """A clock whose time of day is set back and forth by hours."""

    def now(self):
        return datetime(2025, 1, 1, tzinfo=UTC) + timedelta(hours=hash(self.monotonic()) % 7 - 3)


class Play:
    """A run in any order of calls; it knows for how long it was live."""

    def __init__(self, folder):
        self.clock = SteppedClock()
        self.options = {"ledger": Path(folder, "run.jsonl"), "strict": True, "decide_every": 4}
        self.accountant = self.started()
        self.live_seconds = 0.0
        self.steps = 0

    def started(self):
        accountant, _ = scripted(self.clock, **self.options)
        return accountant.start()

    def wait(self, seconds):
        self.clock.advance(seconds)
        self.live_seconds += seconds

    def begin(self, epoch):
        self.accountant.begin_epoch(epoch)

    def end(self, _):
        self.accountant.end_epoch()

    def step(self, count):
        self.steps += count
        self.accountant.observe(step=self.steps)
        if self.accountant.end_step(count):
            self.accountant.end_part()

    def phase(self, name):
        self.accountant.phase(name)

    def observe(self, value):
        self.accountant.observe({"val_acc": value})

    def restart(self, seconds):
        self.accountant.close()
        self.clock.advance(seconds)
        self.accountant.start()

    def resume(self, seconds):
        state = json.loads(json.dumps(self.accountant.state_dict(), allow_nan=False))
        self.accountant.close()
        self.clock.advance(seconds)
        self.accountant, _ = scripted(self.clock, **{**self.options, "ledger": None})
        self.accountant.load_state_dict(state)
        self.accountant.start()


@given(STEPS)
@settings(max_examples=100)
def test_epochs_and_outside_are_the_run_whatever_is_called_when(steps):
    with tempfile.TemporaryDirectory() as folder:
        play = Play(folder)
        for name, value in steps:
            getattr(play, name)(value)
        run = play.accountant.close()
        history, contents = play.accountant.history, read_ledger(play.options["ledger"])
    assert run.duration_seconds == pytest.approx(play.live_seconds)
    assert (run.energy_joules or 0.0) == pytest.approx(300.0 * play.live_seconds)
    assert (run.epochs_joules or 0.0) + (run.outside_joules or 0.0) == pytest.approx(run.energy_joules or 0.0)
    assert (run.emissions_kg or 0.0) == pytest.approx(300.0 * play.live_seconds * KG_PER_JOULE)
    assert [comparable(r) for r in contents.history] == [comparable(r) for r in history]
    assert totals_of(contents.history) == totals_of(history)
    for record in history:
        phases = record.phases.values()
        assert sum(phase.seconds for phase in phases) == pytest.approx(record.duration_seconds)
        if record.energy_joules is not None:
            assert sum(phase.joules or 0.0 for phase in phases) == pytest.approx(record.energy_joules)


EPOCHS = st.lists(st.tuples(st.floats(0.1, 100), st.floats(0, 1)), min_size=1, max_size=8)


def trained(accountant, clock, epochs, first=0, between=0.5):
    records = []
    for epoch, (seconds, accuracy) in enumerate(epochs, start=first):
        accountant.begin_epoch(epoch)
        clock.advance(seconds)
        accountant.observe({"val_acc": accuracy})
        records.append(accountant.end_epoch())
        clock.advance(between)
    return records


@given(EPOCHS, st.data(), st.sampled_from(["state", "ledger"]))
def test_a_resumed_run_decides_and_counts_like_one_that_was_never_interrupted(epochs, data, through):
    policies = [CarbonBudget("1 t"), MarginalGain("val_acc", report_only=True)]
    cut = data.draw(st.integers(0, len(epochs)), label="epochs before")
    with tempfile.TemporaryDirectory() as folder:
        whole, clock = scripted(policies=policies)
        whole.start()
        expected = trained(whole, clock, epochs)
        whole.close()

        options = {"policies": policies, "ledger": Path(folder, "run.jsonl")}
        first, clock = scripted(**options)
        first.start()
        records = trained(first, clock, epochs[:cut])
        first.close()
        second, _ = scripted(clock, **{**options, "ledger": options["ledger"] if through == "ledger" else False})
        if through == "state":
            second.load_state_dict(json.loads(json.dumps(first.state_dict(), allow_nan=False)))
        second.start()
        records += trained(second, clock, epochs[cut:], first=cut)
        second.close()
    # Time goes on elsewhere in the float range, so that the same seconds may differ in their last digits.
    assert len(second.history) == len(whole.history)
    assert second.history.emissions_kg == pytest.approx(whole.history.emissions_kg, rel=1e-9)
    assert second.history.epochs_joules == pytest.approx(whole.history.epochs_joules, rel=1e-9)
    assert [[v.code for v in r.verdicts] for r in records] == [[v.code for v in r.verdicts] for r in expected]


@given(st.floats(1, 1e5), st.lists(st.floats(0.1, 100), min_size=1, max_size=6), st.sampled_from(["state", "ledger"]))
def test_a_spent_budget_stays_spent(joules, seconds, through):
    policies = [CarbonBudget(f"{joules!r} J", hard=False)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "run.jsonl")
        first, clock = scripted(policies=policies, ledger=path)
        spent = 0.0
        with first:
            for _, length in zip(first.epochs(len(seconds)), seconds, strict=False):
                clock.advance(length)
                spent += 300.0 * length
        second, _ = scripted(clock, policies=policies, ledger=path if through == "ledger" else False)
        if through == "state":
            second.load_state_dict(first.state_dict())
        assert second.history.energy_joules == pytest.approx(spent)
        is_spent = first.stop_reason is not None
        second.start()
        if is_spent:
            with pytest.raises(BudgetSpentError):
                second.begin_epoch(len(seconds))
        else:
            assert spent < joules
            second.begin_epoch(len(seconds))
        second.close()


@given(EPOCHS)
def test_a_finished_run_replays_to_the_verdict_it_had(epochs):
    policy = CarbonBudget("20 kJ")
    accountant, clock = scripted(policies=[policy])
    accountant.start()
    records = trained(accountant, clock, epochs, between=0.0)
    accountant.close()
    stops = [record for record in records if record.verdicts[0].stop]
    replayed = replay(accountant.history, policy, Plan())
    if not stops:
        assert replayed is None
    else:
        assert replayed is not None
        assert (replayed.record.epoch, replayed.verdict) == (stops[0].epoch, stops[0].verdicts[0])


@given(st.lists(st.floats(0, 5e3), min_size=1, max_size=6), st.lists(st.floats(0, 2e4), max_size=2))
def test_a_lost_device_costs_what_it_did_not_tell_and_no_more(seconds, resets):
    clock = ScriptedClock()
    sources = [
        ScriptedSource(300.0, name="gpu:0", clock=clock),
        ScriptedSource(100.0, name="gpu:1", lost_seconds=[(1000.0, 3000.0)], reset_seconds=resets, clock=clock),
    ]
    accountant, _ = scripted(clock, sources=sources)
    accountant.start()
    for epoch, length in enumerate(seconds):
        accountant.begin_epoch(epoch)
        clock.advance(length)
        accountant.end_epoch()
    run = accountant.close()
    total = sum(seconds)
    assert run.devices["gpu:0"].joules == pytest.approx(300.0 * total)
    assert (run.devices["gpu:1"].joules or 0.0) <= 100.0 * total * (1 + 1e-9)
    if not resets and total >= 3000.0:
        assert run.devices["gpu:1"].joules == pytest.approx(100.0 * total)
    assert isinstance(accountant.history, History)
