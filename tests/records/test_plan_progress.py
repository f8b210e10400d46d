"""The share of a plan that is done compares counts of a run with counts of the same run, whatever they do."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from green_callbacks import EpochRecord, History, Plan
from green_callbacks.records.plan import decode_plan, encode_plan


def part(epoch, step=None):
    return EpochRecord.scripted(epoch=epoch, step=step, emissions_kg=0.01)._replace(closes_epoch=False)


def end(epoch, step=None):
    return EpochRecord.scripted(epoch=epoch, step=step, emissions_kg=0.01)


def shares(plan, records):
    history, found = History(), []
    for record in records:
        history.append(record)
        found.append(plan.progress(history))
    return found


EPOCHS = st.lists(st.lists(st.integers(0, 500), min_size=1, max_size=8), min_size=1, max_size=8)
"""Of each epoch, the steps of each part; the last of them is ended with the epoch."""


def run(epochs, *, first=0, knows_steps=True):
    step = 0
    for at, parts in enumerate(epochs, start=first):
        for number, steps in enumerate(parts, start=1):
            step += steps
            yield (end if number == len(parts) else part)(at, step if knows_steps else None)


@given(EPOCHS, st.none() | st.integers(1, 1000), st.sampled_from([0, 1]), st.booleans())
def test_progress_never_falls_back_and_is_within_an_epoch_of_the_epochs_that_are_done(epochs, hint, first, knows_steps):
    plan = Plan(epochs=len(epochs), epoch_steps=hint)
    records = list(run(epochs, first=first, knows_steps=knows_steps))
    found = shares(plan, records)
    if len(epochs) == 1:
        found = [share or 0.0 for share in found]  # of a single epoch nothing may be known
    for before, share in pairwise([0.0, *found]):
        assert before <= share <= 1.0
    for record, share in zip(records, found, strict=True):
        done = record.epoch - first
        assert done <= share * len(epochs) + 1e-9 <= done + 1 + 1e-6
        if record.closes_epoch:
            assert share == pytest.approx((done + 1) / len(epochs))
    assert found[-1] == 1.0


@given(EPOCHS, st.integers(1, 1000), st.integers(1, 1000))
def test_what_was_said_of_the_length_of_an_epoch_counts_in_the_first_alone(epochs, one, other):
    found = [shares(Plan(epochs=len(epochs), epoch_steps=hint), run(epochs)) for hint in (one, other)]
    first = len(epochs[0])
    assert found[0][first - 1 :] == found[1][first - 1 :]


def test_a_first_epoch_is_as_long_as_was_said():
    records = [part(0, 20), part(0, 40), part(0, 120)]
    assert shares(Plan(epochs=2, epoch_steps=80), records) == [0.125, 0.25, 0.5]
    assert shares(Plan(epochs=2), records) == [0.0, 0.0, 0.0], "nothing tells"


def test_of_a_single_epoch_whose_length_nobody_knows_nothing_is_known():
    assert shares(Plan(epochs=1), [part(0, 20), end(0, 40)]) == [None, 1.0]
    assert shares(Plan(epochs=1, epoch_steps=40), [part(0, 20), end(0, 40)]) == [0.5, 1.0]


def test_an_epoch_that_is_longer_than_was_said_is_not_taken_for_done():
    plan, history = Plan(epochs=1, epoch_steps=40), History([part(0, 20), part(0, 40)])
    assert plan.open_share(history, 1) == 1.0
    history.append(part(0, 60))
    assert plan.open_share(history, 2) is None
    assert plan.progress(history) == 1.0


def test_later_epochs_are_as_long_as_the_longest_of_the_last_three():
    records = [end(0, 500), end(1, 600), end(2, 800), end(3, 900), part(4, 1000)]
    assert shares(Plan(epochs=10, epoch_steps=7), records)[-1] == pytest.approx(0.45)


def test_the_steps_of_an_epoch_that_is_done_again_do_not_count():
    history = History([end(0, 100), end(1, 200), part(2, 250)])
    history.rewind(1)
    history.append(part(1, 150))
    assert Plan(epochs=4).progress(history) == pytest.approx(1.5 / 4)


def test_a_run_that_was_joined_late_counts_the_epochs_before_it():
    found = shares(
        Plan(epochs=10, epoch_steps=100), [part(6, 630), part(6, 680), end(6, 700), part(7, 750), end(7, 800)]
    )
    assert found == pytest.approx([0.6, 0.65, 0.7, 0.75, 0.8])


def test_a_count_of_steps_that_goes_on_over_fits_is_compared_with_itself():
    records = [end(0, 100), end(1, 200), part(0, 220), part(0, 240)]
    assert shares(Plan(epochs=2, epoch_steps=100), records)[2:] == pytest.approx([0.0, 0.1])


@pytest.mark.parametrize("first", [0, 1])
def test_epochs_may_be_numbered_from_one(first):
    history = History(end(first + at) for at in range(4))
    assert (history.epochs_done(), history.next_epoch) == (4, 4 + first)
    assert Plan(epochs=4).progress(history) == 1.0


def test_a_first_epoch_that_was_cut_short_is_still_the_first():
    history = History([end(0)._replace(complete=False), end(1), end(2)])
    assert history.epochs_done() == 3


def test_epochs_that_are_not_recorded_are_done():
    assert shares(Plan(epochs=100), [end(9), end(19), end(29)]) == pytest.approx([0.1, 0.2, 0.3])


def test_a_limit_of_steps_is_none_where_nobody_tells_them():
    history = History([end(0), end(1)])
    assert Plan(steps=100).progress(history) is None
    assert Plan(steps=100, epochs=4).progress(history) == 0.5


def test_a_fit_that_begins_has_taken_no_time():
    history = History([EpochRecord.scripted(epoch=at, duration_seconds=10.0) for at in range(3)])
    assert history.fit_seconds(3, 2.0) == 32.0
    assert history.fit_seconds(0, 2.0) == 0.0
    history.append(EpochRecord.scripted(epoch=0, duration_seconds=10.0))
    assert history.fit_seconds(1, 2.0) == 12.0
    assert History().fit_seconds(0, 2.0) == 2.0


def test_a_plan_is_written_and_read_whole():
    plan = Plan(epochs=3, steps=90, epoch_steps=30, seconds=5.0, learning_rate_drops=(1, 2), anneals=True)
    assert decode_plan(encode_plan(plan)) == plan
    assert not Plan(epoch_steps=30).has_end
