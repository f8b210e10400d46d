"""The methods and the cost of the benchmark of what pays."""

import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

from what_pays import methods
from what_pays.methods import State
from what_pays.plans import WAYS, Group
from what_pays.results import Results
from what_pays.sets import Split, digits
from what_pays.training import trained

LOSSES = torch.arange(1000.0) / 1000


@pytest.fixture
def state():
    return State(LOSSES.clone(), torch.Generator().manual_seed(1), spent=0.5)


def test_infobatch_prunes_half_of_the_easy_samples_and_doubles_the_weights_of_the_others(state):
    samples, weights = methods.infobatch(state)
    easy = LOSSES[samples] < LOSSES.mean()
    assert set(torch.arange(500, 1000).tolist()) <= set(samples.tolist())
    assert 200 < easy.sum() < 300
    assert torch.equal(weights, torch.where(easy, 2.0, 1.0))
    assert len(set(samples.tolist())) == len(samples)


def test_weights_of_mean_1_have_it(state):
    assert methods.infobatch_of_mean_1(state).weights.mean() == pytest.approx(1.0)


@pytest.mark.parametrize("choose", [methods.infobatch, methods.hard_half])
@pytest.mark.parametrize("spent", [0.0, 0.9])
def test_methods_by_loss_begin_and_end_with_all_samples(state, choose, spent):
    state.spent = spent
    samples, weights = choose(state)
    assert sorted(samples.tolist()) == list(range(1000))
    assert set(weights.tolist()) == {1.0}


def test_the_hard_half_is_the_half_with_the_highest_loss(state):
    assert sorted(methods.hard_half(state).samples.tolist()) == list(range(500, 1000))


def test_a_half_for_good_does_not_change_with_the_losses(state):
    first = sorted(methods.hard_half_for_good(state).samples.tolist())
    state.losses = -state.losses
    assert sorted(methods.hard_half_for_good(state).samples.tolist()) == first == list(range(500, 1000))


def test_half_the_batches_are_others_in_each_epoch_and_a_static_half_is_not(state):
    two = [set(methods.half_the_batches(state).samples.tolist()) for _ in range(2)]
    assert two[0] != two[1]
    assert [len(each) for each in two] == [500, 500]
    same = [set(methods.static_half(state).samples.tolist()) for _ in range(2)]
    assert same[0] == same[1]


def test_a_fifth_of_the_training_labels_is_wrong_and_none_that_is_held_out():
    right, wrong = (Split.drawn(digits(), 3, wrong=wrong) for wrong in (False, True))
    assert (right.labels != wrong.labels).sum() == 280
    assert torch.equal(right.answers, wrong.answers)
    assert torch.equal(right.inputs, wrong.inputs)


@pytest.mark.parametrize("method", ["fewer epochs", "half the batches", "InfoBatch"])
def test_every_method_costs_the_same_and_its_ledger_says_what_it_reached(tmp_path, method):
    group = Group("digits", 16.0, method, 1)
    ledger = trained(group, 0, tmp_path)
    [(key, reached)] = Results.of([ledger]).groups.items()
    assert key == ("digits", 16.0, method)
    assert reached.wh == pytest.approx(WAYS[method].cost * 40 * 1400 / 3600, rel=1e-3)
    assert reached.accuracies[0] > 90


def test_a_finished_run_is_not_trained_again_and_one_that_was_killed_is(tmp_path):
    group = Group("digits", 16.0, "fewer epochs", 1)
    ledger = group.ledger(tmp_path, 0)
    ledger.parent.mkdir(parents=True)
    ledger.with_suffix(".open").write_text("half a line")
    trained(group, 0, tmp_path)
    assert ledger.exists()
    before = ledger.stat().st_mtime_ns
    trained(group, 0, tmp_path)
    assert ledger.stat().st_mtime_ns == before
