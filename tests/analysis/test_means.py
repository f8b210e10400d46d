from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.scripted_run import GERMANY, finished, record

from green_callbacks.analysis import effective_intensity, effective_pue
from green_callbacks.records import History

FRANCE = replace(
    GERMANY, g_per_kwh=40.0, low_g_per_kwh=30.0, high_g_per_kwh=60.0, zone="FR", name="France", source="Another table"
)


def test_a_run_in_one_place_has_the_intensity_of_its_records():
    assert effective_intensity(History([record(0), record(1)])) == GERMANY


def test_of_several_places_it_is_the_mean_by_energy_and_names_them_all():
    history = History([record(0), record(1, gpu_joules=11_000.0, intensity=FRANCE)])  # 4 kJ there, 12 kJ here

    mean = effective_intensity(history)

    assert mean.g_per_kwh == pytest.approx((360 + 3 * 40) / 4)
    assert (mean.low_g_per_kwh, mean.high_g_per_kwh) == (pytest.approx(97.5), pytest.approx(145))
    assert (mean.name, mean.zone, mean.year, mean.scope) == ("Germany, France", None, 2025, "lifecycle")
    assert mean.source == "A yearly table; Another table"


def test_what_one_of_them_does_not_know_the_mean_does_not():
    nowhere = replace(FRANCE, name=None, zone=None, low_g_per_kwh=None, scope="direct", flags=("direct only",))

    mean = effective_intensity(History([record(0), record(1, intensity=nowhere)]))

    assert mean.name == "Germany, a place that was not named"
    assert (mean.low_g_per_kwh, mean.scope) == (None, None)
    assert mean.flags == ("direct only",)


def test_where_no_energy_was_used_does_not_count():
    idle = record(0, gpu_joules=None, cpu_joules=None)
    assert effective_intensity(History([idle, record(1, intensity=FRANCE)])) == FRANCE
    assert effective_intensity(History([record(0, intensity=FRANCE), idle])) == FRANCE
    assert effective_intensity(History([idle])) == GERMANY


def test_without_records_nothing_is_known():
    assert effective_intensity(History()) is None
    assert effective_pue(History()) is None


def test_the_pue_is_the_facilitys_energy_over_the_computers():
    assert effective_pue(History([record(0), record(1)])) == 1.25
    assert effective_pue(History([record(0, pue=1.0), record(1, pue=2.0, gpu_joules=11_000.0)])) == pytest.approx(1.75)
    assert effective_pue(History([record(0, gpu_joules=None, cpu_joules=None)])) == 1.25


@given(st.lists(st.tuples(st.floats(1, 1e9), st.floats(0, 1500), st.floats(1, 3)), min_size=1, max_size=9))
def test_facility_energy_times_the_mean_is_what_the_records_emitted(parts):
    history = History(
        record(epoch, gpu_joules=joules, pue=pue, intensity=replace(GERMANY, g_per_kwh=g_per_kwh))
        for epoch, (joules, g_per_kwh, pue) in enumerate(parts)
    )
    run = finished(history)

    assert run.facility_kwh * effective_intensity(history).g_per_kwh / 1000 == pytest.approx(run.emissions_kg)
    assert run.energy_kwh * effective_pue(history) == pytest.approx(run.facility_kwh)


def test_energy_too_small_for_a_ratio_has_the_pue_of_its_record():
    assert effective_pue(History([record(0, gpu_joules=5e-324, cpu_joules=None)])) == 1.25
