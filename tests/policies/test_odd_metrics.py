"""Metrics that come in parts of epochs, seldom, late, unchanged, or as other kinds of numbers."""

import math
from decimal import Decimal
from fractions import Fraction

import pytest

from green_callbacks import EnergyAccountant
from green_callbacks.policies import CarbonBudget, MarginalGain
from green_callbacks.records import EpochRecord, History, Plan
from green_callbacks.sources import ScriptedSource


def learned(done):
    """A curve that is flat after three tenths of the run."""
    return round(1 - math.exp(-done / 4), 6)


def epoch(at, value=None, *, step=None, kg=0.1):
    metrics = {} if value is None else {"val_acc": value}
    return EpochRecord.scripted(epoch=at, emissions_kg=kg, metrics=metrics, step=step)


def stop(records, plan=None, **options):
    """The number of records after which the rule stops; None where it never does."""
    history, policy = History(), MarginalGain("val_acc", **options)
    for number, record in enumerate(records, start=1):
        history.append(record)
        if policy.decide(history, plan or Plan(epochs=60)).stop:
            return number
    return None


WHOLE = stop(epoch(at, learned(at + 1)) for at in range(60))


def test_the_rule_stops_a_flat_curve():
    assert 12 <= WHOLE <= 40


def test_a_metric_that_comes_every_third_epoch_stops_at_about_the_same_place():
    seldom = stop(epoch(at, learned(at + 1) if at % 3 == 2 else None) for at in range(60))
    assert WHOLE - 3 <= seldom <= WHOLE + 9, "with a third of the values it is less sure"


def test_a_metric_that_comes_in_every_part_stops_at_about_the_same_place():
    def parts():
        for at in range(60):
            for quarter in range(1, 5):
                record = epoch(at, learned(at + quarter / 4), step=4 * at + quarter, kg=0.025)
                yield record._replace(closes_epoch=quarter == 4)

    assert WHOLE - 3 <= stop(parts()) / 4 <= WHOLE + 3


def test_a_metric_that_comes_only_in_a_part_in_mid_epoch_is_judged_there():
    def parts():
        for at in range(60):
            yield epoch(at, learned(at + 0.5), step=2 * at + 1, kg=0.05)._replace(closes_epoch=False)
            yield epoch(at, step=2 * at + 2, kg=0.05)

    stopped = stop(parts())
    assert stopped % 2 == 1
    assert WHOLE - 3 <= stopped / 2 <= WHOLE + 3


def test_epochs_numbered_from_one_stop_at_the_same_place():
    assert stop(epoch(at, learned(at)) for at in range(1, 61)) == WHOLE


def test_values_that_are_no_numbers_at_first_are_passed_over():
    late = stop(epoch(at, math.nan if at < 3 else learned(at + 1)) for at in range(60))
    assert late is not None
    assert abs(late - WHOLE) <= 6


@pytest.mark.parametrize("value", [0.5, 0, -3.0])
def test_a_metric_that_never_changes_is_stopped_once_the_rule_may_decide(value):
    assert 18 <= stop(epoch(at, value) for at in range(60)) <= 20
    assert stop((epoch(at, value) for at in range(60)), acceptable=9.0) <= 31, "not learning, after half of the plan"


@pytest.mark.parametrize("make", [int, bool, Decimal, Fraction], ids=lambda kind: kind.__name__)
def test_whole_numbers_and_truths_count_as_numbers(make):
    options = {"sources": [ScriptedSource(100.0)], "carbon_intensity": 100.0, "sinks": [], "ledger": False}
    with EnergyAccountant(**options, policies=[MarginalGain("val_acc"), CarbonBudget("1 kg")]) as accountant:
        for at in accountant.epochs(3):
            accountant.observe({"val_acc": make(at > 0)})
    assert list(accountant.history.metric("val_acc").values) == [0.0, 1.0, 1.0]


def test_a_drop_ahead_is_waited_for_in_the_numbers_of_the_run():
    plan = Plan(epochs=60, learning_rate_drops=(50,))
    assert stop((epoch(at, learned(at)) for at in range(1, 61)), plan) > 49
    joined = [epoch(at, learned(at)) for at in range(40, 55)]
    assert stop(joined, plan) is None or stop(joined, plan) > 10


def test_a_budget_of_epochs_numbered_from_one_counts_the_last_of_them():
    history = History(epoch(at) for at in range(1, 4))
    assert CarbonBudget("0.35 kg").decide(history, Plan(epochs=4)).stop, "the fourth would cost too much"
    history.append(epoch(4))
    assert not CarbonBudget("0.45 kg").decide(history, Plan(epochs=4)).stop, "there is none to come"


def test_a_limit_that_may_bind_before_the_epochs_is_no_number_of_epochs():
    few = History([epoch(0, 0.5, step=100)])
    reason = MarginalGain("val_acc").decide(few, Plan(epochs=100, steps=500)).reason
    assert reason.endswith("The rule decides once 30 % of the plan is done.")
    assert "from epoch 30 of 100 on" in MarginalGain("val_acc").decide(few, Plan(epochs=100)).reason


def test_a_single_epoch_of_unknown_length_is_judged_by_its_values():
    def parts(count):
        return [epoch(0, learned(at), step=at)._replace(closes_epoch=False) for at in range(1, count)]

    plan, policy = Plan(epochs=1), MarginalGain("val_acc")
    reason = policy.decide(History(parts(6)), plan).reason
    assert reason.endswith("No plan is known, so the rule decides after 10 values of val_acc.")
    assert stop(parts(60), plan) is not None
