import json
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.strategies import comparable, records, totals_of

from green_callbacks.records import EpochRecord, History

HISTORIES = st.lists(records(), max_size=5)


@given(HISTORIES)
def test_a_history_holds_the_records_it_was_given(given_records):
    history = History(given_records)
    assert [comparable(record) for record in history] == [comparable(record) for record in given_records]


@given(HISTORIES)
def test_a_history_comes_back_from_its_columns(given_records):
    history = History(given_records)
    back = History.from_columns(json.loads(json.dumps(history.to_columns(), allow_nan=False)))
    assert [comparable(record) for record in back] == [comparable(record) for record in history]
    assert totals_of(back) == totals_of(history)


@given(HISTORIES, records(), st.integers(0, 10**6))
def test_a_history_that_came_back_goes_on_as_if_it_had_never_left(given_records, record, epoch):
    history = History(given_records)
    back = History.from_columns(json.loads(json.dumps(history.to_columns())))
    for each in (history, back):
        each.rewind(epoch)
        each.append(record)
    assert [comparable(each) for each in back] == [comparable(each) for each in history]
    assert totals_of(back) == totals_of(history)


@given(HISTORIES)
def test_totals_are_the_sums_of_the_records(given_records):
    history = History(given_records)
    kg = list(accumulate((record.emissions_kg or 0.0 for record in given_records), initial=0.0))
    assert list(history.cumulative_kg) == pytest.approx(kg[1:])
    joules = [record.energy_joules for record in given_records if record.energy_joules is not None]
    assert history.energy_joules == (pytest.approx(sum(joules)) if joules else None)


@given(HISTORIES)
def test_bounds_and_measured_energy_of_each_row_are_those_of_its_record(given_records):
    history = History(given_records)
    for name in ("low", "high"):
        added = [getattr(record, f"emissions_{name}_kg") or 0.0 for record in given_records]
        assert list(getattr(history, f"cumulative_{name}_kg")) == pytest.approx(list(accumulate(added)))
    for row, record in enumerate(given_records):
        joules, measured = record.energy_joules, history.measured_joules_at(row)
        if joules:
            assert (None if measured is None else measured / joules) == record.measured_share
        else:
            assert measured in (None, 0.0)


@given(HISTORIES, st.integers(0, 10**6))
def test_epochs_and_what_lies_outside_are_the_run_also_after_a_rewind(given_records, epoch):
    history = History(given_records)
    before, first = history.energy_joules, history.fit_row
    for _ in range(2):
        parts = [part for part in (history.epochs_joules, history.outside_joules) if part is not None]
        assert history.energy_joules == (pytest.approx(sum(parts)) if parts else None)
        history.rewind(epoch)
    assert history.energy_joules == before
    assert all(record.epoch is None or record.epoch < epoch for record in history[first:])


def test_an_earlier_fit_is_not_done_again():
    history = History(EpochRecord.scripted(epoch=epoch) for epoch in (0, 1, 2, 0, 1))
    history.rewind(1)
    assert [record.epoch for record in history] == [0, 1, 2, 0, None]


def test_an_epoch_that_goes_on_keeps_what_was_done_before():
    parts = [(0, 2, False), (0, 4, False), (0, 6, True), (1, 8, False), (1, 10, False)]
    history = History(record_of(*part) for part in parts)
    history.rewind(1, 8)
    assert [record.epoch for record in history] == [0, 0, 0, 1, None]
    history.rewind(0, 6)
    assert [record.epoch for record in history] == [None] * 5, "an epoch that was whole begins again"


def record_of(epoch, step, closes_epoch):
    return EpochRecord.scripted(epoch=epoch, step=step)._replace(closes_epoch=closes_epoch)


@given(HISTORIES)
def test_low_and_high_hold_the_value(given_records):
    for record in History(given_records):
        if record.energy_joules is not None:
            slack = 1e-9 * record.energy_joules
            assert record.energy_low_joules - slack <= record.energy_joules <= record.energy_high_joules + slack


@given(HISTORIES, st.floats(0, 1e9))
def test_rows_until_a_spend_have_spent_no_more(given_records, kg):
    history = History(given_records)
    rows = history.rows_until_spend(kg)
    assert all(spent <= kg for spent in history.cumulative_kg[:rows])
    assert all(spent > kg for spent in history.cumulative_kg[rows:])
