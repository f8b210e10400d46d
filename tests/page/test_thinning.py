"""What thinning keeps, whatever the points are."""

import sys
from itertools import pairwise
from math import isfinite

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from green_callbacks.page.thinning import (
    LEAST_GAIN,
    buckets,
    few_digits,
    places_on_front,
    points,
)

COUNTS = st.integers(0, 5_000)
MOST = st.integers(1, 1_000)
RISING = st.lists(st.floats(-1e6, 1e6), max_size=400).map(sorted)


@given(COUNTS, MOST)
def test_buckets_hold_every_epoch_once_in_order(count, most):
    found = buckets(count, most)
    assert [at for bucket in found for at in bucket] == list(range(count))
    assert len(found) <= most


@given(COUNTS, MOST)
def test_all_buckets_are_equal_except_the_last(count, most):
    sizes = [len(bucket) for bucket in buckets(count, most)]
    assert len(set(sizes[:-1])) <= 1
    assert not sizes or 0 < sizes[-1] <= sizes[0]
    assert count > most or set(sizes) <= {1}


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=300), MOST)
def test_means_of_buckets_keep_the_total(values, most):
    found = buckets(len(values), most)
    means = [sum(values[at] for at in bucket) / len(bucket) for bucket in found]
    total = sum(mean * len(bucket) for mean, bucket in zip(means, found, strict=True))
    assert total == pytest.approx(sum(values), rel=1e-9)


@given(RISING, st.integers(3, 120))
@example([0.0, *[1.0] * 200], 3)
def test_a_front_keeps_its_ends_and_at_most_so_many_points(values, most):
    kept = places_on_front(values, most)
    assert kept == sorted(set(kept))
    assert len(kept) <= max(most, 3)
    assert not values or (kept[0], kept[-1]) == (0, len(values) - 1)


@given(RISING)
def test_between_two_points_of_a_front_no_visible_gain_is_lost(values):
    kept = places_on_front(values, most=200)
    least = LEAST_GAIN * (values[-1] - values[0]) if values else 0.0
    for here, there in pairwise(kept):
        between = values[here + 1 : there]
        assert all(value - values[here] < least for value in between)


@given(RISING)
def test_a_falling_front_is_thinned_like_a_rising_one(values):
    assert places_on_front([-value for value in values], most=100) == places_on_front(values, most=100)


@given(st.floats(allow_nan=False, allow_infinity=False))
@example(sys.float_info.max)
def test_few_digits_are_near_the_number(value):
    assert few_digits(value) == pytest.approx(value, rel=1e-5)
    assert isfinite(few_digits(value))


@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_is_none(value):
    assert few_digits(value) is None
    assert points([value]) == [None]


def test_points_have_five_digits_in_their_unit():
    assert points([0.123456789, None, 2], factor=1000.0) == [123.46, None, 2000.0]
