import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.fake_amdsmi import NOT_LOADED, FakeAmdSmi, FakeGpu, Installed, dies

from green_callbacks.clock import ScriptedClock
from green_callbacks.errors import ConfigurationError, SourceUnavailableError
from green_callbacks.sources import AmdSmiSource

A, B, C, D = 0x95D34AD09D5B6FA6, 0xCF1182F2988C0A4C, 0x1111111111111111, 0x2222222222222222
Machine = Callable[..., FakeAmdSmi]
Opened = Callable[..., AmdSmiSource]


def name(serial: int):
    return f"gpu:GPU-{serial:016x}"


@pytest.fixture(autouse=True)
def all_visible(monkeypatch: pytest.MonkeyPatch):
    for variable in ("ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def clock():
    return ScriptedClock()


@pytest.fixture
def machine(clock: ScriptedClock) -> Iterator[Machine]:
    installed = []

    def install(*gpus: FakeGpu, **options: bool) -> FakeAmdSmi:
        smi = FakeAmdSmi(clock, *gpus, **options)
        installed.append(Installed(smi))
        return smi

    yield install
    while installed:
        installed.pop().remove()


@pytest.fixture
def opened(clock: ScriptedClock) -> Iterator[Opened]:
    sources = []

    def open_one(uuids: list[str] | None = None) -> AmdSmiSource:
        source = AmdSmiSource(uuids, clock=clock)
        sources.append(source)
        source.open()
        return source

    yield open_one
    for source in sources:
        source.close()


def run(source: AmdSmiSource, clock: ScriptedClock, seconds: float):
    """Let time pass, polled as the worker would."""
    end = clock.monotonic() + seconds
    while (left := end - clock.monotonic()) > 1e-9:
        clock.advance(min(source.poll_seconds, left))
        source.poll()


def only(source: AmdSmiSource):
    [reading] = source.read().values()
    return reading


class TestCounter:
    @pytest.mark.parametrize("old", [False, True], ids=["ROCm 7", "ROCm 6.0"])
    def test_reads_joules_since_the_opening(self, machine: Machine, opened: Opened, clock: ScriptedClock, *, old: bool):
        machine(FakeGpu(A, 500), FakeGpu(B, 90), old=old)
        source = opened()
        run(source, clock, 120)
        readings = source.read()
        assert {each: reading.joules for each, reading in readings.items()} == pytest.approx(
            {name(A): 60_000, name(B): 10_800}, rel=1e-6
        )
        assert {(reading.component, reading.method) for reading in readings.values()} == {("gpu", "counter")}
        assert {(reading.flags, reading.gap_seconds) for reading in readings.values()} == {((), 0.0)}

    def test_the_bounds_hold_a_counter_that_is_read_late(self, machine: Machine, opened: Opened, clock: ScriptedClock):
        gpu = FakeGpu(A, 300)
        smi = machine(gpu)
        source = opened()
        gpu.counter = lambda joules: joules // 30 * 30  # refreshes every 100 ms
        run(source, clock, 10.05)
        reading = only(source)
        low, high = reading.joules - reading.below_joules, reading.joules + reading.above_joules
        assert low <= smi.used(gpu) <= high
        assert high - low < 0.02 * reading.joules

    def test_one_call_of_the_driver_is_a_reading(self, machine: Machine, opened: Opened):
        smi = machine(FakeGpu(A))
        source = opened()
        smi.calls.clear()
        source.read()
        assert smi.calls == ["amdsmi_get_energy_count"]

    def test_a_counter_that_began_anew_is_a_gap_and_no_energy(
        self, machine: Machine, opened: Opened, clock: ScriptedClock
    ):
        gpu = FakeGpu(A, 300)
        machine(gpu)
        source = opened()
        run(source, clock, 10)
        before = only(source)
        clock.advance(2)
        gpu.counter = lambda joules: joules - 73_600
        after = only(source)
        assert after.joules == before.joules
        assert (after.gap_seconds, after.flags) == (2, ("reset",))
        run(source, clock, 10)
        assert only(source).joules == pytest.approx(before.joules + 3_000, rel=1e-4)
        assert only(source).method == "counter"

    def test_an_older_value_told_late_is_waited_for(self, machine: Machine, opened: Opened, clock: ScriptedClock):
        gpu = FakeGpu(A, 300)
        machine(gpu)
        source = opened()
        run(source, clock, 10)
        before = only(source).joules
        gpu.counter = lambda joules: joules - 213
        assert only(source).joules == before
        gpu.counter = lambda joules: joules
        run(source, clock, 10)
        assert only(source).joules == pytest.approx(6_000, rel=1e-6)
        assert only(source).flags == ()


class TestDistrust:
    def test_a_counter_that_stands_still_is_replaced_by_the_power(
        self, machine: Machine, opened: Opened, clock: ScriptedClock, caplog: pytest.LogCaptureFixture
    ):
        gpu = FakeGpu(A, 290, "AMD Instinct MI100", lambda joules: 124.7, "average")
        machine(gpu)
        source = opened()
        run(source, clock, 60)
        reading = only(source)
        assert (reading.method, reading.flags) == ("sampled", ("counter_frozen",))
        assert 0 < reading.gap_seconds < 3
        assert reading.joules == pytest.approx(290 * (60 - reading.gap_seconds), rel=1e-3)
        [warning] = caplog.records
        assert "has stood still" in warning.getMessage()

    def test_a_counter_that_stops_later_keeps_what_it_told(
        self, machine: Machine, opened: Opened, clock: ScriptedClock
    ):
        gpu = FakeGpu(A, 300)
        machine(gpu)
        source = opened()
        run(source, clock, 30)
        gpu.counter = lambda joules: 79_000.0
        run(source, clock, 30)
        reading = only(source)
        assert (reading.method, reading.flags) == ("sampled", ("counter_frozen",))
        assert reading.joules == pytest.approx(300 * (60 - reading.gap_seconds), rel=1e-3)

    # What the counter told until it was found out stands: of 60 s, under two looks.
    @pytest.mark.parametrize(
        ("times", "seconds", "off"),
        [(4, 60, 0.2), (0.5, 600, 0.05)],
        ids=["beyond the limit", "contradicting the power"],
    )
    def test_a_counter_that_is_wrong_is_replaced_by_the_power(
        self, machine: Machine, opened: Opened, clock: ScriptedClock, times: float, seconds: float, off: float
    ):
        machine(FakeGpu(A, 300, counter=lambda joules: times * joules))
        source = opened()
        run(source, clock, seconds)
        reading = only(source)
        assert (reading.method, reading.flags) == ("sampled", ("counter_implausible",))
        assert reading.joules == pytest.approx(300 * seconds, rel=off)

    def test_a_counter_of_a_load_that_jumps_is_believed(self, machine: Machine, opened: Opened, clock: ScriptedClock):
        gpu = FakeGpu(A, 700)
        smi = machine(gpu)
        source = opened()
        for second in range(600):
            smi.draw(gpu, 700 if second % 3 else 120)
            run(source, clock, 1)
        reading = only(source)
        assert (reading.method, reading.flags) == ("counter", ())
        assert reading.joules == pytest.approx(smi.used(gpu), rel=1e-6)

    def test_a_counter_that_no_longer_answers_is_replaced_by_the_power(
        self, machine: Machine, opened: Opened, clock: ScriptedClock
    ):
        gpu = FakeGpu(A, 300)
        machine(gpu)
        source = opened()
        run(source, clock, 10)
        gpu.counter = None
        run(source, clock, 50)
        reading = only(source)
        assert (reading.method, reading.flags, reading.reason) == ("sampled", ("counter_gone",), None)
        assert reading.joules == pytest.approx(300 * (60 - reading.gap_seconds), rel=1e-3)
        assert reading.gap_seconds < 8

    def test_a_dead_counter_without_a_power_beside_it_is_lost_and_no_zero(
        self, machine: Machine, opened: Opened, clock: ScriptedClock
    ):
        gpu = FakeGpu(A, 300, power=None)
        machine(gpu)
        source = opened()
        run(source, clock, 10)
        gpu.counter = lambda joules: 73_000.0
        run(source, clock, 30)
        reading = only(source)
        assert "stands still" in reading.reason
        assert reading.gap_seconds == pytest.approx(30, abs=2)
        gpu.counter = lambda joules: joules
        run(source, clock, 2)
        assert (only(source).reason, only(source).joules) == (None, pytest.approx(300 * 42, rel=1e-3))


class TestSampled:
    @pytest.mark.parametrize("power", ["current", "average"])
    @pytest.mark.parametrize("old", [False, True], ids=["ROCm 7", "ROCm 6.0"])
    def test_power_is_integrated_where_there_is_no_counter(
        self, machine: Machine, opened: Opened, clock: ScriptedClock, power: str, *, old: bool
    ):
        gpu = FakeGpu(A, 100, "AMD Radeon RX 7900 XTX", None, power)
        smi = machine(gpu, old=old)
        source = opened()
        assert source.poll_seconds <= 0.1
        for step in range(100):
            smi.draw(gpu, 100 + 2 * step)
            run(source, clock, 0.25)
        reading = only(source)
        assert (reading.method, reading.gap_seconds) == ("sampled", 0)
        assert reading.joules == pytest.approx(smi.used(gpu), rel=0.01)

    def test_seconds_in_which_nobody_polled_are_a_gap(self, machine: Machine, opened: Opened, clock: ScriptedClock):
        machine(FakeGpu(A, 100, counter=None))
        source = opened()
        run(source, clock, 10)
        clock.advance(50)
        run(source, clock, 10)
        reading = only(source)
        assert reading.gap_seconds == pytest.approx(50.05, abs=0.01)
        assert reading.joules == pytest.approx(100 * 20, rel=0.01)

    def test_a_pause_of_less_than_a_second_is_bridged(self, machine: Machine, opened: Opened, clock: ScriptedClock):
        machine(FakeGpu(A, 100, counter=None))
        source = opened()
        run(source, clock, 1)
        clock.advance(0.8)
        assert only(source).joules == pytest.approx(180)


class TestLoss:
    def test_a_lost_gpu_keeps_what_it_had_and_the_counter_tells_the_rest(
        self, machine: Machine, opened: Opened, clock: ScriptedClock, caplog: pytest.LogCaptureFixture
    ):
        gpu = FakeGpu(A, 300)
        machine(gpu)
        source = opened()
        run(source, clock, 10)
        before = only(source)
        gpu.lost = True
        run(source, clock, 20)
        reading = only(source)
        assert (reading.joules, reading.gap_seconds) == (before.joules, pytest.approx(20))
        assert reading.reason == "AMDSMI_STATUS_INVAL - Invalid parameters"
        assert len(caplog.records) == 1
        gpu.lost = False
        run(source, clock, 3)
        reading = only(source)
        assert (reading.reason, reading.gap_seconds) == (None, 0)
        assert reading.joules == pytest.approx(300 * 33, rel=1e-6)

    def test_one_that_was_reset_meanwhile_leaves_a_gap(self, machine: Machine, opened: Opened, clock: ScriptedClock):
        gpu = FakeGpu(A, 300, start_joules=0.0)
        machine(gpu)
        source = opened()
        run(source, clock, 10)
        gpu.lost = True
        run(source, clock, 20)
        gpu.lost, gpu.counter = False, lambda joules: joules - 7_500
        run(source, clock, 2)
        reading = only(source)
        assert reading.flags == ("reset",)
        assert reading.gap_seconds == pytest.approx(21, abs=1.1)
        assert reading.joules == pytest.approx(300 * (32 - reading.gap_seconds), rel=0.01)

    def test_a_library_that_others_shut_down_is_initialized_again(
        self, machine: Machine, opened: Opened, clock: ScriptedClock
    ):
        smi = machine(FakeGpu(A, 300))
        source = opened()
        run(source, clock, 5)
        smi.shut_down()
        run(source, clock, 5)
        reading = only(source)
        assert (reading.reason, reading.gap_seconds) == (None, 0)
        assert reading.joules == pytest.approx(3_000, rel=1e-6)

    def test_closing_leaves_the_library_to_others(self, machine: Machine, opened: Opened):
        smi = machine(FakeGpu(A))
        source = opened()
        source.close()
        assert smi.is_initialized

    def test_whatever_the_binding_raises_is_a_reason(self, machine: Machine, opened: Opened, clock: ScriptedClock):
        gpu = FakeGpu(A, power=None)
        machine(gpu)
        source = opened()

        def broken(joules: float) -> float:
            raise KeyError(gpu.name)

        gpu.counter = broken
        run(source, clock, 5)
        assert gpu.name in only(source).reason


class TestPackages:
    def test_two_dies_of_a_package_count_once(self, machine: Machine, opened: Opened, clock: ScriptedClock):
        machine(*dies(A), *dies(C))
        source = opened()
        run(source, clock, 10)
        assert {each: reading.joules for each, reading in source.read().items()} == pytest.approx(
            {name(A): 4_000, name(C): 4_000}, rel=1e-6
        )
        assert {reading.flags for reading in source.read().values()} == {()}

    @pytest.mark.parametrize("die", [0, 1])
    def test_of_one_die_the_whole_package_counts_and_says_so(
        self, machine: Machine, opened: Opened, clock: ScriptedClock, monkeypatch: pytest.MonkeyPatch, die: int
    ):
        for number, gpu in enumerate(machine(*dies(A), *dies(C)).gpus):
            gpu.hip_id = number
        monkeypatch.setenv("ROCR_VISIBLE_DEVICES", str(2 + die))
        source = opened()
        run(source, clock, 10)
        assert list(source.read()) == [name(C)]
        assert only(source).joules == pytest.approx(4_000, rel=1e-6)
        assert only(source).flags == ("whole_package",)

    def test_partitions_of_a_gpu_count_once(self, machine: Machine, opened: Opened, clock: ScriptedClock):
        machine(*(FakeGpu(A, 600, partition=number, hip_id=number) for number in range(4)), FakeGpu(B, 500, hip_id=4))
        source = opened()
        run(source, clock, 10)
        assert {each: reading.joules for each, reading in source.read().items()} == pytest.approx(
            {name(A): 6_000, name(B): 5_000}, rel=1e-6
        )

    def test_a_gpu_that_is_metered_with_its_processor_is_flagged(self, machine: Machine, opened: Opened):
        machine(FakeGpu(A, name="AMD Instinct MI300A"))
        assert only(opened()).flags == ("module",)

    def test_graphics_inside_a_processor_count_with_the_processor(self, machine: Machine, opened: Opened):
        inside = FakeGpu(B, 40, "AMD Radeon Graphics", None, format_revision=2)
        machine(FakeGpu(A), inside)
        assert list(opened().read()) == [name(A)]
        machine(inside)
        with pytest.raises(SourceUnavailableError, match="count with the processor"):
            opened()

    def test_a_gpu_that_others_use_too_is_flagged(self, machine: Machine, opened: Opened):
        machine(FakeGpu(A, pids=[os.getpid(), 12345]), FakeGpu(B, pids=[os.getpid()]))
        readings = opened().read()
        assert (readings[name(A)].flags, readings[name(B)].flags) == (("shared",), ())


class TestSelection:
    @pytest.mark.parametrize(
        ("environment", "serials"),
        [
            ({}, [A, B, C, D]),
            ({"ROCR_VISIBLE_DEVICES": "2,0"}, [C, A]),
            ({"ROCR_VISIBLE_DEVICES": "GPU-cf11"}, [B]),
            ({"ROCR_VISIBLE_DEVICES": "GPU-CF1182F2988C0A4C, 3"}, [B, D]),
            ({"ROCR_VISIBLE_DEVICES": "1,7,2"}, [B]),
            ({"ROCR_VISIBLE_DEVICES": "1,1,2"}, [B]),
            ({"HIP_VISIBLE_DEVICES": "3"}, [D]),
            ({"CUDA_VISIBLE_DEVICES": "3"}, [D]),
            ({"HIP_VISIBLE_DEVICES": "1", "CUDA_VISIBLE_DEVICES": "3"}, [B]),
            ({"ROCR_VISIBLE_DEVICES": "3,2", "HIP_VISIBLE_DEVICES": "1"}, [C]),
            ({"HIP_VISIBLE_DEVICES": "GPU-2222222222222222"}, [D]),
        ],
    )
    def test_the_variables_say_which_gpus_count(
        self,
        machine: Machine,
        opened: Opened,
        monkeypatch: pytest.MonkeyPatch,
        environment: dict[str, str],
        serials: list[int],
    ):
        machine(*(FakeGpu(serial, hip_id=number) for number, serial in enumerate([A, B, C, D])))
        for variable, value in environment.items():
            monkeypatch.setenv(variable, value)
        assert list(opened().read()) == [name(serial) for serial in serials]

    @pytest.mark.parametrize("visible", ["", "-1", "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6", "9"])
    def test_variables_that_leave_none_say_so(
        self, machine: Machine, opened: Opened, monkeypatch: pytest.MonkeyPatch, visible: str
    ):
        machine(FakeGpu(A))
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        with pytest.raises(SourceUnavailableError, match=r"VISIBLE_DEVICES variables leave none .* `amd-smi list`"):
            opened()

    @pytest.mark.parametrize("order", ["hip_id", "node_id"])
    def test_an_index_counts_as_the_runtimes_do(
        self, machine: Machine, opened: Opened, monkeypatch: pytest.MonkeyPatch, order: str
    ):
        machine(*(FakeGpu(serial, **{order: number}) for number, serial in ((5, A), (4, B))))
        monkeypatch.setenv("HIP_VISIBLE_DEVICES", "0")
        assert list(opened().read()) == [name(B)]
        assert only(opened()).flags == ()

    def test_where_their_order_is_not_told_an_index_is_in_doubt(
        self, machine: Machine, opened: Opened, monkeypatch: pytest.MonkeyPatch
    ):
        machine(FakeGpu(A), FakeGpu(B), old=True)
        monkeypatch.setenv("HIP_VISIBLE_DEVICES", "1")
        source = opened()
        assert list(source.read()) == [name(B)]
        assert only(source).flags == ("index_in_doubt",)

    def test_a_framework_says_by_uuid_which_count(
        self, machine: Machine, opened: Opened, monkeypatch: pytest.MonkeyPatch
    ):
        machine(FakeGpu(A), FakeGpu(B))
        monkeypatch.setenv("HIP_VISIBLE_DEVICES", "0")
        by_torch = "GPU-63663131-3832-6632-3938-386330613463"  # the 16 digits as bytes
        for uuids in (["GPU-cf1182f2988c0a4c"], ["cf1182f2988c0a4c"], [by_torch, by_torch.replace("GPU", "MIG")]):
            assert list(opened(uuids).read()) == [name(B)]

    def test_a_framework_that_uses_none_measures_none(self, machine: Machine, opened: Opened):
        machine(FakeGpu(A))
        with pytest.raises(SourceUnavailableError, match=r"uuids=\[\]"):
            opened([])

    def test_a_gpu_without_a_number_has_the_name_that_the_library_gives_it(self, machine: Machine, opened: Opened):
        machine(FakeGpu(0))
        assert list(opened().read()) == ["gpu:GPU-ff000000-0000-1000-80ff-ffffffffffff"]

    @pytest.mark.parametrize("uuids", ["GPU-cf1182f2988c0a4c", [7], [""]])
    def test_uuids_must_be_a_list_of_uuids(self, uuids: object):
        with pytest.raises(ConfigurationError, match="list of GPU UUIDs"):
            AmdSmiSource(uuids)


class TestUnavailable:
    def test_without_the_library_it_says_how_to_install_it(self, opened: Opened, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setitem(sys.modules, "amdsmi", None)
        with pytest.raises(SourceUnavailableError, match=r'`pip install "green-callbacks\[amd\]"`'):
            opened()

    def test_what_the_import_prints_and_raises_without_rocm_stays_inside(
        self, opened: Opened, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ):
        (tmp_path / "amdsmi.py").write_text(
            "print('/opt/rocm/lib/libamd_smi.so: cannot open shared object file: No such file or directory')\n"
            "print('Unable to find libamd_smi.so library try installing amd-smi-lib from your package manager')\n"
            "{}['libamd_smi.so']\n",
            encoding="ascii",
        )
        monkeypatch.delitem(sys.modules, "amdsmi", raising=False)
        monkeypatch.syspath_prepend(tmp_path)
        stdout = sys.stdout
        with pytest.raises(SourceUnavailableError, match=r"KeyError.*Install ROCm's package amd-smi-lib"):
            opened()
        assert sys.stdout is stdout
        assert capsys.readouterr() == ("", "")

    def test_a_driver_that_is_not_there_is_said_with_what_must_work(self, machine: Machine, opened: Opened):
        machine(FakeGpu(A)).init_error = NOT_LOADED
        with pytest.raises(SourceUnavailableError, match=r"DRIVER_NOT_LOADED.*groups render and video"):
            opened()

    def test_gpus_that_cannot_even_be_listed(self, machine: Machine, opened: Opened):
        smi = machine(FakeGpu(A))
        sys.modules["amdsmi"].amdsmi_get_processor_handles = lambda: smi.gpus[0].no_such_thing
        with pytest.raises(SourceUnavailableError, match=r"no_such_thing.*See `amd-smi list`"):
            opened()

    def test_a_virtual_gpu_that_tells_nothing_is_no_zero(self, machine: Machine, opened: Opened):
        machine(FakeGpu(A, counter=None, power=None))
        with pytest.raises(SourceUnavailableError, match="report neither energy nor power"):
            opened()

    def test_one_of_two_that_tells_nothing_is_lost_until_it_does(
        self, machine: Machine, opened: Opened, clock: ScriptedClock
    ):
        mute = FakeGpu(B, 100, counter=None, power=None)
        machine(FakeGpu(A), mute)
        source = opened()
        run(source, clock, 10)
        reading = source.read()[name(B)]
        assert (reading.joules, reading.gap_seconds, reading.reason) == (None, 10, "no power is reported")
        mute.power = "current"
        run(source, clock, 10)
        reading = source.read()[name(B)]
        assert reading.reason is None
        assert reading.joules == pytest.approx(100 * (20 - reading.gap_seconds), rel=0.01)

    def test_a_gpu_that_does_not_even_tell_its_name_is_left_out(self, machine: Machine, opened: Opened):
        machine(FakeGpu(A), FakeGpu(B, lost=True))
        assert list(opened().read()) == [name(A)]
