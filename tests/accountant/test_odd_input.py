"""What a user's loop may hand over by mistake, and what a run that moves comes to."""

import pytest
from runs import scripted, train

from green_callbacks import EnergyAccountant, Summary
from green_callbacks.errors import ConfigurationError


class Stubborn:
    def __float__(self):
        raise RuntimeError


@pytest.mark.parametrize("value", ["x", None, [1], 10**400, Stubborn(), float("nan")])
def test_nothing_that_is_observed_ends_training(value):
    accountant, clock = scripted()
    accountant.begin_epoch(0)
    clock.advance(1)
    accountant.observe({5: value, "val_acc": 0.5}, learning_rate=value, samples=value, step=value)
    accountant.observe(samples=-5)
    record = accountant.end_epoch()
    assert record.metrics["val_acc"] == 0.5
    assert (record.samples, record.step) == (None, None)
    accountant.close()


@pytest.mark.parametrize("options", [{"plan": 5}, {"plan": {"epochs": 3}}, {"location": 3}])
def test_an_option_of_the_wrong_type_is_refused_at_construction(options):
    with pytest.raises(ConfigurationError, match="takes a"):
        EnergyAccountant(**options)


def test_a_run_that_moved_is_summed_up_at_what_it_had_on_average():
    accountant, clock = scripted(ledger="run.jsonl", carbon_intensity=100.0)
    train(accountant, clock, [0])
    accountant.close()
    moved, clock = scripted(ledger="run.jsonl", carbon_intensity=300.0, pue=2.0)
    train(moved, clock, [1])
    run = moved.close()
    assert run.pue == pytest.approx(1.5)
    assert run.emissions_kg == pytest.approx(run.facility_kwh * run.intensity.g_per_kwh / 1000)


def test_the_epochs_of_a_second_fit_are_rows_of_their_own():
    said = []
    accountant, clock = scripted(sinks=[Summary(said.append)])
    train(accountant, clock, range(2))
    accountant.close()
    accountant.start()
    train(accountant, clock, range(2))
    accountant.close()
    rows = [line.split()[0] for line in said[-1].splitlines() if line.split()[:1] and line.split()[0].isdigit()]
    assert rows == ["0", "1", "0", "1"]
