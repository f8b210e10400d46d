import optuna
import pytest
from frameworks.optuna.studies import measured, train

from green_callbacks.analysis.searches.next_gain import NextGain
from green_callbacks.errors import ConfigurationError
from green_callbacks.optuna import SearchBudget, SearchGain


def search(price, values, *, direction="maximize", **options):
    budget = SearchBudget(None)
    study = optuna.create_study(direction=direction)

    def objective(trial):
        with budget.of(trial, **measured()) as run:
            return train(run, [values[trial.number]])

    study.optimize(objective, n_trials=len(values), callbacks=[SearchGain(price, **options)])
    return study


SPREAD = [0.1 * number for number in range(20)]
CLOSE = [0.9 + 0.001 * number for number in range(20)]


def test_a_search_goes_on_while_its_best_trials_lie_far_apart():
    assert len(search(0.01, SPREAD).trials) == 20
    assert len(search(0.01, CLOSE).trials) == 10, "0.001 / 11 per 0.1 kg is below the price"
    assert len(search(0.01, [-value for value in CLOSE], direction="minimize").trials) == 10


def test_the_price_decides_when_it_ends(caplog):
    assert len(search(0.0007, CLOSE).trials) == 14, "0.001 / 15 per 0.1 kg"
    (said,) = [record.getMessage() for record in caplog.records if "ends." in record.getMessage()]
    assert said.endswith(
        " ends. The next trial would take about 100 g and is expected to gain 6.67e-05. This is 6.67e-04 per kg, and "
        "the price is 7.00e-04 per kg."
    )


def test_without_emissions_the_search_goes_on_and_that_is_said_once(caplog):
    study = optuna.create_study()
    study.optimize(lambda trial: 1.0, n_trials=30, callbacks=[SearchGain(1.0)])
    assert len(study.trials) == 30
    assert ["The emissions of no trial are known" in record.getMessage() for record in caplog.records] == [True]


def test_prices_that_cannot_work_are_refused():
    for wrong in (0, -1, None, "1 kg", float("nan")):
        with pytest.raises(ConfigurationError, match="min_gain_per_kg"):
            SearchGain(wrong)


def test_the_gain_counts_all_trials_and_finite_values_only():
    assert NextGain.of([1.0] * 4, [0.1] * 9, rises=True) is None
    assert NextGain.of([1.0] * 4 + [float("inf")], [0.1] * 9, rises=True) is None
    assert NextGain.of([1.0] * 9, [0.0] * 9, rises=True) is None
    assert NextGain.of([1.0, 2.0, 3.0, 4.0, 5.0], [0.2] * 4, rises=False) == NextGain(0.2, 0.2)
