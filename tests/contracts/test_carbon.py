"""What every carbon intensity promises."""

import copy
import pickle
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from green_callbacks.carbon import CarbonIntensity, ConstantIntensity, lookup, resolve_intensity
from green_callbacks.records import Intensity

NOWHERE = Path("/nonexistent")
PROVIDERS = {
    "number": ConstantIntensity.given(380),
    "country": ConstantIntensity(lookup("DE")),
    "region": resolve_intensity("aws:eu-north-1", None, {}),
    "environment": resolve_intensity(environ={"GREEN_CALLBACKS_LOCATION": "FR"}),
    "time zone": resolve_intensity(environ={"TZ": "Europe/Berlin"}, etc=NOWHERE),
    "world": resolve_intensity(environ={}, etc=NOWHERE),
}
TIMES = [
    datetime(1990, 1, 1, tzinfo=UTC),
    datetime(2025, 6, 1, 12, tzinfo=timezone(timedelta(hours=5, minutes=30))),
    datetime(2100, 1, 1, tzinfo=UTC),
]


@pytest.fixture(params=PROVIDERS.values(), ids=PROVIDERS.keys())
def provider(request: pytest.FixtureRequest) -> CarbonIntensity:
    """Return each provider in turn."""
    return request.param


def test_it_is_one(provider: CarbonIntensity):
    assert isinstance(provider, CarbonIntensity)


@pytest.mark.parametrize("when", TIMES)
def test_it_answers_at_any_time(provider: CarbonIntensity, when: datetime):
    answer = provider.at(when)
    assert isinstance(answer, Intensity)
    assert answer.low_g_per_kwh is not None
    assert answer.high_g_per_kwh is not None
    assert 0 <= answer.low_g_per_kwh <= answer.g_per_kwh <= answer.high_g_per_kwh < 1500
    assert answer.source


def test_it_gives_the_same_answer_twice(provider: CarbonIntensity):
    assert provider.at(TIMES[0]) == provider.at(TIMES[0])


def test_it_survives_pickling_and_copying(provider: CarbonIntensity):
    answer = provider.at(TIMES[1])
    assert pickle.loads(pickle.dumps(provider)).at(TIMES[1]) == answer
    assert copy.deepcopy(provider).at(TIMES[1]) == answer


def test_a_guess_says_so(provider: CarbonIntensity):
    answer = provider.at(TIMES[1])
    assert ("guessed" in answer.flags) == (answer.found_by in {"time zone", "world average"})
