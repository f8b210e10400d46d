"""Forecasts of runs whose epochs, steps and limits are counted in different ways."""

import pytest

from green_callbacks.policies import CarbonBudget, Forecast, forecast
from green_callbacks.records import EpochRecord, History, Plan


def history_of(*lengths, seconds_per_step=0.1, first=0, gap=1):
    """Epochs of so many steps, each as dear as it is long: 1 g and 0.1 s a step."""
    made, step = History(), 0
    for at, steps in enumerate(lengths):
        step += steps
        made.append(
            EpochRecord.scripted(
                epoch=first + gap * at,
                step=step,
                emissions_kg=steps / 1000,
                duration_seconds=steps * seconds_per_step,
            )
        )
    return made


def test_the_limit_that_will_be_reached_first_ends_the_plan():
    """By epochs and by time as much is done, and epochs have become longer."""
    history = history_of(100, 100, *[200] * 20)
    plan = Plan(epochs=44, seconds=840.0, steps=100_000)
    made = forecast(history, plan)
    assert made.epochs == pytest.approx(22 + (840 - 420) / 20)
    assert made.seconds.expected == pytest.approx(840.0)
    assert made.kg.expected == pytest.approx(8.4)


def test_a_first_epoch_that_took_long_is_not_taken_for_others():
    made = forecast(history_of(1000, *[100] * 5), Plan(seconds=450.0))
    assert made.epochs == pytest.approx(6 + (450 - 150) / 10)
    assert made.kg.expected == pytest.approx(4.5)


@pytest.mark.parametrize("lengths", [[10, 20, 30, 40, 50], [50, 40, 30, 20, 10], [30, 30, 90, 30, 30]])
def test_a_plan_of_epochs_counts_epochs_whatever_their_steps(lengths):
    made = forecast(history_of(*lengths), Plan(epochs=20, epoch_steps=10))
    assert made.epochs == 20
    assert made.kg.low <= made.kg.expected <= made.kg.high


def test_epochs_that_are_not_recorded_cost_what_the_recorded_ones_do():
    budget = CarbonBudget("0.75 kg")
    made = forecast(history_of(*[100] * 5, first=9, gap=10), Plan(epochs=100), [budget])
    assert made.epochs == pytest.approx(100)
    assert made.kg.expected == pytest.approx(1.0)
    assert made.budget_end.expected == 70


def test_epochs_numbered_from_one_are_as_many_as_planned():
    made = forecast(history_of(*[100] * 5, first=1), Plan(epochs=10))
    assert (made.epochs, made.kg.expected) == (10, pytest.approx(1.0))


def parts(history, epoch, count, step, *, kg=0.1):
    for at in range(1, count + 1):
        record = EpochRecord.scripted(epoch=epoch, step=step + 10 * at, emissions_kg=kg)
        history.append(record._replace(closes_epoch=False))
    return history


def test_a_run_that_was_joined_late_is_forecast_by_its_parts():
    history = parts(History(), 6, 5, 600)
    made = forecast(history, Plan(epochs=10, epoch_steps=100), [CarbonBudget("2 kg")])
    assert made.kg.expected == pytest.approx(0.1 * (5 + 36))  # the first part is taken for the beginning
    assert made.budget_end_share == pytest.approx(0.64 + 0.36 * 15 / 36)


def test_parts_of_an_epoch_whose_length_nobody_knows_foretell_nothing():
    history = parts(History(), 0, 5, 0)
    assert forecast(history, Plan(epochs=3)) is None
    assert forecast(history, Plan(epochs=3, steps=100)) is not None, "the steps are a limit of their own"
    assert forecast(history, Plan(seconds=50.0)).seconds.expected == pytest.approx(50.0)


def test_an_epoch_that_goes_on_beyond_its_length_is_not_foretold_to_be_over():
    plan = Plan(epochs=1, epoch_steps=50)
    assert forecast(parts(History(), 0, 4, 0), plan).kg.expected == pytest.approx(0.5)
    assert forecast(parts(History(), 0, 6, 0), plan) is None


def test_a_step_in_the_cost_of_epochs_that_are_not_all_recorded_is_told_by_what_is_to_come():
    lengths, plan = [1000] * 10 + [3000] * 3, Plan(epochs=200)
    verdict = Forecast().decide(history_of(*lengths, first=9, gap=10), plan)
    assert verdict.code == "warning"
    assert "20.0 kWh" in verdict.reason, "20 recorded epochs of 1 kWh were expected"
