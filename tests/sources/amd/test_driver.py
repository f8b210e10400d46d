"""What the driver's library may answer: other versions, other names, and nothing that it should."""
# ruff: noqa: T201  printing is what is tested

import sys
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from green_callbacks.sources.amd.driver import AmdDriver, AmdDriverError
from green_callbacks.sources.amd.silenced_import import quiet

HANDLE = object()


def driver(**calls: Any):
    """A driver whose library answers each call so."""
    return AmdDriver(SimpleNamespace(**{f"amdsmi_{name}": lambda *_, told=told: told for name, told in calls.items()}))


@pytest.mark.parametrize("name", ["energy_accumulator", "power"])
def test_the_counter_is_counts_of_its_resolution_in_microjoules(name: str):
    told = {name: 2**32, "counter_resolution": 15.259, "timestamp": 0}
    assert driver(get_energy_count=told).energy_joules(HANDLE) == pytest.approx(65_536.9, rel=1e-5)


@pytest.mark.parametrize(
    "told",
    [
        {"energy_accumulator": 2**64 - 1, "counter_resolution": 15.3},
        {"energy_accumulator": "N/A", "counter_resolution": 15.3},
        {"energy_accumulator": 7, "counter_resolution": 0.0},
        {"energy_accumulator": 7},
        {},
        None,
        7,
    ],
)
def test_what_is_no_count_is_no_counter(told: object):
    with pytest.raises(AmdDriverError):
        driver(get_energy_count=told).energy_joules(HANDLE)


@pytest.mark.parametrize(
    ("told", "watts"),
    [
        ({"current_socket_power": 400, "average_socket_power": "N/A"}, 400),
        ({"current_socket_power": "N/A", "average_socket_power": 89}, 89),
        ({"current_socket_power": 0xFFFF, "average_socket_power": 89}, 89),
        ({"current_socket_power": 0xFFFFFFFF, "average_socket_power": 89}, 89),
        ({"average_socket_power": 89}, 89),
        ({"socket_power": 31, "current_socket_power": "N/A", "average_socket_power": "N/A"}, 31),
        ({"current_socket_power": 0}, 0),
    ],
)
def test_the_power_is_whichever_is_told(told: dict[str, object], watts: float):
    assert driver(get_power_info=told).power_watts(HANDLE) == watts


@pytest.mark.parametrize("told", [{"socket_power": 2**64 - 1, "current_socket_power": "N/A"}, {}, None])
def test_a_power_that_is_not_told_is_not_zero(told: object):
    with pytest.raises(AmdDriverError):
        driver(get_power_info=told).power_watts(HANDLE)


@pytest.mark.parametrize(
    ("told", "watts"),
    [({"power_cap": 750_000_000}, 750), ({"power_cap": 750}, 750), ({"power_cap": 0}, None), ({}, None), (None, None)],
)
def test_the_limit_is_in_microwatts_or_watts(told: object, watts: float | None):
    assert driver(get_power_cap_info=told).limit_watts(HANDLE) == watts


def test_a_call_that_this_version_does_not_have_is_refused_by_name():
    with pytest.raises(AmdDriverError, match="amdsmi_get_power_info is missing"):
        driver().power_watts(HANDLE)
    assert driver().details("kfd_info", HANDLE) == {}


@pytest.mark.parametrize("told", [None, [{"name": "python"}], [7]])
def test_a_list_of_processes_that_is_none_is_refused(told: object):
    with pytest.raises(AmdDriverError):
        driver(get_gpu_process_list=told).process_ids(HANDLE)


def test_only_the_thread_that_imports_is_silenced(capsys: pytest.CaptureFixture[str]):
    def in_another_thread(task: Callable[[], None]) -> None:
        thread = threading.Thread(target=task)
        thread.start()
        thread.join()

    with quiet():
        print("Unable to find libamd_smi.so")
        in_another_thread(lambda: print("epoch 3"))
        print("at all", flush=True)
    print("epoch 4")
    assert capsys.readouterr().out == "epoch 3\nepoch 4\n"


def test_where_there_is_no_output_nothing_is_silenced(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "stdout", None)
    with quiet():
        print("to nobody")
    assert sys.stdout is None
