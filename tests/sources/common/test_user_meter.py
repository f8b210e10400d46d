import signal
import sys
import threading
from decimal import Decimal
from fractions import Fraction

import pytest

from green_callbacks.clock import ScriptedClock
from green_callbacks.errors import ConfigurationError
from green_callbacks.sources import CallableSource


class Plug:
    """A meter that shows the truth as of its last refresh."""

    def __init__(self, clock: ScriptedClock, refresh_seconds: float, unit: str) -> None:
        self.clock, self.refresh_seconds, self.unit = clock, refresh_seconds, unit
        self.watts = 100.0
        self.joules = 0.0
        self.since = 0.0
        self.shown = 100.0 if unit == "watts" else 0.0
        self.refreshed_at = 0.0
        self.is_frozen = False

    def truth(self) -> float:
        now = self.clock.monotonic()
        self.joules += self.watts * (now - self.since)
        self.since = now
        return self.joules

    def draw(self, watts: float) -> None:
        self.truth()
        self.watts = watts

    def __call__(self) -> float:
        joules, now = self.truth(), self.clock.monotonic()
        if now - self.refreshed_at >= self.refresh_seconds - 1e-9 and not self.is_frozen:
            self.refreshed_at = now
            self.shown = joules if self.unit == "joules" else self.watts
        return self.shown


@pytest.fixture
def clock():
    return ScriptedClock()


def opened(read: object, clock: ScriptedClock, **options: object):
    source = CallableSource(read, clock=clock, **options)
    source.open()
    return source


def run(source: CallableSource, clock: ScriptedClock, seconds: int):
    for _ in range(seconds):
        clock.advance(1.0)
        source.poll()


def only(source: CallableSource):
    (reading,) = source.read().values()
    return reading


class TestRefresh:
    def test_a_slow_counter_is_no_gap_and_stays_within_its_bounds(self, clock: ScriptedClock):
        plug = Plug(clock, 60.0, "joules")
        source = opened(plug, clock, unit="joules", refresh_seconds=60, max_watts=3680)
        for watts in (100.0, 300.0, 50.0, 2000.0):
            plug.draw(watts)
            for _ in range(9):
                run(source, clock, 20)
                reading = only(source)
                assert (reading.reason, reading.gap_seconds, reading.flags) == (None, 0.0, ())
                assert reading.joules - reading.below_joules <= plug.truth() <= reading.joules + reading.above_joules

    def test_slow_watts_are_no_gap_and_stay_within_their_bounds(self, clock: ScriptedClock):
        plug = Plug(clock, 60.0, "watts")
        source = opened(plug, clock, refresh_seconds=60, max_watts=3680)
        run(source, clock, 60)
        first, before = only(source), plug.truth()
        plug.draw(1000.0)
        run(source, clock, 50)
        last, after = only(source), plug.truth()
        assert (last.reason, last.gap_seconds) == (None, 0.0)
        joules = last.joules - first.joules
        assert joules - last.below_joules - first.above_joules <= after - before
        assert after - before <= joules + last.above_joules + first.below_joules

    @pytest.mark.parametrize("unit", ["watts", "joules"])
    def test_a_slow_meter_that_stands_still_is_a_gap(self, clock: ScriptedClock, unit: str):
        plug = Plug(clock, 5.0, unit)
        source = opened(plug, clock, unit=unit, refresh_seconds=5)
        for watts in (100, 120, 90, 110):
            plug.draw(watts)
            run(source, clock, 5)
        plug.is_frozen = True
        run(source, clock, 60)
        reading = only(source)
        assert "answered the same" in reading.reason
        assert "counter_frozen" in reading.flags
        assert reading.gap_seconds >= 45

    def test_a_steady_load_is_no_gap_where_nothing_says_otherwise(self, clock: ScriptedClock):
        source = opened(lambda: 90.0, clock)
        run(source, clock, 600)
        assert (only(source).joules, only(source).gap_seconds) == (pytest.approx(54_000), 0.0)

    def test_a_counter_that_stands_still_is_a_gap_without_it_too(self, clock: ScriptedClock):
        plug = Plug(clock, 0.0, "joules")
        source = opened(plug, clock, unit="joules")
        run(source, clock, 10)
        plug.is_frozen = True
        run(source, clock, 10)
        reading = only(source)
        assert (reading.reason is None, reading.gap_seconds) == (False, 10.0)
        plug.is_frozen, plug.watts = False, 100.0
        run(source, clock, 1)
        assert (only(source).reason, only(source).gap_seconds) == (None, 0.0)
        assert only(source).joules == pytest.approx(plug.truth())

    def test_a_counter_that_did_not_go_on_leaves_its_gap(self, clock: ScriptedClock):
        shown = 0.0
        source = opened(lambda: shown, clock, unit="joules")
        for watts in [100] * 10 + [0] * 10 + [100] * 10:
            shown += watts
            run(source, clock, 1)
        reading = only(source)
        assert reading.gap_seconds == pytest.approx(11)
        assert reading.flags == ("counter_frozen",)
        assert 1900 <= reading.joules <= 2300


class TestMaxWatts:
    def test_a_power_above_is_no_answer(self, clock: ScriptedClock):
        watts = 100.0
        source = opened(lambda: watts, clock, max_watts=3680)
        watts = 5000.0
        run(source, clock, 10)
        reading = only(source)
        assert (reading.joules, reading.gap_seconds) == (0.0, 10.0)
        assert "max_watts=3680" in reading.reason

    def test_a_leap_of_a_counter_is_a_gap_and_no_energy(self, clock: ScriptedClock):
        joules = 0.0
        source = opened(lambda: joules, clock, unit="joules", max_watts=3680)
        joules = 100.0
        run(source, clock, 1)
        joules = 1e9
        run(source, clock, 1)
        reading = only(source)
        assert (reading.joules, reading.gap_seconds, reading.flags) == (100.0, 1.0, ("counter_implausible",))
        joules += 100
        run(source, clock, 1)
        assert only(source).joules == 200.0


@pytest.mark.parametrize("options", [{"refresh_seconds": 0}, {"refresh_seconds": -1}, {"max_watts": 0}])
def test_what_cannot_be_is_refused(options: dict[str, float]):
    with pytest.raises(ConfigurationError):
        CallableSource(lambda: 1.0, **options)


@pytest.mark.parametrize("answer", [100, 100.0, Decimal(100), Fraction(100)], ids=lambda answer: type(answer).__name__)
def test_numbers_of_any_kind_are_floats(clock: ScriptedClock, answer: object):
    source = opened(lambda: answer, clock)
    run(source, clock, 2)
    assert type(only(source).joules) is float
    assert only(source).joules == 200.0


@pytest.mark.parametrize(
    "answer", [True, "100", b"100", None, 1j, 10**400, Decimal("1e400"), Decimal("sNaN"), [100], {}], ids=repr
)
def test_what_is_no_number_is_no_answer(clock: ScriptedClock, answer: object):
    told: object = 100.0
    source = opened(lambda: told, clock)
    told = answer
    run(source, clock, 1)
    assert only(source).reason.startswith("its answer is not valid")


class TestInterrupts:
    """A signal handler runs between any two instructions of the thread that reads."""

    def test_no_reading_is_below_one_that_was_told_before_it_began(self, clock: ScriptedClock):
        for step in range(1, 400):
            source = opened(lambda: 100.0, clock)
            seen, count = [], 0

            def interrupt(frame, event, argument, step=step, source=source, seen=seen):
                nonlocal count
                count += 1
                if count == step:
                    sys.settrace(None)
                    clock.advance(0.1)
                    seen.append(only(source).joules)
                    source.poll()
                    seen.append(only(source).joules)
                frame.f_trace_opcodes = True
                return interrupt

            clock.advance(0.5)
            before = sys.gettrace()  # of coverage
            sys.settrace(interrupt)
            try:
                interrupted = only(source).joules
            finally:
                sys.settrace(before)
            seen.append(only(source).joules)
            assert seen == sorted(seen)
            assert interrupted <= seen[-1]
            source.close()
            if count < step:
                return
        pytest.fail("The reading never came to its end.")

    @pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="alarms are a matter of POSIX")
    def test_alarms_that_raise_leave_nothing_held(self):
        class AlarmError(Exception):
            pass

        def ring(number: int, frame: object) -> None:
            raise AlarmError

        source = CallableSource(lambda: 100.0)
        source.open()
        before = signal.signal(signal.SIGALRM, ring)
        rung = 0
        try:
            while rung < 50:
                try:
                    # Set again and again, because an alarm within the meter's own function counts as its failure.
                    while True:
                        signal.setitimer(signal.ITIMER_REAL, 0.0005)
                        for _ in range(1000):
                            source.read()
                except AlarmError:
                    rung += 1
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        done = threading.Thread(target=lambda: (source.poll(), source.read(), source.close()))
        done.start()
        done.join(10)
        assert not done.is_alive()
