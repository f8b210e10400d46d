"""What is not as it should be in other people's JSON is nothing."""

import math

import pytest

from green_callbacks.carbon.live.payload import g_per_kwh, mapping, number, posix_seconds, sequence


@pytest.mark.parametrize("value", [None, True, "1", [1], {}, math.nan, math.inf, 10**400, -(10**15)])
def test_no_number(value: object):
    assert number(value) is None


@pytest.mark.parametrize("value", [-0.1, 1500, 402_000, False])
def test_no_carbon_intensity(value: object):
    assert g_per_kwh(value) is None


def test_numbers():
    assert (number(3), number(-2.5), g_per_kwh(0), g_per_kwh(1499.9)) == (3, -2.5, 0, 1499.9)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:00Z", 0),
        ("2018-01-20T12:00Z", 1516449600),
        ("2019-05-21T00:00:00.000Z", 1558396800),
        ("2019-05-21T02:00:00+02:00", 1558396800),
    ],
)
def test_times(text: str, seconds: float):
    assert posix_seconds(text) == seconds


@pytest.mark.parametrize(
    "value", [None, 1558396800, "", "noon", "2019-05-21T00:00:00", "0001-01-01T00:00+14:00", "9999-12-31T23:59-14:00"]
)
def test_no_time(value: object):
    assert posix_seconds(value) is None


def test_containers():
    assert (mapping({"a": 1}), mapping([1]), mapping(None)) == ({"a": 1}, {}, {})
    assert (sequence([1]), sequence({"a": 1}), sequence("text")) == ([1], ({"a": 1},), ())
