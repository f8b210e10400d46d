"""What the energy of a record or a run leaves out."""

import pytest
from support.scripted_run import device, record

from green_callbacks.records import DeviceEnergy, History
from green_callbacks.records.coverage import is_whole, what_counts

CPU = {"cpu:0": device(10.0, "cpu", "modelled")}
GPU = {"gpu:0": device(10.0)}


def lost(component="gpu", **fields):
    return device(None, component, gap_seconds=10.0, **fields)


@pytest.mark.parametrize(
    ("devices", "sentence"),
    [
        ({}, None),
        (CPU, None),
        (CPU | GPU, None),
        (CPU | {"cpu:1": lost("cpu")}, None),  # no accelerator
        ({"gpu:0": lost()}, "This counts nothing: the GPU is not measured."),
        (CPU | {"gpu:0": lost()}, "This counts the CPU only: the GPU is not measured."),
        (CPU | {"gpu:0": lost(), "gpu:1": lost()}, "This counts the CPU only: the GPUs are not measured."),
        (
            CPU | {"dram:0": device(1.0, "dram"), "gpu:0": lost()},
            "This counts the CPU and memory only: the GPU is not measured.",
        ),
        (CPU | GPU | {"gpu:1": lost()}, "This leaves out 1 of 2 GPUs, which is not measured."),
        (CPU | {"tpu:xla": lost("tpu", flags=("unmeasured",))}, "This counts the CPU only: the TPU is not measured."),
        (
            CPU | {"gpu:0": device(5.0, gap_seconds=2.5)},
            "This leaves out a GPU for 25 % of the time: it did not answer.",
        ),
        (CPU | {"gpu:0": device(5.0, gap_seconds=0.05)}, None),
    ],
)
def test_it_is_one_sentence(devices: dict[str, DeviceEnergy], sentence: str | None):
    assert what_counts(devices) == sentence
    assert is_whole(devices) is (sentence is None)


def test_a_share_of_what_is_not_known_is_not_known():
    whole = record(0, devices={"cpu:0": device(10.0, "cpu", "counter"), **GPU})
    without = record(1, devices={"cpu:0": device(10.0, "cpu", "counter"), "gpu:0": lost()})
    assert whole.measured_share == 1.0
    assert without.measured_share is None
    assert History([whole]).measured_share == 1.0
    assert History([whole, without]).measured_share is None


def test_a_history_tells_of_its_last_record_whether_a_gpu_is_missing():
    history = History()
    assert not history.misses_gpu
    history.append(record(0))
    assert not history.misses_gpu
    history.append(record(1, gpu_joules=None))
    assert history.misses_gpu
    assert History.from_columns(history.to_columns()).misses_gpu
    history.append(record(2, cpu_joules=None))
    assert not history.misses_gpu


def test_a_long_history_keeps_what_is_missing_when_it_is_thinned():
    flags = ("unmeasured",)
    history = History(
        record(epoch, devices={"cpu:0": device(10.0, "cpu"), "gpu:cuda": lost(flags=flags)}) for epoch in range(20_000)
    )
    thinned = History.from_columns(history.to_columns())
    assert thinned.is_thinned
    total = thinned.device_totals()["gpu:cuda"]
    assert (total.joules, total.flags) == (None, flags)
    assert total.gap_seconds == pytest.approx(total.duration_seconds)
    assert thinned.misses_gpu
    assert thinned.measured_share is None
