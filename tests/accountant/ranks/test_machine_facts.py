"""Facts about a machine, as its files tell them."""

import ctypes
import uuid
from types import SimpleNamespace

import pytest

from green_callbacks.accountant.ranks import host, machine_facts
from green_callbacks.accountant.ranks.host import this_host
from green_callbacks.accountant.ranks.machine_facts import boot_id, firmware_id, network_id, own_name


@pytest.fixture
def namespaces(tmp_path):
    folder = tmp_path / "ns"
    folder.mkdir()
    (folder / "net").symlink_to("net:[7]")
    return folder


def card(folder, name, address, *, is_hardware=True):
    (folder / name).mkdir(parents=True)
    (folder / name / "address").write_text(f"{address}\n")
    if is_hardware:
        (folder / name / "device").mkdir()


def test_only_lasting_addresses_count(tmp_path, namespaces):
    card(tmp_path / "a", "lo", "00:00:00:00:00:00")
    card(tmp_path / "a", "eth0", "02:42:ac:11:00:02")
    card(tmp_path / "b", "eth1", "02:42:ac:11:00:02")
    card(tmp_path / "b", "docker0", "02:42:00:00:00:01", is_hardware=False)
    card(tmp_path / "c", "eth0", "02:42:ac:11:00:03")
    one, other, third = [network_id(tmp_path / each, namespaces) for each in "abc"]
    assert one == other != third
    assert one.startswith("net:[7]/")


def test_a_machine_without_addresses_tells_none_on_linux(tmp_path, namespaces, monkeypatch):
    monkeypatch.setattr(machine_facts.sys, "platform", "linux")
    assert network_id(tmp_path / "missing", namespaces) == ""


@pytest.mark.parametrize(("node", "is_known"), [(0x02_42_AC_11_00_02, True), (1 << 40, False)])
def test_elsewhere_python_tells_the_address_unless_it_is_random(tmp_path, monkeypatch, node, is_known):
    monkeypatch.setattr(machine_facts.sys, "platform", "darwin")
    monkeypatch.setattr(uuid, "getnode", lambda: node)
    assert bool(network_id(tmp_path / "missing", tmp_path)) == is_known


def test_the_name_is_the_machine_s_outside_containers(namespaces):
    assert own_name("node", namespaces) == ""
    (namespaces / "uts").symlink_to("uts:[4026531838]")
    assert own_name("node", namespaces) == "node"


@pytest.mark.parametrize(("text", "is_known"), [("4C4C4544-0042", True), ("00000000-0000", False), ("", False)])
def test_the_id_of_the_firmware_is_hashed(tmp_path, text, is_known):
    file = tmp_path / "product_uuid"
    file.write_text(text)
    assert bool(firmware_id(file)) == is_known
    assert text == "" or text not in firmware_id(file)
    assert firmware_id(tmp_path / "missing") == ""


@pytest.mark.parametrize("failed", [0, 1])
def test_a_mac_tells_the_id_of_its_boot(tmp_path, monkeypatch, failed):
    def answer(name, text, size, *_):
        assert name == b"kern.bootsessionuuid"
        text.value = b"B0075E55"
        return failed

    monkeypatch.setattr(machine_facts.sys, "platform", "darwin")
    monkeypatch.setattr(ctypes, "CDLL", lambda name: SimpleNamespace(sysctlbyname=answer))
    assert boot_id(tmp_path / "missing") == ("" if failed else "B0075E55")


@pytest.mark.parametrize(("network", "known"), [("net:[7]/aabb", "mac/aabb"), ("", "mac")])
def test_without_the_id_of_a_boot_a_machine_is_known_by_name_and_addresses(monkeypatch, network, known):
    monkeypatch.setattr(host, "boot_id", lambda: "")
    monkeypatch.setattr(host, "host_name", lambda: "mac")
    monkeypatch.setattr(host, "network_id", lambda: network)
    here = this_host()
    assert (here.id, here.has_id) == (known, False)
