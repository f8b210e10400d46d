import pickle
from decimal import Decimal
from math import isnan
from typing import Any

import pytest

from green_callbacks.clock import ScriptedClock
from green_callbacks.errors import ConfigurationError
from green_callbacks.sources import EnergySource, PowerSteps, ScriptedSource


@pytest.fixture
def clock():
    return ScriptedClock()


def opened(clock: ScriptedClock, *args: Any, **options: Any):
    source = ScriptedSource(*args, clock=clock, **options)
    source.open()
    return source


def only(source: EnergySource):
    (reading,) = source.read().values()
    return reading


def test_constant_power_is_exact(clock: ScriptedClock):
    source = opened(clock, 300.0)
    clock.advance(0.1)
    assert only(source).joules == pytest.approx(30.0, rel=1e-15)
    clock.advance(1e6)
    assert only(source).joules == pytest.approx(300.0 * 1_000_000.1, rel=1e-15)


def test_says_what_it_was_told_to_say(clock: ScriptedClock):
    source = opened(clock, name="cpu:0", component="cpu", method="modelled", tolerance=0.4)
    assert list(source.read()) == ["cpu:0"]
    reading = only(source)
    assert (reading.component, reading.method, reading.tolerance) == ("cpu", "modelled", 0.4)


def test_several_devices_each_with_its_own_power(clock: ScriptedClock):
    source = opened(clock, {"gpu:0": 100, "gpu:1": PowerSteps([(0, 0), (5, 200)]), "gpu:2": lambda seconds: seconds**2})
    clock.advance(10)
    assert {name: reading.joules for name, reading in source.read().items()} == {
        "gpu:0": 1000.0,
        "gpu:1": 1000.0,
        "gpu:2": 100.0,
    }


def test_steps_integrate_exactly_within_and_across_them():
    energy = PowerSteps([(0, 100), (10, 400), (20, 0)])
    assert [energy(at) for at in (0, 5, 10, 15, 20, 1000)] == [0, 500, 1000, 3000, 5000, 5000]


def test_a_lost_device_keeps_what_it_had_and_comes_back_with_all_it_used(clock: ScriptedClock):
    source = opened(clock, 100.0, lost_seconds=[(10, 20)])
    clock.advance(15)
    lost = only(source)
    assert (lost.joules, lost.gap_seconds) == (1000.0, 5.0)
    assert lost.reason is not None
    clock.advance(10)
    back = only(source)
    assert (back.joules, back.gap_seconds, back.reason) == (2500.0, 0.0, None)


def test_a_device_reset_while_lost_has_a_gap_for_ever(clock: ScriptedClock):
    source = opened(clock, 100.0, lost_seconds=[(10, 20)], reset_seconds=[20])
    clock.advance(25)
    reading = only(source)
    assert (reading.joules, reading.gap_seconds, reading.reason) == (500.0, 10.0, None)


def test_a_reset_is_a_counter_that_falls_to_zero(clock: ScriptedClock):
    source = opened(clock, 100.0, reset_seconds=[10])
    clock.advance(9)
    assert only(source).joules == 900.0
    clock.advance(3)
    assert only(source).joules == 200.0


def test_a_device_that_never_answered_has_no_joules(clock: ScriptedClock):
    source = opened(clock, 100.0, lost_seconds=[(0, 10)])
    clock.advance(5)
    assert (only(source).joules, only(source).gap_seconds) == (None, 5.0)
    clock.advance(7)
    assert (only(source).joules, only(source).gap_seconds) == (200.0, 10.0)


@pytest.mark.parametrize(
    "options",
    [
        {"power_watts": -1.0},
        {"power_watts": float("nan")},
        {"power_watts": {"gpu:0": float("inf")}},
        {"tolerance": -0.1},
        {"lost_seconds": [(5, 5)]},
        {"lost_seconds": [(-1, 5)]},
        {"lost_seconds": [(1, 5), (4, 6)]},
        {"reset_seconds": [-1]},
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, Any]):
    with pytest.raises(ConfigurationError):
        ScriptedSource(**options)


@pytest.mark.parametrize("steps", [[], [(1, 100)], [(0, 100), (0, 200)], [(0, 100), (5, -1)]])
def test_steps_that_cannot_be_are_refused(steps: list[tuple[float, float]]):
    with pytest.raises(ConfigurationError):
        PowerSteps(steps)


def test_runs_on_the_machine_s_clock_by_default():
    source = ScriptedSource(1e9)
    source.open()
    first, second = only(source).joules, only(source).joules
    assert 0 < first < second


def test_keeps_its_script_when_it_is_pickled_and_when_it_is_opened_again(clock: ScriptedClock):
    script = ScriptedSource(PowerSteps([(0, 5)]), lost_seconds=[(1, 2)], reset_seconds=[10], clock=clock)
    source = pickle.loads(pickle.dumps(script))
    for _ in range(2):
        source.open()
        source._clock.advance(1.5)
        assert (only(source).joules, only(source).gap_seconds) == (5.0, 0.5)
        source._clock.advance(10.5)
        assert only(source).joules == 10.0
        source.close()


def test_a_script_may_give_numbers_of_any_kind(clock: ScriptedClock):
    source = opened(clock, lambda seconds: Decimal(300) * int(seconds))
    clock.advance(2.0)
    assert only(source).joules == 600.0
    assert type(only(source).joules) is float


@pytest.mark.parametrize("answer", ["many", None, 1j, float("inf")], ids=str)
def test_what_is_no_number_is_never_energy(clock: ScriptedClock, answer: object):
    assert isnan(only(opened(clock, lambda seconds: answer)).joules)
