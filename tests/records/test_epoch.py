from datetime import UTC, datetime

import pytest
from support.scripted_run import device, record

from green_callbacks import EpochRecord
from green_callbacks.records import Intensity


def test_everything_is_derived_from_what_was_measured():
    each = record(3)
    assert each.energy_joules == 4000.0
    assert each.energy_kwh == pytest.approx(4000 / 3.6e6)
    assert each.facility_kwh == pytest.approx(4000 / 3.6e6 * 1.25)
    assert each.emissions_kg == pytest.approx(4000 / 3.6e6 * 1.25 * 0.360)
    assert each.mean_watts == 400.0
    assert each.measured_share == 0.75
    assert each.component_joules() == {"gpu": 3000.0, "cpu": 1000.0}


def test_bounds_hold_the_gain_of_sensors_and_the_range_of_the_place():
    each = record(3)  # a GPU of 3000 J ± 5 %, a modelled CPU whose own bounds are exact here
    assert each.energy_low_joules == pytest.approx(3000 * 0.95 + 1000)
    assert each.energy_high_joules == pytest.approx(3000 * 1.05 + 1000)
    assert each.emissions_low_kg == pytest.approx(3850 / 3.6e6 * 1.25 * 0.3)
    assert each.emissions_high_kg == pytest.approx(4150 / 3.6e6 * 1.25 * 0.4)


def test_a_place_without_a_range_has_the_range_of_the_energy():
    place = Intensity(g_per_kwh=100.0, source="given", found_by="argument")
    each = record(0, intensity=place, devices={"gpu:0": device(3.6e6, low_joules=1.8e6, high_joules=None)})
    assert each.emissions_low_kg == pytest.approx(0.0625)
    assert each.emissions_high_kg == each.emissions_kg == pytest.approx(0.125)


@pytest.mark.parametrize("devices", [{}, {"gpu:0": device(None, gap_seconds=10.0)}])
def test_what_was_not_measured_is_none_never_zero(devices):
    each = record(0, devices=devices)
    derived = (
        each.energy_joules,
        each.energy_low_joules,
        each.energy_high_joules,
        each.energy_kwh,
        each.facility_kwh,
        each.emissions_kg,
        each.emissions_low_kg,
        each.emissions_high_kg,
        each.mean_watts,
        each.measured_share,
    )
    assert derived == (None,) * 10
    assert each.component_joules() == {}


def test_no_time_has_no_mean_power():
    assert record(0, seconds=0.0).mean_watts is None
    assert device(5.0, seconds=0.0).mean_watts is None
    assert device(None).mean_watts is None


def test_mean_power_of_a_device_is_over_what_was_measured():
    assert device(80.0, seconds=10.0, gap_seconds=2.0).mean_watts == 10.0


def test_no_energy_has_no_measured_share():
    assert record(0, gpu_joules=0.0, cpu_joules=0.0).measured_share is None


def test_a_record_can_be_made_by_hand():
    each = EpochRecord.scripted(epoch=3, emissions_kg=0.2, metrics={"val_acc": 0.9}, step=4)
    assert (each.epoch, each.step, each.metrics) == (3, 4, {"val_acc": 0.9})
    assert each.emissions_kg == each.emissions_low_kg == each.emissions_high_kg == pytest.approx(0.2)
    assert each.facility_kwh == pytest.approx(0.2)
    assert each.started_at == datetime(2025, 1, 1, tzinfo=UTC)
