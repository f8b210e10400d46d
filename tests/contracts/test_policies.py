"""What every policy promises, run over all of them."""

import logging
import math
import pickle
from dataclasses import FrozenInstanceError, dataclass, fields, replace

import pytest
from support.runs import WATTS, scripted, train

from green_callbacks.errors import BudgetSpentError, ConfigurationError
from green_callbacks.metrics import Metric
from green_callbacks.policies import (
    Budget,
    CarbonBudget,
    Forecast,
    Left,
    MarginalGain,
    Policy,
    SharedBudget,
    as_policy,
    watched_metric,
)
from green_callbacks.records import EpochRecord, History, Plan, Verdict
from green_callbacks.sinks.scalars import scalars
from green_callbacks.units import Amount


def stop_after_ten(history, plan):
    return len(history) >= 10


POLICIES = {
    "budget": CarbonBudget("500 g"),
    "soft budget": CarbonBudget(0.5, hard=False),
    "energy budget": CarbonBudget("2 kWh", warn_at=()),
    "project's budget": CarbonBudget("500 g", project="logs", spent_before=0.3),
    "forecast": Forecast((CarbonBudget("500 g"), CarbonBudget("1 kWh"))),
    "doubling": MarginalGain("val_acc"),
    "price per kg": MarginalGain("val_acc", acceptable=0.8, min_gain_per_kg=0.1),
    "price per kWh": MarginalGain("val_loss", min_gain_per_kwh=0.1, acceptable=0.5),
    "threshold of zero": MarginalGain("val_acc", min_gain_on_doubling=0.0, on_annealing="stop"),
    "report only": MarginalGain("val_acc", report_only=True),
    "function": as_policy(stop_after_ten),
}
PLANS = [
    Plan(),
    Plan(epochs=10),
    Plan(epochs=10, min_epochs=8, learning_rate_drops=(4, 7)),
    Plan(steps=100, anneals=True),
    Plan(seconds=20.0, schedule_unreadable=True),
    Plan(emissions_kg=1.0, spent_before_kg=0.2, spent_before_kwh=0.2),
]


def epochs(values, kg=0.05, rate=None):
    return [
        EpochRecord.scripted(
            epoch=at, emissions_kg=kg, metrics={"val_acc": value, "val_loss": -value}, learning_rate=rate, step=at
        )
        for at, value in enumerate(values)
    ]


def unmeasured(record):
    return record._replace(devices={})


def parts(record):
    return [record._replace(closes_epoch=False, metrics={}), record]


PLAIN = epochs([0.1 * at for at in range(12)], rate=0.1)
HISTORIES = {
    "empty": [],
    "outside rows only": [EpochRecord.scripted(emissions_kg=0.1)] * 3,
    "plain": PLAIN,
    "one record": PLAIN[:1],
    "flat": epochs([0.9] * 12),
    "no metric": [EpochRecord.scripted(epoch=at, emissions_kg=0.05) for at in range(12)],
    "not a number": epochs([0.1, math.nan, 0.2, math.nan] * 3),
    "infinite": epochs([-math.inf] * 11 + [math.inf]),
    "once infinite": epochs([0.5] * 6 + [-math.inf] + [0.6] * 6),
    "no spend": epochs([0.5] * 12, kg=0.0),
    "not measured": [unmeasured(record) for record in PLAIN],
    "measured at first": PLAIN[:6] + [unmeasured(record) for record in PLAIN[6:]],
    "parts": [part for record in PLAIN for part in parts(record)],
    "cut short": [*PLAIN[:-1], PLAIN[-1]._replace(complete=False)],
    "checkpoints between": [row for record in PLAIN for row in (record, EpochRecord.scripted(emissions_kg=0.01))],
    "resumed without its beginning": PLAIN[6:],
    "rates of zero": epochs([0.5] * 12, rate=0.0),
}


@pytest.fixture(params=POLICIES.values(), ids=POLICIES)
def policy(request):
    return request.param


@pytest.fixture(params=HISTORIES.values(), ids=HISTORIES)
def history(request):
    return History(request.param)


def test_it_is_a_policy(policy):
    assert isinstance(policy, Policy)


def test_it_answers_the_same_for_the_same_history_and_never_raises(policy, history):
    restored = History.from_columns(history.to_columns())
    for plan in PLANS:
        verdict = policy.decide(history, plan)
        assert policy.decide(history, plan) == verdict
        assert policy.decide(restored, plan) == verdict
        assert pickle.loads(pickle.dumps(policy)).decide(history, plan) == verdict


def test_the_verdict_is_whole(policy, history):
    for plan in PLANS:
        verdict = policy.decide(history, plan)
        assert verdict.stop == (verdict.code == "stopping")
        assert verdict.reason == verdict.reason.strip()
        assert verdict.reason.endswith(".")
        assert "  " not in verdict.reason
        assert "None" not in verdict.reason
        assert all(key.startswith("green/") and math.isfinite(value) for key, value in verdict.values.items())


def test_it_is_frozen(policy):
    with pytest.raises(FrozenInstanceError):
        setattr(policy, fields(policy)[0].name, None)
    assert hash(policy) == hash(pickle.loads(pickle.dumps(policy)))


EPOCH_KWH = 10 * WATTS / 3.6e6  # of an epoch of 10 s


@dataclass(frozen=True)
class TheirBudget:
    """A budget of somebody else's: it has the members that the protocol names, and nothing from this package."""

    kwh: float
    project: str | None = None
    name = "their budget"

    @property
    def amount(self):
        return Amount(self.kwh, "facility_kwh")

    def spent(self, history, plan):
        shared = plan.shared_by(self.project, "facility_kwh")
        return (shared.total if shared else 0.0) + plan.spent_before_kwh + history.facility_kwh

    def left_inside(self, history, plan, open_kg, open_kwh):
        return Left(self.kwh - self.spent(history, plan) - open_kwh, stops=True, reason="Their budget is spent.")

    def decide(self, history, plan):
        if self.spent(history, plan) < self.kwh:
            return Verdict(stop=False, code="active", reason="Enough is left.")
        return Verdict(stop=True, code="stopping", reason="Their budget is spent.")


def ours(kwh, project=None):
    return CarbonBudget(f"{kwh} kWh", project=project)


@pytest.fixture(params=[ours, TheirBudget])
def budget(request):
    return request.param


def test_a_budget_is_known_by_its_members(budget):
    assert isinstance(budget(1.0), Budget)
    assert isinstance(budget(1.0), SharedBudget)
    assert not isinstance(MarginalGain("val_acc"), Budget)


def test_a_spent_budget_is_refused_before_the_first_batch(budget):
    accountant, _ = scripted(policies=[budget(1.0)], plan=Plan(epochs=3, spent_before_kwh=1.0))
    accountant.start()
    with pytest.raises(BudgetSpentError, match="spent"):
        accountant.begin_epoch(0)
    accountant.close()


def test_a_budget_is_looked_at_inside_epochs(budget):
    accountant, clock = scripted(policies=[budget(EPOCH_KWH)])
    steps = 0
    with accountant:
        for _ in accountant.epochs(1):
            for _ in accountant.steps(range(1000)):
                clock.advance(1.0)
                steps += 1
    assert steps == 10
    assert "spent" in accountant.close().stop_reason


def test_the_end_of_a_budget_is_forecast(budget, caplog):
    caplog.set_level(logging.INFO, "green_callbacks")
    accountant, clock = scripted(policies=[budget(5.5 * EPOCH_KWH)], plan=Plan(epochs=20))
    with accountant:
        *_, record = train(accountant, clock, range(4))
    assert "budget" in record.verdicts[-1].reason
    assert "would be spent after 5 epochs" in record.verdicts[-1].reason
    assert "would be spent after" in caplog.text


def test_what_is_left_of_a_budget_is_shown(budget):
    accountant, clock = scripted(policies=[budget(3 * EPOCH_KWH)])
    with accountant:
        (record,) = train(accountant, clock, range(1))
    assert scalars(record, None)["green/budget_left_wh"] == pytest.approx(2000 * EPOCH_KWH)
    assert scalars(record, None)["green_detail/budget_share"] == pytest.approx(1 / 3)


def test_a_budget_is_shared_by_the_runs_of_a_project(budget, tmp_path):
    left = []
    for name in ("first", "second"):
        accountant, clock = scripted(policies=[budget(3 * EPOCH_KWH, tmp_path)], ledger=tmp_path / f"{name}.jsonl")
        with accountant:
            (record,) = train(accountant, clock, range(1))
        left.append(record.verdicts[0].values["green/budget_left_kwh"])
    assert left == pytest.approx([2 * EPOCH_KWH, EPOCH_KWH])
    accountant, _ = scripted(policies=[budget(2 * EPOCH_KWH, tmp_path)], ledger=tmp_path / "third.jsonl")
    accountant.start()
    with pytest.raises(BudgetSpentError):
        accountant.begin_epoch(0)
    accountant.close()


def test_a_budget_that_fails_before_the_first_batch_is_said_and_ends_nothing(caplog):
    class Failing(TheirBudget):
        def decide(self, history, plan):
            raise LookupError(1)

    accountant, clock = scripted(policies=[Failing(1.0)])
    with accountant:
        train(accountant, clock, range(2))
    assert sum("LookupError" in text for text in accountant.close().notices) == 1
    assert sum("LookupError" in text for text in caplog.messages) == 1


def test_a_policy_that_offers_nothing_but_a_decision_works():
    class Plain:
        def decide(self, history, plan):
            return Verdict(stop=len(history) == 2, code="held", reason="Two are enough.")

    accountant, clock = scripted(policies=[Plain()])
    with accountant:
        for epoch in accountant.epochs(5):
            clock.advance(1.0)
            accountant.observe({"val_acc": epoch})
    assert accountant.close().stop_reason == "Two are enough."
    assert accountant.history.finished_epochs == 2


def test_half_a_budget_is_refused():
    class Half:
        amount = Amount(1.0, "emissions_kg")

        def decide(self, history, plan):
            return Verdict(stop=False, code="active", reason="")

        def left_inside(self, history, plan, open_kg, open_kwh):
            return Left(1.0, stops=True, reason="")

    with pytest.raises(ConfigurationError, match=r"Half has left_inside\(\), but no name and no spent"):
        as_policy(Half())


def odd(**members):
    """Return a policy with some members, which decides nothing."""
    decide = {"decide": lambda self, history, plan: Verdict(stop=False, code="active", reason="Go on.")}
    return type("Odd", (), decide | members)()


def odd_budget(**members):
    """Return a budget of 1 kWh, some of whose members are faulty."""
    return type("Odd", (TheirBudget,), members)(1.0)


def fail(*_):
    raise LookupError(1)


def notices_of(policy, **options):
    accountant, clock = scripted(policies=[policy], **options)
    with accountant:
        for _ in accountant.epochs(4):
            for _ in accountant.steps(range(100)):
                clock.advance(1.0)
    assert accountant.history.finished_epochs == 4
    return accountant.close().notices


def test_a_policy_that_cannot_describe_itself_is_asked_nevertheless():
    (notice,) = notices_of(odd(describe=fail))
    assert "The policy Odd failed. It is asked like every policy" in notice


def test_a_budget_that_does_not_know_its_rest_decides_nevertheless():
    stop = Verdict(stop=True, code="stopping", reason="Enough.")
    budget = odd_budget(
        spent=fail,
        left_inside=lambda *_: Left(1.0, stops=True, reason=""),
        decide=lambda self, history, plan: stop if history.finished_epochs else replace(stop, stop=False),
    )
    accountant, clock = scripted(policies=[budget])
    with accountant:
        train(accountant, clock, range(1))
    run = accountant.close()
    assert run.stop_reason == "Enough."
    assert sum("its rest is not shown" in notice for notice in run.notices) == 1


def test_a_budget_that_fails_in_the_forecast_leaves_the_forecast():
    def spent(self, history, plan):
        return fail() if history.finished_epochs > 2 else 0.0

    verdict = Verdict(stop=False, code="active", reason="Go on.", values={"green/budget_left_kwh": 1.0})
    left = Left(1.0, stops=True, reason="")
    budget = odd_budget(spent=spent, decide=lambda *_: verdict, left_inside=lambda *_: left)
    (notice,) = notices_of(budget, plan=Plan(epochs=20))
    assert "The forecast does not say when a budget will be spent. It raised LookupError" in notice


@pytest.mark.parametrize(
    "answer",
    [
        0.5,
        (0.5, True, "a plain tuple"),
        Left(None, stops=True, reason=""),
        Left(math.nan, stops=True, reason=""),
        Left(0.0, stops=True, reason=None),
    ],
)
def test_an_odd_rest_is_named_and_leaves_the_other_budgets_alone(answer):
    budgets = [odd_budget(left_inside=lambda *_: answer), TheirBudget(2.5 * EPOCH_KWH)]
    accountant, clock = scripted(policies=budgets)
    steps = 0
    with accountant:
        for _ in accountant.epochs(1):
            for _ in accountant.steps(range(1000)):
                clock.advance(1.0)
                steps += 1
    assert steps == 25
    assert any("The policy Odd failed" in notice for notice in accountant.close().notices)


@pytest.mark.parametrize("amount", [0.5, "500 g", None])
def test_a_budget_without_a_unit_is_refused(amount):
    with pytest.raises(ConfigurationError, match=r"Odd\.amount is .*parse_amount"):
        as_policy(odd_budget(amount=amount))


def test_a_stop_without_a_reason_is_a_stop():
    accountant, clock = scripted(policies=[odd(decide=lambda *_: Verdict(stop=True, code="stopping", reason=None))])
    with accountant:
        done = [clock.advance(1) for _ in accountant.epochs(3)]
    assert len(done) == 1
    assert accountant.close().stop_reason == "The policy gave no reason."


def test_a_wrapper_that_delegates_watches_the_metric_of_its_policy():
    class Wrapper:
        def __init__(self, policy):
            self._policy = policy

        def __getattr__(self, name):
            return getattr(self.__dict__["_policy"], name)

        def decide(self, history, plan):
            return self._policy.decide(history, plan)

    assert watched_metric(Wrapper(MarginalGain("val_loss"))) == Metric("val_loss", "min")
    assert "val_acc" in "".join(notices_of(Wrapper(MarginalGain("val_acc"))))
