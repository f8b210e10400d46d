"""The chance that intervals of ``green-callbacks compare`` leave, for groups of other sizes and other costs."""

import random

import pytest

from green_callbacks.analysis.comparing.equal_quality.ratio import permutation_p, ratio_of, t_interval
from green_callbacks.analysis.comparing.value_intervals import difference

pytest.importorskip("scipy")

COSTS = {
    "log-normal": lambda chance: chance.lognormvariate(0, 0.2),
    "two kinds": lambda chance: chance.choice((1.0, 1.5)) * chance.lognormvariate(0, 0.02),
    "outliers": lambda chance: chance.lognormvariate(0, 0.05) * (3.0 if chance.random() < 0.1 else 1.0),
}


@pytest.mark.parametrize("costs", COSTS.values(), ids=COSTS)
@pytest.mark.parametrize("runs", [(2, 10), (4, 30)])
def test_a_few_runs_against_many_are_not_believed_to_be_alike(costs, runs):
    chance, covered = random.Random(7), 0
    for _ in range(200):
        ratio = ratio_of(*([costs(chance) for _ in range(count)] for count in runs))
        covered += ratio.low <= 1 <= ratio.high
    assert covered / 200 >= 0.92


def test_the_wider_interval_counts_for_unlike_numbers_of_runs():
    alike, many = [1.0, 1.001], [1.2, 0.9, 1.5, 1.1, 0.8]
    assert t_interval(alike, many).method == "pooled"
    assert t_interval(many, alike).method == "pooled"
    assert t_interval([0.5, 1.5], [1.0, 1.1, 1.2, 1.0]).method == "welch"
    assert difference(alike, many).low == pytest.approx(t_interval(alike, many).low)


def test_permutations_of_large_groups_take_little_memory(monkeypatch):
    chance = random.Random(3)
    sides = [[chance.lognormvariate(shift, 0.2) for _ in range(40)] for shift in (0.0, 0.1)]
    whole = permutation_p(*sides)
    monkeypatch.setattr("green_callbacks.analysis.comparing.equal_quality.ratio._MOST_AT_ONCE", 4000)
    assert permutation_p(*sides) == pytest.approx(whole, abs=0.01)
