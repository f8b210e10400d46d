"""What the policies learn of a shared budget, by the answers of a registry."""

import pytest

from green_callbacks.accountant.notices import Notices
from green_callbacks.accountant.shared_budgets.account import SharedAccount, SharedBudgetTerms
from green_callbacks.accountant.shared_budgets.demand import Demand
from green_callbacks.records import EpochRecord, History, Plan
from green_callbacks.registry import Claim, Entry, RegistryUnavailableError, Standing
from green_callbacks.units import Amount


class Answers:
    """A registry that gives the answers of a list, or raises them."""

    def __init__(self, *answers):
        self.answers, self.claims, self.entries = list(answers), [], []

    def enter(self, entries):
        self.entries += entries

    def claim(self, claim):
        self.claims.append(claim)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def account():
    return account_with()


def account_with(**terms):
    terms = SharedBudgetTerms(
        title="CarbonBudget('10 kg')", place="logs", projects=("logs",), amount=Amount(10.0, "emissions_kg"),
        **{"on_outage": "share", **terms},
    )  # fmt: skip
    claim = Claim(run_id="own", session="a", spent=0.0, under_way=0.0, wanted=0.0, limit=10.0)
    return SharedAccount(terms, claim, lambda: [Entry("ended", 2.5)], Notices())


def standing(**fields):
    return Standing(**{"limit": 10.0, "others_spent": 0.0, "others_held": 0.0, "held": 2.0, "live_runs": 2, **fields})


def told(account, demand, *answers):
    account.note(demand)
    registry = Answers(*answers)
    account.tell(registry)
    return registry.claims[-1]


TRAINING = Demand(spent=3.0, cost=1.0, to_come=5, is_training=True)


def test_a_run_tells_its_total_what_is_under_way_and_the_next_epoch(account):
    claim = told(account, TRAINING, standing())
    assert (claim.spent, claim.under_way, claim.wanted, claim.epoch_cost) == (3.0, 1.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("demand", "under_way", "wanted"),
    [
        (TRAINING._replace(to_come=1), 1.0, 0.0),  # the last epoch of the plan
        (TRAINING._replace(is_over=True), 0.0, 0.0),
        (TRAINING._replace(is_training=False), 0.0, 1.0),  # before the first batch
        (TRAINING._replace(opened=1.5), 1.5, 1.0),  # an epoch that is dearer than expected
        (TRAINING._replace(cost=None), 0.0, 0.0),
    ],
)
def test_nothing_is_reserved_that_the_plan_does_not_hold(account, demand, under_way, wanted):
    claim = told(account, demand, standing())
    assert (claim.under_way, claim.wanted) == (under_way, wanted)


def test_the_first_epoch_is_reserved_at_the_cost_of_other_runs(account):
    account.note(Demand(0.0))
    registry = Answers(standing(epoch_cost=0.7), standing(epoch_cost=0.7))
    assert account.tell(registry) == 0.0  # at once again
    account.tell(registry)
    assert [claim.wanted for claim in registry.claims] == [0.0, 0.7]


def test_a_granted_run_may_use_what_the_others_leave(account):
    told(account, TRAINING, standing(others_spent=4.0, others_held=1.0))
    view = account.view(TRAINING)
    assert (view.spent, view.held, view.withheld) == (4.0, 1.0, 0.0)


def test_a_refused_run_may_use_what_it_holds_and_its_share_of_the_rest(account):
    told(account, TRAINING, standing(others_spent=4.0, others_held=1.5, held=1.0, is_granted=False))
    assert account.view(TRAINING).withheld == pytest.approx(0.25)  # 10 - 5.5 others - 4 own, for two runs


@pytest.mark.parametrize(
    ("terms", "demand"),
    [({}, TRAINING._replace(cost=None)), ({"is_projected": False}, TRAINING)],
    ids=["an epoch of unknown cost", "a budget that is not projected"],
)
def test_a_refused_run_may_use_only_what_it_holds_where_nobody_projects(terms, demand):
    account = account_with(**terms)
    told(account, TRAINING, standing(others_spent=4.0, others_held=1.5, held=1.0, is_granted=False))
    assert account.view(demand._replace(spent=3.5)).withheld == pytest.approx(0.5)  # 10 - 5.5 others - 4 own


def test_nothing_is_withheld_from_the_only_run(account):
    told(account, TRAINING, standing(others_spent=5.5, held=1.0, live_runs=1, is_granted=False))
    assert account.view(TRAINING).withheld == 0.0


def test_an_epoch_under_way_may_cost_more_than_expected(account):
    told(account, TRAINING, standing(others_spent=4.0, others_held=1.5, held=1.0, is_granted=False))
    account.view(TRAINING)
    assert account.view(TRAINING, is_inside=True).withheld == pytest.approx(0.25)


def test_a_refusal_among_many_askers_is_no_refusal_while_enough_is_left(account):
    told(account, TRAINING, standing(held=1.0, is_granted=False, live_runs=3))
    assert account.view(TRAINING).withheld == 0.0  # reserved before
    assert account.view(TRAINING._replace(spent=3.5)).withheld == pytest.approx(10 - 4 - 6 / 3)


def test_an_epoch_under_way_ends_whatever_the_others_hold(account):
    told(account, TRAINING, standing(others_spent=5.0, others_held=3.0, held=1.0, is_granted=False))
    assert account.view(TRAINING).total == 8.0
    assert account.view(TRAINING, is_inside=True).total == 6.0


def test_an_epoch_that_began_before_any_answer_takes_only_what_is_left(account):
    first = Demand(spent=0.0, is_training=True)
    assert account.view(first) is None
    told(account, first._replace(cost=1.0), standing(others_spent=9.6, held=1.0, is_granted=False))
    assert account.view(first, is_inside=True).total == pytest.approx(9.6)


def test_what_the_project_counts_for_others_is_not_counted_twice(account):
    told(account, TRAINING, standing(others_spent=4.0))
    assert account.view(TRAINING._replace(not_ours=1.0)).spent == 3.0


class TestOutage:
    AWAY = RegistryUnavailableError("Nobody listens on port 5432.")

    def away(self, account):
        told(account, TRAINING, standing(others_spent=1.0))  # 5 are held or spent, 4 left for two runs
        account.note(TRAINING._replace(spent=4.0))
        account.fail(self.AWAY)
        return account

    def test_a_run_goes_on_within_its_share(self, account):
        self.away(account)
        assert account.view(TRAINING._replace(spent=4.0)).withheld == 0.0  # reserved before
        assert account.view(TRAINING._replace(spent=5.0)).withheld == pytest.approx(9 - 5 - 2)

    def test_or_freely(self):
        account = self.away(account_with(on_outage="go_on"))
        assert account.view(TRAINING._replace(spent=7.0)).withheld == 0.0

    def test_it_is_said_and_so_is_its_end(self, account):
        self.away(account)
        (said,) = account._notices.texts
        assert "is away. Nobody listens on port 5432. The run goes on within its share" in said
        account.tell(Answers(standing()))
        (said,) = account._notices.texts
        assert "It is back, and knows the spending of this run." in said
        assert not account.is_away
        assert not account.is_waiting

    def test_before_any_answer_the_ledgers_of_the_project_tell(self, account):
        assert account.view(TRAINING) is None
        account.fail(self.AWAY)
        assert account.view(TRAINING).spent == 2.5
        assert "counts what the ledgers of the project tell" in account._notices.texts[0]


def test_a_limit_that_was_set_is_said(account):
    told(account, TRAINING, standing(limit=12.0, set_limit=12.0))
    assert account.view(TRAINING).limit == 12.0
    assert "was set to 12.0 kg for all its runs" in account._notices.texts[0]


def test_a_demand_follows_from_history_and_plan():
    history = History([EpochRecord.scripted(epoch=epoch, emissions_kg=0.2) for epoch in range(3)])
    made = Demand.of(history, Plan(epochs=5), "emissions_kg", not_ours=0.1, is_training=True, is_over=False)
    assert made[:2] == pytest.approx((0.5, 0.2))
    assert (made.to_come, made.is_training, made.is_over, made.not_ours) == (2, True, False, pytest.approx(0.1))
    over = Demand.of(history, Plan(epochs=3), "emissions_kg", not_ours=0.0, is_training=True, is_over=False)
    assert over.is_over


def test_an_outage_is_said_even_if_the_ledgers_cannot_be_read(account):
    def fail():
        raise OSError(5, "Input/output error")

    account._entries = fail
    with pytest.raises(OSError, match="Input/output"):
        account.fail(TestOutage.AWAY)
    assert "is away. Nobody listens" in account._notices.texts[0]
    account.await_first(0.0)
    assert not account._first.locked()
