"""A decision looks at what is new, and at little else; and what is kept for that is never half done."""

import math
import os
import pickle
import sys
from array import array
from collections.abc import Sequence
from copy import deepcopy

import pytest
from support.random_history import RandomRun

from green_callbacks.analysis import Front
from green_callbacks.metrics import Metric
from green_callbacks.policies import CarbonBudget, Forecast, MarginalGain
from green_callbacks.records import Column, EpochRecord, History, Plan

STRIDE = 1 if "EVERY_INSTRUCTION" in os.environ else 7
"""Every how many instructions a decision is interrupted. ``make torture`` takes every one."""
BYTES_PER_VALUE = 40
"""What the rules of one metric may keep for each of its values."""


class Counted(Sequence):
    """A column that counts how many of its entries are looked at."""

    def __init__(self, column, looks):
        self._column, self._looks = column, looks

    def __len__(self):
        return len(self._column)

    def __getitem__(self, at):
        found = self._column[at]
        self._looks.append(len(found) if isinstance(at, slice) else 1)
        return found


class WatchedHistory(History):
    """A history that counts how many entries of its columns a decision looks at."""

    def __init__(self, records=()):
        self.looks = []
        super().__init__(records)

    def metric(self, name):
        return Column(*(Counted(column, self.looks) for column in super().metric(name)))

    def epoch_at(self, row):
        self.looks.append(1)
        return super().epoch_at(row)

    def energy_joules_at(self, row):
        self.looks.append(1)
        return super().energy_joules_at(row)

    def was_lost(self, row):
        self.looks.append(1)
        return super().was_lost(row)

    @property
    def learning_rates(self):
        return Column(*(Counted(column, self.looks) for column in super().learning_rates))

    @property
    def cumulative_kwh(self):
        return Counted(super().cumulative_kwh, self.looks)

    @property
    def cumulative_kg(self):
        return Counted(super().cumulative_kg, self.looks)

    @property
    def epoch_rows(self):
        return Counted(super().epoch_rows, self.looks)

    @property
    def part_rows(self):
        return Counted(super().part_rows, self.looks)


def learning(at, value=None, **options):
    value = 1 - math.exp(-at / 300) + 1e-3 * math.sin(at) if value is None else value
    return EpochRecord.scripted(
        epoch=at, emissions_kg=0.01, metrics={"val_acc": value}, learning_rate=0.1, step=at, **options
    )


def odd(at):
    return learning(at, math.nan if at % 3 else None)


def unmeasured_part(at):
    return EpochRecord.scripted(epoch=0)._replace(closes_epoch=False, devices={}) if at else learning(0)


def lost(at):
    return EpochRecord.scripted(emissions_kg=0.01) if at % 4000 else learning(at)


RULES = {
    "doubling": MarginalGain("val_acc"),
    "price": MarginalGain("val_acc", min_gain_per_kg=0.01, acceptable=0.99),
    "threshold of zero": MarginalGain("val_acc", min_gain_per_kwh=0.0, report_only=True),
    "budget": CarbonBudget("1 t"),
    "forecast": Forecast((CarbonBudget("1 t"),)),
}
PLAN = Plan(epochs=10_000, learning_rate_drops=tuple(range(1, 5_000, 2)))


@pytest.mark.no_cover
@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
@pytest.mark.parametrize("record", [learning, odd, unmeasured_part, lost], ids=lambda each: each.__name__)
def test_a_decision_late_in_a_run_looks_at_no_more_than_an_early_one(rule, record):
    history, most = WatchedHistory(), []
    for at in range(2_000):
        history.append(record(at))
        history.looks.clear()
        rule.decide(history, PLAN)
        most.append(sum(history.looks))
    assert max(most[-50:]) <= 1.2 * max(most[50:150]) + 40  # halving a sorted column that is 20 times as long: 5 more


@pytest.mark.parametrize("share", [1, -1])
def test_the_newest_point_of_a_front_looks_at_no_more_late_in_a_run(share):
    history, most = WatchedHistory(), []
    for at in range(2_000):
        history.append(learning(at, share * at))
        history.looks.clear()
        Front(history, Metric("val_acc", "max"))[-1:]
        most.append(sum(history.looks))
    assert max(most[-50:]) <= max(most[:100]) + 10


def test_what_is_kept_is_small_and_travels_in_no_state():
    history = History(learning(at) for at in range(5_000))
    before = history.to_columns()
    for rule in RULES.values():
        rule.decide(history, Plan(epochs=9_000))
    assert history.to_columns() == before
    held = sum(sys.getsizeof(column) for column in arrays_in(history._rows.memos))
    assert 0 < held / 2 <= BYTES_PER_VALUE * len(history)  # upwards and downwards: two curves


def arrays_in(kept):
    if isinstance(kept, array):
        return [kept]
    inner = kept.values() if isinstance(kept, dict) else kept if isinstance(kept, list | tuple) else None
    if inner is None:
        inner = vars(kept).values() if hasattr(kept, "__dict__") else ()
    return [column for each in inner for column in arrays_in(each)]


class Interrupting:
    """Does something at one instruction of the functions that keep something with a history."""

    def __init__(self, at, act):
        self.left, self._act = at, act

    def __call__(self, frame, event, _):
        name = frame.f_globals.get("__name__", "")
        if name not in ("green_callbacks.policies._metric_values", "green_callbacks.analysis.pareto") and (
            frame.f_code.co_name not in ("_last_seen", "_outside_until", "_last_measured")
        ):
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            self.left -= 1
            if self.left == 0:
                self._act()
        return self


def decisions(history, plan=PLAN):
    answers = [rule.decide(history, plan) for rule in RULES.values()]
    return answers, list(Front(history, Metric("val_acc", "max")))


def interrupted(history, at, act):
    """Decide with something done at an instruction; tell whether it came to that."""
    interruption, before = Interrupting(at, act), sys.gettrace()
    sys._getframe().f_trace_opcodes = True  # Python 3.12 counts instructions only if a frame asked before settrace()
    sys.settrace(interruption)
    try:
        decisions(history)
    except KeyboardInterrupt:
        pass
    finally:
        sys.settrace(before)
    return interruption.left <= 0


def some_run(seed, count):
    made = RandomRun(seed)
    while len(made.history) < count:
        made.go_on()
    return made


@pytest.mark.parametrize("seed", range(2))
def test_an_interrupt_at_any_instruction_changes_no_later_decision(seed):
    made = some_run(seed, 16)
    expected = decisions(History(made.history))
    half = History(made.history[:10])
    decisions(half)
    pickled, at = pickle.dumps(half), 1

    def interrupt():
        raise KeyboardInterrupt

    while True:
        history = pickle.loads(pickled)
        for record in made.history[10:]:
            history.append(record)
        if not interrupted(history, at, interrupt):
            break
        assert decisions(history) == expected
        at += STRIDE
    assert at > 100


@pytest.mark.no_cover
def test_a_signal_handler_that_decides_meanwhile_changes_no_decision():
    made = some_run(1, 16)
    expected, at = decisions(History(made.history)), 1
    while True:
        history, inner = History(made.history), []
        if not interrupted(history, at, lambda history=history, inner=inner: inner.append(decisions(history))):
            break
        assert [decisions(history), *inner] == [expected, expected]
        at += STRIDE
    assert at > 100


def test_a_history_with_what_is_kept_is_copied_whole():
    made = some_run(7, 40)
    expected = decisions(made.history)
    copies = deepcopy(made.history), pickle.loads(pickle.dumps(made.history))
    assert [decisions(copy) for copy in copies] == [expected, expected]
