"""Intensities and checkpoint files, whatever a file says of them."""

import json

import pytest
from support.scripted_run import GERMANY

from green_callbacks.records import Checkpoints, Intensity
from green_callbacks.records.checked import amount, count, short, text
from green_callbacks.records.codec import decode_intensity, encode_intensity

FIELDS = {"g_per_kwh": 100, "source": "a meter", "found_by": "argument"}


def test_an_intensity_comes_back_from_json():
    for each in (GERMANY, Intensity(g_per_kwh=1.0, source="a meter", found_by="provider", flags=("stale",))):
        assert decode_intensity(json.loads(json.dumps(encode_intensity(each)))) == each


def test_fields_of_a_later_version_are_passed_over_and_absent_ones_are_not_known():
    each = decode_intensity({**FIELDS, "marginal": True})
    assert (each.g_per_kwh, each.zone, each.flags) == (100.0, None, ())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("g_per_kwh", None),
        ("g_per_kwh", True),
        ("g_per_kwh", "100"),
        ("g_per_kwh", float("nan")),
        ("g_per_kwh", float("inf")),
        ("g_per_kwh", -1),
        ("g_per_kwh", 10**400),
        ("low_g_per_kwh", []),
        ("zone", 17),
        ("name", "x" * 301),
        ("year", 2025.5),
        ("year", 10_000),
        ("source", None),
        ("found_by", "a crystal ball"),
        ("found_by", ["argument"]),
        ("flags", "stale"),
        ("flags", [None]),
        ("flags", ["a"] * 33),
    ],
)
def test_an_intensity_that_cannot_be_is_said_in_a_sentence(field, value):
    with pytest.raises(ValueError, match=r"This is no carbon intensity: .* expected, not "):
        decode_intensity({**FIELDS, field: value})


@pytest.mark.parametrize("fields", [None, [], "text", 17])
def test_what_is_no_object_is_no_intensity(fields):
    with pytest.raises(ValueError, match=r"object .* expected"):
        decode_intensity(fields)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"mode": "up", "files": {}},
        {"mode": ["max"], "files": {}},
        {"mode": "max", "files": ["a"]},
        {"mode": "max", "files": {"a": "b"}},
        {"mode": "max", "files": {"a": True}},
        {"mode": "max", "files": {"a": -1}},
        {"mode": "max", "files": {"a" * 5_000: 1}},
        {"mode": "max", "files": {str(number): 1 for number in range(1_001)}},
    ],
)
def test_checkpoint_files_that_cannot_be_are_said_in_a_sentence(fields):
    with pytest.raises(ValueError, match="These are not checkpoint files"):
        Checkpoints.decode(fields)


def test_numbers_of_thousands_of_digits_are_refused_without_being_written():
    for check in (count, lambda value: amount(value, 1e308)):
        with pytest.raises(ValueError, match=r"not an integer beyond 2\*\*53"):
            check(10**5_000)


def test_short_names_stay_and_long_ones_stay_different():
    assert short("val_acc") == "val_acc"
    names = {short("x" * 500), short("x" * 501), short("x" * 500 + "\ud800")}
    assert len(names) == 3
    assert all(text(name) == name for name in names)
