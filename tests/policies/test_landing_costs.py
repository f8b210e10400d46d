"""What a landing still costs, in the forecast and in the decision of a budget without a landing of its own."""

import pytest

from green_callbacks.policies import CarbonBudget, Forecast, forecast
from green_callbacks.records import DeviceEnergy, EpochRecord, History, Landing, PhaseEnergy, Plan

STEPS = 100
KG = 0.1


def epochs(count, *, kg=KG, **fields):
    return History(
        EpochRecord.scripted(epoch=at, emissions_kg=kg, duration_seconds=10.0, step=STEPS * (at + 1), **fields)
        for at in range(count)
    )


def plan(first_epoch, length, *, last_epoch=None, **fields):
    """A plan of 100 epochs in which a landing began after an epoch."""
    landing = Landing(
        first_step=STEPS * (first_epoch + 1), steps=length, epoch=first_epoch, last_epoch=last_epoch, reason="Enough."
    )
    return Plan(**{"epochs": 100, "landing": landing, **fields})


def test_the_forecast_ends_where_the_landing_does():
    made = forecast(epochs(31), plan(29, 600, last_epoch=35))
    assert made.epochs == pytest.approx(36)
    assert made.kg.expected == pytest.approx(3.6)
    assert forecast(epochs(31), plan(29, 550)).kg.expected == pytest.approx(3.55)
    assert forecast(epochs(31), Plan(epochs=100)).kg.expected == pytest.approx(10.0)


@pytest.mark.parametrize("fields", [{"epochs": 33}, {"epochs": None, "steps": 3300}, {"seconds": 330.0}])
def test_a_plan_that_ends_before_the_landing_ends_the_forecast(fields):
    assert forecast(epochs(31), plan(29, 600, last_epoch=35, **fields)).kg.expected == pytest.approx(3.3)


def test_after_the_landing_nothing_is_to_come():
    made = forecast(epochs(36), plan(29, 600, last_epoch=35))
    assert made.kg == pytest.approx((3.6, 3.6, 3.6))
    assert plan(29, 600, last_epoch=35).progress(epochs(36)) == 1.0


def test_progress_is_that_of_the_landing():
    assert plan(29, 600).progress(epochs(33)) == pytest.approx(33 / 36)


@pytest.mark.parametrize("kg", [3.6, 3.7, 9.0])
def test_a_budget_that_outlasts_the_landing_is_not_said_to_be_spent(kg):
    budget = CarbonBudget(kg)
    assert "would be spent" in Forecast((budget,)).decide(epochs(31), Plan(epochs=100)).reason
    verdict = Forecast((budget,)).decide(epochs(31), plan(29, 600, last_epoch=35))
    assert "would be spent" not in verdict.reason
    assert verdict.reason.startswith("With its landing, the run will likely take 3.60 kWh")
    assert verdict.values["green/forecast_kg"] == pytest.approx(3.6)


def test_a_landing_that_takes_the_rest_of_a_budget_inside_an_epoch_is_not_said_to_spend_it():
    assert forecast(epochs(31), plan(29, 550), (CarbonBudget(3.55),)).budget is None


def test_a_budget_that_ends_before_the_landing_is_told():
    budget = CarbonBudget(3.45)
    made = forecast(epochs(31), plan(29, 600, last_epoch=35), (budget, CarbonBudget(9.0)))
    assert (made.budget, made.budget_end.expected) == (budget, 34)


def test_a_landing_is_no_jump_of_the_cost():
    history = History(
        EpochRecord.scripted(epoch=at, emissions_kg=1.0, duration_seconds=600.0, step=STEPS * (at + 1))
        for at in range(33)
    )
    assert Forecast().decide(history, plan(29, 600, last_epoch=35)).code == "waiting"


def stops(kg, history, plan):
    """Whether a hard budget without a landing stops the run."""
    return CarbonBudget(kg).decide(history, plan).stop


def test_the_last_epoch_of_a_landing_costs_its_share_of_an_epoch():
    history, landing = epochs(35), plan(29, 530)
    assert not stops(3.5 + 0.03 + 1e-6, history, landing)
    assert stops(3.5 + 0.03 - 1e-6, history, landing)
    assert stops(3.5 + 0.03 + 1e-6, history, Plan(epochs=100))


def test_an_epoch_before_the_end_of_a_landing_costs_all_of_it():
    assert stops(3.3 + KG - 1e-6, epochs(33), plan(29, 530))
    assert not stops(3.3 + KG + 1e-6, epochs(33), plan(29, 530))
    assert stops(3.5 + KG - 1e-6, epochs(35), plan(29, 600, last_epoch=35))


@pytest.mark.parametrize(("steps", "last_epoch"), [(600, 35), (600, None), (595, 35), (610, 35)])
def test_after_a_landing_no_epoch_is_to_come(steps, last_epoch):
    is_over = steps <= 600 or last_epoch is not None
    assert stops(3.6 + 1e-6, epochs(36), plan(29, steps, last_epoch=last_epoch)) is not is_over


def joules(kg):
    return kg * 3.6e6


def validated(count, train_kg, validation_kg):
    """Epochs whose validation is part of them."""
    kg = train_kg + validation_kg
    device = DeviceEnergy(joules(kg), "gpu", "counter", 10.0, joules(kg), joules(kg), 0.0, 0.0, ())
    phases = {
        "train": PhaseEnergy(joules(train_kg), 5.0),
        "validation": PhaseEnergy(joules(validation_kg), 5.0),
    }
    plain = epochs(count)
    return History(each._replace(devices={"gpu:0": device}, phases=phases) for each in plain)


def test_a_validation_follows_the_end_of_a_landing_whole():
    history = validated(35, 0.06, 0.04)
    spent = history.emissions_kg
    ahead = 0.3 * spent / 35 * 0.6 + spent / 35 * 0.4
    assert not stops(spent + ahead + 1e-6, history, plan(29, 530))
    assert stops(spent + ahead - 1e-6, history, plan(29, 530))


def part(epoch, step, *, closes=False):
    return EpochRecord.scripted(epoch=epoch, emissions_kg=0.05, step=step)._replace(closes_epoch=closes)


def test_the_last_part_of_a_landing_costs_its_share_of_a_part():
    history = History(part(at // 2, 50 * (at + 1), closes=at % 2 == 1) for at in range(21))
    landing = Landing(first_step=1000, steps=70, epoch=9, reason="Enough.")
    with_landing = Plan(epochs=100, landing=landing)
    spent = history.emissions_kg
    assert not stops(spent + 0.02 + 1e-6, history, with_landing)
    assert stops(spent + 0.02 - 1e-6, history, with_landing)
    assert stops(spent + 0.02 + 1e-6, history, Plan(epochs=100))
    history.append(part(10, 1070))
    assert not stops(history.emissions_kg + 1e-6, history, with_landing)
