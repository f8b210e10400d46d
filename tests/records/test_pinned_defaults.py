"""What a value says that nobody has set. A default of 1 would be energy that nobody measured."""

from dataclasses import fields

from green_callbacks.records import DeviceEnergy, EpochRecord, Plan
from green_callbacks.records.device import DeviceInfo, Reading
from green_callbacks.records.intensity import Intensity


def test_a_reading_has_no_errors_and_no_gaps_unless_it_names_them():
    assert Reading._field_defaults == {
        "below_joules": 0.0, "above_joules": 0.0, "tolerance": 0.0, "gap_seconds": 0.0, "flags": (), "reason": None,
        "lag_joules": 0.0, "walk_square_joules": 0.0,
    }  # fmt: skip


def test_the_energy_of_a_device_has_no_errors_and_no_gaps_unless_it_names_them():
    assert DeviceEnergy._field_defaults == {
        "low_joules": None, "high_joules": None, "gap_seconds": 0.0, "tolerance": 0.0, "flags": (),
    }  # fmt: skip
    assert set(DeviceInfo._field_defaults.values()) == {None}


def test_a_plan_knows_nothing_unless_it_is_told():
    defaults = {each.name: each.default for each in fields(Plan)}
    told = {"learning_rate_drops": (), "anneals": False, "schedule_unreadable": False, "landing_refused": False}
    told |= {"shared": ()}
    spent = {"spent_before_kg": 0.0, "spent_before_kwh": 0.0}
    assert {name: value for name, value in defaults.items() if value is not None} == told | spent


def test_a_scripted_record_is_whole_and_closes_its_epoch():
    record = EpochRecord.scripted(epoch=0)
    assert (record.complete, record.closes_epoch, record.pue) == (True, True, 1.0)
    assert (record.step, record.samples, record.tokens, record.flops) == (None, None, None, None)


def test_an_intensity_has_no_bounds_unless_it_names_them():
    intensity = Intensity(g_per_kwh=100.0, source="test", found_by="place")
    assert (intensity.low_g_per_kwh, intensity.high_g_per_kwh, intensity.year) == (None, None, None)
