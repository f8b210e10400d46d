from pathlib import Path

import pytest

from green_callbacks.sources.job.cgroup import (
    Quota,
    group_name,
    job_usage,
    memory_limit_bytes,
    memory_limit_file,
    quota,
    used_seconds,
)


class Groups:
    """A mount of control groups, and the file that says in which of them the process is."""

    def __init__(self, folder: Path, *lines: str) -> None:
        self.own = folder / "own"
        self.own.write_text("".join(f"{line}\n" for line in lines), encoding="ascii")
        self.mount = folder / "cgroup"

    def write(self, group: str, **files: str) -> Path:
        folder = self.mount / group
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name.replace("__", ".")).write_text(f"{text}\n", encoding="ascii")
        return folder


@pytest.fixture
def version2(tmp_path: Path):
    return Groups(tmp_path, "0::/kubepods/pod/container")


@pytest.fixture
def version1(tmp_path: Path):
    return Groups(tmp_path, "5:memory:/docker/a", "4:cpu,cpuacct:/docker/a", "1:name=systemd:/", "0::/")


def test_the_tightest_group_on_the_way_up_counts(version2: Groups):
    version2.write("kubepods/pod/container", cpu__max="max 100000")
    pod = version2.write("kubepods/pod", cpu__max="250000 100000")
    version2.write("kubepods", cpu__max="800000 100000")
    assert quota(version2.own, version2.mount) == Quota(2.5, pod / "cpu.stat")


def test_version_1_has_its_limit_and_its_time_in_two_trees(version1: Groups):
    version1.write("cpu/docker/a", cpu__cfs_quota_us="150000", cpu__cfs_period_us="100000")
    version1.write("cpu/docker", cpu__cfs_quota_us="-1", cpu__cfs_period_us="100000")
    usage = version1.write("cpuacct/docker/a", cpuacct__usage="2500000000") / "cpuacct.usage"
    found = quota(version1.own, version1.mount)
    assert found == Quota(1.5, usage)
    assert found.used_seconds() == 2.5


def test_a_container_that_sees_only_its_own_group_finds_it_at_the_mount(version1: Groups):
    version1.write("cpu", cpu__cfs_quota_us="50000", cpu__cfs_period_us="100000")
    usage = version1.write("cpuacct", cpuacct__usage="7") / "cpuacct.usage"
    assert quota(version1.own, version1.mount) == Quota(0.5, usage)
    assert job_usage(version1.own, version1.mount) == usage


@pytest.mark.parametrize("limit", ["max 100000", "", "0 0"])
def test_no_limit_no_quota(version2: Groups, tmp_path: Path, limit: str):
    version2.write("kubepods/pod/container", cpu__max=limit)
    assert quota(version2.own, version2.mount) is None
    assert quota(tmp_path / "missing", version2.mount) is None


def test_a_group_counts_the_time_it_used(tmp_path: Path):
    usage = tmp_path / "cpu.stat"
    usage.write_text("usage_usec 1500000\nuser_usec 1\n", encoding="ascii")
    assert used_seconds(usage) == 1.5
    usage.write_text("nr_periods 0\n", encoding="ascii")
    with pytest.raises(ValueError, match="usage_usec"):
        used_seconds(usage)


def test_the_memory_that_is_left_is_the_tightest_limit(version2: Groups):
    assert memory_limit_bytes(version2.own, version2.mount) is None
    assert memory_limit_file(version2.own, version2.mount) is None
    version2.write("kubepods/pod/container", memory__max="max")
    version2.write("kubepods/pod", memory__max="8589934592")
    version2.write("kubepods", memory__max="17179869184")
    assert memory_limit_bytes(version2.own, version2.mount) == 8 * 2**30
    assert memory_limit_file(version2.own, version2.mount).parent.name == "pod"
    version2.write("kubepods", memory__max="8589934592")
    assert memory_limit_file(version2.own, version2.mount).parent.name == "kubepods"


def test_the_memory_of_version_1(version1: Groups):
    version1.write("memory/docker/a", memory__limit_in_bytes="4294967296")
    version1.write("memory", memory__limit_in_bytes="9223372036854771712")
    assert memory_limit_bytes(version1.own, version1.mount) == 4 * 2**30


def test_a_job_is_counted_by_its_own_group(version2: Groups):
    version2.write(".", cpu__stat="usage_usec 9")
    folder = version2.write("kubepods/pod/container", cpu__stat="usage_usec 1", cgroup__type="domain")
    assert job_usage(version2.own, version2.mount) == folder / "cpu.stat"


def test_a_slurm_job_is_counted_with_all_its_steps(tmp_path: Path):
    groups = Groups(tmp_path, "0::/system.slice/slurmstepd.scope/job_42/step_0/user/task_3")
    job = groups.write("system.slice/slurmstepd.scope/job_42", cpu__stat="usage_usec 8", cgroup__type="domain")
    groups.write(
        "system.slice/slurmstepd.scope/job_42/step_0/user/task_3", cpu__stat="usage_usec 1", cgroup__type="domain"
    )
    assert job_usage(groups.own, groups.mount) == job / "cpu.stat"


@pytest.mark.parametrize("line", ["0::/", "3:cpu,cpuacct:/"])
def test_the_root_holds_everything_and_so_is_nobodys(tmp_path: Path, line: str):
    groups = Groups(tmp_path, line)
    groups.write(".", cpu__stat="usage_usec 9")
    groups.write("cpuacct", cpuacct__usage="9")
    assert job_usage(groups.own, groups.mount) is None


def test_a_container_in_a_namespace_sees_its_group_as_a_root_that_has_a_type(tmp_path: Path):
    groups = Groups(tmp_path, "0::/")
    root = groups.write(".", cpu__stat="usage_usec 9", cgroup__type="domain")
    assert job_usage(groups.own, groups.mount).samefile(root / "cpu.stat")


def test_of_equal_limits_the_outermost_counts_because_it_holds_for_all_processes_together(version2: Groups):
    version2.write("kubepods/pod/container", cpu__max="200000 100000")
    pod = version2.write("kubepods/pod", cpu__max="200000 100000")
    assert quota(version2.own, version2.mount) == Quota(2.0, pod / "cpu.stat")


def test_a_group_is_named_by_its_number_and_not_by_its_path(tmp_path: Path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    names = [group_name("cpu:model", tmp_path / folder / "cpu.stat") for folder in ("a", "a", "b")]
    assert names[0] == names[1] == f"cpu:model@group-{(tmp_path / 'a').stat().st_ino}"
    assert names[2] != names[0]
    assert group_name("cpu:model", tmp_path / "missing" / "cpu.stat") == "cpu:model@group-0"
