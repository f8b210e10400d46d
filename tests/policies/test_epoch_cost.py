import pytest
from hypothesis import given
from hypothesis import strategies as st

from green_callbacks.policies._epoch_cost import pace

costs = st.lists(st.floats(0, 1e6, allow_subnormal=False), min_size=2, max_size=32)


@given(costs, st.floats(0, 1e4))
def test_what_is_expected_lies_in_the_range_and_nothing_is_below_zero(taken, ahead):
    low, expected, high = pace(taken, ahead)
    assert 0 <= low <= expected <= high


@given(costs, st.floats(0, 1e4), st.integers(-10, 10).map(lambda power: 2.0**power))
def test_it_knows_no_unit(taken, ahead, scale):
    scaled = pace([scale * cost for cost in taken], ahead)
    assert scaled == pytest.approx([scale * each for each in pace(taken, ahead)], rel=1e-6, abs=1e-9)


def test_equal_costs_keep_the_floor_of_a_tenth_while_there_are_few():
    assert pace([2.0] * 3, 0) == pytest.approx((1.8, 2.0, 2.2))


def test_equal_costs_keep_a_floor_of_two_percent():
    assert pace([2.0] * 20, 0) == pytest.approx((1.96, 2.0, 2.04))


def test_noise_widens_the_range():
    low, expected, high = pace([9.0, 11.0] * 10, 50)
    assert expected == 10
    assert 0.2 < high - 10 < 2
    assert 10 - low == pytest.approx(high - 10, rel=0.3)


@pytest.mark.parametrize("step", [0.01, -0.01])
def test_a_drift_is_carried_on_in_its_direction_only(step):
    taken = [1 + step * at for at in range(20)]
    low, _, high = pace(taken, 40)
    carried_on = 1 + step * 39.5
    assert low - 1e-9 <= carried_on <= high + 1e-9
    assert min(high - taken[-6], taken[-6] - low) < 0.1


def test_one_dear_epoch_counts_in_the_high_end_only():
    plain, once = pace([1.0] * 10, 10), pace([1.0] * 4 + [3.0] + [1.0] * 5, 10)
    assert once.expected == plain.expected
    assert once.high > plain.high + 0.2


def test_a_validation_every_fifth_epoch_is_expected_again():
    assert pace([1.0, 1.0, 1.0, 1.0, 2.0] * 4, 50).expected == pytest.approx(1.2)


def test_after_a_step_only_the_epochs_since_it_count():
    assert pace([1.0] * 17 + [2.0] * 3, 10).expected == 2.0
    assert pace([1.0] * 17 + [0.5] * 3, 10).expected == 0.5
    assert pace([1.0] * 17 + [2.0] * 2, 10).expected < 1.2


def test_a_step_behind_may_turn_out_to_be_none():
    low, expected, _ = pace([1.0] * 17 + [2.0] * 3, 10)
    assert low <= 1.0 < expected == 2.0


def test_noise_that_lasts_widens_the_range_more_than_noise_that_does_not():
    quick, slow = pace([9.0, 11.0] * 8, 10), pace(([9.0] * 4 + [11.0] * 4) * 2, 10)
    assert slow.high - slow.low > 1.3 * (quick.high - quick.low)


def test_costs_of_zero_have_a_range_of_zero():
    assert pace([0.0, 0.0], 10) == (0, 0, 0)
