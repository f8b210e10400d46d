import math

import pytest

from green_callbacks.policies._gain_trend import fit, slope_of


def test_a_straight_line_against_the_logarithm_is_found_and_certain():
    folds = [math.log(0.5) + each for each in range(4)]
    assert fit(folds, [1.0, 3.0, 5.0, 7.0], rises=True) == pytest.approx((2.0, 2.0))
    assert fit(folds, [1.0, 3.0, 5.0, 7.0], rises=False) == pytest.approx((-2.0, -2.0))


def test_scatter_widens_the_bound_by_student_s_t():
    xs, ys = [0.0, 1.0, 2.0, 3.0, 4.0], [0.0, 1.0, 0.0, 1.0, 0.0]
    trend = fit(xs, ys, rises=True)
    standard_error = (1.2 / 3 / 10) ** 0.5
    assert trend.slope == pytest.approx(0.0)
    assert trend.upper == pytest.approx(1.638 * standard_error, rel=0.01)
    assert fit(xs, ys, rises=False).upper == pytest.approx(trend.upper)


@pytest.mark.parametrize("xs", [[1.0, 2.0], [1.0, 1.0, 1.0], [-math.inf, 0.0, 1.0]])
def test_too_little_to_fit_is_no_trend(xs):
    assert fit(xs, [1.0, 2.0, 3.0][: len(xs)], rises=True) is None
    assert slope_of(xs, [1.0, 2.0, 3.0][: len(xs)], rises=True) is None


@pytest.mark.parametrize("power", [-1070, -600, 600, 1010])
def test_values_of_any_size_have_the_trend_that_others_have(power):
    values = [1.0, 3.0, 4.0, 8.0]
    usual = fit([0.0, 1.0, 2.0, 3.0], values, rises=True)
    sized = fit([0.0, 1.0, 2.0, 3.0], [math.ldexp(value, power) for value in values], rises=True)
    assert [math.ldexp(slope, -power) for slope in sized] == pytest.approx(usual, rel=0.02)
    assert slope_of([0.0, 1.0, 2.0, 3.0], [math.ldexp(each, power) for each in values], rises=True) == sized.slope


def test_equal_values_have_no_slope_and_a_slope_too_large_for_a_number_is_infinite():
    folds = [0.0, 1.0, 2.0]
    assert fit(folds, [1.7e308] * 3, rises=True) == (0.0, 0.0)
    assert fit([0.0, 1e-3, 2e-3], [-1.7e308, 0.0, 1.7e308], rises=True).slope == math.inf


@pytest.mark.parametrize("rises", [True, False])
def test_the_slope_alone_is_that_of_the_line(rises):
    folds, values = [0.0, 0.1, 0.3, 0.4, 0.7], [0.1, 0.5, 0.2, 0.9, 0.4]
    assert slope_of(folds, values, rises=rises) == fit(folds, values, rises=rises).slope
    assert slope_of(folds, [0.3] * 5, rises=rises) == 0
