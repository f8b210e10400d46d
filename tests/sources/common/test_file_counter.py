import logging
import os
from itertools import pairwise
from pathlib import Path

import pytest
from support.sensors import DrmTree, RaplTree

from green_callbacks.clock import ScriptedClock
from green_callbacks.errors import SourceUnavailableError
from green_callbacks.meter import EnergyMeter, energy_between
from green_callbacks.sources import EnergySource, IntelGpuSource, PowercapSource

PACKAGE = "intel-rapl:0"
HOSTILE = [
    b"-5",
    b"1" + b"0" * 30,
    b"many",
    b"",
    b"\x00\xff\xfe",
    b"1e9",
    b"1_000",
    b"0x10",
    b"12 34",
    b"nan",
    b"\xd9\xa1",
]


class Package:
    """A processor package whose counter moves when told, on a clock that does too."""

    def __init__(self, folder: Path) -> None:
        self.clock = ScriptedClock()
        self.tree = RaplTree(folder / "powercap")
        self.tree.add(PACKAGE, "package-0")
        self.source = PowercapSource(self.tree.root, clock=self.clock)
        self.source.open()

    @property
    def counter(self) -> Path:
        return self.tree.counter(PACKAGE)

    def run(self, seconds: float, watts: float) -> None:
        """Let time pass at a power, polled as the worker would."""
        steps = round(seconds / 0.5)
        for _ in range(steps):
            self.clock.advance(0.5)
            if watts:
                self.tree.use(PACKAGE, 0.5 * watts)
            self.source.poll()

    def read(self):
        return self.source.read()["cpu:package-0"]


@pytest.fixture
def package(tmp_path: Path):
    return Package(tmp_path)


def test_a_counter_that_restarts_is_a_reset_and_no_wrap(package: Package):
    package.run(10, 60)
    package.clock.advance(0.5)
    package.tree.show(PACKAGE, 0)
    reading = package.read()
    assert (reading.joules, reading.gap_seconds, reading.flags) == (pytest.approx(600), 0.5, ("reset",))
    package.run(10, 60)
    assert package.read().joules == pytest.approx(1200)


def test_a_wrap_that_the_device_could_reach_is_exact(tmp_path: Path):
    package = Package(tmp_path)
    package.tree.show(PACKAGE, 262_143_000_000)
    package.source.close()
    package.source.open()
    package.run(10, 60)
    assert (package.read().joules, package.read().flags) == (pytest.approx(600), ())


def test_a_leap_that_no_device_could_reach_is_a_gap_and_no_energy(package: Package):
    package.run(10, 60)
    package.clock.advance(0.5)
    package.tree.use(PACKAGE, 100_000)
    reading = package.read()
    assert (reading.joules, reading.gap_seconds) == (pytest.approx(600), 0.5)
    assert reading.flags == ("counter_implausible",)
    package.run(10, 60)
    assert (package.read().joules, package.read().gap_seconds) == (pytest.approx(1200), 0.5)


@pytest.mark.parametrize("content", HOSTILE)
def test_what_is_no_energy_is_refused_and_what_was_missed_comes_back(package: Package, content: bytes):
    package.run(10, 60)
    shown = package.counter.read_bytes()
    package.counter.write_bytes(content)
    package.clock.advance(0.5)
    lost = package.read()
    assert (lost.joules, lost.gap_seconds) == (pytest.approx(600), 0.5)
    assert lost.reason is not None
    package.counter.write_bytes(shown)
    package.run(10, 60)
    assert package.read().joules == pytest.approx(1200)


@pytest.mark.parametrize("content", HOSTILE)
def test_a_counter_that_holds_no_energy_is_not_opened(tmp_path: Path, content: bytes):
    tree = RaplTree(tmp_path / "powercap")
    tree.add(PACKAGE, "package-0")
    tree.counter(PACKAGE).write_bytes(content)
    with pytest.raises(SourceUnavailableError):
        PowercapSource(tree.root).open()


def test_a_pipe_in_the_place_of_a_counter_is_never_waited_for(package: Package):
    package.counter.unlink()
    os.mkfifo(package.counter)
    package.clock.advance(1)
    assert "no regular file" in package.read().reason


@pytest.mark.parametrize("name", ["name", "max_energy_range_uj", "energy_uj"])
def test_a_tree_of_pipes_is_never_waited_for(tmp_path: Path, name: str):
    tree = RaplTree(tmp_path / "powercap")
    tree.add(PACKAGE, "package-0")
    file = tree.counter(PACKAGE).with_name(name)
    file.unlink()
    os.mkfifo(file)
    source = PowercapSource(tree.root)
    if name == "max_energy_range_uj":
        source.open()
        assert source.read()
        source.close()
    else:
        with pytest.raises(SourceUnavailableError):
            source.open()


def test_an_endless_file_is_read_to_a_page_only(package: Package):
    with package.counter.open("wb") as file:
        file.truncate(1 << 34)  # sparse: reading it whole would take 16 GiB
    package.clock.advance(1)
    assert package.read().reason is not None


class TestStandingStill:
    def test_is_a_gap_in_the_epoch_where_it_stands_still(self, package: Package):
        package.run(10, 60)
        first = package.read()
        package.run(1, 0)
        last = package.read()
        assert last.joules - first.joules == 0
        assert last.gap_seconds - first.gap_seconds == pytest.approx(1.0)
        assert last.reason == "its energy counter stands still"
        assert (last.flags, last.method) == (("counter_frozen",), "counter")

    def test_between_two_edges_without_a_poll_it_is_noticed_too(self, package: Package):
        package.run(10, 60)
        package.clock.advance(1)
        assert package.read().gap_seconds == pytest.approx(1.0)

    def test_from_the_opening_on_nothing_is_measured(self, package: Package):
        package.run(20, 0)
        assert package.read().gap_seconds == pytest.approx(20)

    def test_is_noticed_at_the_second_poll(self, package: Package):
        package.run(10, 60)
        assert package.source.poll_seconds <= 0.5
        package.run(2 * package.source.poll_seconds, 0)
        assert package.read().reason is not None

    def test_is_one_warning_with_the_remedy(self, package: Package, caplog: pytest.LogCaptureFixture):
        package.run(10, 60)
        with caplog.at_level(logging.WARNING):
            package.run(60, 0)
        (warning,) = caplog.records
        assert "stands still" in warning.getMessage()
        assert "CpuModelSource()" in warning.getMessage()

    def test_that_ends_leaves_its_gap_where_nothing_was_counted_meanwhile(self, package: Package):
        package.run(10, 60)
        package.run(5, 0)
        package.run(10, 60)
        reading = package.read()
        assert reading.joules == pytest.approx(1200, abs=30)
        assert reading.gap_seconds == pytest.approx(5.5)
        assert reading.flags == ("counter_frozen",)

    def test_that_ends_closes_its_gap_where_the_counter_went_on(self, package: Package):
        package.run(10, 60)
        package.run(5, 0)
        package.tree.use(PACKAGE, 5 * 60)
        package.run(5, 60)
        reading = package.read()
        assert (reading.joules, reading.gap_seconds) == (pytest.approx(1200), 0.0)
        assert (reading.flags, reading.reason) == ((), None)

    def test_for_less_is_covered_by_the_bounds(self, package: Package):
        package.run(10, 60)
        package.clock.advance(0.3)
        reading = package.read()
        assert (reading.reason, reading.joules) == (None, pytest.approx(600))
        assert reading.joules + reading.above_joules >= 618 - 1e-6

    def test_of_a_counter_that_refreshes_once_a_second_is_learned(self, package: Package):
        """As hypervisors emulate it."""
        for _ in range(20):
            package.run(0.5, 0)
            package.clock.advance(0.5)
            package.tree.use(PACKAGE, 60)
            package.source.poll()
        before = package.read()
        package.run(0.5, 0)
        reading = package.read()
        assert reading.reason is None
        assert reading.joules <= before.joules + 30 <= reading.joules + reading.above_joules

    def test_of_a_counter_that_is_slow_from_the_opening_on_loses_nothing(self, package: Package):
        for _ in range(5):
            package.run(0.5, 0)
            package.clock.advance(0.5)
            package.tree.use(PACKAGE, 60)
            package.source.poll()
        assert (package.read().joules, package.read().gap_seconds) == (pytest.approx(300), 0.0)
        assert package.read().flags == ()

    def test_of_a_counter_that_is_slower_than_any_is_a_gap_that_closes(self, package: Package):
        package.run(3, 0)
        package.tree.use(PACKAGE, 3 * 60)
        package.run(0.5, 0)
        for watts in (200, 200, 60, 60):
            package.run(3, 0)
            assert package.read().reason is not None
            package.tree.use(PACKAGE, 3.5 * watts)
            package.run(0.5, 0)
            assert package.read().reason is None
        assert package.read().joules == pytest.approx(3.5 * (200 + 200 + 60))  # of the fall too little was shown

    def test_of_memory_may_last_for_some_seconds(self, tmp_path: Path):
        clock, tree = ScriptedClock(), RaplTree(tmp_path / "powercap")
        tree.add(PACKAGE, "package-0")
        tree.add(f"{PACKAGE}:0", "dram")
        source = PowercapSource(tree.root, clock=clock)
        source.open()
        for seconds in (4, 4):
            clock.advance(seconds)
            tree.use(f"{PACKAGE}:0", 1)
            assert source.read()["dram:package-0"].reason is None
        clock.advance(6)
        assert source.read()["dram:package-0"].reason is not None


class Card:
    """An Intel card, as a package."""

    def __init__(self, folder: Path) -> None:
        self.clock, self.tree = ScriptedClock(), DrmTree(folder / "drm")
        self.tree.add("card0", "0000:03:00.0")
        self.source: EnergySource = IntelGpuSource(root=self.tree.root, clock=self.clock)
        self.source.open()

    def step(self, joules: float):
        self.clock.advance(1)
        self.tree.use("card0", joules)
        return self.source.read()["gpu:0000:03:00.0"]


def test_cards_are_held_to_the_same(tmp_path: Path):
    card = Card(tmp_path)
    assert card.step(200).joules == pytest.approx(200)
    leap = card.step(1e6)
    assert (leap.joules, leap.gap_seconds, leap.flags) == (pytest.approx(200), 1.0, ("counter_implausible",))
    still = card.step(0)
    assert (still.joules, still.gap_seconds) == (pytest.approx(200), 2.0)
    assert "counter_frozen" in still.flags


def test_a_card_is_described_by_its_pci_identity(tmp_path: Path):
    card = Card(tmp_path)
    device = card.tree.root / "devices" / "0000:03:00.0"
    (device / "vendor").write_text("0x8086\n", encoding="ascii")
    (device / "device").write_text("0x56a0\n", encoding="ascii")
    (info,) = card.source.describe().values()
    assert info.product == "Intel graphics 0x8086:0x56a0"


def test_an_epoch_in_which_a_counter_stands_still_has_no_energy_and_not_zero(package: Package):
    meter = EnergyMeter([package.source], package.clock)
    meter.open()
    package.run(10, 60)
    edges = [meter.read()]
    for _ in range(3):
        package.run(1, 0)
        edges.append(meter.read())
    for first, last in pairwise(edges):
        (device,) = energy_between(first, last).values()
        assert (device.joules, device.method) == (None, "counter")
        assert device.gap_seconds == pytest.approx(1.0)
        assert "counter_frozen" in device.flags
    meter.close()
