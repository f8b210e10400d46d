import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from green_callbacks.sources.cpu import time_share as _cpu_share
from green_callbacks.sources.cpu.time_share import CpuShare, energy_share
from green_callbacks.sources.job.allotment import Allotment

shares = st.floats(0, 1)
HALF = Allotment(host_cpus=4, host_cores=4, affinity=(0, 1))


class Times:
    """What a control group and its host have used of four processors, in s."""

    def __init__(self, folder: Path) -> None:
        self.usage = folder / "cpuacct.usage"
        self.host_seconds = 0.0
        self.use(0.0)

    def use(self, own_seconds: float) -> None:
        self.usage.write_text(f"{round(own_seconds * 1e9)}\n", encoding="ascii")


@pytest.fixture
def times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    times = Times(tmp_path)
    monkeypatch.setattr(_cpu_share, "job_usage", lambda: times.usage)
    monkeypatch.setattr(psutil, "cpu_times", lambda: SimpleNamespace(user=times.host_seconds))
    return times


@given(idle=shares, owned=shares, own=shares, others=shares)
def test_a_share_and_that_of_the_others_are_the_whole(idle: float, owned: float, own: float, others: float):
    own, others = own / 2, others / 2
    mine = energy_share(idle, owned, own, own + others)
    theirs = energy_share(idle, 1 - owned, others, own + others)
    assert 0 <= mine <= 1 + 1e-12
    assert mine + theirs == pytest.approx(1)


@pytest.mark.parametrize(
    ("owned", "own", "host", "share"),
    [
        (0.25, 0.0, 0.0, 0.25),  # nobody works: what is owned of the idle power
        (0.25, 0.0, 1.0, 0.05),  # only others do
        (0.25, 0.25, 0.25, (0.05 + 0.2) / 0.4),  # only we do
        (0.25, 0.25, 1.0, 0.25),  # all do
        (1.0, 0.3, 0.3, 1.0),  # there are no others
    ],
)
def test_who_works_pays_for_the_work_and_who_owns_for_the_rest(owned: float, own: float, host: float, share: float):
    assert energy_share(0.2, owned, own, host) == pytest.approx(share)


def test_before_anything_is_known_it_is_what_the_job_owns(times: Times):
    assert CpuShare.begin(HALF, 0.0).share == 0.5


def test_it_follows_the_times_of_job_and_host(times: Times):
    first = CpuShare.begin(HALF, 100.0)
    times.use(5.0)
    times.host_seconds = 20.0
    second = first.advanced(110.0)
    assert second.share == pytest.approx((0.2 * 0.5 + 0.8 * 5 / 40) / (0.2 + 0.8 * 20 / 40))
    times.use(25.0)
    times.host_seconds = 40.0
    assert second.advanced(120.0).share == pytest.approx((0.2 * 0.5 + 0.8 * 0.5) / (0.2 + 0.8 * 0.5))


def test_times_that_cannot_be_are_kept_within_what_can(times: Times):
    first = CpuShare.begin(HALF, 0.0)
    times.use(50.0)  # more than the host's, as rounding may have it
    times.host_seconds = 2.0
    assert first.advanced(10.0).share == pytest.approx((0.2 * 0.5 + 0.8 * 0.05) / (0.2 + 0.8 * 0.05))
    times.host_seconds = -50.0
    assert first.advanced(10.0).share == 0.5


def test_too_short_a_time_or_none_at_all_leaves_it_as_it_was(times: Times):
    first = CpuShare.begin(HALF, 0.0)
    times.use(0.4)
    assert first.advanced(0.5) is first
    times.usage.unlink()
    assert first.advanced(10.0) is first


def test_without_a_group_it_is_this_process_and_its_children_living_and_dead(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_cpu_share, "job_usage", lambda: None)
    part = Allotment(host_cpus=psutil.cpu_count(), host_cores=psutil.cpu_count())
    before = CpuShare.begin(part, 0.0)
    burn = "import time; end = time.process_time() + 0.3\nwhile time.process_time() < end: pass\n"
    subprocess.run([sys.executable, "-c", burn], check=True)
    dead = CpuShare.begin(part, 0.0)
    living = subprocess.Popen([sys.executable, "-c", f"{burn}print(flush=True); input()"], stdin=-1, stdout=-1)
    living.stdout.readline()
    alive = CpuShare.begin(part, 0.0)
    living.communicate(b"\n")
    assert dead.own_seconds - before.own_seconds >= 0.25  # ticks of a hundredth of a second
    assert alive.own_seconds - dead.own_seconds >= 0.25  # ticks of a hundredth of a second


def test_a_child_that_ends_while_it_is_looked_at_is_passed_over(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_cpu_share, "job_usage", lambda: None)
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=-1)
    gone = psutil.Process(child.pid)
    child.communicate(b"\n")
    monkeypatch.setattr(psutil.Process, "children", lambda *_, **__: [gone])
    assert CpuShare.begin(HALF, 0.0).own_seconds > 0


def test_processes_that_cannot_be_listed_leave_the_share_as_it_was(monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object, **__: object):
        raise psutil.AccessDenied

    monkeypatch.setattr(_cpu_share, "job_usage", lambda: None)
    first = CpuShare.begin(HALF, 0.0)
    monkeypatch.setattr(psutil.Process, "children", refuse)
    assert first.advanced(10.0) is first
