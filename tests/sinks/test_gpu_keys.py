"""What GPUs did, under metric keys."""

import pytest

from green_callbacks.records import DeviceActivity, EpochRecord
from green_callbacks.sinks.scalars import scalars


def keys(**activity):
    shown = scalars(EpochRecord.scripted(epoch=0, emissions_kg=0.1)._replace(activity=activity), None)
    return {key.removeprefix("green_detail/gpu_"): value for key, value in shown.items() if "detail/gpu_" in key}


def test_what_gpus_did_is_their_mean():
    busy = DeviceActivity(30.0, utilization=0.9, throttled_share=1.0, sm_mhz=1500.0, temperature_celsius=60.0)
    idle = DeviceActivity(30.0, utilization=0.1, throttled_share=0.0, sm_mhz=500.0, temperature_celsius=40.0)
    assert keys(a=busy, b=idle) == pytest.approx(
        {"utilization_percent": 50.0, "throttled_percent": 50.0, "sm_mhz": 1000.0, "celsius": 50.0}
    )


def test_what_the_driver_did_not_tell_has_no_key():
    assert keys() == {}
    assert keys(a=DeviceActivity(30.0, sm_mhz=1500.0)) == {"sm_mhz": 1500.0}
