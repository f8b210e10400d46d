"""A trace as people and spreadsheets save it: read, or refused in a sentence with the remedy."""

import pytest

from green_callbacks.carbon import TraceIntensity
from green_callbacks.errors import ConfigurationError


@pytest.fixture
def trace(tmp_path):
    def read(content):
        path = tmp_path / "trace.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return TraceIntensity(path)

    return read


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("utc;g_per_kwh\n2026-01-01T00:00Z;56,3\n", r"divided by semicolons. Divide them by commas, and write decimal"),
        ("utc\tg_per_kwh\n2026-01-01T00:00Z\t56.3\n", "divided by tabs"),
        ('utc,g_per_kwh\n2026-01-01T00:00Z,"56,3"\n', r"line 2 .'56,3' is no number; .* as in 56\.3, not a comma"),
        ("utc,g_per_kwh\n2026-01-01T00:00Z,56,3\n", "line 2 has 3 columns, .* A decimal comma divides columns"),
        ("", "it holds no values"),
        ("utc,g_per_kwh\n", "it holds no values"),
        ("2026-01-01T00:00Z,56.3\n2026-01-01T01:00Z,56.4\n", "its first line names the columns '2026-01-01T00:00Z'"),
        ("time,co2\n2026-01-01T00:00Z,56.3\n", "names the columns 'time', 'co2'"),
        ("utc,g_per_kwh\n01.01.2026 00:00,56.3\n", r"time '01\.01\.2026 00:00'. Write ISO 8601"),
        ("utc,g_per_kwh\n2026-01-01T00:00Z,n/a\n", "line 2 .'n/a' is no number"),
        ("utc,g_per_kwh\n2026-01-01T00:00Z,inf\n", "inf is not finite"),
        ("utc,g_per_kwh\n2026-01-01T00:00Z,\n", "at least one value"),
        ("utc,g_per_kwh\n2026-01-01T00:00Z,5\n2026-01-01T00:00,6\n", "has two for 2026-01-01 00:00 UTC"),
        (b"PK\x03\x04\xff\xfe\x00\x00" * 20, "not in UTF-8. Save a workbook as CSV"),
        ("utc,g_per_kwh\n2026-01-01T00:00Z,56.3\n".encode("utf-16"), "not in UTF-8"),
    ],
)
def test_what_cannot_be_read_is_said_with_the_remedy(content, said, trace):
    with pytest.raises(ConfigurationError, match=said):
        trace(content)


def test_a_byte_order_mark_blanks_and_any_order_are_taken(trace):
    read = trace(b"\xef\xbb\xbfutc,g_per_kwh\r\n 2026-01-01T01:00 , 57.5 \r\n2026-01-01T00:00Z,56.3\r\n")
    assert [read.at(read.start).g_per_kwh, read.at(read.end).g_per_kwh] == [56.3, 57.5]


def test_one_value_is_a_trace(trace):
    read = trace("utc,g_per_kwh\n2026-01-01T00:00Z,56.3\n")
    assert read.at(read.start).flags == ()


@pytest.mark.parametrize("series", [5, {"2026": 1.0}, [(1, 2, 3)], [("2026-01-01", 5.0)], None])
def test_what_is_no_series_is_refused(series):
    with pytest.raises(ConfigurationError):
        TraceIntensity(series)


@pytest.mark.parametrize("seconds", ["3600", True, 0, -1, float("nan")])
def test_how_long_a_value_holds_is_a_number_of_seconds(seconds, tmp_path):
    (tmp_path / "trace.csv").write_text("utc,g_per_kwh\n2026-01-01T00:00Z,56.3\n")
    with pytest.raises(ConfigurationError, match="step_seconds must be"):
        TraceIntensity(tmp_path / "trace.csv", step_seconds=seconds)
