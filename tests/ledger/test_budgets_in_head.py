"""The head says what its run may spend."""

import json

import pytest
from support import hostile
from support.runs import scripted

from green_callbacks import CarbonBudget, MarginalGain
from green_callbacks.errors import LedgerError
from green_callbacks.ledger import Head, Lines, RunBudget, read_ledger
from green_callbacks.ledger.limits import MAX_BUDGETS
from green_callbacks.units import Amount, parse_amount

GRAMS = RunBudget(Amount(0.5, "emissions_kg"), "logs")
HOURS = RunBudget(Amount(2.0, "facility_kwh"))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.jsonl"


def read_head(path, head):
    path.write_bytes(Lines().head(head))
    return read_ledger(path).head


def test_budgets_are_read_as_they_were_written(path):
    head = Head(run_id="run-1", version="1.0", budgets=(GRAMS, HOURS))
    assert read_head(path, head) == head


def test_a_head_without_budgets_reads_as_none(path):
    fields = json.loads(hostile.whole_ledger()[0])
    fields.pop("budgets")
    path.write_bytes(json.dumps(fields, separators=(",", ":")).encode() + b"\n")
    assert read_ledger(path).head.budgets == ()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0, 1e30])
def test_a_budget_that_no_reader_would_accept_is_not_written(path, value):
    head = Head(run_id="run-1", version="1.0", budgets=(RunBudget(Amount(value, "emissions_kg")), HOURS))
    assert read_head(path, head).budgets == (HOURS,)


def test_too_many_budgets_and_too_long_names_are_cut(path):
    head = Head(run_id="run-1", version="1.0", budgets=(RunBudget(HOURS.limit, "x" * 5_000),) * 100)
    budgets = read_head(path, head).budgets
    assert len(budgets) == MAX_BUDGETS
    assert budgets[0].project == "x" * 4_096


@pytest.mark.parametrize(
    "said", [{}, {"kg": 1, "kwh": 1}, {"kg": "1"}, {"kg": None}, {"kg": -1}, {"kwh": 1e30}, {"kg": 1, "project": 1}, 3]
)
def test_a_head_with_a_budget_that_cannot_be_is_damaged(path, said):
    fields = json.loads(hostile.whole_ledger()[0]) | {"budgets": [said]}
    path.write_bytes(json.dumps(fields, separators=(",", ":")).encode() + b"\n" + hostile.whole_ledger()[1])
    with pytest.raises(LedgerError, match="cannot be read"):
        read_ledger(path)


class OwnBudget:
    """A budget of a user, which says by its members alone that it is a budget."""

    name, amount = "the budget of 3 kWh", parse_amount("3 kWh")

    def spent(self, history, plan):
        return history.facility_kwh

    def left_inside(self, history, plan, open_kg, open_kwh):
        raise NotImplementedError

    def decide(self, history, plan):
        return CarbonBudget("1 t").decide(history, plan)


def test_a_run_writes_the_budgets_of_its_policies(tmp_path):
    policies = [
        CarbonBudget("500 kg", project=str(tmp_path)),
        MarginalGain("val_acc"),
        CarbonBudget("2 MWh", landing=0.1),
        OwnBudget(),
    ]
    accountant, _ = scripted(ledger=tmp_path / "mine.jsonl", policies=policies)
    accountant.start()
    accountant.close()
    assert read_ledger(tmp_path / "mine.jsonl").head.budgets == (
        RunBudget(Amount(500.0, "emissions_kg"), str(tmp_path)),
        RunBudget(Amount(2_000.0, "facility_kwh")),
        RunBudget(Amount(3.0, "facility_kwh")),
    )
