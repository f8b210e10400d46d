import math

import pytest

from green_callbacks.policies._trend import fit


def test_a_straight_line_against_the_logarithm_is_found_and_certain():
    energies = [0.5 * math.exp(folds) for folds in range(4)]
    assert fit(energies, [1.0, 3.0, 5.0, 7.0], rises=True) == pytest.approx((2.0, 2.0))
    assert fit(energies, [1.0, 3.0, 5.0, 7.0], rises=False) == pytest.approx((-2.0, -2.0))


def test_scatter_widens_the_bound_by_student_s_t():
    xs, ys = [math.exp(folds) for folds in range(5)], [0.0, 1.0, 0.0, 1.0, 0.0]
    trend = fit(xs, ys, rises=True)
    standard_error = (1.2 / 3 / 10) ** 0.5
    assert trend.slope == pytest.approx(0.0)
    assert trend.upper == pytest.approx(1.638 * standard_error, rel=0.01)
    assert fit(xs, ys, rises=False).upper == pytest.approx(trend.upper)


@pytest.mark.parametrize("xs", [[1.0, 2.0], [1.0, 1.0, 1.0], [0.0, 1.0, 2.0], [1.0, 1.0, math.nextafter(1.0, 2.0)]])
def test_too_little_to_fit_is_no_trend(xs):
    assert fit(xs, xs, rises=True) is None or xs[-1] > 1
