from math import nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from green_callbacks.analysis.halving import MOST_RUNGS, Halving
from green_callbacks.errors import ConfigurationError

VALUES = st.lists(st.floats(-1, 1), max_size=30)


@given(st.floats(1e-12, 1e3), st.integers(2, 9), st.floats(0, 1e6))
def test_completed_rungs_are_those_below_the_spending(first, factor, kg):
    rungs = Halving(first, factor)
    done = rungs.completed(kg)
    assert done == MOST_RUNGS or kg < rungs.rung_kg(done)
    assert done == 0 or kg >= rungs.rung_kg(done - 1)


@given(VALUES, st.integers(2, 6))
def test_one_of_that_many_distinct_trials_goes_on(values, factor):
    rungs, distinct = Halving(1.0, factor), sorted(set(values))
    for rises in (True, False):
        going = [
            value
            for at, value in enumerate(distinct)
            if rungs.goes_on(value, distinct[:at] + distinct[at + 1 :], rises=rises)
        ]
        count = rungs.kept(len(distinct)) if distinct else 0
        assert going == (distinct[len(distinct) - count :] if rises else distinct[:count])


@given(VALUES, st.floats(-1, 1), st.integers(2, 6), st.booleans())
def test_the_best_trial_always_goes_on(values, value, factor, rises):
    is_best = all(value >= other if rises else value <= other for other in values)
    assert Halving(1.0, factor).goes_on(value, values, rises=rises) or not is_best


def test_a_value_that_is_not_a_number_never_goes_on_and_beats_nothing():
    assert not Halving(1.0, 2).goes_on(nan, [], rises=True)
    assert Halving(1.0, 2).goes_on(-9.0, [nan, nan, nan], rises=True)


@pytest.mark.parametrize(("kg", "factor"), [(0.0, 2), (-1.0, 2), (nan, 2), (float("inf"), 2), (1.0, 1)])
def test_rungs_that_cannot_work_are_refused(kg, factor):
    with pytest.raises(ConfigurationError):
        Halving(kg, factor)
