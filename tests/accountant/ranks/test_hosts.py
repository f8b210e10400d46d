"""Machines, told apart, and the parts of a machine that its processes count."""

import time

import pytest

from green_callbacks.accountant.ranks import host
from green_callbacks.accountant.ranks.host import Host, this_host, told_apart
from green_callbacks.accountant.ranks.part import WHOLE, Part, sees_every_gpu

BOOT, OTHER = "aaaaaaaa-1", "bbbbbbbb-2"
DEVICES = {
    "cpu:package-0": ("cpu", ()),
    "dram": ("dram", ()),
    "gpu:0": ("gpu", ()),
    "gpu:1": ("gpu", ()),
    "gpu:2": ("gpu", ()),
}


@pytest.mark.parametrize(
    ("hosts", "names"),
    [
        ([Host(BOOT, "one"), Host(BOOT, "one")], ["one", "one"]),
        ([Host(BOOT, "pod-1", 5.0), Host(BOOT, "pod-2", 5.4)], ["pod-1", "pod-1"]),  # containers of one host
        ([Host(BOOT, "one"), Host(OTHER, "two")], ["one", "two"]),
        ([Host(BOOT, "node"), Host(OTHER, "node")], ["node-aaaaaaaa", "node-bbbbbbbb"]),
        ([Host(BOOT, "vm", 5.0), Host(BOOT, "vm", 95.0)], ["vm-0", "vm-1"]),  # of one snapshot
        ([Host("mac", "mac", 5.0), Host("mac", "mac", 700.0)], ["mac-0", "mac-1"]),  # without ids
        ([Host("mac", "mac", 5.0), Host("mac", "mac", 5.1)], ["mac", "mac"]),
        ([Host("mac/aa", "mac", 5.0), Host("mac/bb", "mac", 5.1)], ["mac-aa", "mac-bb"]),
        # virtual machines of one snapshot
        ([Host(BOOT, "one", 5.0, "one"), Host(BOOT, "two", 5.0, "two")], ["one", "two"]),
        ([Host(BOOT, "vm", 5.0, "vm", "f1"), Host(BOOT, "vm", 5.0, "vm", "f2")], ["vm-0", "vm-1"]),
        ([Host(BOOT, "vm", 5.0, "", "", "n/1"), Host(BOOT, "vm", 5.0, "", "", "n/2")], ["vm-0", "vm-1"]),
        # containers of one host, and a process beside them
        ([Host(BOOT, "pod", 5.0, "", "", "n/1"), Host(BOOT, "vm", 5.0, "vm", "", "m/2")], ["pod", "pod"]),
        ([Host(BOOT, "pod", 5.0, "", "f1"), Host(BOOT, "vm", 5.0, "vm", "")], ["pod", "pod"]),
    ],
)
def test_hosts_are_told_apart(hosts, names):
    assert told_apart(hosts) == names


def test_this_host_reports_the_same_boot_twice():
    one, two = this_host(), this_host()
    assert one._replace(booted=two.booted) == two
    assert one.is_same_as(two)
    assert one.booted == pytest.approx(two.booted, abs=host.BOOT_SECONDS / 2)


def test_a_system_without_such_a_clock_reports_no_boot(monkeypatch):
    for name in ("CLOCK_BOOTTIME", "CLOCK_MONOTONIC"):
        monkeypatch.delattr(time, name, raising=False)
    assert this_host().booted is None


def test_the_parts_of_a_machine_are_all_of_it_once():
    parts = [Part(number, 2, sees_same=True).of(DEVICES) for number in range(2)]
    assert sorted(name for part in parts for name in part) == sorted(DEVICES)
    assert "dram" in parts[0]


def test_processes_that_may_see_different_gpus_count_all_that_they_see():
    assert list(Part(1, 2, sees_same=False).of(DEVICES)) == ["gpu:0", "gpu:1", "gpu:2"]
    assert list(Part(1, 4, sees_same=True).of(DEVICES)) == ["gpu:0", "gpu:1", "gpu:2"]
    assert WHOLE.of(DEVICES) == DEVICES


def test_a_choice_of_gpus_is_seen():
    assert sees_every_gpu({})
    assert not sees_every_gpu({"CUDA_VISIBLE_DEVICES": "0,1"})
