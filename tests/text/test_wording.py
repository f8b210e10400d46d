import math

import pytest

from green_callbacks.metrics import quality_metric
from green_callbacks.records import Intensity
from green_callbacks.text.wording import duration, intensity_range, percent, place, significant


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.00"),
        (0.12345, "0.123"),
        (1.0, "1.00"),
        (-12.345, "-12.3"),
        (360.0, "360"),
        (999.4, "999"),
        (999.9, "1,000"),
        (123456.7, "123,457"),
        (0.00012345, "1.23e-04"),
        (math.nan, "nan"),
        (math.inf, "inf"),
    ],
)
def test_a_number_has_the_digits_that_can_be_believed(value: float, text: str):
    assert significant(value) == text


@pytest.mark.parametrize(
    ("share", "text"), [(0.0, "0 %"), (0.054, "5.4 %"), (0.434, "43 %"), (1.0, "100 %"), (-0.1, "-10 %")]
)
def test_a_share_is_a_percentage(share: float, text: str):
    assert percent(share) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.25, "0.250 s"), (59.0, "59.0 s"), (59.96, "1 min 0 s"), (61.4, "1 min 1 s"), (7260.0, "2 h 1 min")],
)
def test_a_time_is_written_in_two_units(seconds: float, text: str):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "a place that was not named"),
        ({"zone": "DE"}, "DE"),
        ({"zone": "DE", "name": "Germany", "year": 2025}, "Germany (DE), 2025"),
        ({"name": "World", "year": 2025}, "World, 2025"),
    ],
)
def test_a_place_is_named_as_far_as_it_is_known(fields: dict[str, str], text: str):
    assert place(Intensity(g_per_kwh=1.0, source="", found_by="argument", **fields)) == text


def test_an_intensity_has_its_bounds_where_they_are_known():
    assert intensity_range(Intensity(g_per_kwh=30.0, source="", found_by="argument")) == "30.0 gCO2e/kWh"
    bounded = Intensity(g_per_kwh=30.0, low_g_per_kwh=20.0, high_g_per_kwh=1500.0, source="", found_by="argument")
    assert intensity_range(bounded) == "30.0 gCO2e/kWh (20.0 to 1,500)"


@pytest.mark.parametrize(
    ("monitor", "names", "chosen"),
    [
        ("f1", ["val_acc"], "f1"),
        (None, ["loss", "val_loss", "val_acc"], "val_acc"),
        (None, ["acc", "val_loss"], "val_loss"),
        (None, ["loss"], None),
    ],
)
def test_the_monitored_metric_stands_for_quality_or_else_a_validated_one(
    monitor: str | None, names: list[str], chosen: str | None
):
    assert quality_metric(monitor, names) == chosen


@pytest.mark.parametrize("seconds", [math.inf, math.nan])
def test_a_time_that_is_not_finite_is_not_known(seconds):
    assert duration(seconds) == "not known"


def test_a_place_is_safe_to_print():
    assert place(Intensity(g_per_kwh=1.0, zone="\x1b[2J", source="x", found_by="argument")) == r"\x1b[2J"
