import pytest

from green_callbacks._frameworks.ray.trial_spending import TrialSpending


def told(*reports):
    """A trial after reports of (total, latest), or after ``begin(inherited)`` where there is one number only."""
    spending = TrialSpending()
    for report in reports:
        if isinstance(report, tuple):
            spending.tell(*report)
        else:
            spending.begin(report)
    return spending


@pytest.mark.parametrize(
    ("reports", "spent"),
    [
        ([(1.0, 1.0), (2.0, 1.0), (3.0, 1.0)], 3.0),
        ([(1.5, 1.0)], 1.5),  # with what was spent before the first epoch
        ([(3.0, 1.0)], 3.0),  # epochs that were not reported
        ([(1.0, 1.0), (1.0, 1.0)], 1.0),  # the same report twice
        ([(2.0, None), (3.0, None)], 3.0),  # of a user who reports totals only
        ([(2.0, 1.0), None, (1.0, 1.0)], 3.0),  # restarted from the beginning
        ([(1.0, 1.0), None, (1.0, 1.0)], 2.0),  # the same after one epoch, with the same total
        ([(2.0, 1.0), 2.0, (3.0, 1.0)], 3.0),  # restarted from its last checkpoint
        ([(3.0, 1.0), 2.0, (3.0, 1.0)], 4.0),  # restarted from an older one, without a ledger
        ([(3.0, 1.0), 2.0, (4.0, 1.0)], 4.0),  # the same with a ledger, which knows better
        ([(3.0, 1.0), 2.0, (4.4, 1.0)], 4.4),  # and which also holds what was not reported
        ([9.0, (10.0, 1.0), (11.0, 1.0)], 2.0),  # started from a checkpoint of another trial
        ([(3.0, 1.0), 9.0, (10.2, 1.0)], 4.2),  # exploits another trial
        ([(3.0, 1.0), 2.0, (3.2, 1.0)], 4.2),  # exploits another trial that has spent less
        ([(3.0, 1.0), 9.0, (4.0, 1.0)], 4.0),  # the same with a run of its own
        ([(3.0, 1.0), 9.0, (1.0, 1.0)], 4.0),  # the same with a new run
        ([(5.0, 1.0), None, (5.0, 1.0)], 6.0),  # restarted, and the kill has cost the ledger its last record
        ([(5.0, 1.0, "a"), None, (2.0, 1.0, "a")], 6.0),  # restarted from an old checkpoint that Ray does not know
        ([(5.0, 1.0, "a"), None, (2.0, 1.0, "b")], 7.0),  # restarted as a new run
        ([(5.0, 1.0, "a"), 9.0, (10.0, 1.0, "b")], 6.0),  # exploits another trial, whose run it takes over
        ([(2.0, 1.0), (1.0, 1.0), (2.0, 1.0)], 4.0),  # two runs in one trial
        ([(2.0, 1.0, "a"), (3.0, 0.1, "b")], 5.0),  # the same, told apart by their names
    ],
)
def test_only_what_the_trial_itself_has_spent_counts(reports, spent):
    assert told(*reports).total == pytest.approx(spent)


def test_single_precision_does_not_turn_a_restart_into_a_new_run():
    assert told((3.0000001, 1.0), 3.0000001, (4.0, 1.0000001)).total == pytest.approx(4.0)


def test_what_a_dead_process_may_have_spent_counts_until_a_total_contains_it():
    spending = told((2.0, 1.0), (4.0, 2.0))
    spending.lose(0.5, None)
    assert spending.total == pytest.approx(5.0)
    spending.begin(4.0)
    spending.tell(6.4, 2.0)
    assert spending.total == pytest.approx(4.0 + 2.0 + 1.0), "0.4 of the lost 1.0 are in the total"


def test_the_cost_of_the_next_epoch_is_the_highest_of_the_last_five():
    spending = told((9.0, 1.0), (11.0, 2.0), (12.0, 1.0), (13.0, 1.0), (14.0, 1.0))
    assert spending.expected == pytest.approx(2.0)
    for total in (15.0, 16.0, 17.0):
        spending.tell(total, 1.0)
    assert spending.expected == pytest.approx(1.0)


def test_the_state_holds_all():
    spending = told((2.0, 1.0, "run"), (4.0, 2.0, "run"))
    again = TrialSpending.decode(spending.encode())
    again.tell(6.0, 2.0, "run")
    assert again.total == pytest.approx(6.0)
