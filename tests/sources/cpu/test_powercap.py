import os
import shutil
import sys
import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from support.sensors import AMD_RANGE_MICROJOULES, INTEL_RANGE_MICROJOULES, RaplTree, as_nobody

from green_callbacks.clock import ScriptedClock
from green_callbacks.errors import ConfigurationError, SourceUnavailableError
from green_callbacks.sources import EnergySource, PowercapSource
from green_callbacks.sources.cpu import time_share as _cpu_share
from green_callbacks.sources.job import allotment as _allotment

PACKAGE = "intel-rapl:0"


@pytest.fixture(autouse=True)
def whole_host(monkeypatch: pytest.MonkeyPatch):
    """All processors are this job's, whatever the tests run in."""
    bound = len(psutil.Process().cpu_affinity()) if hasattr(psutil.Process, "cpu_affinity") else psutil.cpu_count()
    monkeypatch.setattr(psutil, "cpu_count", lambda logical=True: bound)
    monkeypatch.setattr(_allotment, "quota", lambda: None)
    for name in ("SLURM_JOB_CPUS_PER_NODE", "SLURM_CPUS_ON_NODE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def clock():
    return ScriptedClock()


@pytest.fixture
def tree(tmp_path: Path):
    return RaplTree(tmp_path / "powercap")


@pytest.fixture
def one_socket(tree: RaplTree):
    tree.add(PACKAGE, "package-0")
    return tree


def opened(tree: RaplTree, clock: ScriptedClock):
    source = PowercapSource(tree.root, clock=clock)
    source.open()
    return source


def joules(source: EnergySource):
    return {name: reading.joules for name, reading in source.read().items()}


def server(tree: RaplTree, *, nested: bool):
    """Two sockets with all that Intel shows of them."""
    for socket in "01":
        top = f"intel-rapl:{socket}"
        tree.add(top, f"package-{socket}", inside="intel-rapl" if nested else None)
        for index, name in enumerate(["core", "uncore", "dram"]):
            tree.add(f"{top}:{index}", name, inside=top if nested else None)
        tree.add(f"intel-rapl-mmio:{socket}", f"package-{socket}", inside="intel-rapl-mmio" if nested else None)
    tree.add("intel-rapl:2", "psys", inside="intel-rapl" if nested else None)


@pytest.mark.parametrize("layout", ["flat", "nested"])
def test_packages_and_memory_are_added_up_and_nothing_twice(tree: RaplTree, clock: ScriptedClock, layout: str):
    server(tree, nested=layout == "nested")
    assert set(joules(opened(tree, clock))) == {"cpu:package-0", "dram:package-0", "cpu:package-1", "dram:package-1"}


def test_reads_joules_since_the_opening_by_component(tree: RaplTree, clock: ScriptedClock):
    server(tree, nested=False)
    source = opened(tree, clock)
    tree.use("intel-rapl:0", 120)
    tree.use("intel-rapl:0:2", 7.5)
    tree.use("intel-rapl:2", 999)
    readings = source.read()
    assert readings["cpu:package-0"].joules == pytest.approx(120, rel=1e-12)
    assert readings["dram:package-0"].joules == pytest.approx(7.5, rel=1e-12)
    assert readings["cpu:package-1"].joules == 0
    assert {reading.component for reading in readings.values()} == {"cpu", "dram"}
    assert {reading.method for reading in readings.values()} == {"counter"}


def test_the_tree_as_the_kernel_links_it(tree: RaplTree, clock: ScriptedClock):
    """In sysfs the class folder holds links into the nested tree, and every zone links back to the class."""
    devices = RaplTree(tree.root.parent / "devices")
    devices.add(PACKAGE, "package-0", inside="intel-rapl")
    devices.add(f"{PACKAGE}:0", "dram", inside=PACKAGE)
    tree.root.mkdir()
    for folder in (devices.counter(PACKAGE).parent, devices.counter(f"{PACKAGE}:0").parent):
        (tree.root / folder.name).symlink_to(folder)
        (folder / "subsystem").symlink_to(tree.root)
    (tree.root / "intel-rapl").symlink_to(devices.root / "intel-rapl")
    assert set(joules(opened(tree, clock))) == {"cpu:package-0", "dram:package-0"}


def test_a_second_interface_counts_where_the_first_is_missing(tree: RaplTree, clock: ScriptedClock):
    tree.add("intel-rapl-mmio:0", "package-0")
    assert set(joules(opened(tree, clock))) == {"cpu:package-0"}


def test_dies_that_mirror_one_counter_count_once(tree: RaplTree, clock: ScriptedClock):
    for die in "01":
        tree.add(f"intel-rapl:{die}", f"package-0-die-{die}", microjoules=68_000_000)
    assert set(joules(opened(tree, clock))) == {"cpu:package-0-die-0"}


def test_dies_with_counters_of_their_own_all_count(tree: RaplTree, clock: ScriptedClock):
    tree.add("intel-rapl:0", "package-0-die-0", microjoules=68_000_000)
    tree.add("intel-rapl:1", "package-0-die-1", microjoules=67_000_000)
    assert len(joules(opened(tree, clock))) == 2


def test_sockets_are_not_mirrors_even_if_they_show_the_same(tree: RaplTree, clock: ScriptedClock):
    for socket in "01":
        tree.add(f"intel-rapl:{socket}", f"package-{socket}", microjoules=68_000_000)
    assert len(joules(opened(tree, clock))) == 2


def test_counters_that_stand_at_zero_are_not_mirrors(tree: RaplTree, clock: ScriptedClock):
    for die in "01":
        tree.add(f"intel-rapl:{die}", f"package-0-die-{die}", microjoules=0)
    assert len(joules(opened(tree, clock))) == 2


def test_two_zones_of_one_name_keep_apart(tree: RaplTree, clock: ScriptedClock):
    tree.add("intel-rapl:0", "package-0", microjoules=5_000_000)
    tree.add("intel-rapl:1", "package-0", microjoules=9_000_000)
    assert set(joules(opened(tree, clock))) == {"cpu:package-0", "cpu:package-0@intel-rapl:1"}


def test_memory_without_its_package_is_left_out(tree: RaplTree, clock: ScriptedClock):
    tree.add(PACKAGE, "package-0")
    tree.add("intel-rapl:7:0", "dram")
    assert set(joules(opened(tree, clock))) == {"cpu:package-0"}


@pytest.mark.no_cover
def test_a_lap_of_many_wraps_is_exact_when_polled(tree: RaplTree, clock: ScriptedClock):
    tree.add(PACKAGE, "package-0", microjoules=60_000_000_000, range_microjoules=AMD_RANGE_MICROJOULES)
    source = opened(tree, clock)
    seconds = 0.0
    while seconds < 3600:
        clock.advance(source.poll_seconds)
        seconds += source.poll_seconds
        tree.use(PACKAGE, 240 * source.poll_seconds, range_microjoules=AMD_RANGE_MICROJOULES)
        source.poll()
    reading = source.read()["cpu:package-0"]
    assert reading.joules == pytest.approx(240 * seconds, rel=1e-9)
    assert reading.joules > 10 * AMD_RANGE_MICROJOULES / 1e6
    assert (reading.flags, reading.gap_seconds) == ((), 0.0)


@pytest.mark.parametrize(
    ("range_microjoules", "largest_watts"),
    [(AMD_RANGE_MICROJOULES, 1000), (INTEL_RANGE_MICROJOULES, 1400), (None, 1000)],
)
def test_polls_at_least_three_times_per_wrap_and_twice_a_second(
    tree: RaplTree, clock: ScriptedClock, range_microjoules: int | None, largest_watts: float
):
    tree.add(PACKAGE, "package-0", range_microjoules=range_microjoules)
    wrap_seconds = (range_microjoules or AMD_RANGE_MICROJOULES) / 1e6 / largest_watts
    assert 0.1 <= opened(tree, clock).poll_seconds <= min(0.5, wrap_seconds / 3)


def test_a_fall_without_a_known_range_is_a_reset_not_a_wrap(tree: RaplTree, clock: ScriptedClock):
    tree.add(PACKAGE, "package-0", microjoules=900_000_000, range_microjoules=None)
    source = opened(tree, clock)
    tree.show(PACKAGE, 950_000_000)
    clock.advance(10)
    source.poll()
    tree.show(PACKAGE, 1_000_000)
    clock.advance(10)
    reading = source.read()["cpu:package-0"]
    assert (reading.joules, reading.gap_seconds, reading.flags, reading.reason) == (50.0, 10.0, ("reset",), None)
    tree.show(PACKAGE, 3_000_000)
    clock.advance(10)
    assert source.read()["cpu:package-0"].joules == pytest.approx(52.0)


def test_a_counter_beyond_its_range_is_refused(tree: RaplTree, clock: ScriptedClock):
    tree.add(PACKAGE, "package-0", microjoules=9_000_000, range_microjoules=5_000_000)
    with pytest.raises(SourceUnavailableError, match="beyond its range"):
        opened(tree, clock)


def test_a_machine_that_slept_began_anew(one_socket: RaplTree):
    class SleepingClock(ScriptedClock):
        asleep = timedelta()

        def now(self) -> datetime:
            return super().now() + self.asleep

    clock = SleepingClock()
    one_socket.show(PACKAGE, 100_000_000)
    source = opened(one_socket, clock)
    clock.advance(5)
    clock.asleep = timedelta(hours=8)
    one_socket.show(PACKAGE, 2_000_000)
    reading = source.read()["cpu:package-0"]
    assert (reading.joules, reading.gap_seconds, reading.flags) == (0.0, 5.0, ("reset",))


def test_missed_polls_are_flagged_because_wraps_may_have_been_missed_too(one_socket: RaplTree, clock: ScriptedClock):
    source = opened(one_socket, clock)
    one_socket.use(PACKAGE, 1000)
    clock.advance(3600)
    reading = source.read()["cpu:package-0"]
    assert reading.joules == pytest.approx(1000)
    assert reading.flags == ("wraps_unseen",)


def test_no_tree_says_what_it_takes(tree: RaplTree, clock: ScriptedClock):
    with pytest.raises(SourceUnavailableError, match="modprobe intel_rapl_msr"):
        opened(tree, clock)


def test_a_tree_without_packages_is_as_good_as_none(tree: RaplTree, clock: ScriptedClock):
    tree.add("intel-rapl:0", "psys")
    with pytest.raises(SourceUnavailableError, match="There is no RAPL counter"):
        opened(tree, clock)


def test_refused_permission_names_the_exact_remedy(clock: ScriptedClock):
    with tempfile.TemporaryDirectory() as folder:
        tree = RaplTree(Path(folder))
        tree.root.chmod(0o755)
        server(tree, nested=False)
        for counter in tree.root.glob("*/energy_uj"):
            counter.chmod(0o400 if counter.stat().st_uid == 0 else 0)
        with as_nobody(), pytest.raises(SourceUnavailableError) as refusal:
            opened(tree, clock)
    assert f"`sudo chmod -R a+r {tree.root}/intel-rapl`" in str(refusal.value)
    assert isinstance(refusal.value.__cause__, PermissionError)


def test_counters_that_cannot_be_read_for_another_reason(one_socket: RaplTree, clock: ScriptedClock):
    one_socket.counter(PACKAGE).unlink()
    with pytest.raises(SourceUnavailableError, match="cannot be read"):
        opened(one_socket, clock)


def test_a_zone_that_never_answers_has_no_joules_and_the_others_go_on(tree: RaplTree, clock: ScriptedClock):
    server(tree, nested=False)
    tree.counter("intel-rapl:1").write_text("", encoding="ascii")
    source = opened(tree, clock)
    clock.advance(5)
    tree.use("intel-rapl:0", 10)
    readings = source.read()
    assert (readings["cpu:package-1"].joules, readings["cpu:package-1"].gap_seconds) == (None, 5.0)
    assert readings["cpu:package-1"].reason is not None
    assert readings["cpu:package-0"].joules == pytest.approx(10)
    clock.advance(5)
    tree.show("intel-rapl:1", 77_000_000)
    late = source.read()["cpu:package-1"]
    assert (late.joules, late.gap_seconds, late.reason) == (0.0, 10.0, None)


def lose_for(source: EnergySource, tree: RaplTree, clock: ScriptedClock, seconds: float):
    hidden = tree.root.with_name("hidden")
    shutil.move(tree.root, hidden)
    clock.advance(seconds)
    lost = source.read()["cpu:package-0"]
    shutil.move(hidden, tree.root)
    return lost


def test_a_zone_that_vanishes_keeps_what_it_had_and_catches_up(one_socket: RaplTree, clock: ScriptedClock):
    source = opened(one_socket, clock)
    one_socket.use(PACKAGE, 100)
    clock.advance(10)
    source.poll()
    lost = lose_for(source, one_socket, clock, 20)
    assert (lost.joules, lost.gap_seconds) == (pytest.approx(100), 20.0)
    assert str(one_socket.counter(PACKAGE)) in lost.reason
    one_socket.use(PACKAGE, 60)
    clock.advance(5)
    back = source.read()["cpu:package-0"]
    assert (back.joules, back.gap_seconds, back.reason) == (pytest.approx(160), 0.0, None)


def test_a_zone_lost_for_longer_than_a_wrap_leaves_a_gap(one_socket: RaplTree, clock: ScriptedClock):
    source = opened(one_socket, clock)
    one_socket.use(PACKAGE, 100)
    source.poll()
    lose_for(source, one_socket, clock, 3600)
    one_socket.use(PACKAGE, 500)
    back = source.read()["cpu:package-0"]
    assert (back.joules, back.gap_seconds, back.reason) == (pytest.approx(100), 3600.0, None)


@pytest.fixture
def part_of_host(monkeypatch: pytest.MonkeyPatch):
    """A host of four processors, of which Slurm gave one to this job."""
    monkeypatch.setattr(psutil, "cpu_count", lambda logical=True: 4)
    monkeypatch.setenv("SLURM_JOB_CPUS_PER_NODE", "1")
    return monkeypatch


def test_on_a_host_of_its_own_nothing_is_flagged(one_socket: RaplTree, clock: ScriptedClock):
    assert opened(one_socket, clock).read()["cpu:package-0"].flags == ()


def test_a_part_of_a_host_measures_it_all_and_says_so(
    tree: RaplTree, clock: ScriptedClock, part_of_host: pytest.MonkeyPatch
):
    server(tree, nested=False)
    source = opened(tree, clock)
    tree.use("intel-rapl:0", 100)
    readings = source.read()
    assert {reading.flags for reading in readings.values()} == {("shared_host",)}
    assert {(reading.method, reading.tolerance) for reading in readings.values()} == {("counter", 0.0)}
    assert readings["cpu:package-0"].joules == pytest.approx(100)


def test_a_share_by_cpu_time_is_modelled_flagged_and_ours(
    tree: RaplTree, clock: ScriptedClock, part_of_host: pytest.MonkeyPatch, tmp_path: Path
):
    usage, host_seconds = tmp_path / "cpuacct.usage", 0.0
    usage.write_text("0", encoding="ascii")
    part_of_host.setattr(_cpu_share, "job_usage", lambda: usage)
    part_of_host.setattr(psutil, "cpu_times", lambda: SimpleNamespace(user=host_seconds))
    server(tree, nested=False)
    source = PowercapSource(tree.root, share="cpu_time", clock=clock)
    source.open()
    clock.advance(10)
    usage.write_text("5000000000", encoding="ascii")
    host_seconds = 20.0
    for socket in "01":
        tree.use(f"intel-rapl:{socket}", 100)
        tree.use(f"intel-rapl:{socket}:2", 10)
    source.poll()
    readings = source.read()
    share = (0.2 * 1 / 4 + 0.8 * 5 / 40) / (0.2 + 0.8 * 20 / 40)
    group = f"group-{tmp_path.stat().st_ino}"
    assert readings[f"cpu:package-0@{group}"].joules == pytest.approx(100 * share)
    assert readings[f"dram:package-0@{group}"].joules == pytest.approx(10 * share)
    assert source.describe().keys() == {f"cpu:package-{socket}@{group}" for socket in "01"}
    assert {(reading.method, reading.tolerance, reading.flags) for reading in readings.values()} == {
        ("modelled", 0.40, ("shared_host",))
    }


def test_an_edge_takes_the_share_as_the_worker_last_saw_it(
    one_socket: RaplTree, clock: ScriptedClock, part_of_host: pytest.MonkeyPatch
):
    source = PowercapSource(one_socket.root, share="cpu_time", clock=clock)
    source.open()
    assert source.poll_seconds <= 5
    part_of_host.setattr(psutil, "cpu_times", None)  # an edge that asked for the times would fail
    clock.advance(10)
    one_socket.use(PACKAGE, 100)
    (reading,) = source.read().values()
    assert reading.joules == pytest.approx(25)


def test_a_share_on_a_host_of_ones_own_is_all_of_it(one_socket: RaplTree, clock: ScriptedClock):
    source = PowercapSource(one_socket.root, share="cpu_time", clock=clock)
    source.open()
    one_socket.use(PACKAGE, 100)
    (reading,) = source.read().values()
    assert reading.joules == pytest.approx(100)


def test_a_share_without_a_group_is_this_process_s(
    one_socket: RaplTree, clock: ScriptedClock, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(_cpu_share, "job_usage", lambda: None)
    source = PowercapSource(one_socket.root, share="cpu_time", clock=clock)
    source.open()
    assert list(source.read()) == [f"cpu:package-0@process-{os.getpid()}"]


def test_a_share_that_nobody_can_tell_is_refused(
    one_socket: RaplTree, clock: ScriptedClock, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "psutil", None)
    assert opened(one_socket, clock).read()["cpu:package-0"].flags == ()
    with pytest.raises(SourceUnavailableError, match="Leave share= out"):
        PowercapSource(one_socket.root, share="cpu_time", clock=clock).open()


def test_there_is_one_way_to_share(one_socket: RaplTree):
    with pytest.raises(ConfigurationError, match="cpu_time"):
        PowercapSource(one_socket.root, share="memory")
