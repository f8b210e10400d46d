"""Every record knows what it would have emitted at the world's average."""

from dataclasses import replace

import pytest
from support.scripted_run import GERMANY, finished, record

from green_callbacks.carbon import lookup
from green_callbacks.records import WORLD, History


def test_it_is_the_figure_of_the_tables():
    assert replace(lookup("World", year=2025), found_by="world average") == WORLD


def test_a_record_can_be_recomputed_by_hand():
    one = record(0, intensity=GERMANY)
    assert one.reference_kg == pytest.approx(one.facility_kwh * 0.4583)
    assert one.reference_kg == pytest.approx(one.emissions_kg * 458.3 / GERMANY.g_per_kwh)


def test_it_does_not_depend_on_place_and_time():
    elsewhere = replace(GERMANY, g_per_kwh=20.0, low_g_per_kwh=None, high_g_per_kwh=None, year=2019)
    history = History([record(0), record(1, intensity=elsewhere)])
    assert history.reference_kg == pytest.approx(2 * record(0).reference_kg)
    assert finished(history).reference_kg == pytest.approx(history.reference_kg)


def test_what_was_not_measured_is_not_known():
    nothing = record(0, devices={})
    assert nothing.reference_kg is None
    assert finished(History([nothing])).reference_kg is None
    assert History([nothing]).reference_kg == 0.0
