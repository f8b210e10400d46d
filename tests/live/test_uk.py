"""Great Britain's service is read as it is documented, and every value says what it counts."""

from datetime import timedelta

import pytest
from support.grid_answers import NOON, half_hour, uk_now, uk_region
from support.local_server import reply_json

from green_callbacks.carbon import CarbonIntensity, PolledIntensity, UkCarbonIntensity, VaryingIntensity, lookup
from green_callbacks.errors import ConfigurationError

HALF_HOUR = timedelta(minutes=30)


def test_it_keeps_every_promise(uk):
    assert isinstance(uk(), CarbonIntensity)
    assert isinstance(uk(), VaryingIntensity)
    assert isinstance(uk(), PolledIntensity)


def test_a_measured_value(uk, server):
    server.answer = reply_json(uk_now())
    provider = uk()
    provider.poll()
    now = provider.at(NOON)
    assert server.paths == ["/intensity"]
    assert (now.g_per_kwh, now.low_g_per_kwh, now.high_g_per_kwh) == (263, 263, 263)
    assert (now.zone, now.name, now.year) == ("GB", "Great Britain", 2025)
    assert (now.scope, now.basis, now.licence) == ("direct", "consumption", "CC BY 4.0")
    assert (now.found_by, now.flags) == ("provider", ("direct only",))
    assert repr(provider) == "UkCarbonIntensity('GB')"


@pytest.mark.parametrize("actual", [None, "263", True, -1, 402_000, [263], {}])
def test_without_a_measured_value_the_forecast_one_counts_and_says_so(actual: object, uk, server):
    server.answer = reply_json(uk_now(actual=actual))
    provider = uk()
    provider.poll()
    assert (provider.at(NOON).g_per_kwh, provider.at(NOON).flags) == (266, ("direct only", "forecast"))


@pytest.mark.parametrize("data", [uk_region(), [uk_region()]], ids=["object", "list"])
def test_a_region_comes_as_a_list_or_as_an_object(data: object, uk, server):
    server.answer = reply_json({"data": data})
    provider = uk(" rg10 9NY")
    provider.poll()
    assert server.paths == ["/regional/postcode/RG10"]
    assert provider.at(NOON).g_per_kwh == 266
    assert provider.at(NOON).name == "Great Britain, RG10"
    assert provider.at(NOON).flags == ("direct only", "forecast")


def test_another_region_is_not_believed(uk, server, caplog):
    server.answer = reply_json({"data": [uk_region(postcode="M1")]})
    provider = uk("RG10")
    provider.poll()
    assert "static" in provider.at(NOON).flags
    assert "another region" in caplog.text


@pytest.mark.parametrize(("region", "path"), [(None, "/intensity/2025-06-01T12:00Z/fw48h"), ("M1", None)])
def test_the_forecast(region: str | None, path: str | None, uk, server):
    rows = [half_hour(0), half_hour(1, None), half_hour(2, 300, actual=None), half_hour(2, 310)]
    server.answer = reply_json({"data": uk_region(*rows, postcode="M1") if region else rows})
    forecast = uk(region).forecast()
    assert server.paths == [path or "/regional/intensity/2025-06-01T12:00Z/fw48h/postcode/M1"]
    assert forecast is not None
    assert (forecast.start, forecast.end) == (NOON, NOON + 4 * HALF_HOUR)
    assert forecast.at(NOON + 2.5 * HALF_HOUR).g_per_kwh == 310
    assert (forecast.at(NOON).zone, forecast.at(NOON).scope) == ("GB", "direct")
    assert "forecast" in forecast.at(NOON).source


def test_until_it_is_polled_the_yearly_average_stands_in(uk):
    static, yearly = uk().at(NOON), lookup("GB")
    assert (static.g_per_kwh, static.scope, static.year) == (yearly.g_per_kwh, yearly.scope, yearly.year)
    assert (static.found_by, static.flags) == ("provider", ("static",))
    assert uk().over(NOON, NOON + HALF_HOUR) == static


@pytest.mark.parametrize("region", ["", "Reading", "../x", 12])
def test_what_is_no_postcode_is_refused(region: str):
    with pytest.raises(ConfigurationError, match="RG10"):
        UkCarbonIntensity(region)


@pytest.mark.parametrize(
    "url", ["", "api.example.org", "ftp://x", "http://", "http://u:p@x", "http://x?a=b", "http://[x"]
)
def test_what_is_no_address_is_refused(url: str):
    with pytest.raises(ConfigurationError, match="base_url"):
        UkCarbonIntensity(base_url=url)
