"""What policies say about a landing, as pure functions of the history and the plan."""

import math
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from green_callbacks.errors import ConfigurationError
from green_callbacks.policies import CarbonBudget, Lands, MarginalGain, lands, replay
from green_callbacks.policies.landing import Position, landing_of, over_words, would_land
from green_callbacks.records import EpochRecord, History, Plan, Verdict

STEPS = 100
"""Optimizer steps of an epoch."""


def flat(count, *, rates=None, steps=STEPS, first=0, kg=0.1):
    """A run that rises for eight epochs and then learns no more."""
    return [
        EpochRecord.scripted(
            epoch=first + at,
            emissions_kg=kg,
            metrics={"val_acc": 1 - math.exp(-min(at, 8))},
            learning_rate=None if rates is None else rates[at],
            step=None if steps is None else (at + 1) * steps,
        )
        for at in range(count)
    ]


def decided(rule, count, plan=None, **options):
    return rule.decide(History(flat(count, **options)), plan or Plan(epochs=100))


def test_a_rule_with_a_landing_lands_where_it_would_stop():
    plain, landing = MarginalGain("val_acc"), MarginalGain("val_acc", landing=0.2)
    stops = replay(History(flat(60)), plain, Plan(epochs=60))
    verdict = decided(landing, stops.record.epoch + 1, Plan(epochs=60))
    assert stops.verdict.stop
    assert (verdict.stop, verdict.code, verdict.landing) == (False, "landing", 0.2)
    assert verdict.reason == stops.verdict.reason


def test_a_landing_gives_way_to_no_annealing():
    plan = Plan(epochs=60, anneals=True)
    assert decided(MarginalGain("val_acc"), 40, plan).code == "waiting"
    assert decided(MarginalGain("val_acc", landing=0.2), 40, plan).code == "landing"


def test_a_rate_near_its_end_stops_at_once():
    rates = [1.0] * 20 + [0.14] * 20
    plan = Plan(epochs=60, learning_rate_drops=(20,))
    verdict = decided(MarginalGain("val_acc", landing=0.2), 40, plan, rates=rates)
    assert (verdict.code, verdict.landing) == ("stopping", None)
    assert "below 15 % of its highest" in verdict.reason
    rates[20:] = [0.16] * 20
    assert decided(MarginalGain("val_acc", landing=0.2), 40, plan, rates=rates).code == "landing"


def test_a_rising_rate_makes_the_rule_wait():
    rising = [0.01 * (at + 1) for at in range(40)]
    verdict = decided(MarginalGain("val_acc", landing=0.2), 40, rates=rising)
    assert verdict.code == "waiting"
    assert "still rises" in verdict.reason
    assert decided(MarginalGain("val_acc", landing=0.2), 40, rates=[*rising[:39], rising[38]]).code == "landing"


def test_the_rate_of_an_earlier_fit_does_not_count():
    earlier = flat(20, rates=[50.0] * 20)
    rule = MarginalGain("val_acc", landing=0.2)
    assert rule.decide(History(earlier + flat(40, rates=[1.0] * 40)), Plan(epochs=100)).code == "landing"
    lower = flat(20, rates=[0.5] * 20)
    assert rule.decide(History(lower + flat(40, rates=[1.0] * 40)), Plan(epochs=100)).code == "landing"


@pytest.mark.parametrize(("epochs", "code"), [(60, "landing"), (48, "landing"), (47, "waiting"), (41, "waiting")])
def test_a_plan_that_ends_sooner_ends_by_itself(epochs, code):
    verdict = decided(MarginalGain("val_acc", landing=0.2), 40, Plan(epochs=epochs, anneals=True))
    assert verdict.code == code
    if code == "waiting":
        assert "The plan ends sooner than a landing would" in verdict.reason


def test_a_run_that_is_not_learning_stops_without_a_landing():
    records = [
        EpochRecord.scripted(epoch=at, emissions_kg=0.1, metrics={"val_acc": 0.1}, step=at + 1) for at in range(60)
    ]
    rule = MarginalGain("val_acc", acceptable=0.8, landing=0.2)
    verdict = rule.decide(History(records), Plan(epochs=100))
    assert verdict.stop
    assert "not learning" in verdict.reason


def test_a_loop_that_cannot_land_is_stopped_at_once():
    for plan in (Plan(epochs=60, landing_refused=True), Plan(epochs=60, landing_refused=True, anneals=True)):
        assert decided(MarginalGain("val_acc", landing=0.2), 40, plan).code == "stopping"


def test_a_rule_that_reports_says_where_it_would_begin_and_end():
    rule = MarginalGain("val_acc", landing=0.2, report_only=True)
    verdict = decided(rule, 40)
    assert (verdict.stop, verdict.code, verdict.landing) == (False, "warning", None)
    assert verdict.reason.startswith("It would land after epoch 39, and stop after epoch 47, but only reports.")
    assert "20 % more of the steps" in decided(rule, 40, steps=None).reason
    assert would_land(History(flat(8)), Plan(), 0.2) == "It would land after epoch 7, and stop 160 steps later"


def test_a_plan_that_ends_before_a_landing_goes_on_to_its_end_with_or_without_a_schedule():
    verdict = decided(MarginalGain("val_acc", landing=0.2), 57, Plan(epochs=60))
    assert verdict.code == "waiting"
    assert verdict.reason.endswith("so training goes on to the end of the plan.")


def test_a_rule_that_lacks_values_after_a_drop_says_so_and_names_no_epoch_of_the_past():
    rule, plan = MarginalGain("val_acc"), Plan(epochs=60)
    verdict = decided(rule, 40, plan, rates=[1.0] * 39 + [0.1])
    assert (verdict.code, verdict.reason) == (
        "waiting",
        "There are too few values of val_acc since the last drop of the learning rate, so the rule waits for more.",
    )
    early = decided(rule, 1, plan).reason
    assert early.startswith("There are too few values of val_acc, so the rule waits for more. The rule decides from")


def test_a_rule_waits_while_the_run_lands():
    history = History(flat(40))
    landing = landing_of(history, Plan(epochs=100), 0.2, "Enough.")
    verdict = MarginalGain("val_acc", landing=0.2).decide(history, Plan(epochs=100, landing=landing))
    assert (verdict.stop, verdict.code) == (False, "waiting")
    assert "green/gain_per_kg" in verdict.values


@pytest.mark.parametrize("share", [-0.1, 1.1, math.nan, "much", True, None])
@pytest.mark.parametrize("make", [lambda share: MarginalGain("val_acc", landing=share), CarbonBudget])
def test_a_landing_that_is_no_share_is_refused(make, share):
    with pytest.raises(ConfigurationError, match="landing is"):
        make(share) if make is not CarbonBudget else CarbonBudget("1 kg", landing=share)


def test_policies_say_that_they_land():
    assert isinstance(MarginalGain("val_acc"), Lands)
    assert not lands(MarginalGain("val_acc"))
    assert lands(MarginalGain("val_acc", landing=0.2))
    assert lands(pickle.loads(pickle.dumps(CarbonBudget("1 kg", landing=0.1))))
    assert not lands(object())


# The length of a landing.


def test_a_landing_ends_with_an_epoch_that_is_shorter_than_half_of_it():
    landing = landing_of(History(flat(33)), Plan(epochs=100), 0.2, "Enough.")
    assert (landing.first_step, landing.steps, landing.epoch, landing.last_epoch) == (3_300, 700, 32, 39)


def test_a_longer_epoch_is_left_inside():
    landing = landing_of(History(flat(8)), Plan(epochs=100), 0.2, "Enough.")
    assert (landing.steps, landing.last_epoch) == (160, None)
    assert landing_of(History(flat(5)), Plan(epochs=100), 0.2, "Enough.").last_epoch == 5  # exactly one epoch
    assert landing_of(History(flat(5)), Plan(epochs=100), 0.2, "Enough.", whole_epochs=True).last_epoch == 5


def test_a_budget_is_never_rounded_up():
    landing = landing_of(History(flat(33)), Plan(), 0.2, "Enough.", rounds_up=False)
    assert (landing.steps, landing.last_epoch) == (660, None)


def test_no_landing_is_longer_than_the_plan_or_shorter_than_the_minimum_of_epochs():
    assert landing_of(History(flat(40)), Plan(epochs=45), 0.2, "Enough.").last_epoch == 44
    assert landing_of(History(flat(40)), Plan(epochs=100, min_epochs=60), 0.2, "Enough.").last_epoch == 59
    assert landing_of(History(flat(40)), Plan(epochs=100, min_epochs=60), 0.2, "", rounds_up=False).last_epoch == 59
    assert landing_of(History(flat(40)), Plan(steps=4_010), 0.2, "Enough.").steps == 10
    assert landing_of(History(flat(40)), Plan(steps=4_000), 0.2, "Enough.") is None
    assert landing_of(History(flat(40)), Plan(epochs=40), 0.2, "Enough.") is None


def test_without_steps_there_is_no_landing():
    assert landing_of(History(flat(40, steps=None)), Plan(), 0.2, "Enough.") is None
    assert landing_of(History(), Plan(), 0.2, "Enough.") is None


def test_inside_an_epoch_the_rest_of_it_counts():
    at = Position.of(History(flat(33)), 3_330, 33)
    landing = landing_of(History(flat(33)), Plan(), 0.2, "Enough.", position=at)
    assert (landing.first_step, landing.epoch, landing.last_epoch, landing.steps) == (3_330, 33, 39, 670)


def test_a_fit_counts_its_own_steps():
    going_on = [record._replace(step=record.step + 2_000) for record in flat(40)]  # as Keras' optimizers count
    again = flat(40)  # as a new trainer of Lightning counts
    for second in (going_on, again):
        history = History(flat(20) + second)
        landing = landing_of(history, Plan(epochs=100), 0.2, "Enough.")
        assert (landing.first_step, landing.steps, landing.last_epoch) == (second[-1].step, 800, 47)


def test_the_length_in_words():
    history = History(flat(33))
    assert over_words(landing_of(history, Plan(), 0.2, ""), history) == "over the next 7 epochs"
    assert over_words(landing_of(history, Plan(epochs=34), 0.2, ""), history) == "over the next epoch"
    assert over_words(landing_of(History(flat(8)), Plan(), 0.2, ""), history) == "over the next 160 steps"
    assert over_words(landing_of(History(flat(8)), Plan(steps=801), 0.2, ""), history) == "over the next step"


@given(
    epochs=st.integers(1, 60),
    steps=st.integers(1, 500),
    share=st.floats(0.001, 1.0),
    planned=st.none() | st.integers(1, 120),
    rounds_up=st.booleans(),
)
def test_a_landing_begins_here_and_ends_within_the_plan(epochs, steps, share, planned, rounds_up):
    history, plan = History(flat(epochs, steps=steps)), Plan(epochs=planned)
    landing = landing_of(history, plan, share, "Enough.", rounds_up=rounds_up)
    if landing is None:
        assert (planned is not None and planned <= epochs) or (not rounds_up and share * epochs * steps < 1)
        return
    assert landing.first_step == epochs * steps
    assert landing.steps >= 1
    assert planned is None or landing.end <= max(planned, epochs) * steps
    if rounds_up and planned is None:
        assert share * epochs * steps - 1 <= landing.steps <= max(share * epochs * steps, 1) + 1 + steps
    elif not rounds_up:
        assert landing.steps <= share * epochs * steps * (1 + 1e-6)
    if landing.last_epoch is not None:
        assert landing.end == (landing.last_epoch + 1) * steps


# A budget that lands.


def budget_at(spent_kg, records=10, plan=None, **options):
    history = History(flat(records, kg=spent_kg / records))
    return CarbonBudget("1 kg", landing=0.1, **options).decide(history, plan or Plan())


def test_a_budget_lands_when_spending_and_landing_reach_it():
    assert budget_at(0.90).code == "active"
    verdict = budget_at(0.92)
    assert (verdict.code, verdict.stop) == ("landing", False)
    assert verdict.landing == pytest.approx(0.08 / 0.92)
    assert budget_at(1.01).code == "stopping"


def test_a_plan_that_ends_within_the_budget_needs_no_landing():
    assert budget_at(0.92, plan=Plan(epochs=10)).code == "active"
    assert budget_at(0.95, records=19, plan=Plan(epochs=20)).code != "landing"
    assert budget_at(0.92, plan=Plan(epochs=11)).code == "landing"


def test_a_budget_of_a_loop_that_cannot_land_stops_as_without():
    plan = Plan(landing_refused=True)
    for spent in (0.85, 0.9, 0.92, 0.99):
        assert budget_at(spent, plan=plan) == CarbonBudget("1 kg").decide(History(flat(10, kg=spent / 10)), plan)


def test_inside_an_epoch_the_rest_is_until_the_landing():
    history, budget = History(flat(10, kg=0.08)), CarbonBudget("1 kg", landing=0.1)
    left = budget.left_inside(history, Plan(), 0.05, 0.05)
    assert left.amount == pytest.approx((1 - 0.85 - 0.085) / 1.1)
    assert left.landing == pytest.approx(0.15 / 0.85)
    assert budget.left_inside(history, Plan(), 0.15, 0.15).amount < 0
    landing = landing_of(history, Plan(), 0.1, "Enough.")
    inside = budget.left_inside(history, Plan(landing=landing), 0.15, 0.15)
    assert (inside.amount, inside.landing) == (pytest.approx(0.05), 0.0)


def test_a_landing_budget_says_so():
    lands = "Before the stop, the learning rate goes to zero."
    assert CarbonBudget("1 kg", landing=0.1).describe() == (
        f"The run may spend 1.00 kg and is stopped before more would be spent. {lands}"
    )
    soft = CarbonBudget("1 kg", landing=0.1, hard=False).describe()
    assert soft.endswith(f"after the epoch that spends more, or sooner with its landing. {lands}")
    assert MarginalGain("val_acc", landing=0.2).describe().endswith("Before a stop, the learning rate goes to zero.")
    assert "learning rate" not in MarginalGain("val_acc").describe()
    silent = MarginalGain("val_acc", landing=0.2, report_only=True).describe()
    assert silent.endswith("The rule only reports, and never stops the run.")
    assert "learning rate" not in CarbonBudget("1 kg").describe()


# Replays.


def test_a_replay_says_where_a_landing_begins_and_ends():
    history, plan = History(flat(60)), Plan(epochs=60)
    stop = replay(history, MarginalGain("val_acc"), plan)
    landed = replay(history, MarginalGain("val_acc", landing=0.2), plan)
    assert landed.begins == stop.record
    assert landed.record.epoch == math.ceil(1.2 * (stop.record.epoch + 1) - 1e-9) - 1
    assert (landed.verdict.stop, landed.verdict.code) == (True, "stopping")
    assert stop.begins is None


def test_a_replay_without_steps_counts_by_energy():
    plan = Plan(epochs=60)
    known = replay(History(flat(60)), MarginalGain("val_acc", landing=0.2), plan)
    assert replay(History(flat(60, steps=None)), MarginalGain("val_acc", landing=0.2), plan) == type(known)(
        known.verdict, known.record._replace(step=None), known.begins._replace(step=None)
    )


def test_a_replay_ignores_the_landing_of_the_recorded_run():
    history, rule = History(flat(60)), MarginalGain("val_acc", landing=0.2)
    landing = landing_of(History(flat(40)), Plan(epochs=60), 0.2, "Enough.")
    assert replay(history, rule, Plan(epochs=60, landing=landing)) == replay(history, rule, Plan(epochs=60))


def test_a_run_that_ends_before_its_landing_is_not_stopped():
    history = History(flat(22))
    begins = MarginalGain("val_acc", landing=0.2)
    assert begins.decide(History(flat(20)), Plan()).code in {"landing", "active", "waiting"}
    assert replay(history, lambda history, plan: _asks(history, 20), Plan()) is None


def _asks(history, at):
    if len(history) < at:
        return None
    return Verdict(stop=False, code="landing", reason="Enough.", landing=0.5)
