"""Whatever a service does, the question ends, the answer is none or a sensible one, and nothing is raised."""

import gzip
import json
import threading
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.grid_answers import NOON, uk_now
from support.local_server import Question, drip, hang_up, reply, reply_json, serving, silence

from green_callbacks.carbon import ElectricityMaps, UkCarbonIntensity, lookup
from green_callbacks.carbon.live.http_request import Request, ServiceError, fetch
from green_callbacks.records import Intensity

GOOD = json.dumps(uk_now()).encode()
QUICK = {
    "hang up": hang_up,
    "500": reply(b"oops", 500),
    "429": reply(b"", 429),
    "401": reply(b'{"error": "no"}', 401),
    "204": reply(b"", 204),
    "redirect": reply(b"", 302, Location="http://127.0.0.1:9/intensity"),
    "page": reply(b"<html>Welcome to the hotel</html>"),
    "truncated": reply(GOOD[:40]),
    "cut short": reply(GOOD, Content_Length=str(len(GOOD) + 10)),
    "huge": reply(b"[" + b"0," * (1 << 20) + b"0]"),
    "deep": reply(b"[" * 200_000),
    "packed": reply(gzip.compress(GOOD), Content_Encoding="gzip"),
    "other bytes": reply(b"\xff\xfe\x00"),
    "long header": reply(b"", X_Long="x" * 200_000),
    "error": reply_json({"error": {"code": "400 Bad Request", "message": "string"}}, 400),
    "nothing": reply(b""),
    "null": reply(b"null"),
}
SLOW = {
    "no HTTP": drip(b"SSH-2.0-OpenSSH_9.6\r\n"),
    "silence": silence,
    "slow first line": drip(b"HT"),
    "slow header": drip(b"HTTP/1.1 200 OK\r\nServer: "),
    "slow body": drip(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"),
    "endless chunks": drip(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFF\r\n"),
}


@pytest.mark.parametrize("fault", QUICK.values(), ids=QUICK)
def test_the_yearly_average_stands_in_and_one_warning_says_why(
    fault: Callable[[Question], None], uk, server, clock, caplog
):
    server.answer = fault
    provider = uk()
    for _ in range(3):
        provider.poll()
        clock.advance(60)
    assert provider.at(NOON).g_per_kwh == lookup("GB").g_per_kwh
    assert provider.at(NOON).flags == ("static",)
    assert [record.name for record in caplog.records] == ["green_callbacks.carbon.live.provider"]
    assert "Until it does, its last value" in caplog.text


@pytest.mark.parametrize("fault", SLOW.values(), ids=SLOW)
def test_a_slow_service_does_not_outlast_the_timeout(fault: Callable[[Question], None], server):
    """It would go on for as long as anyone listens; so an end is the proof, and no thread is left that listens."""
    server.answer = fault
    with pytest.raises(ServiceError, match=r"in time|Timeout"):
        fetch(Request(server.url), timeout_seconds=0.3)
    for thread in threading.enumerate():
        if thread.name.startswith("green_callbacks"):
            thread.join(10)
            assert not thread.is_alive()


def test_polling_a_slow_service(uk, server, caplog):
    server.answer = SLOW["slow header"]
    provider = uk()
    provider.poll()
    assert provider.at(NOON).flags == ("static",)
    assert "in time" in caplog.text


def test_nobody_there(clock, tmp_path, caplog):
    provider = UkCarbonIntensity(base_url="http://127.0.0.1:9", clock=clock, cache=tmp_path)
    provider.poll()
    assert provider.at(NOON).flags == ("static",)
    assert "ConnectError, so check the network" in caplog.text


def test_no_such_name(clock, tmp_path, caplog):
    provider = UkCarbonIntensity(base_url="http://name.invalid", clock=clock, cache=tmp_path)
    provider.poll()
    assert provider.at(NOON).flags == ("static",)
    assert len(caplog.records) == 1


@pytest.mark.parametrize("proxy", ["http://127.0.0.1:9", "socks5://127.0.0.1:9", "what://?"])
def test_a_proxy_that_does_not_work(proxy: str, clock, tmp_path, caplog, monkeypatch):
    monkeypatch.setenv("http_proxy", proxy)
    monkeypatch.setenv("no_proxy", "")
    provider = UkCarbonIntensity(base_url="http://example.invalid", clock=clock, cache=tmp_path)
    provider.poll()
    assert provider.at(NOON).flags == ("static",)
    assert len(caplog.records) == 1


def test_certificates_that_are_not_there(uk, server, tmp_path, caplog, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "missing.pem"))
    server.answer = reply_json(uk_now())
    provider = uk()
    provider.poll()
    assert provider.at(NOON).flags == ("static",)
    assert "SSL_CERT_FILE" in caplog.text


def test_a_redirect_is_not_followed(uk, server):
    with serving() as elsewhere:
        elsewhere.answer = reply_json(uk_now())
        server.answer = reply(b"", 301, Location=f"{elsewhere.url}/intensity")
        uk().poll()
        assert elsewhere.questions == []


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just("2025-06-01T12:00Z"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["data", "from", "to", "intensity", "forecast", "actual", "postcode", "zone", "datetime"])
            | st.sampled_from(["carbonIntensity", "temporalGranularity", "isEstimated", "emissionFactorType"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


def is_sensible(intensity: Intensity) -> bool:
    low, high = intensity.low_g_per_kwh, intensity.high_g_per_kwh
    return low is not None and high is not None and 0 <= low <= intensity.g_per_kwh <= high < 1500


@settings(max_examples=200)
@given(anything)
def test_any_json_is_read_for_what_it_is_worth(payload: object):
    for provider in (UkCarbonIntensity(), UkCarbonIntensity("RG10"), ElectricityMaps("DE", "x")):
        with suppress(ServiceError):
            for point in provider._read(payload):
                assert 0 <= point.g_per_kwh < 1500
                assert point.start < point.end


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=10)
@given(anything)
def test_any_json(server, clock, tmp_path_factory, payload: object):
    server.answer = reply_json(payload)
    for zone in (None, "RG10", "DE"):
        options = {"base_url": server.url, "clock": clock, "cache": tmp_path_factory.mktemp("cache")}
        provider = ElectricityMaps(zone, "x", **options) if zone == "DE" else UkCarbonIntensity(zone, **options)
        provider.poll()
        assert is_sensible(provider.at(NOON))
        forecast = provider.forecast()
        assert forecast is None or is_sensible(forecast.at(NOON))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(st.binary(max_size=200), st.sampled_from([200, 201, 301, 404, 418, 599, 999]), st.integers(0, len(GOOD)))
def test_any_bytes(server, clock, tmp_path_factory, junk: bytes, status: int, cut: int):
    server.answer = reply(GOOD[:cut] + junk + GOOD[cut:], status)
    provider = UkCarbonIntensity(base_url=server.url, clock=clock, cache=tmp_path_factory.mktemp("cache"))
    provider.poll()
    assert is_sensible(provider.at(NOON))
