"""Electricity Maps is asked for one zone and believed for that zone only."""

from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from support.grid_answers import NOON, point
from support.local_server import reply_json

from green_callbacks.carbon import ElectricityMaps, lookup
from green_callbacks.carbon.live.electricity_maps import TOKEN_VARIABLE
from green_callbacks.errors import ConfigurationError, UnknownZoneError

HOUR = timedelta(hours=1)


def test_a_value(maps, server, token):
    server.answer = reply_json(point())
    provider = maps("de")
    provider.poll()
    now = provider.at(NOON)
    assert (now.g_per_kwh, now.zone, now.name, now.year) == (322, "DE", "Germany", 2025)
    assert (now.scope, now.basis, now.source) == ("lifecycle", "consumption", "Electricity Maps")
    assert (now.found_by, now.flags) == ("provider", ())
    asked = server.questions[0]
    assert urlsplit(asked.path).path == "/v4/carbon-intensity/latest"
    assert parse_qs(urlsplit(asked.path).query) == {
        "zone": ["DE"],
        "emissionFactorType": ["lifecycle"],
        "shouldUseFallbackCallerLookup": ["false"],
    }
    assert asked.headers["auth-token"] == token


@pytest.mark.parametrize(("options", "version"), [({}, 4), ({"version": 4}, 4), ({"version": 3}, 3)])
def test_the_version_of_the_service_is_4_unless_asked(options, version):
    provider = ElectricityMaps("DE", "token", **options)
    assert provider._request().url == f"https://api.electricitymaps.com/v{version}/carbon-intensity/latest"
    assert provider._forecast_request().url == f"https://api.electricitymaps.com/v{version}/carbon-intensity/forecast"


@pytest.mark.parametrize("version", [2, 5, "4", None, True, 4.5])
def test_another_version_is_refused(version):
    with pytest.raises(ConfigurationError, match="version must be 4 or 3, a version of Electricity Maps' API"):
        ElectricityMaps("DE", "token", version=version)


@pytest.mark.parametrize(
    ("token", "options", "said"),
    [
        (b"token", {}, "token= takes a text, not a value of type bytes"),
        (5, {}, "token= takes a text"),
        (" \n", {}, "A token is needed"),
        ("to ken", {}, "characters that no token has"),
        ("token", {"cache": 5}, "cache must be the path of a folder, not 5"),
        ("token", {"base_url": 5}, "base_url must be the address of a service"),
        ("token", {"base_url": "api.electricitymaps.com"}, "base_url must be the address of a service"),
    ],
)
def test_options_that_cannot_work_are_refused_at_construction(token, options, said):
    with pytest.raises(ConfigurationError, match=said):
        ElectricityMaps("DE", token, **options)


def test_an_option_that_there_is_not_is_refused():
    with pytest.raises(TypeError, match="There is no option 'tokn'"):
        ElectricityMaps("DE", "token", tokn="x")


def test_what_is_estimated_says_so(maps, server):
    server.answer = reply_json(point(isEstimated=True, estimationMethod="TIME_SLICER_AVERAGE"))
    provider = maps()
    provider.poll()
    assert provider.at(NOON).flags == ("estimated",)


@pytest.mark.parametrize(("granularity", "minutes"), [("hourly", 60), ("15_minutes", 15), ("5_minutes", 5), (None, 60)])
def test_a_value_lasts_as_long_as_the_service_says(granularity: str | None, minutes: int, maps, server):
    server.answer = reply_json(point(temporalGranularity=granularity))
    provider = maps()
    provider.poll()
    end = NOON + timedelta(minutes=minutes + 30)  # and until the next one can have come
    assert provider.at(end - timedelta(seconds=1)).flags == ()
    assert provider.at(end).flags == ("stale",)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"zone": "FR"}, "another zone"),
        ({"zone": None}, "names no zone"),
        ({"emissionFactorType": "direct"}, "other emission factors"),
        ({"carbonIntensity": None}, "holds no value"),
        ({"datetime": "2025-06-01T12:00:00"}, "holds no value"),
    ],
)
def test_what_was_not_asked_for_is_not_believed(fields: dict[str, object], words: str, maps, server, caplog):
    server.answer = reply_json(point(**fields))
    provider = maps()
    provider.poll()
    assert (provider.at(NOON).g_per_kwh, provider.at(NOON).flags) == (lookup("DE").g_per_kwh, ("static",))
    assert len(caplog.records) == 1
    assert words in caplog.text


def test_the_forecast(maps, server):
    rows = [{"carbonIntensity": v, "datetime": point(hour=h)["datetime"]} for h, v in enumerate((326, None, 297))]
    server.answer = reply_json({"zone": "DE", "forecast": rows, "temporalGranularity": "hourly"})
    forecast = maps().forecast()
    assert forecast is not None
    assert "/carbon-intensity/forecast?" in server.paths[0]
    assert [forecast.at(NOON + h * HOUR).g_per_kwh for h in (0, 2)] == [326, 297]


def test_a_plan_without_forecasts(maps, server, caplog):
    server.answer = reply_json({"error": "not in your plan"}, 403)
    assert maps().forecast() is None
    assert "HTTP 403" in caplog.text


@pytest.mark.parametrize(("zone", "place"), [("SE-SE3", "SE-SE3"), ("US-CAL-CISO", "US"), ("DK-DK1", "DK")])
def test_a_zone_without_figures_of_its_own_falls_back_to_its_country(zone: str, place: str, maps):
    assert maps(zone).at(NOON).zone == place
    assert maps(zone, static="US-CA").at(NOON).zone == "US-CA"


def test_a_zone_of_no_known_country_falls_back_to_the_world(maps):
    assert (maps("XX").at(NOON).zone, maps("XX").at(NOON).flags) == ("WORLD", ("guessed", "static"))


@pytest.mark.parametrize("zone", ["", "germany", "DE&x=1", "D", None])
def test_what_is_no_zone_is_refused(zone: str):
    with pytest.raises(ConfigurationError, match="US-CAL-CISO"):
        ElectricityMaps(zone, "token")


def test_what_cannot_stand_in_is_refused():
    with pytest.raises(UnknownZoneError):
        ElectricityMaps("DE", "token", static="Atlantis")


def test_a_token_is_needed():
    with pytest.raises(ConfigurationError, match=TOKEN_VARIABLE):
        ElectricityMaps("DE")


def test_a_token_is_not_sent_in_the_open():
    with pytest.raises(ConfigurationError, match="https"):
        ElectricityMaps("DE", "token", base_url="http://api.example.org")
