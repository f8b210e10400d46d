"""What every registry of a shared budget promises. A suite inherits these tests, and says how to open a registry."""

import math
import multiprocessing
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from green_callbacks.errors import ConfigurationError
from green_callbacks.registry import DEAD_SECONDS, BudgetRegistry, Claim, Entry, RunState
from green_callbacks.registry.protocol import FIRST_EPOCHS

LIMIT = 10.0
LONG_SILENCE = 2 * DEAD_SECONDS


def told(run_id="a", spent=0.0, under_way=0.0, wanted=0.0, *, session="1", limit=LIMIT, **others):
    """Return a claim."""
    return Claim(run_id=run_id, session=session, spent=spent, under_way=under_way, wanted=wanted, limit=limit, **others)


def by_name(registry):
    """Return the runs of a registry by their names."""
    return {run.run_id: run for run in registry.runs()}


def spent_and_held(registry):
    """Return all that counts against the budget."""
    return sum(run.spent + run.held for run in registry.runs())


def ask_once(budget, name, ready, answers):
    """Ask for one unit as soon as all others are ready, in a process or a thread of its own."""
    registry = budget.open()
    registry.claim(told(name))
    ready.wait(60)
    answers.put(registry.claim(told(name, wanted=1.0, limit=3.0)).is_granted)
    registry.close()


class BudgetFixture:
    """What a suite must provide as the fixture ``budget``: one empty budget, and ways to it. It pickles."""

    def open(self, quantity="emissions_kg") -> BudgetRegistry:
        """Return a new object for the same budget."""
        raise NotImplementedError

    def silence(self, seconds) -> None:
        """Let all sessions have claimed for the last time this many seconds earlier."""
        raise NotImplementedError


class RegistryContract:
    """The tests. A class of a test file inherits them and defines the fixtures ``budget`` and ``new_budget``.

    ``new_budget`` is a function that returns another empty budget at every call.
    """

    @pytest.fixture
    def registry(self, budget):
        registry = budget.open()
        yield registry
        registry.close()

    def test_it_is_one(self, registry):
        assert isinstance(registry, BudgetRegistry)

    def test_it_begins_empty(self, registry):
        assert list(registry.runs()) == []
        assert registry.set_limit_now() is None
        assert list(registry.settle_dead()) == []

    def test_a_first_claim_is_held(self, registry):
        standing = registry.claim(told(spent=1.0, under_way=2.0, wanted=3.0, host="node1", ledger="a.jsonl"))
        assert standing.is_granted
        assert (standing.limit, standing.set_limit) == (LIMIT, None)
        assert (standing.others_spent, standing.others_held, standing.held) == (0.0, 0.0, 5.0)
        assert (standing.live_runs, standing.epoch_cost) == (1, None)
        (run,) = registry.runs()
        assert (run.run_id, run.state, run.spent, run.held) == ("a", RunState.LIVE, 1.0, 5.0)
        assert (run.host, run.ledger, run.limit, run.settled) == ("node1", "a.jsonl", LIMIT, 0.0)
        assert 0 <= run.silent_seconds < 60

    def test_totals_are_told_and_no_differences(self, registry):
        for _ in range(3):
            registry.claim(told(spent=1.0, under_way=0.5, wanted=0.5))
        assert spent_and_held(registry) == pytest.approx(2.0)
        registry.claim(told(spent=2.5, under_way=0.5))
        assert spent_and_held(registry) == pytest.approx(3.0)

    def test_a_total_that_arrives_late_changes_nothing(self, registry):
        registry.claim(told(spent=2.0))
        registry.claim(told(spent=1.5))
        assert by_name(registry)["a"].spent == 2.0

    def test_others_see_what_a_run_spends_and_holds(self, registry, budget):
        registry.claim(told("a", 1.0, 2.0, 3.0))
        other = budget.open()
        standing = other.claim(told("b", 0.5))
        assert (standing.others_spent, standing.others_held, standing.held) == (1.0, 5.0, 0.0)
        assert (standing.left, standing.live_runs) == (4.0, 2)
        other.close()

    def test_the_last_bit_of_the_budget_is_granted_and_no_more(self, registry):
        tenth = LIMIT / 10
        for at in range(10):
            assert registry.claim(told(f"run{at}", wanted=tenth)).is_granted
        denied = registry.claim(told("late", wanted=0.001))
        assert not denied.is_granted
        assert denied.held == 0.0
        assert by_name(registry)["late"].held == 0.0

    def test_sums_of_decimal_fractions_are_granted_to_the_edge(self, registry):
        for at in range(10):
            assert registry.claim(told(f"run{at}", spent=0.1, under_way=0.1, wanted=0.1, limit=3.0)).is_granted

    def test_what_is_under_way_is_held_even_if_it_does_not_fit(self, registry):
        standing = registry.claim(told(spent=9.0, under_way=5.0, wanted=1.0))
        assert not standing.is_granted
        assert standing.held == 5.0
        assert not registry.claim(told("b", wanted=0.1)).is_granted

    def test_nothing_wanted_is_granted_always(self, registry):
        registry.claim(told(spent=20.0))
        assert registry.claim(told("b", 1.0)).is_granted

    def test_a_denied_run_gets_what_others_leave(self, registry):
        registry.claim(told("a", wanted=10.0))
        assert not registry.claim(told("b", wanted=1.0)).is_granted
        registry.claim(told("a", spent=4.0, is_ended=True))
        assert registry.claim(told("b", wanted=1.0)).is_granted

    def test_an_ended_run_holds_nothing(self, registry):
        registry.claim(told("a", 1.0, 2.0, 3.0))
        standing = registry.claim(told("a", 2.5, 2.0, 3.0, is_ended=True))
        assert (standing.held, standing.live_runs) == (0.0, 0)
        run = by_name(registry)["a"]
        assert (run.state, run.spent, run.held) == (RunState.ENDED, 2.5, 0.0)

    def test_an_ended_session_may_go_on(self, registry):
        registry.claim(told("a", 1.0, is_ended=True))
        registry.claim(told("a", 1.5, 0.5))
        run = by_name(registry)["a"]
        assert (run.state, run.spent, run.held) == (RunState.LIVE, 1.5, 0.5)

    def test_another_object_knows_the_same(self, registry, budget):
        registry.claim(told("a", 1.0, 0.25, epoch_cost=0.25))
        registry.enter([Entry("old", 3.0, "old.jsonl", "node2")])
        registry.set_limit(7.0)
        registry.close()
        again = budget.open()
        runs = by_name(again)
        assert (runs["a"].spent, runs["a"].held, runs["a"].epoch_cost) == (1.0, 0.25, 0.25)
        assert (runs["old"].state, runs["old"].spent) == (RunState.ENTERED, 3.0)
        assert (runs["old"].ledger, runs["old"].host) == ("old.jsonl", "node2")
        assert again.set_limit_now() == 7.0
        again.claim(told("a", 1.25, 0.25))
        assert by_name(again)["a"].spent == 1.25
        again.close()

    def test_a_closed_registry_can_be_closed_and_used_again(self, registry):
        registry.claim(told("a", 1.0))
        registry.close()
        registry.close()
        assert registry.claim(told("a", 2.0)).is_granted

    # Threads and processes

    def test_threads_that_ask_at_once_get_what_is_there(self, budget):
        assert self._ask_at_once(budget, threading.Thread, threading.Barrier, 6) == 3

    def test_processes_that_ask_at_once_get_what_is_there(self, budget):
        spawned = multiprocessing.get_context("spawn")
        assert self._ask_at_once(budget, spawned.Process, spawned.Barrier, 4) == 3

    def _ask_at_once(self, budget, begin, barrier, count):
        budget.open().runs()
        ready, answers = barrier(count), multiprocessing.get_context("spawn").Queue()
        asking = [begin(target=ask_once, args=(budget, f"run{at}", ready, answers)) for at in range(count)]
        for each in asking:
            each.start()
        granted = [answers.get(timeout=120) for _ in asking]
        for each in asking:
            each.join()
        registry = budget.open()
        assert spent_and_held(registry) == sum(granted)
        registry.close()
        return sum(granted)

    # Dead runs and later sessions

    def test_what_a_silent_run_held_counts_as_spent(self, registry, budget):
        registry.claim(told("a", 1.0, 2.0, 3.0))
        budget.silence(LONG_SILENCE)
        standing = registry.claim(told("b"))
        assert (standing.others_spent, standing.others_held, standing.live_runs) == (6.0, 0.0, 1)
        run = by_name(registry)["a"]
        assert (run.state, run.spent, run.held, run.settled) == (RunState.DEAD, 6.0, 0.0, 5.0)
        assert run.silent_seconds >= DEAD_SECONDS

    def test_a_run_that_is_late_is_not_dead(self, registry, budget):
        registry.claim(told("a", 1.0, 2.0))
        budget.silence(DEAD_SECONDS / 2)
        assert registry.claim(told("b")).others_held == 2.0
        assert by_name(registry)["a"].state is RunState.LIVE

    def test_silent_runs_can_be_settled_sooner(self, registry, budget):
        registry.claim(told("a", 1.0, 2.0))
        registry.claim(told("ended", 1.0, is_ended=True))
        budget.silence(DEAD_SECONDS / 2)
        registry.claim(told("b", 0.0, 1.0))
        (settled,) = registry.settle_dead(DEAD_SECONDS / 4)
        assert (settled.run_id, settled.state, settled.spent, settled.settled) == ("a", RunState.DEAD, 3.0, 2.0)
        assert list(registry.settle_dead(DEAD_SECONDS / 4)) == []
        standing = registry.claim(told("b", 0.0, 1.0))
        assert (standing.others_spent, standing.others_held) == (4.0, 0.0)

    def test_a_run_that_was_only_silent_comes_back_with_its_measured_total(self, registry, budget):
        registry.claim(told("a", 1.0, 2.0))
        registry.settle_dead(0.0)
        assert by_name(registry)["a"].state is RunState.DEAD
        registry.claim(told("a", 2.0, 0.5))
        run = by_name(registry)["a"]
        assert (run.state, run.spent, run.held, run.settled) == (RunState.LIVE, 2.0, 0.5, 0.0)

    def test_a_later_session_adds_to_what_the_first_had_told_and_held(self, registry):
        registry.claim(told("a", 5.0, 1.0))
        standing = registry.claim(told("a", 4.0, 0.5, session="2"))
        assert standing.others_spent == pytest.approx(2.0), "what the claim does not tell"
        run = by_name(registry)["a"]
        assert (run.state, run.spent, run.held) == (RunState.LIVE, pytest.approx(6.0), 0.5)
        registry.claim(told("a", 4.75, session="2"))
        assert by_name(registry)["a"].spent == pytest.approx(6.75)

    def test_a_later_session_that_knows_everything_adds_nothing_twice(self, registry, budget):
        registry.claim(told("a", 5.0, 1.0))
        budget.silence(LONG_SILENCE)
        standing = registry.claim(told("a", 6.5, session="2"))
        assert standing.others_spent == 0.0
        assert by_name(registry)["a"].spent == pytest.approx(6.5)

    def test_a_later_session_of_an_ended_run_settles_nothing(self, registry):
        registry.claim(told("a", 5.0, 1.0))
        registry.claim(told("a", 5.5, is_ended=True))
        registry.claim(told("a", 5.5, 1.0, session="2"))
        run = by_name(registry)["a"]
        assert (run.spent, run.held, run.settled) == (5.5, 1.0, 0.0)

    def test_a_total_never_falls_when_a_run_begins_anew(self, registry):
        registry.claim(told("a", 5.0, is_ended=True))
        standing = registry.claim(told("a", 0.0, 1.0, session="2"))
        assert standing.others_spent == 5.0
        assert by_name(registry)["a"].spent == 5.0
        registry.claim(told("a", 1.0, session="2", is_ended=True))
        assert by_name(registry)["a"].spent == 6.0

    def test_a_third_session_goes_on_with_all(self, registry, budget):
        for session in ("1", "2", "3"):
            registry.claim(told("a", 2.0, session=session))
            registry.claim(told("a", 3.0, 0.5, session=session))
            budget.silence(LONG_SILENCE)
        assert by_name(registry)["a"].spent == pytest.approx(3.5 + 1.0 + 0.5 + 1.0 + 0.5)

    def test_two_live_sessions_of_a_run_both_count(self, registry, budget):
        other = budget.open()
        registry.claim(told("a", 1.0))
        other.claim(told("a", 1.0, session="2"))
        registry.claim(told("a", 2.0))
        other.claim(told("a", 1.5, session="2"))
        assert by_name(registry)["a"].spent == pytest.approx(2.5)
        other.close()

    def test_a_later_session_may_ask(self, registry):
        registry.claim(told("a", 5.0, 3.0))
        assert not registry.claim(told("a", 5.0, wanted=2.5, session="2")).is_granted
        assert registry.claim(told("a", 5.0, wanted=2.0, session="2")).is_granted

    # Totals from ledgers

    def test_totals_from_ledgers_count(self, registry):
        registry.enter([Entry("old", 2.0), Entry("older", 1.0)])
        standing = registry.claim(told("a"))
        assert (standing.others_spent, standing.others_held, standing.live_runs) == (3.0, 0.0, 1)
        assert [run.run_id for run in registry.runs()] == ["a", "old", "older"]

    def test_a_total_is_entered_once_however_often_it_arrives(self, registry, budget):
        for each in (registry, budget.open()):
            each.enter([Entry("old", 2.0)])
            each.enter(iter([Entry("old", 2.0), Entry("old", 2.0)]))
        assert by_name(registry)["old"].spent == 2.0

    def test_the_largest_total_of_an_entered_run_counts(self, registry):
        for spent in (2.0, 3.0, 1.0):
            registry.enter([Entry("old", spent)])
        assert by_name(registry)["old"].spent == 3.0

    def test_the_ledger_of_a_live_run_changes_nothing(self, registry):
        registry.claim(told("a", 1.0, 0.5))
        registry.enter([Entry("a", 4.0)])
        run = by_name(registry)["a"]
        assert (run.state, run.spent, run.held) == (RunState.LIVE, 1.0, 0.5)

    @pytest.mark.parametrize(("by_ledger", "spent"), [(4.0, 4.0), (1.5, 2.0)])
    def test_a_dead_run_gets_the_larger_of_both_totals(self, registry, budget, by_ledger, spent):
        registry.claim(told("a", 1.0, 1.0))
        budget.silence(LONG_SILENCE)
        registry.enter([Entry("a", by_ledger)])
        run = by_name(registry)["a"]
        assert (run.state, run.spent) == (RunState.DEAD, spent)
        assert registry.claim(told("b")).others_spent == spent

    def test_an_ended_run_gets_the_larger_of_both_totals(self, registry):
        registry.claim(told("a", 1.0, is_ended=True))
        registry.enter([Entry("a", 2.5)])
        assert registry.claim(told("b")).others_spent == 2.5

    def test_a_dead_run_whose_ledger_is_closed_has_ended(self, registry, budget):
        for name in "abc":
            registry.claim(told(name, 1.0, 0.5))
        budget.silence(LONG_SILENCE)
        registry.claim(told("live", 1.0, 0.5))
        closed = [Entry("a", 1.25, is_closed=True), Entry("c", 0.5, is_closed=True), Entry("live", 2.0, is_closed=True)]
        registry.enter([*closed, Entry("b", 1.25)])
        runs = by_name(registry)
        assert [(run.state, run.spent, run.settled) for run in runs.values()] == [
            (RunState.ENDED, 1.25, 0.0),
            (RunState.DEAD, 1.5, 0.5),
            (RunState.ENDED, 1.0, 0.0),
            (RunState.LIVE, 1.0, 0.0),
        ]
        assert registry.claim(told("live", 1.0, 0.5)).others_spent == 3.75
        registry.claim(told("a", 1.25, 0.5, session="2"))
        assert (by_name(registry)["a"].spent, by_name(registry)["a"].held) == (1.25, 0.5)

    def test_an_entered_run_that_claims_counts_once(self, registry):
        registry.enter([Entry("a", 2.0), Entry("b", 2.0)])
        registry.claim(told("a", 2.0, 0.5))
        registry.claim(told("b", 1.5))
        runs = by_name(registry)
        assert (runs["a"].spent, runs["a"].held) == (2.0, 0.5)
        assert runs["b"].spent == 2.0
        registry.claim(told("a", 2.5))
        registry.claim(told("b", 2.0))
        runs = by_name(registry)
        assert (runs["a"].spent, runs["b"].spent) == (2.5, 2.5)

    # Limits, units and costs

    def test_a_set_limit_wins_until_it_is_taken_back(self, registry, budget):
        other = budget.open()
        registry.claim(told("a", 4.0))
        other.set_limit(5.0)
        standing = registry.claim(told("a", 4.0, wanted=2.0))
        assert (standing.limit, standing.set_limit, standing.is_granted) == (5.0, 5.0, False)
        other.set_limit(20.0)
        assert registry.set_limit_now() == 20.0
        assert registry.claim(told("a", 4.0, wanted=12.0)).is_granted
        other.set_limit(None)
        assert registry.set_limit_now() is None
        standing = registry.claim(told("a", 4.0, wanted=12.0))
        assert (standing.limit, standing.set_limit, standing.is_granted) == (LIMIT, None, False)
        other.close()

    def test_scripts_with_other_limits_are_held_to_their_own(self, registry):
        assert registry.claim(told("a", 2.0, wanted=1.0, limit=4.0)).limit == 4.0
        assert not registry.claim(told("b", wanted=0.5, limit=2.0)).is_granted
        assert registry.claim(told("c", wanted=1.0, limit=4.0)).is_granted

    def test_kilograms_and_kilowatt_hours_are_kept_apart(self, registry, budget):
        energy = budget.open("facility_kwh")
        registry.claim(told("a", 1.0))
        registry.set_limit(5.0)
        assert list(energy.runs()) == []
        assert energy.set_limit_now() is None
        assert energy.claim(told("a", 3.0)).limit == LIMIT
        assert by_name(registry)["a"].spent == 1.0
        energy.close()

    def test_runs_learn_from_others_what_an_epoch_costs(self, registry):
        assert registry.claim(told("a", epoch_cost=1.0)).epoch_cost is None
        assert registry.claim(told("b")).epoch_cost == 1.0
        registry.claim(told("b", epoch_cost=2.0))
        registry.claim(told("c", epoch_cost=6.0, is_ended=True))
        assert registry.claim(told("d")).epoch_cost == 2.0
        registry.claim(told("d", epoch_cost=3.0))
        assert registry.claim(told("e")).epoch_cost == 2.5

    def test_runs_in_their_first_epoch_count_with_epochs_of_the_run_that_asks(self, registry):
        registry.claim(told("new"))
        registry.claim(told("resumed", 5.0))
        registry.claim(told("over", 0.25, is_ended=True))
        standing = registry.claim(told("a", 1.0, 1.0, 1.0, epoch_cost=1.0))
        assert (standing.others_spent, standing.others_held, standing.is_granted) == (5.25, FIRST_EPOCHS, False)
        registry.claim(told("new", 0.5, 0.5, epoch_cost=0.5))
        standing = registry.claim(told("a", 1.0, 1.0, 1.0, epoch_cost=1.0))
        assert (standing.others_spent, standing.others_held, standing.is_granted) == (5.75, 0.5, True)

    @pytest.mark.parametrize("name", ["spent", "under_way", "wanted", "limit", "epoch_cost"])
    @pytest.mark.parametrize("amount", [math.nan, math.inf, -1.0])
    def test_a_claim_that_cannot_be_is_refused(self, registry, name, amount):
        registry.claim(told("a", 1.0))
        values = {"spent": 2.0, "under_way": 0.0, "wanted": 0.0, name: amount}
        with pytest.raises(ConfigurationError, match=name):
            registry.claim(told("a", **values))
        assert spent_and_held(registry) == 1.0

    @pytest.mark.parametrize("amount", [math.nan, math.inf, -1.0])
    def test_totals_and_limits_that_cannot_be_are_refused(self, registry, amount):
        with pytest.raises(ConfigurationError, match="spent"):
            registry.enter([Entry("old", 1.0), Entry("older", amount)])
        with pytest.raises(ConfigurationError, match="limit"):
            registry.set_limit(amount)
        assert list(registry.runs()) == []
        assert registry.set_limit_now() is None

    def test_a_limit_of_nothing_is_refused(self, registry):
        with pytest.raises(ConfigurationError, match="above 0"):
            registry.set_limit(0.0)

    @pytest.mark.parametrize(
        "name", ["köln-模型-🌱", "../../etc/passwd", "a" * 1000, "-", "con", "a'; drop table", "%s"]
    )
    def test_any_name_is_kept(self, registry, budget, name):
        registry.claim(told(name, 1.0, session=name, host=name, ledger=name))
        registry.enter([Entry(f"{name[:900]} entered", 2.0, name, name)])
        other = budget.open()
        runs = by_name(other)
        assert runs[name].spent == 1.0
        assert runs[name].ledger == name
        assert len(runs) == 2
        other.close()

    def test_names_differ_by_case_and_by_spaces(self, registry):
        for name in ("run", "Run", "run "):
            registry.claim(told(name, 1.0))
        assert len(registry.runs()) == 3

    # Random sequences against a simple model

    @given(data=st.data())
    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_nothing_is_lost_or_counted_twice(self, new_budget, data):
        Sequence(new_budget(), data).play()


class Sequence:
    """A random sequence of claims, restarts, silences and entries, with a model beside it."""

    def __init__(self, budget, data):
        self.budget, self.data = budget, data
        self.registry = budget.open()
        self.runs = {}

    def play(self):
        for _ in range(self.data.draw(st.integers(1, 12))):
            step = self.data.draw(st.sampled_from([self.claim, self.claim, self.claim, self.restart, self.reopen]))
            step(self.data.draw(st.sampled_from("abc")))
            self.check()
        self.registry.close()

    def claim(self, name, most_used=4):
        run = self.runs.setdefault(name, {"truth": 0.0, "told": 0.0, "session": 1, "floor": 0.0})
        used = self.data.draw(st.integers(0, most_used)) / 4
        run["truth"] += used
        run["told"] += used
        under_way, wanted = (self.data.draw(st.integers(0, 4)) / 4 for _ in range(2))
        is_ended = self.data.draw(st.booleans())
        before = spent_and_held(self.registry)
        mine = sum(each.spent + each.held for each in self.registry.runs() if each.run_id == name)
        standing = self.registry.claim(
            told(name, run["told"], under_way, wanted, session=str(run["session"]), is_ended=is_ended)
        )
        now = by_name(self.registry)[name]
        assert now.held == pytest.approx(standing.held)
        assert standing.held == pytest.approx(0.0 if is_ended else under_way + wanted * standing.is_granted)
        assert standing.others_spent + standing.others_held == pytest.approx(before - mine + now.spent - run["told"])
        if standing.is_granted and wanted and not is_ended:
            assert spent_and_held(self.registry) <= LIMIT * (1 + 1e-6)

    def restart(self, name):
        """Kill a run, and let it go on from an older checkpoint."""
        if name in self.runs:
            run = self.runs[name]
            run["session"] += 1
            run["told"] = self.data.draw(st.integers(0, int(4 * run["told"]))) / 4
            self.claim(name, most_used=0)  # a session claims before it spends anything

    def reopen(self, _name):
        self.registry.close()
        self.registry = self.budget.open()

    def check(self):
        runs = by_name(self.registry)
        assert runs.keys() == self.runs.keys()
        for name, run in self.runs.items():
            assert runs[name].spent >= max(run["truth"], run["floor"]) - 1e-9
            run["floor"] = runs[name].spent
