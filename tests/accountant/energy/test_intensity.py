"""An intensity that changes while a run goes on."""

import math
import threading
from datetime import UTC, datetime, timedelta

import pytest
from support.runs import scripted, train

from green_callbacks.carbon import TraceIntensity, lookup
from green_callbacks.clock import ScriptedClock

DAY = datetime(2025, 1, 1, tzinfo=UTC)
HOURLY = [300 + 200 * math.sin(hour / 4) for hour in range(25)]
TRACE = TraceIntensity([(DAY + timedelta(hours=hour), g) for hour, g in enumerate(HOURLY)])


def joules(seconds):
    """Between 100 W and 500 W, with a period of five hours."""
    pace = 2 * math.pi / 18_000
    return 300 * seconds + 200 * (1 - math.cos(pace * seconds)) / pace


def exact_kg():
    hours = range(24)
    return sum((joules(3600 * (h + 1)) - joules(3600 * h)) * HOURLY[h] for h in hours) / 3.6e9


@pytest.mark.parametrize("minutes", [20, 60, 7.5])
def test_a_day_on_a_trace_is_the_integral_of_power_times_intensity(minutes):
    accountant, clock = scripted(ScriptedClock(DAY), watts=joules, carbon_intensity=TRACE)
    train(accountant, clock, range(round(24 * 60 / minutes)), seconds=minutes * 60)
    assert accountant.close().emissions_kg == pytest.approx(exact_kg(), rel=1e-3)


def test_long_epochs_are_weighted_by_when_their_energy_was_used():
    accountant, clock = scripted(ScriptedClock(DAY), watts=joules, carbon_intensity=TRACE)
    for epoch in range(2):
        accountant.begin_epoch(epoch)
        for part in range(48):
            accountant.phase(("train", "validation")[part % 2])
            clock.advance(900)
        record = accountant.end_epoch()
        assert record.intensity.low_g_per_kwh <= record.intensity.g_per_kwh <= record.intensity.high_g_per_kwh
    assert accountant.close().emissions_kg == pytest.approx(exact_kg(), rel=1e-3)


class Polled:
    """Asks a service that is slow to answer."""

    poll_seconds = 3600.0

    def __init__(self):
        self.threads = []
        self.asked = threading.Event()

    def at(self, when):
        return lookup("DE")

    def poll(self):
        self.threads.append(threading.current_thread().name)
        self.asked.set()


def test_a_service_is_asked_at_the_start_and_never_on_the_training_thread():
    provider = Polled()
    accountant, clock = scripted(carbon_intensity=provider)
    train(accountant, clock, range(3))
    assert provider.asked.wait(30)
    accountant.close()
    assert provider.threads == ["green_callbacks"]
