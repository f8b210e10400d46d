"""What a provider answers is checked where it comes in."""

import math
import os
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from green_callbacks.carbon import ConstantIntensity, TraceIntensity, checked_intensity, lookup
from green_callbacks.carbon.cloud import detect_cloud
from green_callbacks.carbon.time_zone import country_of_time_zone
from green_callbacks.configuration import read_configuration
from green_callbacks.errors import ConfigurationError
from green_callbacks.records import Intensity

GOOD = Intensity(g_per_kwh=380.0, low_g_per_kwh=300.0, high_g_per_kwh=400.0, source="me", found_by="provider")
NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)


class Half:
    """A number of somebody else's kind: with ``item``, as NumPy's and PyTorch's have."""

    dtype = type("dtype", (), {"kind": "f"})()

    def __init__(self, value: float) -> None:
        self.value = value

    def item(self) -> float:
        return self.value


def test_what_is_as_it_should_be_is_not_touched():
    assert checked_intensity(GOOD) is GOOD
    germany = lookup("DE")
    assert checked_intensity(germany) is germany


@pytest.mark.parametrize(
    "number", [380, Decimal(380), Fraction(380), Half(380.0)], ids=lambda each: type(each).__name__
)
def test_numbers_of_any_kind_become_floats(number: object):
    checked = checked_intensity(replace(GOOD, g_per_kwh=number, low_g_per_kwh=number, high_g_per_kwh=number))
    values = (checked.g_per_kwh, checked.low_g_per_kwh, checked.high_g_per_kwh)
    assert values == (380.0, 380.0, 380.0)
    assert {type(value) for value in values} == {float}


@pytest.mark.parametrize(
    "fault",
    [
        *(
            {"g_per_kwh": value}
            for value in (math.nan, math.inf, -1.0, 1500.0, "380", None, True, 380j, [380], 10**400)
        ),
        *({"low_g_per_kwh": value} for value in (math.nan, -1.0, 381.0, "300")),
        *({"high_g_per_kwh": value} for value in (math.nan, math.inf, 379.0, "400")),
        *({"year": value} for value in ("2025", 2025.5, True, -1, 10**30)),
        *({name: value} for name in ("source", "found_by") for value in (None, 5, b"me", "x" * 10_000)),
        *({name: value} for name in ("zone", "name", "scope", "basis", "licence") for value in (5, b"DE", ["DE"])),
        *({"flags": value} for value in ("stale", None, {"stale"}, (5,), ("x",) * 1000, ("x" * 1000,))),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused_in_a_sentence(fault: dict[str, object]):
    bad = replace(GOOD, **fault)
    with pytest.raises(ConfigurationError, match=r"^[^\n]{1,200}\.$"):
        checked_intensity(bad)


@pytest.mark.parametrize("answer", [None, 380, "nothing", {"g_per_kwh": 380}, object()])
def test_what_is_no_intensity_is_refused(answer: object):
    with pytest.raises(ConfigurationError, match="must return an Intensity"):
        checked_intensity(answer)


def test_texts_and_flags_become_plain():
    class Text(str):
        __slots__ = ()

    checked = checked_intensity(replace(GOOD, zone=Text("DE"), flags=[Text("stale")], year=Half(0).value or 2025))
    assert (type(checked.zone), checked.flags, type(checked.flags[0])) == (str, ("stale",), str)


def test_a_constant_and_a_trace_are_held_to_the_same():
    with pytest.raises(ConfigurationError):
        ConstantIntensity(replace(GOOD, low_g_per_kwh=500.0))
    with pytest.raises(ConfigurationError):
        ConstantIntensity.given(b"380")
    with pytest.raises(ConfigurationError):
        TraceIntensity([(NOON, 380)], zone=5)
    assert type(ConstantIntensity(replace(GOOD, g_per_kwh=Decimal(380))).at(NOON).g_per_kwh) is float
    assert type(TraceIntensity([(NOON, Decimal(380))]).at(NOON).g_per_kwh) is float


@pytest.mark.parametrize("series", [5, [5], [(NOON,)], [("2025", 380)], [(NOON, "many")], [(NOON, 1j)], [(NOON, True)]])
def test_a_trace_of_anything_else_is_refused_in_a_sentence(series: object):
    with pytest.raises(ConfigurationError):
        TraceIntensity(series)


def test_a_trace_of_other_numbers_has_its_gaps():
    trace = TraceIntensity([(NOON, Decimal(380)), (NOON.replace(hour=13), math.nan), (NOON.replace(hour=14), 90)])
    assert trace.at(NOON.replace(hour=13, minute=30)).flags == ("stale",)


@pytest.mark.parametrize(
    "content", [b"\x00\x00", b'utc,g_per_kwh\n2025-01-01,"' + b"9" * 200_000, b"utc\n1\n", b"\xff\xfe"]
)
def test_a_file_that_is_no_trace_is_refused_in_a_sentence(tmp_path: Path, content: bytes):
    (tmp_path / "trace.csv").write_bytes(content)
    with pytest.raises(ConfigurationError):
        TraceIntensity(tmp_path / "trace.csv")


def test_pipes_and_devices_are_never_opened(tmp_path: Path):
    os.mkfifo(tmp_path / "trace.csv")
    with pytest.raises(ConfigurationError, match="no regular file"):
        TraceIntensity(tmp_path / "trace.csv")
    with pytest.raises(ConfigurationError, match="no regular file"):
        TraceIntensity("/dev/zero")
    folder = tmp_path / "green_callbacks"
    folder.mkdir()
    os.mkfifo(folder / "config.toml")
    with pytest.raises(ConfigurationError, match=r"cannot be read \(it is no regular file"):
        read_configuration({"XDG_CONFIG_HOME": str(tmp_path)})
    for name in ("timezone", "sys_vendor", "bios_version", "product_name", "chassis_asset_tag"):
        os.mkfifo(tmp_path / name)
    assert detect_cloud(tmp_path) is None
    assert country_of_time_zone({}, tmp_path) is None


def test_a_configuration_nested_without_end_is_refused_in_a_sentence(tmp_path: Path):
    folder = tmp_path / "green_callbacks"
    folder.mkdir()
    (folder / "config.toml").write_text("location = " + "[" * 20_000, encoding="ascii")
    with pytest.raises(ConfigurationError):
        read_configuration({"XDG_CONFIG_HOME": str(tmp_path)})
