"""The callback of the example for skorch, where a fit does not go as planned."""

import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("skorch")

from sklearn.base import clone

from green_callbacks import CarbonBudget
from green_callbacks.errors import BudgetSpentError

X, Y = np.ones((40, 64), "float32"), np.arange(40) % 4


@pytest.fixture
def example(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # for the ledgers
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "examples"))
    yield __import__("skorch_search")
    del sys.modules["skorch_search"]


@pytest.fixture
def network(example):
    def make(*policies):
        callback = example.EnergyCallback("FR", policies)
        return example.MeasuredClassifier(example.Digits, max_epochs=2, verbose=0, callbacks=[callback])

    return make


def account(net):
    (accountant,) = (each.accountant_ for _, each in net.callbacks_ if hasattr(each, "accountant_"))
    return accountant


def epochs(net):
    return [(each.epoch, each.complete) for each in account(net).history if each.epoch is not None]


def test_fit_is_a_new_run_and_partial_fit_goes_on(network):
    net = network().fit(X, Y)
    first = account(net)
    net.partial_fit(X, Y)
    assert account(net) is first
    assert epochs(net) == [(0, True), (1, True), (2, True), (3, True)]
    assert not first.is_live

    net.fit(X, Y)
    assert account(net).run_id != first.run_id
    assert epochs(net) == [(0, True), (1, True)]


def test_each_epoch_has_its_metrics_phases_and_samples(network):
    net = network().fit(X, Y)

    for record in (each for each in account(net).history if each.epoch is not None):
        assert record.metrics.keys() == {"train_loss", "valid_loss", "valid_acc"}
        assert record.phases.keys() == {"train", "validation"}
        assert record.samples == 32
    assert len(net.history[:, "energy_wh"]) == 2


def test_a_copy_has_the_options_and_not_the_run(network):
    budget = CarbonBudget("1 g")
    net = network(budget).fit(X, Y)

    copied = clone(net).fit(X, Y)

    assert account(copied).run_id != account(net).run_id
    assert copied.callbacks[0].policies == (budget,)


def test_an_exception_ends_the_run(network):
    net = network()
    with pytest.raises(Exception, match="Target"):
        net.fit(X, Y + 10)  # more classes than the network has

    assert epochs(net) == [(0, False)]
    assert not account(net).is_live


def test_a_spent_budget_ends_the_fit_and_refuses_the_next(network):
    net = network(CarbonBudget("1e-9 J")).fit(X, Y)
    assert len(net.history) == len(epochs(net)) == 1
    assert "budget" in account(net).stop_reason
    assert not account(net).is_live

    with pytest.raises(BudgetSpentError):
        net.partial_fit(X, Y)
