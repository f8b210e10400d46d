"""The order of fields in values that hot code reads by position, in ``row_writing`` and ``device_tally``."""

from green_callbacks.records import DeviceEnergy, PhaseEnergy, Reading


def test_the_fields_of_a_reading_keep_their_order():
    assert Reading._fields == (
        "joules",
        "component",
        "method",
        "below_joules",
        "above_joules",
        "tolerance",
        "gap_seconds",
        "flags",
        "reason",
        "lag_joules",
        "walk_square_joules",
    )


def test_the_fields_of_the_energy_of_a_device_keep_their_order():
    assert DeviceEnergy._fields == (
        "joules",
        "component",
        "method",
        "duration_seconds",
        "low_joules",
        "high_joules",
        "gap_seconds",
        "tolerance",
        "flags",
    )


def test_the_fields_of_the_energy_of_a_phase_keep_their_order():
    assert PhaseEnergy._fields == ("joules", "seconds")
