from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from green_callbacks.records.machine_parts import is_part
from green_callbacks.sources.job import allotment as _allotment
from green_callbacks.sources.job.allotment import Allotment, allotment, busy_seconds, job_gigabytes, memory_name
from green_callbacks.sources.job.cgroup import Quota

HOST_GIGABYTES = 512


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch):
    """A host of 64 cores with two threads each, of which this process may use all."""
    monkeypatch.setattr(psutil, "cpu_count", lambda logical=True: 128 if logical else 64)
    monkeypatch.setattr(psutil, "Process", lambda: SimpleNamespace(cpu_affinity=lambda: list(range(128))))
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(total=HOST_GIGABYTES * 2**30))
    monkeypatch.setattr(_allotment, "quota", lambda: None)
    monkeypatch.setattr(_allotment, "memory_limit_bytes", lambda: None)
    return monkeypatch


def test_this_process_has_a_part_of_this_machine():
    part = allotment({})
    assert 0 < part.usable_cpus <= part.host_cpus
    assert part.host_cores <= part.host_cpus
    assert part.is_shared == (part.owned_cpus < part.host_cpus)


def test_a_machine_of_ones_own_is_not_shared(host: pytest.MonkeyPatch):
    assert (allotment({}).owned_cpus, allotment({}).is_shared) == (128, False)


def test_who_is_bound_to_some_processors_shares(host: pytest.MonkeyPatch):
    host.setattr(psutil, "Process", lambda: SimpleNamespace(cpu_affinity=lambda: [4, 2, 3]))
    part = allotment({})
    assert (part.affinity, part.owned_cpus, part.is_shared) == ((2, 3, 4), 3, True)


def test_a_quota_is_a_part(host: pytest.MonkeyPatch):
    host.setattr(_allotment, "quota", lambda: Quota(2.5, Path("cpu.stat")))
    assert (allotment({}).owned_cpus, allotment({}).is_shared) == (2.5, True)


@pytest.mark.parametrize(
    ("environ", "owned"),
    [
        ({"SLURM_CPUS_ON_NODE": "16"}, 16),
        ({"SLURM_JOB_CPUS_PER_NODE": "16"}, 16),
        ({"SLURM_JOB_CPUS_PER_NODE": "32(x2),8", "SLURM_NODEID": "1"}, 32),
        ({"SLURM_JOB_CPUS_PER_NODE": "32(x2),8", "SLURM_NODEID": "2"}, 8),
        ({"SLURM_JOB_CPUS_PER_NODE": "32", "SLURM_CPUS_ON_NODE": "4"}, 32),
        ({"SLURM_JOB_CPUS_PER_NODE": "?", "SLURM_CPUS_ON_NODE": "4"}, 4),
        ({"SLURM_CPUS_ON_NODE": "0"}, 128),
        ({"SLURM_CPUS_ON_NODE": "128"}, 128),
    ],
)
def test_slurm_says_how_many_the_job_has_here(host: pytest.MonkeyPatch, environ: dict[str, str], owned: float):
    assert allotment(environ).owned_cpus == owned


def test_as_many_as_there_are_cores_may_be_cores_and_so_all(host: pytest.MonkeyPatch):
    assert not allotment({"SLURM_JOB_CPUS_PER_NODE": "64"}).is_shared


def test_a_task_bound_to_its_part_of_a_whole_node_does_not_share_it():
    part = Allotment(host_cpus=128, host_cores=64, affinity=(0, 1), slurm_cpus=128)
    assert (part.usable_cpus, part.owned_cpus, part.is_shared) == (2, 128, False)


def test_without_a_known_affinity_all_processors_are_usable(host: pytest.MonkeyPatch):
    def refuse():
        raise psutil.AccessDenied

    for process in (SimpleNamespace(), SimpleNamespace(cpu_affinity=refuse)):
        host.setattr(psutil, "Process", lambda process=process: process)
        assert allotment({}).affinity is None


@pytest.mark.parametrize(
    ("limit_gigabytes", "environ", "gigabytes"),
    [
        (None, {}, HOST_GIGABYTES),
        (32, {}, 32),
        (2**33, {}, HOST_GIGABYTES),
        (None, {"SLURM_MEM_PER_NODE": "65536"}, 64),
        (None, {"SLURM_MEM_PER_NODE": "0"}, HOST_GIGABYTES),
        (None, {"SLURM_MEM_PER_CPU": "4096", "SLURM_JOB_CPUS_PER_NODE": "8"}, 32),
        (16, {"SLURM_MEM_PER_NODE": "65536"}, 16),
        (None, {"SLURM_JOB_CPUS_PER_NODE": "8"}, None),
    ],
)
def test_the_memory_of_the_job_is_what_its_limits_leave_it(
    host: pytest.MonkeyPatch, limit_gigabytes: int | None, environ: dict[str, str], gigabytes: float | None
):
    limit = None if limit_gigabytes is None else limit_gigabytes * 2**30
    host.setattr(_allotment, "memory_limit_bytes", lambda: limit)
    assert job_gigabytes(environ) == gigabytes


def test_waiting_is_not_being_busy():
    assert busy_seconds(SimpleNamespace(user=3.0, system=2.0, irq=1.0, idle=50.0, iowait=7.0)) == 6.0


def test_the_memory_of_a_group_or_a_job_has_a_name_of_its_own(host: pytest.MonkeyPatch, tmp_path: Path):
    assert memory_name("dram:model", 64.0, {}) == "dram:model"
    job = {"SLURM_JOB_ID": "42", "SLURM_MEM_PER_NODE": "65536"}
    assert memory_name("dram:model", 64.0, job) == "dram:model@job-42"
    assert memory_name("dram:model", 8.0, job) == "dram:model"
    host.setattr(_allotment, "memory_limit_bytes", lambda: 8 * 2**30)
    host.setattr(_allotment, "memory_limit_file", lambda: tmp_path / "memory.max")
    name = memory_name("dram:model", 8.0, job)
    assert name == f"dram:model@group-{tmp_path.stat().st_ino}"
    assert is_part(name)
