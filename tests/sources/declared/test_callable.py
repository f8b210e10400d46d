import logging

import pytest

from green_callbacks.clock import ScriptedClock
from green_callbacks.errors import ConfigurationError, SourceUnavailableError
from green_callbacks.sources import CallableSource, EnergySource


class Meter:
    """Answers what it is set to, or raises it."""

    def __init__(self, answer: object) -> None:
        self.answer = answer
        self.calls = 0

    def __call__(self) -> object:
        self.calls += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def clock():
    return ScriptedClock()


def opened(meter: Meter, clock: ScriptedClock, **options: str | float):
    source = CallableSource(meter, clock=clock, **options)
    source.open()
    return source


def step(source: EnergySource, clock: ScriptedClock, meter: Meter, answer: object, seconds: float = 1.0):
    clock.advance(seconds)
    meter.answer = answer
    source.poll()


def only(source: EnergySource):
    (reading,) = source.read().values()
    return reading


def test_watts_are_integrated_over_the_real_times_of_the_answers(clock: ScriptedClock):
    meter = Meter(100)
    source = opened(meter, clock)
    step(source, clock, meter, 200, seconds=1.0)
    step(source, clock, meter, 400, seconds=0.5)
    reading = only(source)
    assert reading.joules == 150 * 1.0 + 300 * 0.5
    assert (reading.method, reading.component, reading.reason) == ("sampled", "platform", None)


def test_joules_are_a_counter(clock: ScriptedClock):
    meter = Meter(5000)
    source = opened(meter, clock, unit="joules", name="wall", component="wall", tolerance=0.02)
    step(source, clock, meter, 5250)
    readings = source.read()
    assert readings["wall"].joules == 250
    assert (readings["wall"].method, readings["wall"].tolerance) == ("counter", 0.02)


def test_the_training_thread_never_waits_for_the_meter(clock: ScriptedClock):
    meter = Meter(100)
    source = opened(meter, clock)
    for _ in range(5):
        source.read()
    assert meter.calls == 1
    source.read_settled()
    assert meter.calls == 2


def test_between_answers_the_last_power_is_held_within_bounds(clock: ScriptedClock):
    meter = Meter(100)
    source = opened(meter, clock)
    clock.advance(0.5)
    held = only(source)
    assert (held.joules, held.below_joules, held.above_joules) == (50.0, 50.0, 50.0)
    step(source, clock, meter, 0, seconds=0.5)
    assert only(source).joules == 50.0


def test_what_was_told_too_high_is_waited_for(clock: ScriptedClock):
    meter = Meter(100)
    source = opened(meter, clock)
    clock.advance(0.9)
    assert only(source).joules == 90.0
    step(source, clock, meter, 0, seconds=0.1)
    waiting = only(source)
    assert (waiting.joules, waiting.below_joules) == (90.0, 40.0)
    step(source, clock, meter, 200)
    assert only(source).joules == 150.0


def test_joules_are_held_at_their_last_power_too(clock: ScriptedClock):
    meter = Meter(0)
    source = opened(meter, clock, unit="joules")
    step(source, clock, meter, 300)
    clock.advance(0.5)
    assert only(source).joules == 450.0


def test_two_answers_in_quick_succession_do_not_make_a_power(clock: ScriptedClock):
    meter = Meter(0)
    source = opened(meter, clock, unit="joules")
    step(source, clock, meter, 100)
    step(source, clock, meter, 101, seconds=0.001)
    clock.advance(0.5)
    assert only(source).joules == pytest.approx(101 + 50)


def test_whatever_the_meter_raises_is_a_gap_said_once(clock: ScriptedClock, caplog: pytest.LogCaptureFixture):
    class DriverError(Exception):
        pass

    meter = Meter(100)
    source = opened(meter, clock)
    with caplog.at_level(logging.WARNING):
        for _ in range(4):
            step(source, clock, meter, DriverError("cable pulled"))
    lost = only(source)
    assert (lost.joules, lost.gap_seconds) == (0.0, 4.0)
    assert lost.reason == "DriverError: cable pulled"
    assert len(caplog.records) == 1
    step(source, clock, meter, 100)
    back = only(source)
    assert (back.joules, back.gap_seconds, back.reason) == (0.0, 5.0, None)


@pytest.mark.parametrize("answer", [float("nan"), float("inf"), -5.0, None, "many"])
def test_nonsense_is_no_answer(clock: ScriptedClock, answer: object):
    meter = Meter(100)
    source = opened(meter, clock)
    step(source, clock, meter, answer)
    assert only(source).reason is not None


def test_one_missed_answer_is_bridged(clock: ScriptedClock):
    meter = Meter(100)
    source = opened(meter, clock)
    step(source, clock, meter, TimeoutError("busy"))
    step(source, clock, meter, 100)
    back = only(source)
    assert (back.joules, back.gap_seconds) == (200.0, 0.0)


def test_a_meter_that_hangs_is_a_gap_not_a_guess(clock: ScriptedClock):
    meter = Meter(100)
    source = opened(meter, clock)
    clock.advance(2.0)
    assert only(source).joules == 200.0
    clock.advance(60.0)
    hung = only(source)
    assert (hung.joules, hung.gap_seconds, hung.reason) == (200.0, 62.0, "no answer for 62 s")
    step(source, clock, meter, 100)
    assert (only(source).joules, only(source).gap_seconds) == (200.0, 63.0)


def test_a_counter_that_fell_was_reset(clock: ScriptedClock):
    meter = Meter(1000)
    source = opened(meter, clock, unit="joules")
    step(source, clock, meter, 1100)
    step(source, clock, meter, 5)
    reading = only(source)
    assert (reading.joules, reading.gap_seconds, reading.flags) == (100.0, 1.0, ("reset",))
    step(source, clock, meter, 25)
    assert only(source).joules == 120.0


def test_a_counter_that_went_on_while_it_was_silent_closes_its_gap(clock: ScriptedClock):
    meter = Meter(0)
    source = opened(meter, clock, unit="joules")
    step(source, clock, meter, OSError("offline"), seconds=60)
    step(source, clock, meter, 9000, seconds=60)
    reading = only(source)
    assert (reading.joules, reading.gap_seconds, reading.reason) == (9000.0, 0.0, None)


def test_a_meter_that_does_not_answer_at_first_cannot_be_opened(clock: ScriptedClock):
    with pytest.raises(SourceUnavailableError, match="cable"):
        opened(Meter(OSError("no cable")), clock)


def test_closed_while_the_meter_was_being_asked(clock: ScriptedClock):
    source = opened(Meter(100), clock)

    def close_then_answer() -> float:
        source.close()
        return 100.0

    source._read = close_then_answer
    source.poll()
    assert source.read() == {}


@pytest.mark.parametrize(
    "options",
    [{"unit": "kWh"}, {"tolerance": -1}, {"poll_seconds": 0}, {"poll_seconds": float("inf")}],
)
def test_what_cannot_be_is_refused(options: dict[str, object]):
    with pytest.raises(ConfigurationError):
        CallableSource(lambda: 1.0, **options)
