"""Whoever accounts asks every provider in the same way."""

from datetime import UTC, datetime, timedelta

from green_callbacks.carbon import (
    CarbonIntensity,
    ConstantIntensity,
    PolledIntensity,
    TraceIntensity,
    VaryingIntensity,
    mean_intensity,
)
from green_callbacks.records import Intensity

NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Clockwork:
    """A provider of a user's own: the minute of the hour."""

    def at(self, when: datetime) -> Intensity:
        return Intensity(g_per_kwh=when.minute, source="clock", found_by="provider")


def test_a_provider_needs_no_more_than_a_value_at_a_time():
    assert isinstance(Clockwork(), CarbonIntensity)
    assert not isinstance(Clockwork(), VaryingIntensity | PolledIntensity)
    assert mean_intensity(Clockwork(), NOON, NOON + HOUR).g_per_kwh == 30


def test_what_does_not_vary_is_its_own_mean():
    constant = ConstantIntensity.given(380)
    assert mean_intensity(constant, NOON, NOON + HOUR) is constant.at(NOON)


def test_what_varies_gives_its_mean():
    trace = TraceIntensity([(NOON, 100), (NOON + HOUR, 200)])
    assert mean_intensity(trace, NOON, NOON + 2 * HOUR).g_per_kwh == 150
