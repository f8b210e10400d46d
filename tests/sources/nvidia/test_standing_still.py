"""Sensors that stand still, leap or begin anew: a gap or a flag in that very epoch, and no invented joule."""

import logging
from itertools import pairwise

import pytest
from support.fake_nvml import GPUS
from support.nvml_rig import Edge, Lap, Rig, lap


def epochs(rig: Rig, count: int, seconds: float = 1.0) -> list[tuple[Edge, Lap]]:
    """Measure epochs; return the last edge of each, and what it told."""
    edges = [rig.edge()]
    for _ in range(count):
        rig.run(seconds)
        edges.append(rig.edge())
    return [(last, lap(first, last)) for first, last in pairwise(edges)]


def lacking_joules(one: Lap) -> float:
    """Return by how much what was told is too low."""
    return one.true_joules - (one.joules or 0.0)


def flags(edge: Edge) -> tuple[str, ...]:
    return edge.readings[GPUS[0]].flags


@pytest.mark.parametrize("offset", [0.0, 0.02, 0.05, 0.08])
@pytest.mark.parametrize("at", [2.0, 2.2, 2.35])
def test_a_counter_that_stands_still_is_a_gap_in_the_epoch_where_it_does(rig: Rig, at: float, offset: float):
    rig.open(f"gpu\ntrace constant 300\ncounter 0.1 {offset}\nfrozen {at}")
    rig.run(2.0 - rig.nvml.seconds())
    edge, first = epochs(rig, 1)[0]
    assert "counter_frozen" in flags(edge)
    assert 0.5 <= first.gap_seconds <= edge.seconds - at + 0.15
    assert lacking_joules(first) == pytest.approx(300 * first.gap_seconds, abs=45)
    later = epochs(rig, 2)
    assert [one.gap_seconds for _, one in later] == [0.0, 0.0]
    assert all(abs(one.error_joules) < 15 for _, one in later)


@pytest.mark.parametrize("offset", [0.0, 0.03, 0.07])
def test_a_counter_that_stands_still_is_noticed_within_a_second_also_between_edges(rig: Rig, offset: float):
    rig.open(f"gpu\ntrace constant 300\ncounter 0.1 {offset}\nfrozen 5")
    rig.run(6.05 - rig.nvml.seconds())
    assert rig.source._live.gpus[0]._gauge.method == "sampled"


def test_shortly_after_a_counter_stopped_the_bounds_hold_the_truth(rig: Rig):
    rig.open("gpu\ntrace constant 300\ncounter 0.1 0.03\nfrozen 2.5")
    rig.run(2.0 - rig.nvml.seconds())
    first = rig.edge()
    rig.run(0.65)
    rig.nvml.advance(0.3)  # it stands still for 0.5 s: too short to be sure
    assert lap(first, rig.edge()).covers


@pytest.mark.parametrize("sensor", ["", "\npower 0.1 0.025\naverage 0.1 1\narch 9"])
def test_an_idle_counter_is_no_frozen_one(rig: Rig, sensor: str):
    rig.open(f"gpu\ntrace steps 3 300 30 0.5{sensor}")
    rig.run(60.0)
    assert "counter_frozen" not in flags(rig.edge())


def test_a_counter_that_stands_still_without_any_power_is_dead_after_a_while(rig: Rig):
    rig.open("gpu\npower 0 1\nfrozen 4")
    rig.run(20.0)
    reading = rig.edge().readings[GPUS[0]]
    assert reading.reason is not None
    assert "counter_frozen" in reading.flags or reading.gap_seconds > 10
    assert reading.gap_seconds == pytest.approx(rig.nvml.seconds() - 4, abs=1.0)


def test_a_buffer_that_stands_still_is_a_gap_in_the_epoch_where_it_does(rig: Rig, caplog: pytest.LogCaptureFixture):
    rig.open("gpu\ntrace constant 300\ncounter 0\nsamples 0.02 120\nsamples_frozen 2.1")
    rig.run(2.0 - rig.nvml.seconds())
    with caplog.at_level(logging.WARNING):
        edge, first = epochs(rig, 1)[0]
    assert "samples_frozen" in flags(edge)
    assert first.gap_seconds == pytest.approx(0.9, abs=0.1)
    assert lacking_joules(first) == pytest.approx(300 * first.gap_seconds, abs=15)
    assert "stood still" in caplog.text
    later = epochs(rig, 3)
    assert [one.gap_seconds for _, one in later] == [0.0, 0.0, 0.0]
    assert all(abs(one.error_joules) < 15 for _, one in later)


def test_a_buffer_that_stands_still_is_noticed_within_a_second_also_between_edges(rig: Rig):
    rig.open("gpu\ncounter 0\nsamples 0.02 120\nsamples_frozen 5")
    rig.run(6.05 - rig.nvml.seconds())
    assert not rig.source._live.gpus[0]._gauge.has_buffer


@pytest.mark.parametrize("step", [-3600.0, -3.0, -0.7])
def test_a_time_of_day_that_is_set_back_under_the_buffer_is_a_gap(rig: Rig, step: float):
    rig.open(f"day_step 2.5 {step}\ngpu\ntrace square 80 400 1.3\ncounter 0\nsamples 0.02 120")
    rig.run(2.0 - rig.nvml.seconds())
    told = epochs(rig, 5)
    assert "clock_stepped" in flags(told[0][0])
    for _, one in told:
        assert -20 <= lacking_joules(one) <= 400 * one.gap_seconds + 20
    assert 0.0 < sum(one.gap_seconds for _, one in told) < 1.0
    assert told[-1][1].gap_seconds == 0.0


@pytest.mark.parametrize("step", [3600.0, 3.0, 0.7])
def test_a_time_of_day_that_is_set_forward_books_no_energy_of_time_that_did_not_pass(rig: Rig, step: float):
    rig.open(f"day_step 2.5 {step}\ngpu\ntrace square 80 400 1.3\ncounter 0\nsamples 0.02 120")
    rig.run(2.0 - rig.nvml.seconds())
    told = epochs(rig, 5)
    assert "clock_stepped" in flags(told[0][0])
    assert all(one.error_joules == pytest.approx(0.0, abs=20) for _, one in told)
    assert sum(one.gap_seconds for _, one in told) < 0.2


@pytest.mark.parametrize("step", [-0.1, 0.1])
def test_a_small_step_of_the_time_of_day_changes_little(rig: Rig, step: float):
    rig.open(f"day_step 2.5 {step}\ngpu\ntrace constant 300\ncounter 0\nsamples 0.02 120")
    rig.run(2.0 - rig.nvml.seconds())
    told = epochs(rig, 6)
    assert all(abs(one.error_joules) < 45 for _, one in told)
    assert sum(one.error_joules for _, one in told) == pytest.approx(0.0, abs=10)


@pytest.mark.parametrize("joules", [400.0, 1e5, 1e12])
def test_a_counter_that_leaps_up_is_flagged_and_books_nothing(rig: Rig, joules: float):
    rig.open(f"gpu\ntrace constant 300\nlimit 400\nleap 2.5 {joules}")
    rig.run(2.0 - rig.nvml.seconds())
    told = epochs(rig, 3)
    assert "reset" in flags(told[0][0])
    assert all(abs(one.error_joules) < 20 for _, one in told)


def test_without_a_limit_a_leap_is_what_no_gpu_can_draw(rig: Rig):
    rig.open("gpu\ntrace constant 300\nerror nvmlDeviceGetEnforcedPowerLimit 3\nleap 2.5 20000")
    rig.run(2.0 - rig.nvml.seconds())
    told = epochs(rig, 2)
    assert "reset" in flags(told[0][0])
    assert all(abs(one.error_joules) < 20 for _, one in told)


@pytest.mark.parametrize("joules", [1e5, -1e6 + 600])
def test_a_counter_that_shows_another_value_for_a_while_and_comes_back_books_nothing(rig: Rig, joules: float):
    rig.open(f"gpu\ntrace constant 300\nleap 2.5 {joules} 4.2")
    rig.run(2.0 - rig.nvml.seconds())
    told = epochs(rig, 4)
    assert all(abs(one.error_joules) < 30 for _, one in told)
    assert "reset" in flags(told[-1][0])


def test_a_counter_that_begins_anew_elsewhere_than_at_nothing_books_nothing(rig: Rig):
    rig.open("gpu\ntrace constant 300\nleap 2.5 -400000")
    rig.run(2.0 - rig.nvml.seconds())
    told = epochs(rig, 3)
    assert "reset" in flags(told[0][0])
    assert all(abs(one.error_joules) < 20 for _, one in told)


def test_one_wrong_answer_is_asked_again(rig: Rig):
    rig.open("gpu\ntrace constant 300\nwrong nvmlDeviceGetTotalEnergyConsumption 18446744073709551615 2.4 2.41")
    rig.run(2.405 - rig.nvml.seconds())
    rig.edge()
    told = epochs(rig, 2)
    assert all(abs(one.error_joules) < 35 for _, one in told)


def test_a_limit_that_is_raised_makes_no_leap(rig: Rig):
    rig.open("gpu\ntrace steps 10 100 100 600\nlimit 700\nwrong nvmlDeviceGetEnforcedPowerLimit 150000 -1 9")
    rig.run(20.0)
    reading = rig.edge().readings[GPUS[0]]
    assert (reading.method, reading.flags) == ("counter", ())


@pytest.mark.parametrize("value", ["0", "4294967295", "4000000000"])
def test_a_power_that_cannot_be_is_refused_and_the_counter_counts_on(rig: Rig, value: str):
    rig.open(f"gpu\nwrong nvmlDeviceGetPowerUsage {value}\nwrong field:186 {value}")
    rig.run(1.0)
    first = rig.edge()
    rig.run(5.0)
    last = rig.edge()
    assert last.readings[GPUS[0]].reason is None
    assert abs(lap(first, last).error_joules) < 20


@pytest.mark.parametrize("value", ["0", "4294967295"])
def test_a_sampled_power_that_cannot_be_is_a_gap(rig: Rig, value: str):
    rig.open(f"gpu\ncounter 0\nwrong nvmlDeviceGetPowerUsage {value} 3 5\nwrong field:186 {value} 3 5")
    first = rig.edge()
    rig.run(10.0)
    measured = lap(first, rig.edge())
    assert measured.gap_seconds == pytest.approx(2.0, abs=0.2)
    assert measured.error_joules == pytest.approx(-300 * measured.gap_seconds, abs=15)
