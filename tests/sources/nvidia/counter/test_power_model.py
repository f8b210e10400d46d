"""What has run up since a counter's last refresh."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from green_callbacks.sources.common.plausibility import Plausibility, stands_still
from green_callbacks.sources.nvidia.counter.power_model import PowerModel


def test_a_power_that_lasts_is_taken_as_it_is():
    power = PowerModel(240.0)
    for watts in [80.0, 80.0, 400.0, 400.0] * 15:
        power.calibrate(watts, watts)
        power.learn_mean(240.0, 1.0)
    assert power.expected_watts(400.0, 0.5) == pytest.approx(400.0, abs=5.0)
    assert power.miss_watts(0.5) < 10.0


def test_a_power_that_says_nothing_of_the_refresh_is_replaced_by_the_mean():
    power = PowerModel(240.0)
    for number in range(60):
        power.calibrate(80.0 if number % 2 else 400.0, 240.0)
        power.learn_mean(240.0, 1.0)
    assert power.expected_watts(400.0, 1.0) == pytest.approx(240.0, abs=20.0)
    assert power.persistence == pytest.approx(0.0, abs=0.05)


@given(part=st.floats(0.0, 1.0), watts=st.floats(0.0, 1000.0))
def test_what_is_expected_is_never_negative_and_as_good_as_known_right_after_a_refresh(part: float, watts: float):
    power = PowerModel(300.0)
    for number in range(10):
        power.calibrate(100.0 + 40 * number, 300.0 - 10 * number)
    assert power.expected_watts(watts, part) >= 0.0
    assert power.expected_watts(watts, 0.0) == pytest.approx(watts)
    assert power.miss_watts(0.0) <= power.miss_watts(1.0)


def test_a_counter_is_compared_with_the_power_only_where_both_are_sure():
    fair, odd = Plausibility(700.0), Plausibility(700.0)
    for number in range(40):
        watts = 100.0 if number % 2 else 500.0
        fair.compare(300.0, watts)
        odd.compare(watts * 0.6, watts)
    assert fair.doubt(300.0) is None
    assert "power sensor" in str(odd.doubt(180.0))
    odd.restart()
    assert odd.doubt(180.0) is None


def test_more_than_the_power_limit_is_not_believed():
    assert "limit" in str(Plausibility(300.0).doubt(400.0))
    assert Plausibility(None).doubt(4000.0) is None


@pytest.mark.parametrize(("still", "watts", "doubted"), [(0.2, 300.0, False), (2.0, 300.0, True), (2.0, 0.0, False)])
def test_a_counter_may_stand_still_while_no_power_is_drawn(still: float, watts: float, *, doubted: bool):
    assert (stands_still(still, watts) is not None) == doubted
