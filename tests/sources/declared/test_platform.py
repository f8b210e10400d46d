import pytest

from green_callbacks.clock import ScriptedClock
from green_callbacks.errors import ConfigurationError
from green_callbacks.sources import PlatformSource


def test_is_a_constant_of_its_own_declared_not_measured():
    clock = ScriptedClock()
    source = PlatformSource(90, tolerance=0.2, clock=clock)
    source.open()
    clock.advance(3600)
    ((name, reading),) = source.read().items()
    assert name == "platform"
    assert (reading.joules, reading.component, reading.method, reading.tolerance) == (
        90 * 3600,
        "platform",
        "modelled",
        0.2,
    )


@pytest.mark.parametrize("watts", [-1, float("nan")])
def test_what_cannot_be_is_refused(watts: float):
    with pytest.raises(ConfigurationError):
        PlatformSource(watts)
