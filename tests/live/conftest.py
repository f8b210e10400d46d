"""A service on this machine, a clock that moves when told, and a cache of the test's own."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.local_server import LocalServer, serving

from green_callbacks.carbon import ElectricityMaps, UkCarbonIntensity
from green_callbacks.clock import ScriptedClock

TOKEN = "hush-hush-0123456789"  # what must never show
NOW = datetime(2025, 6, 1, 12, 10, tzinfo=UTC)


@pytest.fixture
def token() -> str:
    return TOKEN


@pytest.fixture
def server() -> Iterator[LocalServer]:
    with serving() as server:
        yield server


@pytest.fixture
def clock() -> ScriptedClock:
    return ScriptedClock(NOW)


@pytest.fixture
def uk(server: LocalServer, clock: ScriptedClock, tmp_path: Path) -> Callable[..., UkCarbonIntensity]:
    """Return a maker of providers for Great Britain; each is like one of another process."""
    return lambda region=None: UkCarbonIntensity(region, base_url=server.url, clock=clock, cache=tmp_path / "cache")


@pytest.fixture
def maps(server: LocalServer, clock: ScriptedClock, tmp_path: Path) -> Callable[..., ElectricityMaps]:
    """Return a maker of providers for Electricity Maps; each is like one of another process."""
    options = {"base_url": f"{server.url}/v4/", "clock": clock, "cache": str(tmp_path / "cache")}
    return lambda zone="DE", **more: ElectricityMaps(zone, TOKEN, **{**options, **more})
