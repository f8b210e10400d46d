"""Whatever a provider of carbon intensity does, training goes on, and the last good answer stands, flagged."""

import threading
import time
from datetime import timedelta
from decimal import Decimal
from math import inf, nan

import pytest

from green_callbacks.accountant.energy import grid_intensity as grid_module
from green_callbacks.accountant.energy.grid_intensity import GridIntensity
from green_callbacks.call_threads import Threads
from green_callbacks.carbon import ConstantIntensity, lookup
from green_callbacks.carbon.energy_weighted import Piece
from green_callbacks.clock import ScriptedClock
from green_callbacks.records import Intensity

LONG_SECONDS = 30.0
EDGE_SECONDS = 1.0
GOOD = Intensity(g_per_kwh=380.0, low_g_per_kwh=300.0, high_g_per_kwh=400.0, source="me", found_by="provider")


class Float32(float):
    """A number of another library's, such as ``numpy.float32``."""

    dtype = "float32"


class Told:
    """A provider of the user's own, which answers what it is told."""

    def __init__(self, answer=GOOD):
        self.answer, self.asked_on = answer, set()
        self.gate = threading.Event()
        self.gate.set()

    def at(self, when):
        self.asked_on.add(threading.current_thread())
        self.gate.wait(LONG_SECONDS)
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


class TellsItself(Told):
    """One that says that it only looks at memory."""

    is_instant = True

    def at(self, when):
        return super().at(when)


@pytest.fixture
def clock():
    return ScriptedClock()


@pytest.fixture
def provider():
    provider = Told()
    yield provider
    provider.gate.set()


@pytest.fixture
def grid_of(clock):
    grids = []

    def new(provider):
        grids.append(GridIntensity(provider, clock, Threads()))
        return grids[-1]

    yield new
    for grid in grids:
        grid.close()


def over(grid, clock):
    start = clock.now()
    clock.advance(10)
    began = time.monotonic()
    answer = grid.over([Piece(start, clock.now(), 100.0)])
    assert time.monotonic() - began < EDGE_SECONDS
    return answer


def test_a_provider_of_the_package_is_asked_on_the_thread_that_asks(grid_of, clock):
    before = threading.active_count()
    grid = grid_of(ConstantIntensity(GOOD))
    assert grid.now() == over(grid, clock)
    assert threading.active_count() == before


def test_one_of_the_users_is_asked_elsewhere_unless_it_says_that_it_looks_at_memory(grid_of, clock, provider):
    assert grid_of(provider).now() == GOOD
    assert threading.current_thread() not in provider.asked_on
    own = TellsItself()
    assert grid_of(own).now() == GOOD
    assert own.asked_on == {threading.current_thread()}


def test_a_subclass_that_answers_in_its_own_way_is_asked_elsewhere(grid_of, clock):
    names = []

    class Own(ConstantIntensity):
        def at(self, when):
            names.append(threading.current_thread())
            return super().at(when)

    grid_of(Own(GOOD)).now()
    assert threading.current_thread() not in names


BAD = {
    "raises": OSError("gone"),
    "exits": SystemExit(3),
    "none": None,
    "number": 380.0,
    "text": "380",
    "nan": lambda: Intensity(g_per_kwh=nan, source="me", found_by="provider"),
    "inf": lambda: Intensity(g_per_kwh=inf, source="me", found_by="provider"),
    "negative": lambda: Intensity(g_per_kwh=-1.0, source="me", found_by="provider"),
    "too large": lambda: Intensity(g_per_kwh=1e9, source="me", found_by="provider"),
    "bounds": lambda: Intensity(g_per_kwh=5.0, low_g_per_kwh=7.0, source="me", found_by="provider"),
    "a text in it": lambda: Intensity(g_per_kwh="much", source="me", found_by="provider"),
}


def made(answer):
    """Return an answer, or a provider's failure to make it."""
    try:
        return answer() if callable(answer) else answer
    except (TypeError, ValueError) as failure:
        return failure


@pytest.mark.parametrize("answer", BAD.values(), ids=BAD.keys())
def test_an_answer_that_cannot_be_is_said_once_and_the_last_good_one_stands(grid_of, clock, provider, answer, caplog):
    grid = grid_of(provider)
    assert grid.now() == GOOD
    provider.answer = made(answer)
    for _ in range(3):
        stale = over(grid, clock)
        assert (stale.g_per_kwh, stale.flags) == (380.0, ("stale",))
        assert (stale.lowest_g_per_kwh, stale.highest_g_per_kwh) == (300.0, 400.0)
    (said,) = caplog.records
    assert said.message.startswith("The carbon intensity provider Told gave no answer that can be used (")
    provider.answer = GOOD
    assert over(grid, clock) == GOOD


@pytest.mark.parametrize("answer", BAD.values(), ids=BAD.keys())
def test_without_any_good_answer_the_world_stands_in_flagged(grid_of, provider, answer, caplog):
    provider.answer = made(answer)
    stale = grid_of(provider).now()
    assert (stale.g_per_kwh, stale.zone) == (lookup("World").g_per_kwh, lookup("World").zone)
    assert "stale" in stale.flags
    assert len(caplog.records) == 1


@pytest.mark.parametrize("number", [Float32(380.0), Decimal(380), 380], ids=["numpy", "decimal", "int"])
def test_a_number_of_another_library_becomes_a_float(grid_of, provider, number, caplog):
    provider.answer = Intensity(g_per_kwh=number, source="me", found_by="provider")
    answer = grid_of(provider).now()
    assert (answer.g_per_kwh, type(answer.g_per_kwh), answer.flags) == (380.0, float, ())
    assert caplog.records == []


def test_one_that_hangs_costs_little_and_is_said_once_and_asked_again_when_it_comes_back(
    grid_of, clock, provider, caplog
):
    grid = grid_of(provider)
    assert grid.now() == GOOD
    provider.gate.clear()
    for _ in range(3):
        assert over(grid, clock).flags == ("stale",)
    (said,) = caplog.records
    assert "no answer within" in said.message
    provider.gate.set()
    deadline = time.monotonic() + LONG_SECONDS
    while over(grid, clock).flags:
        assert time.monotonic() < deadline
    assert len(caplog.records) == 1


def test_one_that_hangs_at_the_start_is_given_some_seconds(grid_of, provider, monkeypatch):
    monkeypatch.setattr(grid_module, "_FIRST_SECONDS", 0.05)
    provider.gate.clear()
    assert "stale" in grid_of(provider).now().flags


def test_one_that_varies_is_weighted_by_when_the_energy_was_used(grid_of, clock):
    class Varying(Told):
        def over(self, start, end):
            is_late = (start - self.began) >= timedelta(seconds=10)
            return Intensity(g_per_kwh=400.0 if is_late else 100.0, source="me", found_by="provider")

    provider = Varying()
    provider.began = clock.now()
    pieces = []
    for joules in (300.0, 100.0):
        start = clock.now()
        clock.advance(10)
        pieces.append(Piece(start, clock.now(), joules))
    assert grid_of(provider).over(pieces).g_per_kwh == 175.0


def test_where_no_thread_can_be_started_it_is_asked_here(grid_of, clock, provider, monkeypatch, caplog):
    def refuse(thread):
        message = "can't start new thread"
        raise RuntimeError(message)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    grid = grid_of(provider)
    assert grid.now() == over(grid, clock) == GOOD
    assert len(caplog.records) == 1
