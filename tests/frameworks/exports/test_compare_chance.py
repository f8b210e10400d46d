"""The chance that intervals of ``green-callbacks compare`` leave, for groups of other sizes and other costs."""

import random
from math import inf

import pytest
from support.quality_curves import compared, trained
from support.reaching_runs import TARGET, reached

from green_callbacks.analysis.comparing import Group
from green_callbacks.analysis.comparing.equal_quality import compare_groups
from green_callbacks.analysis.comparing.equal_quality.censored import Way, log_rank, median_cost, ways_of
from green_callbacks.analysis.comparing.equal_quality.ratio import permutation_p, ratio_of, t_interval
from green_callbacks.analysis.comparing.equal_quality.reaching import Side
from green_callbacks.analysis.comparing.equal_quality.sentences import main_sentences
from green_callbacks.analysis.comparing.value_intervals import difference
from green_callbacks.cli.compare.gate import decide
from green_callbacks.cli.compare.same_amount_text import sentences

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


def test_a_side_whose_runs_fail_early_does_not_look_better():
    """Half of the runs of one side reach it for a half, and the other half end soon after that."""
    good, failed = [1.0 + at / 100 for at in range(6)], [1.1 + at / 100 for at in range(6)]
    all_later = reached("old", *(2.0 + at / 100 for at in range(12)))
    found = compare_groups(reached("new", *good, missed=failed), all_later, TARGET)
    assert not found.of("energy").log_rank.is_shown
    assert "A run that ended without it counts as never reaching it." in main_sentences(found)
    cut = compare_groups(reached("new", *good, missed=failed, is_closed=False), all_later, TARGET)
    assert cut.of("energy").log_rank.is_shown


def test_runs_that_ended_are_never_on_their_way_again():
    ended, cut = reached("a", 1.0, missed=[2.0]), reached("a", 1.0, missed=[2.0], is_closed=False)
    ways = [ways_of(Side.of(group, TARGET), "energy") for group in (ended, cut)]
    assert [way[1].cost for way in ways] == [inf, 2.0]
    assert median_cost([Way(1.0, reached=True), *(Way(inf, reached=False) for _ in range(2))]) is None
    assert log_rank([Way(inf, reached=False)] * 3, [Way(1.0, reached=True)] * 3) == pytest.approx((0.1, False))


@pytest.mark.parametrize(
    ("new", "old", "limit", "outcome"),
    [
        (((), (9, 9, 9, 9, 9)), ((1, 2, 3, 4, 5), ()), 0.05, "beyond"),
        (((1, 2, 3, 4, 5), ()), ((), (9, 9, 9, 9, 9)), 0.05, "within"),
        (((1, 2, 3, 4, 5), ()), ((2, 3, 4, 5), (9,)), 0.05, "undecided"),
        (((1, 2, 3, 4, 5), ()), ((2, 3, 4, 5), (9,)), 9.0, "within"),
        (((1, 1.1, 1.2, 1.3, 1.4), (1.5,)), ((8, 8.1, 8.2, 8.3, 8.4, 8.5), ()), 4.0, "undecided"),
        (((1, 1.1), (1.5,)), ((8, 8.1), (9,)), 0.05, "undecided"),
    ],
)
def test_a_gate_where_some_runs_fail(new, old, limit, outcome):
    sides = reached("new", *new[0], missed=new[1]), reached("old", *old[0], missed=old[1])
    found = decide(compare_groups(*sides, TARGET), "energy", limit, "fail")
    assert found.outcome == outcome
    if outcome == "beyond":
        assert "old reaches it more often or for less energy than new (log-rank test, p = 0.008)." in found.line


def test_a_run_that_diverged_is_told_at_the_same_energy():
    ours = [[0.5, 0.8], [0.5, 0.81], [0.5, float("nan")]]
    groups = [Group(name, [trained(values, name=f"{name}{at}") for at, values in enumerate(ours)]) for name in "ab"]
    said = [*sentences(compared(groups)), *sentences(compared(groups, kept="last"))]
    assert "1 of 3 runs of a had a last val_acc that is no number, and count with the best value before (a2)." in said
    assert "1 of 3 runs of a had no val_acc by then, or no measured energy, and do not count (a2)." in said
