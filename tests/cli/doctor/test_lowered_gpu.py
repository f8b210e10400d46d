"""A GPU that is slower than it could be, in the examination."""

import pytest

from green_callbacks.cli.doctor.gpus import gpus

GPU = "gpu\nuuid GPU-aaaaaaaa-0000-4000-8000-000000000001\nname NVIDIA H100\n"
REASONS = "nvmlDeviceGetCurrentClocksEventReasons"
POWER_CAP, THERMAL, BRAKE = 0x4, 0x20, 0x80


def found(nvml, script):
    nvml.script(GPU + script)
    _, *others = gpus({})
    return others


@pytest.mark.parametrize(
    "script",
    [
        "",
        f"wrong {REASONS} {POWER_CAP}",  # a full load at the default limit
        "limit 700\ndefault_limit 700",
        "limit 800\ndefault_limit 700",
        "limit 500\ndefault_limit 700\nerror nvmlDeviceGetEnforcedPowerLimit 3",
        f"wrong {REASONS} {THERMAL}\nerror {REASONS} 4\nerror nvmlDeviceGetCurrentClocksThrottleReasons 4",
    ],
)
def test_nothing_is_said_of_a_gpu_as_it_should_be_or_of_what_is_not_known(nvml, script):
    assert found(nvml, script) == []


def test_a_limit_below_the_default_is_said_with_its_command(nvml):
    [limit] = found(nvml, f"limit 500\ndefault_limit 700\nwrong {REASONS} {POWER_CAP}")
    assert "is 500 W, below its default of 700 W" in limit.text
    assert "runs at this limit now" in limit.text
    assert limit.command == "sudo nvidia-smi -i GPU-aaaaaaaa-0000-4000-8000-000000000001 -pl 700"
    assert (limit.state, limit.details["limit_watts"]) == ("known", 500.0)
    [limit] = found(nvml, "limit 500\ndefault_limit 700")
    assert "now" not in limit.text


def test_a_gpu_that_is_slowed_down_now_needs_attention(nvml):
    [heat] = found(nvml, f"wrong {REASONS} {THERMAL}")
    assert "too hot" in heat.text
    [brake] = found(nvml, f"wrong {REASONS} {BRAKE}")
    assert "power supply" in brake.text
    assert {heat.state, brake.state} == {"attention"}
