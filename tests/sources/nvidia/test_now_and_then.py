"""A GPU that answers now and then: what a reading says of itself, so that no epoch holds two in silence."""

from itertools import pairwise

import pytest
from support.fake_nvml import GPUS
from support.nvml_rig import Rig

from green_callbacks.errors import SourceUnavailableError
from green_callbacks.records import Reading


def reading(rig: Rig) -> Reading:
    return rig.source.read()[GPUS[0]]


SENSORS = ["", "counter 0", "counter 0\nsamples 0.02 120", "counter 0\narch 9\npower 0.1 0.025\naverage 0.1 1"]


@pytest.mark.parametrize("sensor", SENSORS)
def test_while_a_gpu_does_not_answer_its_reading_says_so_and_for_how_long(rig: Rig, sensor: str):
    rig.open(f"gpu\ntrace constant 300\n{sensor}\nlost 5 8")
    rig.run(4.9 - rig.nvml.seconds())
    before = reading(rig)
    assert (before.reason, before.gap_seconds) == (None, 0.0)
    rig.nvml.advance(1.0)
    silent = reading(rig)
    assert silent.reason is not None
    assert silent.gap_seconds == pytest.approx(1.0, abs=0.45)
    assert silent.joules is not None
    assert silent.joules >= (before.joules or 0.0) - 150  # what it last showed, and no estimate
    rig.nvml.advance(1.0)
    longer = reading(rig)
    assert longer.gap_seconds == pytest.approx(silent.gap_seconds + 1.0, abs=1e-6)
    assert longer.joules == silent.joules


def test_a_counter_that_counted_on_takes_its_gap_back(rig: Rig):
    rig.open("gpu\ntrace constant 300\nlost 5 8")
    rig.run(4.9 - rig.nvml.seconds())
    before = reading(rig)
    rig.nvml.advance(2.0)
    assert reading(rig).gap_seconds > 1.0
    rig.nvml.advance(2.0)
    after = reading(rig)
    assert (after.reason, after.gap_seconds) == (None, 0.0)
    assert (after.joules or 0.0) - (before.joules or 0.0) == pytest.approx(1200, abs=30)


@pytest.mark.parametrize("code", [15, 999])
@pytest.mark.parametrize("sensor", SENSORS)
def test_every_epoch_of_a_gpu_that_answers_now_and_then_is_right_or_says_so(rig: Rig, sensor: str, code: int):
    kind = "flaky 0.3" if code == 999 else "flaky 0.3 15"
    for _ in range(30):
        try:
            rig.open(f"gpu\ntrace constant 300\n{sensor}\n{kind}")
        except SourceUnavailableError:
            continue
        break
    readings = []
    for _ in range(60):
        rig.run(1.0)
        readings.append((rig.nvml.seconds(), reading(rig)))
    for (begun, first), (ended, last) in pairwise(readings):
        assert first.joules is not None
        assert last.joules is not None
        joules = last.joules - first.joules
        if first.reason is None and last.reason is None:
            gap_seconds = max(0.0, last.gap_seconds - first.gap_seconds)
            assert joules == pytest.approx(300 * (ended - begun - gap_seconds), abs=45)
        elif first.reason is not None and last.reason is None:  # it may hold what the epoch before lacks
            assert last.gap_seconds < first.gap_seconds or joules <= 300 * (ended - begun) + 45


def test_one_call_that_fails_is_made_again_and_nothing_is_lost(rig: Rig):
    rig.open("gpu\ntrace constant 300\nonce nvmlDeviceGetTotalEnergyConsumption 15")
    rig.run(2.0)
    assert reading(rig).reason is None


def test_a_gpu_that_is_lost_now_and_then_is_warned_of_once(rig: Rig, caplog: pytest.LogCaptureFixture):
    rig.open("gpu\n" + "".join(f"error nvmlDeviceGetTotalEnergyConsumption 15 {t} {t + 0.5}\n" for t in range(3, 13)))
    rig.run(15.0)
    assert len(caplog.records) == 1


def test_what_is_lost_and_back_within_an_epoch_is_right(rig: Rig):
    rig.open("gpu\ntrace square 80 400 1\nlost 3.2 3.7")
    rig.run(3.0 - rig.nvml.seconds())
    begun, first = rig.nvml.seconds(), reading(rig)
    rig.run(1.0)
    last = reading(rig)
    truth = rig.nvml.energy_joules(0, rig.nvml.seconds()) - rig.nvml.energy_joules(0, begun)
    assert (first.reason, last.reason) == (None, None)
    assert (last.joules or 0.0) - (first.joules or 0.0) == pytest.approx(truth, abs=12)
    assert last.gap_seconds == 0.0
