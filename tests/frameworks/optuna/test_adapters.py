"""A trial of each kind of training: the budget and the pruner reach it through the accountant."""

import sys

import optuna
import pytest
from frameworks.optuna.studies import ledgers, measured, train
from optuna.trial import TrialState

from green_callbacks import read_ledger
from green_callbacks.errors import BudgetSpentError
from green_callbacks.optuna import KilogramHalvingPruner, SearchBudget

torch = pytest.importorskip("torch")
lightning = pytest.importorskip("lightning.pytorch")


class Tiny(lightning.LightningModule):
    """Logs an accuracy that its trial chose. Each batch takes an hour."""

    def __init__(self, clock, accuracy):
        super().__init__()
        self.layer = torch.nn.Linear(2, 1)
        self.clock, self.accuracy = clock, accuracy

    def training_step(self, batch, _):
        self.clock.advance(3600.0)
        return self.layer(batch).sum()

    def validation_step(self, batch, _):
        self.log("val_acc", self.accuracy)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.0)


def fit(run, accuracy, epochs=6, callbacks=()):
    from green_callbacks.lightning import EmissionsMonitor

    loader = torch.utils.data.DataLoader(torch.ones(1, 2))
    trainer = lightning.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        callbacks=[EmissionsMonitor(run.accountant), *callbacks],
    )
    trainer.fit(Tiny(run.accountant._settings.clock, accuracy), loader, loader)
    return trainer


@pytest.mark.filterwarnings("ignore")  # Lightning warns of everything in such a small training
def test_lightning_is_pruned_and_stopped_by_the_search(place):
    budget = SearchBudget("1.25 kg", monitor="val_acc")
    study = optuna.create_study(direction="maximize", pruner=KilogramHalvingPruner("0.15 kg", reduction_factor=2))

    def objective(trial):
        with budget.of(trial, **measured()) as run:
            accuracy = 0.9 - 0.1 * trial.number
            fit(run, accuracy)
            return accuracy

    study.optimize(objective, n_trials=9, callbacks=[budget])

    assert [trial.state.name for trial in study.trials] == ["COMPLETE", "PRUNED", "PRUNED", "PRUNED"]
    assert [trial.user_attrs["green_callbacks:emissions_kg"] for trial in study.trials] == pytest.approx(
        [0.6, 0.2, 0.2, 0.2]
    )
    reasons = [read_ledger(path).stop_reason for path in ledgers(place)]
    assert [reason and reason[:17] for reason in reasons[:3]] == [None, "Trial 1 is pruned", "Trial 2 is pruned"]


@pytest.mark.filterwarnings("ignore")
def test_a_callback_of_the_user_that_prunes_lightning_leaves_the_trial_whole(place):
    budget = SearchBudget(None)
    study = optuna.create_study(direction="maximize")

    class Pruning(lightning.Callback):
        def on_validation_end(self, trainer, pl_module):
            if trainer.current_epoch == 2:
                raise optuna.TrialPruned

    def objective(trial):
        with budget.of(trial, **measured()) as run:
            fit(run, 0.5, callbacks=[Pruning()])

    study.optimize(objective, n_trials=1, callbacks=[budget])

    assert study.trials[0].state is TrialState.PRUNED
    assert budget.summary(study).kg == pytest.approx(0.3)
    assert budget.summary(study).trials[0].state == "pruned"


class SharedTrial:
    """A trial as optuna-integration gives it to a rank. Any call but those of rank 0 would wait for ever."""

    def __init__(self, delegate):
        self._delegate = delegate

    @property
    def number(self):
        if self._delegate is None:
            raise AssertionError
        return self._delegate.number


def test_every_rank_of_a_shared_trial_is_pruned(monkeypatch, place):
    said = []

    def broadcast(words, src, group):
        assert src == 0
        if words[0] is None and said:
            words[0] = said[-1]

    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "broadcast_object_list", broadcast)
    budget = SearchBudget("1 kg", monitor="val_acc")
    trial = SharedTrial(None)
    said.append(None)
    with pytest.raises(optuna.TrialPruned, match="Trial 3 is pruned"), budget.of(trial, **measured()):
        said.append("Trial 3 is pruned at 5 g.")
    said.append("All is spent.")
    with pytest.raises(optuna.TrialPruned, match="All is spent"), budget.of(trial, **measured()):
        pytest.fail("the block began")
    assert ledgers(place) == []


def test_a_search_of_several_ranks_goes_through_its_trials_and_trains_none(place):
    budget = SearchBudget("0.25 kg")
    study = optuna.create_study()
    began = []

    def objective(trial):
        with budget.of(SharedTrial(trial), **measured()) as run:
            began.append(trial.number)
            return train(run, [1.0] * 3)

    study.optimize(objective, n_trials=6, callbacks=[budget])

    assert len(study.trials) == 6, "the other ranks have a loop of six"
    assert began == [0]
    assert [trial.state.name for trial in study.trials] == ["COMPLETE"] + ["PRUNED"] * 5


def test_a_failure_of_the_objective_is_not_hidden_by_a_pruned_trial():
    budget = SearchBudget(None, monitor="val_acc")
    study = optuna.create_study(direction="maximize")

    def objective(trial):
        with budget.of(trial, **measured()) as run:
            run._rule.pruned_because = "Trial 0 is pruned."
            return 1 / 0

    with pytest.raises(ZeroDivisionError):
        objective(study.ask())


def test_the_error_of_a_spent_budget_stays_visible_as_the_cause():
    budget = SearchBudget("1 kg")
    study = optuna.create_study()
    with pytest.raises(optuna.TrialPruned) as caught, budget.of(study.ask(), **measured()):
        raise BudgetSpentError
    assert isinstance(caught.value.__cause__, BudgetSpentError)


def test_the_package_loads_without_optuna(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    import green_callbacks.analysis.halving  # noqa: F401  what Ray uses too
