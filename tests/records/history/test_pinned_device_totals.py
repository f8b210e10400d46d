"""The totals of each device, with bounds that differ from the energy and devices that come and go."""

import pytest
from support.scripted_run import device, record

from green_callbacks.records import History


@pytest.fixture
def history():
    gpu = device(100.0, "gpu", "counter", low_joules=90.0, high_joules=120.0, gap_seconds=1.0, flags=("shared",))
    cpu = device(50.0, "cpu", "modelled", low_joules=40.0, high_joules=70.0, tolerance=0.3)
    sampled = device(10.0, "gpu", "sampled", low_joules=8.0, high_joules=13.0, gap_seconds=2.0, flags=("late",))
    return History(
        [
            record(0, devices={"gpu": gpu, "cpu": cpu}),
            record(1, devices={"cpu": cpu, "gpu": gpu}),
            record(2, devices={"gpu": sampled}),
        ]
    )


def test_energy_and_bounds_of_a_device_are_summed_apart(history):
    totals = history.device_totals()
    assert list(totals) == ["gpu", "cpu"]
    assert (totals["gpu"].joules, totals["gpu"].low_joules, totals["gpu"].high_joules) == (210.0, 188.0, 253.0)
    assert (totals["cpu"].joules, totals["cpu"].low_joules, totals["cpu"].high_joules) == (100.0, 80.0, 140.0)


def test_a_device_is_described_by_its_least_exact_record_and_by_all_its_flags(history):
    gpu, cpu = history.device_totals().values()
    assert (gpu.method, gpu.component, gpu.gap_seconds, gpu.flags) == ("sampled", "gpu", 4.0, ("late", "shared"))
    assert (cpu.method, cpu.component, cpu.gap_seconds, cpu.flags, cpu.tolerance) == ("modelled", "cpu", 0.0, (), 0.3)
    assert gpu.duration_seconds == cpu.duration_seconds == 30.0


def test_the_measured_share_leaves_modelled_devices_out_and_is_unknown_with_gaps(history):
    assert history.measured_share is None
    assert History([record(0), record(1)]).measured_share == pytest.approx(0.75)


def test_totals_are_the_same_after_a_checkpoint(history):
    assert History.from_columns(history.to_columns()).device_totals() == history.device_totals()


def test_a_rewound_record_stays_in_the_totals_of_its_devices(history):
    history.rewind(2)
    assert history.device_totals()["gpu"].joules == 210.0
