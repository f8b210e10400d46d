"""A number in gCO2e/kWh is a carbon intensity."""

import math
from datetime import UTC, datetime

import pytest

from green_callbacks.carbon import ConstantIntensity, lookup
from green_callbacks.errors import ConfigurationError
from green_callbacks.records import Intensity

NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)


def test_a_number_is_its_own_range():
    given = ConstantIntensity.given(380).at(NOON)
    assert (given.g_per_kwh, given.low_g_per_kwh, given.high_g_per_kwh) == (380.0, 380.0, 380.0)
    assert (given.zone, given.year, given.scope, given.found_by) == (None, None, None, "argument")


def test_a_place_of_the_tables():
    assert ConstantIntensity(lookup("FR")).at(NOON) == lookup("FR")


def test_a_machine_off_the_grid_may_emit_nothing():
    assert ConstantIntensity.given(0).at(NOON).g_per_kwh == 0


@pytest.mark.parametrize("number", [-1, 1500, math.nan, math.inf, 1e9])
def test_out_of_range_is_refused(number: float):
    with pytest.raises(ConfigurationError, match="gCO2e/kWh from 0 to 1500"):
        ConstantIntensity.given(number)


@pytest.mark.parametrize("thing", ["much", "", None, [380]])
def test_what_is_no_number_is_refused(thing: object):
    with pytest.raises(ConfigurationError, match="or a provider, but"):
        ConstantIntensity.given(thing)  # type: ignore[arg-type]


def test_a_record_out_of_range_is_refused():
    with pytest.raises(ConfigurationError):
        ConstantIntensity(Intensity(g_per_kwh=402_000.0, source="a lost decimal point", found_by="scripted"))


def test_kilograms_are_noticed(caplog: pytest.LogCaptureFixture):
    ConstantIntensity.given(0.38)
    assert "If it is in kg/kWh, multiply it by 1000" in caplog.text


def test_nothing_else_is_logged(caplog: pytest.LogCaptureFixture):
    ConstantIntensity.given(0)
    ConstantIntensity.given(1)
    assert caplog.text == ""
