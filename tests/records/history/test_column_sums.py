"""Sums that are read from columns in one go equal the sums over the records, to the last bit."""

from array import array
from dataclasses import replace
from math import nan

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import strategies
from support.scripted_run import GERMANY, device, record

from green_callbacks.records import EpochRecord, History
from green_callbacks.records.history.columns import Shared, total

NAMES = ("gpu:0", "cpu:0", "dram:0")
ENERGIES = st.lists(st.tuples(*[st.none() | strategies.JOULES] * 3), max_size=8)


def summed(values):
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def of_energies(energies):
    """A history whose devices never change."""
    methods = ("counter", "sampled", "modelled")
    return [
        record(
            epoch if epoch % 3 else None,
            devices={
                name: device(joules, name[:3], method)
                for name, joules, method in zip(NAMES, each, methods, strict=True)
            },
        )
        for epoch, each in enumerate(energies)
    ]


@given(ENERGIES)
def test_devices_that_never_change_are_summed_in_order(energies):
    records = of_energies(energies)
    totals = History(records).device_totals()
    for name in NAMES if records else ():
        assert totals[name].joules == summed(each.devices[name].joules for each in records)
        assert totals[name].low_joules == summed(each.devices[name].low_joules for each in records)


@given(ENERGIES)
def test_the_measured_share_adds_devices_record_by_record(energies):
    history = History(of_energies(energies))
    measured = summed(joules for each in energies for joules in each[:2])
    whole = summed(each.energy_joules for each in history)
    if history.measured_share is not None:
        assert history.measured_share == (measured or 0.0) / whole


@pytest.mark.no_cover
@given(st.lists(strategies.records(), max_size=6))
def test_sums_inside_and_outside_epochs_are_those_of_the_records(records):
    history = History(records)
    inside = [each.energy_joules for each in history if each.epoch is not None]
    outside = [each.energy_joules for each in history if each.epoch is None]
    assert (history.epochs_joules, history.outside_joules) == (summed(inside), summed(outside))
    methods = {name: (used.component, used.method) for name, used in history.device_totals().items()}
    assert history.device_methods() == methods
    assert history.has_one_intensity == (len({each.intensity for each in records}) <= 1)


@pytest.mark.parametrize(
    ("values", "expected"),
    [([], None), ([nan], None), ([nan, 0.1, 0.2], 0.1 + 0.2), ([0.1, 0.2, 0.3], 0.6000000000000001)],
)
def test_unknown_values_are_left_out_of_a_sum(values, expected):
    assert total(array("d", values)) == total(iter(values)) == expected


def test_distinct_values_are_counted_for_any_number_of_rows():
    column, values = Shared(), ["a", "a", "b", "a", "c", "b"]
    for value in values:
        column.append(value)
        assert column.used(len(column.index)) == list(dict.fromkeys(values[: len(column.index)]))
    for length in (2, 6, 0, 3, 5, 1, 6):
        assert column.used(length) == list(dict.fromkeys(values[:length]))
    assert column.copy(3).used(3) == ["a", "b"]


def test_a_history_is_steady_while_its_numbers_are_the_same():
    assert History().is_steady
    assert History([record(0), record(1, intensity=replace(GERMANY, flags=("stale",)))]).is_steady
    assert not History([record(0), record(1, pue=1.3)]).is_steady
    assert not History([record(0), record(1, intensity=replace(GERMANY, high_g_per_kwh=401.0))]).is_steady
    assert History([record(0)]).mean_pue == 1.25
    assert History().mean_pue is None


def test_a_copy_and_a_rewind_keep_what_they_say():
    history = History([EpochRecord.scripted(epoch=epoch, emissions_kg=0.1) for epoch in range(4)])
    assert history.is_uniform
    copied = history.copy()
    copied.append(record(4))
    assert (history.is_uniform, copied.is_uniform) == (True, False)
    copied.rewind(2)
    assert not copied.is_uniform
    assert history.cumulative_joules[-1] == history.energy_joules
