"""What a landing took, from the records of its run."""

import pytest

from green_callbacks.analysis import landing_totals, totals
from green_callbacks.records import EpochRecord, History, Landing

STEPS = 100


def epoch(at, *, steps=STEPS, kg=0.1, **fields):
    return EpochRecord.scripted(epoch=at, emissions_kg=kg, step=steps * (at + 1))._replace(**fields)


def outside(kg):
    return EpochRecord.scripted(emissions_kg=kg)


def landing(first_step=800, steps=200, **fields):
    return Landing(**{"first_step": first_step, "steps": steps, "epoch": 7, "last_epoch": 9, **fields})


def test_a_landing_of_whole_epochs_is_counted_in_epochs():
    took = landing_totals(History(epoch(at) for at in range(10)), landing())
    assert (took.epochs, took.steps, took.is_over) == (2, 200, True)
    assert (took.facility_kwh, took.emissions_kg) == pytest.approx((0.2, 0.2))


def test_what_lies_between_its_epochs_counts_and_a_final_test_does_not():
    history = History([*(epoch(at) for at in range(8)), outside(0.01), epoch(8), outside(0.02), epoch(9), outside(5.0)])
    assert landing_totals(history, landing()).emissions_kg == pytest.approx(0.23)


def test_an_epoch_in_which_it_begins_or_ends_is_divided_by_steps():
    history = History([*(epoch(at) for at in range(9)), epoch(9, step=930, complete=False)])
    took = landing_totals(history, landing(760, 170, last_epoch=None))
    assert (took.epochs, took.steps, took.is_over) == (None, 170, True)
    assert took.emissions_kg == pytest.approx(0.04 + 0.1 + 0.1)


def test_it_may_end_with_an_epoch_and_begin_inside_one():
    took = landing_totals(History(epoch(at) for at in range(10)), landing(750, 250))
    assert (took.epochs, took.steps) == (None, 250)


def test_a_landing_that_replaces_a_longer_one_is_counted_from_the_first_step_of_the_longer_one():
    history = History(epoch(at) for at in range(10))
    shorter = landing(900, 100, last_epoch=None, from_factor=0.6, begun_step=800)
    took = landing_totals(history, shorter)
    assert (took.epochs, took.steps, took.is_over) == (2, 200, True)
    assert took.emissions_kg == pytest.approx(0.2)


def test_a_landing_that_goes_on_is_not_over():
    took = landing_totals(History(epoch(at) for at in range(9)), landing())
    assert (took.epochs, took.steps, took.is_over) == (1, 100, False)


def test_a_landing_that_has_just_begun_has_taken_nothing():
    took = landing_totals(History([*(epoch(at) for at in range(8)), outside(0.5)]), landing())
    assert (took.epochs, took.steps, took.emissions_kg, took.is_over) == (0, 0, 0.0, False)
    assert landing_totals(History(), landing()).steps == 0


def test_an_open_epoch_counts_in_steps():
    history = History([*(epoch(at) for at in range(8)), epoch(8, step=840, closes_epoch=False)])
    took = landing_totals(history, landing())
    assert (took.epochs, took.steps) == (None, 40)


def test_its_last_epoch_ends_it_although_the_steps_were_counted_otherwise():
    history = History([*(epoch(at) for at in range(9)), epoch(9, step=998)])
    assert landing_totals(history, landing()).is_over


def test_repeated_epochs_were_spent_too():
    history = History(epoch(at) for at in range(10))
    history.rewind(9)
    history.append(epoch(9))
    took = landing_totals(history, landing())
    assert (took.epochs, took.steps, took.is_over) == (2, 200, True)
    assert took.emissions_kg == pytest.approx(0.3)


def test_a_landing_from_the_first_step_on_takes_everything():
    took = landing_totals(History(epoch(at) for at in range(3)), landing(0, 300, epoch=0, last_epoch=2))
    assert (took.epochs, took.steps) == (3, 300)
    assert took.emissions_kg == pytest.approx(0.3)


def test_only_the_present_fit_counts():
    history = History([*(epoch(at) for at in range(10)), *(epoch(at) for at in range(3))])
    took = landing_totals(history, landing(200, 100, epoch=1, last_epoch=2))
    assert (took.epochs, took.steps) == (1, 100)
    assert took.emissions_kg == pytest.approx(0.1)


def test_without_a_measurement_the_cost_is_not_known():
    took = landing_totals(History(epoch(at, devices={}) for at in range(10)), landing())
    assert (took.facility_kwh, took.emissions_kg, took.epochs) == (None, None, 2)


def test_without_steps_nothing_is_known_to_have_landed():
    took = landing_totals(History(epoch(at, step=None) for at in range(10)), landing())
    assert (took.steps, took.epochs, took.is_over) == (0, 0, False)


def test_the_totals_of_a_run_hold_it():
    history = History(epoch(at) for at in range(10))
    assert totals(history, "run", None, None).landing is None
    assert totals(history, "run", None, None, landing=landing()).landing == landing_totals(history, landing())
