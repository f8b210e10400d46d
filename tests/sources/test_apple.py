import copy
from collections.abc import Callable, Iterator

import pytest
from support.fake_apple import FakeApple, Installed

from green_callbacks.clock import ScriptedClock
from green_callbacks.errors import SourceUnavailableError
from green_callbacks.sources import AppleSiliconSource


@pytest.fixture
def clock():
    return ScriptedClock()


@pytest.fixture
def chip(clock: ScriptedClock):
    return FakeApple(clock)


@pytest.fixture
def mac(chip: FakeApple) -> Iterator[Callable[..., None]]:
    macs = []

    def install(**options: bool) -> None:
        macs.append(Installed(chip, **options))

    yield install
    for each in macs:
        each.remove()


@pytest.fixture
def source(mac: Callable[..., None], clock: ScriptedClock):
    mac()
    source = AppleSiliconSource(clock=clock)
    source.open()
    return source


def test_each_part_of_the_chip_is_a_device_of_its_own(source: AppleSiliconSource, clock: ScriptedClock):
    clock.advance(100)
    readings = source.read()
    joules = {name: reading.joules for name, reading in readings.items()}
    assert joules == pytest.approx({"cpu:apple": 1200, "gpu:apple": 3000, "dram:apple": 200, "ane:apple": 0})
    assert [reading.component for reading in readings.values()] == ["cpu", "gpu", "dram", "ane"]


def test_what_apple_estimates_is_labeled_as_modelled(source: AppleSiliconSource):
    assert {(reading.method, reading.tolerance) for reading in source.read().values()} == {("modelled", 0.40)}


def test_what_the_chip_does_not_tell_is_absent_and_not_zero(
    mac: Callable[..., None], chip: FakeApple, clock: ScriptedClock
):
    mac()
    del chip.watts["ane_mj"]
    chip.watts["dram_mj"] = chip.start_mj["dram_mj"] = 0
    source = AppleSiliconSource(clock=clock)
    source.open()
    assert list(source.read()) == ["cpu:apple", "gpu:apple"]


def test_a_counter_that_falls_is_a_gap_and_no_energy(source: AppleSiliconSource, chip: FakeApple, clock: ScriptedClock):
    clock.advance(10)
    source.read()
    clock.advance(5)
    chip.start_mj["gpu_mj"] = 1_000
    readings = source.read()
    reading = readings["gpu:apple"]
    assert (reading.joules, reading.gap_seconds, reading.flags) == (pytest.approx(300), 5, ("reset",))
    assert readings["cpu:apple"].flags == ()
    clock.advance(1)
    assert source.read()["gpu:apple"].joules == pytest.approx(330)


def test_a_chip_that_is_not_told_of_keeps_what_it_had_and_comes_back(
    source: AppleSiliconSource, chip: FakeApple, clock: ScriptedClock, caplog: pytest.LogCaptureFixture
):
    clock.advance(10)
    source.read()
    chip.failure = RuntimeError("Failed to convert CFString to std::string")
    for _ in range(3):
        clock.advance(10)
        reading = source.read()["gpu:apple"]
    assert (reading.joules, reading.gap_seconds) == (pytest.approx(300), 30)
    assert "CFString" in reading.reason
    assert len(caplog.records) == 4
    chip.failure = None
    reading = source.read()["gpu:apple"]
    assert (reading.joules, reading.gap_seconds, reading.reason) == (pytest.approx(1200), 0, None)


def test_a_part_that_is_no_longer_told_of_is_a_gap(source: AppleSiliconSource, chip: FakeApple, clock: ScriptedClock):
    del chip.watts["dram_mj"]
    clock.advance(10)
    readings = source.read()
    assert readings["dram:apple"].gap_seconds == 10
    assert readings["dram:apple"].reason
    assert readings["cpu:apple"].reason is None


def test_every_copy_opens_a_monitor_of_its_own(source: AppleSiliconSource, chip: FakeApple):
    twin = copy.deepcopy(source)
    assert twin.read() == {}
    twin.open()
    assert chip.monitors == 2


def test_other_machines_are_told_what_it_takes(clock: ScriptedClock):
    with pytest.raises(SourceUnavailableError, match="not a Mac with Apple Silicon"):
        AppleSiliconSource(clock=clock).open()


def test_without_the_library_it_says_how_to_install_it(mac: Callable[..., None]):
    mac(library=False)
    with pytest.raises(SourceUnavailableError, match=r'`pip install "green-callbacks\[apple\]"`'):
        AppleSiliconSource().open()


def test_a_chip_that_is_not_known_yet_is_refused_in_a_sentence(mac: Callable[..., None], chip: FakeApple):
    mac()
    chip.refusal = RuntimeError("Failed to create IOReport subscription.")
    with pytest.raises(SourceUnavailableError, match=r"IOReport subscription\.\)\. Try a later zeus-apple-silicon"):
        AppleSiliconSource().open()
    chip.refusal = None
    chip.watts.clear()
    with pytest.raises(SourceUnavailableError, match="nothing is reported"):
        AppleSiliconSource().open()


def test_a_leap_that_no_chip_could_use_is_a_gap(source: AppleSiliconSource, chip: FakeApple, clock: ScriptedClock):
    clock.advance(10)
    source.read()
    chip.start_mj["gpu_mj"] += 10**9
    clock.advance(1)
    reading = source.read()["gpu:apple"]
    assert (reading.joules, reading.gap_seconds, reading.flags) == (pytest.approx(300), 1, ("counter_implausible",))


def test_processors_that_stand_still_are_a_gap_and_graphics_may_be_off(
    source: AppleSiliconSource, chip: FakeApple, clock: ScriptedClock, caplog: pytest.LogCaptureFixture
):
    clock.advance(10)
    source.read()
    for part in ("cpu", "gpu"):
        field = {"cpu": "cpu_total_mj", "gpu": "gpu_mj"}[part]
        chip.start_mj[field] += int(chip.watts[field] * clock.monotonic() * 1000)
        chip.watts[field] = 0
    for _ in range(3):
        clock.advance(source.poll_seconds)
        source.poll()
    readings = source.read()
    assert (readings["cpu:apple"].gap_seconds, readings["cpu:apple"].flags) == (3, ("counter_frozen",))
    assert (readings["gpu:apple"].gap_seconds, readings["gpu:apple"].reason) == (0, None)
    (warning,) = caplog.records
    assert "The energy counter of cpu:apple stands still" in warning.getMessage()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "many", True, -5.0])
def test_what_is_no_energy_is_a_gap(source: AppleSiliconSource, chip: FakeApple, clock: ScriptedClock, value: object):
    clock.advance(10)
    before = source.read()["gpu:apple"].joules
    monitor = source._live.state.monitor
    whole = monitor.get_cumulative_energy

    def odd():
        told = whole()
        told.gpu_mj = value
        return told

    monitor.get_cumulative_energy = odd
    clock.advance(5)
    reading = source.read()["gpu:apple"]
    assert (reading.joules, reading.gap_seconds) == (before, 5)
    assert reading.reason
