"""What every source promises, whatever it reads."""

import contextlib
import copy
import functools
import gc
import os
import pickle
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Literal, get_args

import pytest
from support import fake_amdsmi, fake_apple
from support.fake_nvml import GPUS, loaded
from support.sensors import DrmTree, FileMeter, LiveClock, RaplTree

from green_callbacks.clock import Clock, ScriptedClock
from green_callbacks.records import Method
from green_callbacks.sources import (
    AmdSmiSource,
    AppleSiliconSource,
    CallableSource,
    CpuModelSource,
    DramModelSource,
    EnergySource,
    IntelGpuSource,
    NvmlSource,
    PlatformSource,
    PowercapSource,
    PowerSteps,
    ScriptedSource,
)


@dataclass(frozen=True)
class Case:
    """A source to be tested.

    Attributes:
        make: Makes the source, and its sensor in a folder that is there.
        lose: Takes the sensor away; None where that cannot be done from here.
        find: Brings it back.
        tidy: Puts back what others would see.
    """

    make: Callable[[Path, Clock], EnergySource]
    lose: Callable[[Path], None] | None = None
    find: Callable[[Path], None] | None = None
    tidy: Callable[[], None] = lambda: None


def feeding(file: Path, watts: float) -> Callable[[float], None]:
    """Let a counter of µJ move as time passes, wherever its folder is."""
    shown = int(file.read_text(encoding="ascii"))

    def use(seconds: float) -> None:
        nonlocal shown
        shown += round(watts * seconds * 1e6)
        for place in (file, HIDDEN.get(file, file)):
            if place.parent.is_dir():
                place.write_text(f"{shown}\n", encoding="ascii")

    return use


HIDDEN: dict[Path, Path] = {}
"""Where a counter is while its folder is hidden."""


def feed(folder: Path, name: str, clock: Clock, counters: list[Path], watts: float) -> None:
    for counter in counters:
        HIDDEN[counter] = folder / "hidden" / counter.relative_to(folder / name)
        if isinstance(clock, LiveClock):
            clock.users.append(feeding(counter, watts))


def powercap(folder: Path, clock: Clock, **options: str):
    tree = RaplTree(folder / "powercap")
    for socket in "01":
        tree.add(f"intel-rapl:{socket}", f"package-{socket}")
        tree.add(f"intel-rapl:{socket}:0", "dram")
    feed(folder, "powercap", clock, sorted(tree.root.rglob("energy_uj")), 60.0)
    return PowercapSource(tree.root, clock=clock, **options)


def nvml(sensor: str, share: Literal["sm_utilization"] | None = None) -> Callable[[Path, Clock], EnergySource]:
    def make(folder: Path, clock: Clock) -> EnergySource:
        loaded().script(f"gpu\n{sensor}\ngpu\n{sensor}")  # in real time
        return NvmlSource([name.removeprefix("gpu:") for name in GPUS[:2]], share=share)

    return make


def no_driver():
    loaded().script("init 9")


class Stage:
    """A library that stands in for the machine's while a source is tested."""

    def __init__(self) -> None:
        self.installed: list[fake_amdsmi.Installed | fake_apple.Installed] = []
        self.gpus: list[fake_amdsmi.FakeGpu] = []
        self.chip: fake_apple.FakeApple | None = None

    def amd(self, *, counter: bool) -> Callable[[Path, Clock], EnergySource]:
        def make(folder: Path, clock: Clock) -> EnergySource:
            follow = (lambda joules: joules) if counter else None
            self.gpus = [fake_amdsmi.FakeGpu(serial, 300.0, counter=follow) for serial in (0xA1, 0xB2)]
            self.installed.append(fake_amdsmi.Installed(fake_amdsmi.FakeAmdSmi(clock, *self.gpus)))
            return AmdSmiSource([f"GPU-{gpu.serial:016x}" for gpu in self.gpus], clock=clock)

        return make

    def apple(self, folder: Path, clock: Clock) -> EnergySource:
        self.chip = fake_apple.FakeApple(clock)
        self.installed.append(fake_apple.Installed(self.chip))
        return AppleSiliconSource(clock=clock)

    def hide(self, folder: Path) -> None:
        self._lose(lost=True)

    def show(self, folder: Path) -> None:
        self._lose(lost=False)

    def _lose(self, *, lost: bool) -> None:
        for gpu in self.gpus:
            gpu.lost = lost
        if self.chip is not None:
            self.chip.failure = RuntimeError("no sample") if lost else None

    def clear(self) -> None:
        while self.installed:
            self.installed.pop().remove()
        self.gpus, self.chip = [], None


STAGE = Stage()


def intel(folder: Path, clock: Clock):
    tree = DrmTree(folder / "drm")
    tree.add("card0", "0000:03:00.0")
    tree.add("card1", "0000:a3:00.0", "i915", labels=(None,))
    feed(folder, "drm", clock, [tree.counter("card0"), tree.counter("card1", "i915")], 90.0)
    return IntelGpuSource(root=tree.root, clock=clock)


def callable_of(unit: Literal["watts", "joules"]) -> Callable[[Path, Clock], EnergySource]:
    def make(folder: Path, clock: Clock) -> EnergySource:
        meter, hidden = folder / "meter", folder / "hidden"
        meter.write_text("100", encoding="ascii")
        if unit == "joules" and isinstance(clock, LiveClock):
            used = 100.0

            def use(seconds: float) -> None:
                nonlocal used
                used += 100.0 * seconds
                (meter if meter.exists() else hidden).write_text(str(used), encoding="ascii")

            clock.users.append(use)
        return CallableSource(FileMeter(folder / "meter"), unit=unit, clock=clock)

    return make


def hide(name: str):
    return lambda folder: shutil.move(folder / name, folder / "hidden")


def show(name: str):
    return lambda folder: shutil.move(folder / "hidden", folder / name)


def scripted(folder: Path, clock: ScriptedClock):
    devices = {"gpu:0": 300.0, "gpu:1": PowerSteps([(0, 50), (3, 400)])}
    return ScriptedSource(devices, lost_seconds=[(100, 200)], clock=clock)


CASES = {
    "scripted": Case(scripted, lose=lambda folder: None, find=lambda folder: None),
    "platform": Case(lambda folder, clock: PlatformSource(90.0, clock=clock)),
    "powercap": Case(powercap, hide("powercap"), show("powercap")),
    "powercap share": Case(functools.partial(powercap, share="cpu_time"), hide("powercap"), show("powercap")),
    "dram model": Case(lambda folder, clock: DramModelSource(64, powercap=folder, clock=clock)),
    "cpu model": Case(lambda folder, clock: CpuModelSource(clock=clock)),
    "nvml": Case(nvml("counter 0.1"), tidy=no_driver),
    "nvml share": Case(nvml(f"process {os.getpid()} 60\nprocess 1234567 20", "sm_utilization"), tidy=no_driver),
    "nvml sampled": Case(nvml("counter 0"), tidy=no_driver),
    "amd": Case(STAGE.amd(counter=True), STAGE.hide, STAGE.show, STAGE.clear),
    "amd sampled": Case(STAGE.amd(counter=False), STAGE.hide, STAGE.show, STAGE.clear),
    "intel gpu": Case(intel, hide("drm"), show("drm")),
    "apple": Case(STAGE.apple, STAGE.hide, STAGE.show, STAGE.clear),
    "watts": Case(callable_of("watts"), hide("meter"), show("meter")),
    "joules": Case(callable_of("joules"), hide("meter"), show("meter")),
}
"""Every kind of source; a new one is added here."""

LOSABLE = {name: case for name, case in CASES.items() if case.lose is not None}


@pytest.fixture(params=list(CASES))
def case(request: pytest.FixtureRequest):
    yield CASES[request.param]
    CASES[request.param].tidy()


@pytest.fixture
def clock():
    return LiveClock()


@pytest.fixture
def source(case: Case, tmp_path: Path, clock: ScriptedClock):
    source = case.make(tmp_path, clock)
    yield source
    source.close()


@pytest.fixture
def opened(source: EnergySource):
    source.open()
    return source


def joules(source: EnergySource):
    return {name: reading.joules for name, reading in source.read().items()}


def test_reads_nothing_until_it_is_opened(source: EnergySource):
    source.poll()
    assert source.read() == {}


def test_every_reading_is_complete(opened: EnergySource, clock: ScriptedClock):
    clock.advance(1.0)
    readings = opened.read()
    assert readings
    for name, reading in readings.items():
        assert name
        assert reading.component
        assert reading.method in get_args(Method)
        assert reading.joules is not None
        figures = (reading.joules, reading.below_joules, reading.above_joules, reading.tolerance, reading.gap_seconds)
        assert all(isfinite(figure) and figure >= 0 for figure in figures)
        assert reading.below_joules <= reading.joules
        assert reading.reason is None


def test_readings_never_fall_and_names_stay(opened: EnergySource, clock: ScriptedClock):
    before = joules(opened)
    for seconds in (0.0, 0.3, 1.0, 0.1, 7.0, 60.0):
        clock.advance(seconds)
        opened.poll()
        now = joules(opened)
        assert now.keys() == before.keys()
        assert all(now[name] >= before[name] for name in now)
        before = now


def test_a_reading_is_final(opened: EnergySource, clock: ScriptedClock):
    clock.advance(1.0)
    readings = opened.read()
    kept = dict(readings)
    clock.advance(5.0)
    opened.poll()
    opened.read()
    opened.close()
    assert dict(readings) == kept


def test_a_settled_reading_is_a_reading_of_the_same_devices(opened: EnergySource, clock: ScriptedClock):
    before = joules(opened)
    clock.advance(1.0)
    settled = opened.read_settled()
    assert settled.keys() == before.keys()
    assert all(settled[name].joules >= before[name] for name in before)


def test_opening_again_keeps_the_origin(opened: EnergySource, clock: ScriptedClock):
    clock.advance(2.0)
    before = joules(opened)
    opened.open()
    after = joules(opened)
    assert all(after[name] >= before[name] for name in before)
    assert after.keys() == before.keys()


def test_closes_twice_and_opens_again(opened: EnergySource, clock: ScriptedClock):
    names = joules(opened).keys()
    opened.close()
    opened.close()
    opened.poll()
    assert opened.read() == {}
    opened.open()
    clock.advance(1.0)
    assert joules(opened).keys() == names


def test_polls_never_or_at_a_sane_interval(opened: EnergySource):
    assert opened.poll_seconds is None or 0.01 <= opened.poll_seconds <= 60


@pytest.mark.parametrize("twin_of", [copy.deepcopy, lambda source: pickle.loads(pickle.dumps(source))])
def test_copies_are_closed_and_work_whenever_they_are_taken(
    source: EnergySource, twin_of: Callable[[EnergySource], EnergySource]
):
    before = twin_of(source)
    source.open()
    after = twin_of(source)
    for twin in (before, after):
        assert twin.read() == {}
        twin.open()
        assert joules(twin).keys() == joules(source).keys()
        twin.close()
    assert source.read()


def test_a_forked_child_reads_and_leaves_the_parent_alone(opened: EnergySource, clock: ScriptedClock):
    before = joules(opened)
    child = os.fork()
    if child == 0:
        fine = joules(opened).keys() in (before.keys(), {}.keys())  # a driver may not live through a fork
        opened.poll()
        opened.close()
        os._exit(0 if fine and opened.read() == {} else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    after = joules(opened)
    assert all(after[name] >= before[name] for name in before)


def test_is_polled_by_one_thread_while_read_by_another(opened: EnergySource, clock: ScriptedClock):
    failures = []
    done = threading.Event()

    def poll() -> None:
        try:
            while not done.is_set():
                opened.poll()
        except Exception as failure:  # noqa: BLE001
            failures.append(failure)

    thread = threading.Thread(target=poll)
    thread.start()
    before = joules(opened)
    falls = 0
    for _ in range(200):
        clock.advance(0.01)
        now = joules(opened)
        falls += any(now[name] < before[name] for name in before)
        before = now
    done.set()
    thread.join()
    assert (failures, falls) == ([], 0)


def test_closes_while_another_thread_reads(opened: EnergySource):
    failures = []

    def read() -> None:
        try:
            while opened.read():
                opened.poll()
        except Exception as failure:  # noqa: BLE001
            failures.append(failure)

    thread = threading.Thread(target=read)
    thread.start()
    opened.close()
    thread.join()
    assert failures == []
    assert opened.read() == {}


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="open files are counted in /proc")
def test_leaves_no_thread_and_no_file_behind(case: Case, tmp_path: Path, clock: ScriptedClock):
    def left() -> tuple[int, int]:
        return threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))

    before = left()
    source = case.make(tmp_path, clock)
    source.open()
    source.read()
    source.poll()
    del source
    gc.collect()
    threads, files = left()  # threads and files of earlier tests may end meanwhile
    assert threads <= before[0]
    assert files <= before[1]


@pytest.mark.parametrize("lost", list(LOSABLE))
def test_a_lost_device_says_why_keeps_what_it_had_and_comes_back(lost: str, tmp_path: Path, clock: ScriptedClock):
    case = LOSABLE[lost]
    source = case.make(tmp_path, clock)
    source.open()
    clock.advance(99.0)
    source.poll()
    before = joules(source)
    case.lose(tmp_path)
    gaps = dict.fromkeys(before, 0.0)
    for _ in range(3):
        clock.advance(30.0)
        source.poll()
        for name, reading in source.read().items():
            assert reading.reason
            assert reading.joules >= before[name]
            assert reading.gap_seconds > gaps[name]
            gaps[name] = reading.gap_seconds
    case.find(tmp_path)
    clock.advance(30.0)
    source.poll()
    after = source.read()
    assert after.keys() == before.keys()
    assert all(reading.reason is None for reading in after.values())
    assert all(reading.joules >= before[name] for name, reading in after.items())
    source.close()
    case.tidy()


@pytest.mark.parametrize("lost", ["powercap", "amd", "amd sampled", "intel gpu", "apple", "watts", "joules"])
def test_a_loss_is_one_warning(lost: str, tmp_path: Path, clock: ScriptedClock, caplog: pytest.LogCaptureFixture):
    case = LOSABLE[lost]
    source = case.make(tmp_path, clock)
    source.open()
    for _ in range(2):
        case.lose(tmp_path)
        for _ in range(3):
            clock.advance(10.0)
            source.poll()
            source.read()
        case.find(tmp_path)
        source.poll()
        source.read()
    assert sorted({record.args[0] for record in caplog.records}) == sorted(source.read())
    assert len(caplog.records) == len(source.read())
    source.close()
    case.tidy()


def test_says_whether_reading_it_only_looks_at_memory(opened: EnergySource, clock: ScriptedClock):
    """Whoever says so is read on the training thread, and so from signal handlers: no file, no driver, no lock."""
    assert opened.is_instant == isinstance(opened, CallableSource | ScriptedSource | PlatformSource | DramModelSource)


def test_an_instant_source_reads_while_its_lock_is_held(opened: EnergySource, clock: ScriptedClock):
    if not opened.is_instant:
        pytest.skip("It asks a file or a driver.")
    clock.advance(1.0)
    readings = []
    with opened._lock:  # as a call that was interrupted, or hangs, would hold it
        reader = threading.Thread(target=lambda: readings.append(opened.read()), daemon=True)
        reader.start()
        reader.join(10)
    assert readings


def test_what_it_describes_are_devices_that_it_reads(opened: EnergySource):
    assert opened.describe().keys() <= opened.read().keys()
    opened.close()
    assert opened.describe() == {}


SENSORS = {
    "powercap": "green_callbacks.sources.common.file_counter.read_beginning",
    "intel gpu": "green_callbacks.sources.common.file_counter.read_beginning",
    "cpu model": "green_callbacks.sources.cpu.model._busy_seconds",
    "amd": "green_callbacks.sources.amd.driver._answer",
    "amd sampled": "green_callbacks.sources.amd.driver._answer",
    "apple": "green_callbacks.sources.apple._reported_joules",
    "watts": "support.sensors.FileMeter.__call__",
}
"""What each source asks, by the name that a test can replace."""


@pytest.mark.parametrize("kind", list(SENSORS))
def test_closes_at_once_while_its_sensor_hangs(
    kind: str, tmp_path: Path, clock: ScriptedClock, monkeypatch: pytest.MonkeyPatch
):
    source = CASES[kind].make(tmp_path, clock)
    source.open()
    clock.advance(1.0)
    hangs, answers = threading.Event(), threading.Event()

    def hang(*arguments: object) -> float:
        hangs.set()
        answers.wait(30)
        return 0.0

    monkeypatch.setattr(SENSORS[kind], hang)
    poll = source.read if source.poll_seconds is None else source.poll

    def ask() -> None:
        with contextlib.suppress(AttributeError, TypeError):  # what it answers in the end is nonsense
            poll()

    thread = threading.Thread(target=ask)
    thread.start()
    assert hangs.wait(30)
    closing = threading.Thread(target=source.close, daemon=True)
    closing.start()
    closing.join(10)
    assert not closing.is_alive()
    assert source.read() == {}
    answers.set()
    thread.join(30)
    assert source.read() == {}
    CASES[kind].tidy()
