"""What is known ahead by the user and by the framework, and what a rule misses in it."""

import logging

import pytest

from green_callbacks import CarbonBudget, EnergyAccountant, MarginalGain, Plan
from green_callbacks.accountant.setup.plan_merging import merged
from green_callbacks.sources import ScriptedSource

UNREADABLE = Plan(epochs=10, schedule_unreadable=True)


def started(*policies, plan=None):
    options = {"policies": policies, "sources": [ScriptedSource(100.0)], "carbon_intensity": 100.0, "sinks": []}
    return EnergyAccountant(**options, ledger=False, plan=plan)


def said(caplog):
    return [record.getMessage() for record in caplog.records if "cannot be read ahead" in record.getMessage()]


def test_a_rule_that_cannot_wait_for_a_schedule_says_so_once_with_the_remedy(caplog):
    accountant = started(MarginalGain("val_acc")).start(plan=UNREADABLE)
    accountant.expect(UNREADABLE)
    run = accountant.close()
    (text,) = said(caplog)
    assert text in run.notices
    assert "MarginalGain does not wait for its drops" in text
    assert "plan=Plan(learning_rate_drops=(30, 60))" in text


@pytest.mark.parametrize(
    ("policies", "plan"),
    [
        ((CarbonBudget("1 kg"),), None),
        ((MarginalGain("val_acc"),), Plan(anneals=True)),
        ((MarginalGain("val_acc"),), Plan(learning_rate_drops=(30,))),
    ],
    ids=["a budget needs none", "said to anneal", "drops were said"],
)
def test_nothing_is_said_where_no_rule_waits_or_the_user_has_told(policies, plan, caplog):
    caplog.set_level(logging.WARNING)
    accountant = started(*policies, plan=plan).start(plan=UNREADABLE)
    accountant.close()
    assert said(caplog) == []


def test_what_the_user_says_of_the_schedule_goes_before_what_could_not_be_read():
    assert merged(Plan(anneals=True), UNREADABLE) == Plan(epochs=10, anneals=True)
    assert merged(Plan(epochs=5), UNREADABLE) == Plan(epochs=5, schedule_unreadable=True)
