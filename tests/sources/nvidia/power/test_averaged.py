"""A chip that reports its power as the mean of the last second: its energy in epochs of a second, against the truth."""

import random
from itertools import pairwise
from statistics import mean

import pytest
from support.fake_nvml import GPUS, FakeNvml
from support.nvml_rig import Lap, Rig, lap

H100 = "power 0.1 0.025 {0:.4f}\naverage 0.1 1 {0:.4f}"
APART = "power 0.1 0.025 {0:.4f}\naverage 0.1 1 {1:.4f}"
GEFORCE = "power 0.1 0.1 {0:.4f}\naverage 0.1 1 {0:.4f}"
NO_INSTANT = "power 0 1\naverage 0.1 1 {0:.4f}"
OFTEN = "power 0.02 0.01 {0:.4f}\naverage 0.02 1 {1:.4f}"
SENSORS = [H100, APART, GEFORCE, NO_INSTANT, OFTEN]
TRACES = [
    "trace square 80 400 1.3 0.5 {0:.3f}",
    "trace square 80 400 0.3 0.5 {0:.3f}",
    "trace square 100 350 0.7 0.3 {0:.3f}",
    "trace sine 240 160 1.1 {0:.3f}",
    "trace steps 1.3 100 0.7 350 2.1 220 0.9 400 1.7 150",
    "trace square 80 400 7.3 0.5 {0:.3f}",
    "trace constant 300",
]


def epochs(nvml: FakeNvml, trace: str, sensor: str, rng: random.Random, count: int = 20) -> list[Lap]:
    rig = Rig(nvml).open(
        f"gpu\narch 9\ncounter 0\n{trace.format(rng.random())}\n"
        f"{sensor.format(rng.uniform(0.0, 0.1), rng.uniform(0.0, 0.1))}"
    )
    rig.run(1.0 + rng.random())
    edges = [rig.edge()]
    for _ in range(count):
        rig.run(1.0)
        edges.append(rig.edge())
    rig.source.close()
    return [lap(first, last) for first, last in pairwise(edges)]


def error_percent(laps: list[Lap]) -> float:
    return 100 * mean(abs(one.error_joules) / one.true_joules for one in laps)


@pytest.mark.no_cover
@pytest.mark.parametrize("sensor", [H100, APART, OFTEN])
def test_epochs_of_a_second_are_right_where_power_comes_and_goes(nvml: FakeNvml, sensor: str):
    rng = random.Random(2)
    laps = [one for _ in range(8) for one in epochs(nvml, TRACES[0], sensor, rng)]
    assert error_percent(laps) <= 2.0
    assert mean(one.covers for one in laps) >= 0.95


@pytest.mark.no_cover
@pytest.mark.parametrize("sensor", SENSORS)
def test_the_bounds_hold_the_truth_whatever_is_known_of_the_instant(nvml: FakeNvml, sensor: str):
    rng = random.Random(3)
    laps = [one for trace in TRACES for _ in range(2) for one in epochs(nvml, trace, sensor, rng)]
    assert mean(one.covers for one in laps) >= 0.95
    assert error_percent(laps) <= 3.0


def test_without_the_power_of_the_instant_the_bounds_are_wider(nvml: FakeNvml):
    def width(sensor: str) -> float:
        laps = epochs(nvml, "trace square 80 400 0.37 0.5 0.3", sensor, random.Random(4))
        return mean(one.high_joules - one.low_joules for one in laps)

    assert width(NO_INSTANT) > width(H100)


def test_a_load_that_the_instants_never_see_is_counted_by_the_average(nvml: FakeNvml):
    laps = epochs(nvml, "trace square 80 400 10 0.3", H100, random.Random(5))
    assert error_percent(laps) <= 2.0


def test_samples_that_come_late_cost_accuracy_but_no_energy(nvml: FakeNvml):
    rng = random.Random(6)
    rig = Rig(nvml).open("gpu\narch 9\ncounter 0\ntrace square 80 400 1.3 0.5 0.2\npower 0.1 0.025\naverage 0.1 1")
    laps = []
    first = rig.edge()
    for _ in range(30):
        for _ in range(4):
            rig.run(0.2)
            rig.nvml.advance(rng.uniform(0.0, 0.15))  # the thread does not get the processor
        last = rig.edge()
        laps.append(lap(first, last))
        first = last
    rig.source.close()
    assert mean(one.covers for one in laps) >= 0.9
    total = sum(one.error_joules for one in laps) / sum(one.true_joules for one in laps)
    assert abs(total) < 0.02


def test_a_second_without_an_answer_is_a_gap(nvml: FakeNvml):
    rig = Rig(nvml).open("gpu\narch 9\ncounter 0\ntrace constant 300\npower 0.1 0.025\naverage 0.1 1\nlost 5 9")
    first = rig.edge()
    rig.run(15.0)
    measured = lap(first, rig.edge())
    rig.source.close()
    assert measured.gap_seconds == pytest.approx(4.0, abs=0.3)
    assert measured.error_joules == pytest.approx(-300 * measured.gap_seconds, abs=30)


def test_it_is_sampled_less_than_thirty_times_a_second(rig: Rig):
    rig.open("gpu\narch 9\ncounter 0\ntrace square 80 400 1.3\npower 0.1 0.025\naverage 0.1 1")
    rig.run(10.0)
    calls = rig.nvml.calls()
    rig.run(30.0)
    assert (rig.nvml.calls() - calls) / 30 <= 30
    assert rig.source.read()[GPUS[0]].method == "sampled"
