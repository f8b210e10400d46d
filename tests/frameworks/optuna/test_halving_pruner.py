from math import nan

import optuna
import pytest
from frameworks.optuna.studies import EPOCH_KG, measured, train
from optuna.trial import TrialState

from green_callbacks.errors import ConfigurationError
from green_callbacks.optuna import KilogramHalvingPruner, SearchBudget


def told(trial, step, kg, value):
    """Tell a trial what it has spent and reached, as a measurement of the user's own does."""
    trial.set_user_attr("green_callbacks:emissions_kg", kg)
    trial.report(value, step)
    return trial.should_prune()


def study_of(factor=2, min_emissions="1 kg", direction="maximize", **options):
    return optuna.create_study(
        pruner=KilogramHalvingPruner(min_emissions, reduction_factor=factor), direction=direction, **options
    )


@pytest.mark.parametrize("storage", [None, "sqlite:///study.db"])
@pytest.mark.parametrize(("direction", "sign"), [("maximize", 1), ("minimize", -1)])
def test_an_expensive_trial_has_to_be_good_sooner(storage, direction, sign):
    study = study_of(direction=direction, storage=storage)
    assert [told(study.ask(), 0, 1.0, sign * value) for value in (0.5, 0.6)] == [False, False]

    cheap, expensive = study.ask(), study.ask()

    assert not told(cheap, 0, 0.3, sign * 0.1), "it has not reached the first rung"
    assert told(expensive, 0, 1.2, sign * 0.1)
    assert not told(cheap, 1, 0.9, sign * 0.2)
    assert told(cheap, 2, 1.2, sign * 0.4), "the best value counts, at the rung"


def test_an_expensive_epoch_may_complete_several_rungs():
    study = study_of()
    assert not told(study.ask(), 0, 4.5, 0.5)
    assert sorted(study.trials[0].system_attrs) == [f"green_callbacks:rung:{rung}" for rung in range(3)]
    assert not told(study.ask(), 0, 1.5, 0.6)
    assert told(study.ask(), 0, 1.5, 0.1)


def test_each_rung_is_judged_once():
    study = study_of()
    trial = study.ask()
    assert not told(trial, 0, 1.0, 0.5)
    for value in (0.6, 0.7, 0.8):
        told(study.ask(), 0, 1.0, value)
    assert not told(trial, 1, 1.5, 0.5), "a rung that was passed is not asked again"
    assert not told(trial, 2, 2.0, 0.5), "the first at the second rung"


def test_a_trial_that_has_diverged_goes_no_further_than_the_next_rung():
    study = study_of()
    trial = study.ask()
    assert not told(trial, 0, 0.5, 0.5)
    assert not told(trial, 1, 0.9, nan)
    assert told(trial, 2, 1.0, nan)
    assert not told(study.ask(), 0, 1.0, -5.0), "any value is better than none"


def test_without_emissions_nothing_is_pruned_and_that_is_said_once(caplog):
    study = study_of()
    for number in range(9):
        trial = study.ask()
        trial.report(9 - number, 0)
        assert not trial.should_prune()
    (said,) = [record.getMessage() for record in caplog.records]
    assert said == (
        "The emissions of trial 0 are not known, so KilogramHalvingPruner does not prune it. Measure each trial with "
        "SearchBudget.of(trial), or set its user attribute green_callbacks:emissions_kg."
    )


def test_the_first_rung_is_the_price_of_an_epoch_unless_it_is_given():
    study = optuna.create_study(direction="maximize", pruner=KilogramHalvingPruner(reduction_factor=2))
    budget = SearchBudget(None, monitor="val_acc")

    def objective(trial):
        with budget.of(trial, **measured(1000.0 * (1.0, 1.7, 3.1, 4.3)[trial.number])) as run:
            return train(run, [0.9 - 0.1 * trial.number] * 9)

    study.optimize(objective, n_trials=4)

    reached = [sorted(trial.system_attrs) for trial in study.trials]
    assert len(reached[0]) == 4, "1, 2, 4 and 8 epochs"
    assert [trial.state for trial in study.trials] == [TrialState.COMPLETE] + [TrialState.PRUNED] * 3
    spent = [trial.user_attrs["green_callbacks:emissions_kg"] for trial in study.trials]
    assert spent[1:] == pytest.approx([1.7 * EPOCH_KG, 3.1 * EPOCH_KG, 4.3 * EPOCH_KG]), "one epoch each"


def test_a_retried_trial_completes_its_rungs_anew():
    study = study_of()
    assert not told(study.ask(), 0, 1.0, 0.9)
    before = study.trials[0]
    study.add_trial(
        optuna.trial.create_trial(
            state=TrialState.WAITING, user_attrs=before.user_attrs, system_attrs={**before.system_attrs}
        )
    )
    assert told(study.ask(), 0, 1.0, 0.1)


def test_other_values_are_refused():
    for wrong in ("2 kWh", "5 lb", 0, -1, nan, True, None, [1]):
        with pytest.raises(ConfigurationError):
            KilogramHalvingPruner(wrong)
    for wrong in (1, 0, 2.5, True, "4"):
        with pytest.raises(ConfigurationError):
            KilogramHalvingPruner("5 g", reduction_factor=wrong)
