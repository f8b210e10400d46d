"""A trace answers with the value of the time, and with exact means."""

import copy
import math
import pickle
from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from green_callbacks.carbon import CarbonIntensity, TraceIntensity, VaryingIntensity, mean_intensity
from green_callbacks.errors import ConfigurationError
from green_callbacks.records import EpochRecord
from green_callbacks.units import GRAMS_PER_KG, joules_to_kwh

NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = [NOON + i * HOUR for i in range(24)]


def hourly(*values: float | None, start: datetime = NOON) -> TraceIntensity:
    return TraceIntensity([(start + i * HOUR, value) for i, value in enumerate(values)])


def test_it_is_a_carbon_intensity_that_varies():
    assert isinstance(hourly(1), CarbonIntensity)
    assert isinstance(hourly(1), VaryingIntensity)


def test_a_value_holds_until_the_next():
    trace = hourly(100, 200)
    times = (NOON, NOON + HOUR - timedelta(microseconds=1), NOON + HOUR, NOON + 1.9 * HOUR)
    assert [trace.at(when).g_per_kwh for when in times] == [100, 100, 200, 200]
    assert all(trace.at(when).flags == () for when in times)
    assert (trace.start, trace.end) == (NOON, NOON + 2 * HOUR)


def test_a_known_value_is_its_own_range_and_says_where_it_is_from():
    known = TraceIntensity([(NOON, 100)], zone="X", name="Ex", scope="direct", basis="consumption", licence="free").at(
        NOON
    )
    assert (known.g_per_kwh, known.low_g_per_kwh, known.high_g_per_kwh) == (100, 100, 100)
    assert (known.zone, known.name, known.year, known.scope) == ("X", "Ex", 2025, "direct")
    assert (known.basis, known.licence, known.found_by) == ("consumption", "free", "provider")
    assert "given by the user" in known.source


@pytest.mark.parametrize(
    ("when", "value"),
    [(NOON - 1000 * HOUR, 100), (NOON + 1.5 * HOUR, 100), (NOON + 3 * HOUR, 300), (NOON + 9999 * HOUR, 300)],
)
def test_where_nothing_is_known_the_nearest_value_is_held_and_says_so(when: datetime, value: float):
    held = hourly(100, None, 300).at(when)
    assert (held.g_per_kwh, held.flags) == (value, ("stale",))
    assert (held.low_g_per_kwh, held.high_g_per_kwh) == (100, 300)


def test_a_gap_at_the_edges_is_outside():
    trace = hourly(None, 100, math.nan)
    assert trace.start == NOON + HOUR
    assert trace.at(NOON).flags == trace.at(NOON + 2.5 * HOUR).flags == ("stale",)


def test_a_value_holds_no_longer_than_told():
    series = [(NOON, 100.0), (NOON + 5 * HOUR, 200.0)]
    assert TraceIntensity(series).at(NOON + 2 * HOUR).flags == ()
    short = TraceIntensity(series, step_seconds=3600)
    assert short.at(NOON + 0.5 * HOUR).flags == ()
    assert short.at(NOON + 2 * HOUR).flags == ("stale",)
    assert short.end == NOON + 6 * HOUR


def test_a_single_value_is_one_of_an_hour():
    assert hourly(100).end == NOON + HOUR


def test_order_and_time_zone_of_the_times_do_not_matter():
    india = timezone(timedelta(hours=5, minutes=30))
    trace = TraceIntensity([((NOON + HOUR).astimezone(india), 200), (NOON, 100)])
    assert trace.at((NOON + 0.5 * HOUR).astimezone(india)).g_per_kwh == 100


def test_the_mean_is_weighted_by_time():
    trace = hourly(100, 200, 400)
    assert trace.over(NOON, NOON + 3 * HOUR).g_per_kwh == pytest.approx(700 / 3)
    assert trace.over(NOON + 0.75 * HOUR, NOON + 2 * HOUR).g_per_kwh == pytest.approx(180)
    assert trace.over(NOON + 1.2 * HOUR, NOON + 1.3 * HOUR).g_per_kwh == 200
    assert trace.over(NOON + 1.2 * HOUR, NOON + 1.3 * HOUR).flags == ()


@pytest.mark.parametrize("length", [timedelta(0), -HOUR])
def test_no_interval_is_a_time(length: timedelta):
    trace = hourly(100, 200)
    assert trace.over(NOON + HOUR, NOON + HOUR + length) == trace.at(NOON + HOUR)


@pytest.mark.parametrize(
    ("start", "end", "is_stale"),
    [(-1, 1, True), (0, 1, False), (0.5, 1.5, True), (2, 3, False), (2, 3.01, True), (-2, -1, True)],
)
def test_a_mean_over_a_time_without_values_says_so(start: float, end: float, is_stale: bool):  # noqa: FBT001
    mean = hourly(100, None, 300).over(NOON + start * HOUR, NOON + end * HOUR)
    assert mean.flags == (("stale",) if is_stale else ())


values = st.one_of(st.none(), st.floats(0, 1499))


@given(
    st.dictionaries(st.integers(0, 500), values, min_size=1, max_size=30).filter(
        lambda series: any(value is not None for value in series.values())
    ),
    st.integers(-100, 600),
    st.integers(1, 300),
)
def test_the_mean_is_the_integral(series: dict[int, float | None], start: int, length: int):
    def time(minutes: int) -> datetime:
        return NOON + timedelta(minutes=minutes)

    trace = TraceIntensity([(time(minute), value) for minute, value in series.items()])
    minutes = range(start, start + length)
    exact = sum(Fraction(trace.at(time(minute)).g_per_kwh) for minute in minutes) / length
    mean = trace.over(time(start), time(start + length))
    assert mean.g_per_kwh == pytest.approx(float(exact), rel=1e-9, abs=1e-9)
    assert mean.flags == (("stale",) if any(trace.at(time(minute)).flags for minute in minutes) else ())
    assert mean.low_g_per_kwh is not None
    assert mean.high_g_per_kwh is not None
    assert mean.low_g_per_kwh - 1e-9 <= mean.g_per_kwh <= mean.high_g_per_kwh + 1e-9


@given(st.lists(st.floats(0, 1499), min_size=24, max_size=24), st.lists(st.floats(0, 1e4), min_size=24, max_size=24))
def test_a_days_emissions_are_the_integral_of_power_times_intensity(levels: list[float], watts: list[float]):
    """Power changes on the half hour, intensity on the hour, and records last from one change of power to the next."""
    trace = hourly(*levels)
    edges = [when + HOUR / 2 for when in DAY[:-1]]
    emissions_kg = 0.0
    for start, power in zip(edges, watts, strict=False):
        mean = mean_intensity(trace, start, start + HOUR)
        emissions_kg += joules_to_kwh(power * 3600) * mean.g_per_kwh / GRAMS_PER_KG
    exact_kg = math.fsum(
        Fraction(power) * 1800 * (Fraction(levels[i]) + Fraction(levels[i + 1])) / 3_600_000 / 1000
        for i, power in enumerate(watts[:23])
    )
    assert emissions_kg == pytest.approx(exact_kg, rel=1e-12, abs=1e-12)


def test_a_record_over_a_change_has_the_mean():
    record = EpochRecord.scripted(emissions_kg=1, duration_seconds=7200, started_at=NOON)
    assert mean_intensity(hourly(100, 300), record.started_at, record.started_at + 2 * HOUR).g_per_kwh == 200


def test_a_file(tmp_path: Path):
    path = tmp_path / "grid.csv"
    path.write_text(
        "utc,g_per_kwh\n2022-01-01T00,222\n2022-01-01T01,\n2022-01-01T02:00+00:00,272.5\n", encoding="utf-8"
    )
    for trace in (TraceIntensity(path), TraceIntensity(str(path))):
        start = datetime(2022, 1, 1, tzinfo=UTC)
        assert trace.at(start).g_per_kwh == 222
        assert "grid.csv" in trace.at(start).source
        assert trace.at(start).year == 2022
        assert (trace.at(start + HOUR).g_per_kwh, trace.at(start + HOUR).flags) == (222, ("stale",))
        assert trace.end == start + 3 * HOUR


@pytest.mark.parametrize(
    "text",
    [
        "",
        "when,g_per_kwh\n2022-01-01T00,1\n",
        "utc,g_per_kwh\nnoon,1\n",
        "utc,g_per_kwh\n2022-01-01,x\n",
        "utc,g_per_kwh\n1\n",
    ],
)
def test_a_file_that_is_no_trace_is_refused(text: str, tmp_path: Path):
    path = tmp_path / "grid.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"grid\.csv|at least one value"):
        TraceIntensity(path)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path):
    with pytest.raises(ConfigurationError, match=r"missing\.csv"):
        TraceIntensity(tmp_path / "missing.csv")


@pytest.mark.parametrize(
    ("series", "words"),
    [
        ([], "at least one value"),
        ([(NOON, None)], "at least one value"),
        ([(NOON, 1.0), (NOON, 2.0)], "two for 2025-06-01 12:00 UTC"),
        ([(NOON.replace(tzinfo=None), 1.0)], "need a time zone"),
        ([(NOON, -1.0)], "from 0 to 1500, not -1"),
        ([(NOON, 402_000.0)], "from 0 to 1500"),
        ([(NOON, math.inf)], "from 0 to 1500"),
    ],
)
def test_what_cannot_be_is_refused(series: list[tuple[datetime, float | None]], words: str):
    with pytest.raises(ConfigurationError, match=words):
        TraceIntensity(series)


@pytest.mark.parametrize("step_seconds", [0, -1, math.nan])
def test_a_value_that_never_holds_is_refused(step_seconds: float):
    with pytest.raises(ConfigurationError, match="step_seconds"):
        TraceIntensity([(NOON, 1.0)], step_seconds=step_seconds)


def test_it_survives_pickling_and_copying():
    trace = hourly(100, None, 300)
    for twin in (pickle.loads(pickle.dumps(trace)), copy.deepcopy(trace)):
        assert twin.over(NOON, NOON + 3 * HOUR) == trace.over(NOON, NOON + 3 * HOUR)
