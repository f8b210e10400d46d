"""Cumulative energies that never fall."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from green_callbacks.sources.common.never_falling import never_below

JOULES = st.floats(0.0, 1e9)


@pytest.mark.parametrize("last", [None, 90.0, 100.0])
def test_a_value_that_does_not_fall_stays_as_it_is(last):
    assert never_below(last, (100.0, 1.0, 2.0)) == (100.0, 1.0, 2.0)


def test_a_value_that_falls_is_replaced_by_the_last_with_the_same_range():
    assert never_below(100.0, (98.0, 1.0, 5.0)) == (100.0, 3.0, 3.0)


def test_the_upper_bound_is_never_below_the_value():
    assert never_below(100.0, (90.0, 1.0, 5.0)) == (100.0, 11.0, 0.0)


@given(JOULES, JOULES, JOULES, JOULES)
def test_the_range_covers_what_it_covered(last, joules, below, above):
    kept, kept_below, kept_above = never_below(last, (joules, below, above))
    assert kept >= last
    assert kept - kept_below <= joules - below + 1e-6
    assert kept + kept_above >= joules + above - 1e-6
