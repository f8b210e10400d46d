"""What a source says is checked where it comes in: what cannot be goes no further, and costs no other device."""

from decimal import Decimal
from fractions import Fraction
from math import inf, nan

import pytest

from green_callbacks.measurement.reading_checks import checked_readings
from green_callbacks.records import Reading

GOOD = Reading(1000.0, "gpu", "counter", below_joules=1.0, above_joules=2.0)
NUMBERS = ["below_joules", "above_joules", "tolerance", "gap_seconds", "lag_joules", "walk_square_joules"]


class Float32(float):
    """A number of another library's, such as ``numpy.float32``."""

    dtype = "float32"


class Tensor:
    """A tensor of one element."""

    def __init__(self, value):
        self.value = value

    def __float__(self):
        return float(self.value)

    def __bool__(self):
        message = "ambiguous"
        raise ValueError(message)


class Hostile:
    """What raises whenever it is looked at."""

    def __getattr__(self, name):
        raise RuntimeError(name)

    def __float__(self):
        message = "no"
        raise RuntimeError(message)

    def __repr__(self):
        message = "no"
        raise RuntimeError(message)


NO_NUMBERS = {
    "nan": nan,
    "inf": inf,
    "-inf": -inf,
    "numpy nan": Float32(nan),
    "long": 10**400,
    "large": 1e300,
    "text": "a lot",
    "list": [],
    "mapping": {},
    "object": object(),
    "tensor": Tensor("x"),
    "hostile": Hostile(),
}


def checked(**fields):
    return checked_readings({"gpu:0": GOOD._replace(**fields)})["gpu:0"]


def test_what_is_as_it_should_be_is_not_touched():
    readings = {"gpu:0": GOOD, "gpu:1": Reading(None, "gpu", "sampled", reason="lost")}
    assert checked_readings(readings) is readings
    assert checked_readings({}) == {}


@pytest.mark.parametrize(
    "number",
    [Float32(12.5), Decimal("12.5"), Fraction(25, 2), Tensor(12.5), "12.5"],
    ids=["numpy", "decimal", "fraction", "tensor", "text"],
)
@pytest.mark.parametrize("field", ["joules", *NUMBERS])
def test_a_number_of_another_library_becomes_a_float(field, number):
    reading = checked(**{field: number})
    assert getattr(reading, field) == 12.5
    assert type(getattr(reading, field)) is float
    assert reading.reason is None


@pytest.mark.parametrize("number", [5, True, 0], ids=str)
def test_whole_numbers_are_numbers(number):
    assert checked(joules=number).joules == float(number)
    assert type(checked(joules=number).joules) is float
    assert type(checked(gap_seconds=number).gap_seconds) is float


@pytest.mark.parametrize("number", list(NO_NUMBERS.values()), ids=NO_NUMBERS.keys())
@pytest.mark.parametrize("field", ["joules", *NUMBERS])
def test_what_is_no_number_has_no_energy_and_says_why(field, number):
    reading = checked(**{field: number})
    assert reading.joules is None
    assert reading.reason.startswith(f"its reading cannot be: {field} is ")
    assert (reading.component, reading.method) == ("gpu", "counter")
    assert [getattr(reading, name) for name in NUMBERS] == [0.0] * 6


@pytest.mark.parametrize("field", NUMBERS)
@pytest.mark.parametrize("number", [-1.0, -1e-9, Decimal(-2), None], ids=str)
def test_bounds_and_times_below_zero_have_no_energy(field, number):
    assert checked(**{field: number}).joules is None


def test_a_counter_may_be_below_zero():
    assert checked(joules=-5.0).joules == -5.0


@pytest.mark.parametrize(
    "change", [{"method": "guessed"}, {"method": None}, {"component": 7}, {"component": None}], ids=str
)
def test_labels_that_cannot_be_have_no_energy(change):
    reading = checked(**change)
    assert (reading.joules, type(reading.component)) == (None, str)
    assert reading.method in {"counter", "modelled"}


def test_a_reason_of_the_sources_own_stands():
    assert checked(joules=nan, reason="lost").reason == "lost"
    assert checked(joules=None, reason=OSError("lost")).reason == "lost"


def test_flags_and_names_become_texts():
    assert checked(flags=["shared", 7]).flags == ("shared", "7")
    (name,) = checked_readings({0: GOOD})
    assert (name, type(name)) == ("0", str)


def test_one_device_that_is_wrong_costs_no_other():
    readings = checked_readings({"gpu:0": GOOD, "gpu:1": GOOD._replace(joules=nan), "gpu:2": GOOD})
    assert [reading.joules for reading in readings.values()] == [1000.0, None, 1000.0]


@pytest.mark.parametrize(
    "junk",
    [None, 5, "text", [GOOD], GOOD, {"gpu:0": None}, {"gpu:0": 5.0}, {"gpu:0": Hostile()}],
    ids=["none", "number", "text", "list", "reading", "of none", "of numbers", "of hostile"],
)
def test_what_is_no_mapping_of_readings_is_refused_with_the_remedy(junk):
    with pytest.raises(TypeError, match=r"read\(\) returned .*\. Return a"):
        checked_readings(junk)


def test_a_long_value_makes_a_short_reason():
    assert len(checked(joules="x" * 10_000).reason) < 300
