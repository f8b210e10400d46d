from decimal import Decimal
from fractions import Fraction

import pytest

from green_callbacks.errors import ConfigurationError, UnitError
from green_callbacks.text.amounts import format_energy, format_mass
from green_callbacks.units import (
    Amount,
    finite_number,
    grams_to_kg,
    joules_to_kwh,
    kg_to_grams,
    kwh_to_joules,
    parse_amount,
)


@pytest.mark.parametrize(
    ("text", "value", "quantity"),
    [
        ("500 g", 0.5, "emissions_kg"),
        ("500g", 0.5, "emissions_kg"),
        (" 1.5 kg ", 1.5, "emissions_kg"),
        ("2 t", 2000.0, "emissions_kg"),
        ("250 mg", 0.00025, "emissions_kg"),
        ("2 kWh", 2.0, "facility_kwh"),
        ("1 MWh", 1000.0, "facility_kwh"),
        ("3.6 MJ", 1.0, "facility_kwh"),
        ("3.6e6 J", 1.0, "facility_kwh"),
        ("3600 kJ", 1.0, "facility_kwh"),
        (".5 GJ", 0.5e9 / 3.6e6, "facility_kwh"),
        ("12 Wh", 0.012, "facility_kwh"),
        ("2 KWH", 2.0, "facility_kwh"),
        ("2 Kg", 2.0, "emissions_kg"),
        ("-1 kg", -1.0, "emissions_kg"),
    ],
)
def test_amounts_are_read_with_their_units(text, value, quantity):
    amount = parse_amount(text)
    assert amount.quantity == quantity
    assert amount.value == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize(
    "text", ["", "g", "500", "5 stones", "five g", "1,5 kg", "1 kg 2", "nan kg", "inf kg", "1 . g"]
)
def test_what_is_no_amount_is_refused_with_the_units_there_are(text):
    with pytest.raises(UnitError, match=r"number and one of mg, g, kg, t, J, .* for example '500 g'"):
        parse_amount(text)


@pytest.mark.parametrize("text", ["1 mJ", "1 mj", "1 mWh", "1 Mg", "1 MG"])
def test_milli_is_never_taken_for_mega(text):
    with pytest.raises(UnitError):
        parse_amount(text)


def test_a_unit_error_is_a_configuration_error_and_a_value_error():
    assert issubclass(UnitError, ConfigurationError)
    assert issubclass(UnitError, ValueError)


def test_amounts_compare_by_value():
    assert parse_amount("1000 g") == Amount(1.0, "emissions_kg")


def test_conversions():
    assert joules_to_kwh(3_600_000.0) == 1.0
    assert kwh_to_joules(2.0) == 7_200_000.0
    assert grams_to_kg(500.0) == 0.5
    assert kg_to_grams(0.5) == 500.0


@pytest.mark.parametrize(
    ("kg", "text"),
    [
        (0.0, "0.00 mg"),
        (1e-9, "0.001 mg"),
        (-3.21e-11, "-3.2e-05 mg"),
        (0.00025, "250 mg"),
        (0.0125, "12.5 g"),
        (0.5, "500 g"),
        (0.9999, "1.00 kg"),
        (9.999, "10.0 kg"),
        (99.99, "100 kg"),
        (1.234, "1.23 kg"),
        (1234.0, "1.23 t"),
        (-0.5, "-500 g"),
    ],
)
def test_masses_are_written_with_three_digits(kg, text):
    assert format_mass(kg) == text


@pytest.mark.parametrize(
    ("kwh", "text"),
    [
        (0.0, "0.00 J"),
        (1 / 3_600_000, "1.00 J"),
        (0.0005, "1800 J"),
        (0.005, "5.00 Wh"),
        (2.0, "2.00 kWh"),
        (2e3, "2.00 MWh"),
    ],
)
def test_energies_are_written_with_three_digits(kwh, text):
    assert format_energy(kwh) == text


class Scalar:
    """A number as NumPy and PyTorch make it."""

    def __init__(self, value: object, kind: str = "f") -> None:
        self.value = value
        self.dtype = type("dtype", (), {"kind": kind})()

    def item(self) -> object:
        if isinstance(self.value, Exception):
            raise self.value
        return self.value


@pytest.mark.parametrize(
    "value", [3, 3.0, Decimal(3), Fraction(3), Scalar(3.0), Scalar(3, "i"), Scalar(3, "u"), Scalar(3.0, "V")]
)
def test_numbers_of_any_kind_are_floats(value: object):
    assert finite_number(value) == 3.0
    assert type(finite_number(value)) is float


NO_NUMBERS = (
    *(True, "3", b"3", bytearray(b"3"), None, 3j, [3], {}, object(), float, 10**400, float("nan"), float("inf")),
    *(Decimal("nan"), Decimal("sNaN"), Decimal("inf"), Decimal("1e400")),
    *(Scalar("3", "U"), Scalar(3j, "c"), Scalar(3, "M"), Scalar((3,), "V"), Scalar(3, "b"), Scalar(float("nan"))),
    *(Scalar(ValueError("not of size 1")), Scalar(RuntimeError("meta")), Scalar(value=True)),
)


@pytest.mark.parametrize("value", NO_NUMBERS, ids=range(len(NO_NUMBERS)))
def test_anything_else_is_refused_in_a_few_words(value: object):
    with pytest.raises(ValueError, match=r"^[^\n]{1,100}( is no number| is not finite)$"):
        finite_number(value)


def test_numpy_and_torch_are_understood():
    numpy = pytest.importorskip("numpy")
    for kind in ("float16", "float32", "float64", "int8", "uint64"):
        assert finite_number(numpy.dtype(kind).type(3)) == 3.0
        assert finite_number(numpy.array(3, kind)) == 3.0
    for odd in (numpy.bool_(1), numpy.str_("3"), numpy.array([3, 3]), numpy.complex64(3), numpy.datetime64("2025")):
        with pytest.raises(ValueError, match="number"):
            finite_number(odd)
    torch = pytest.importorskip("torch")
    for kind in (torch.float16, torch.bfloat16, torch.float32, torch.int64):
        assert finite_number(torch.tensor(3, dtype=kind)) == 3.0
    for odd in (torch.tensor(1, dtype=torch.bool), torch.tensor([3.0, 3.0]), torch.empty((), device="meta")):
        with pytest.raises(ValueError, match="number"):
            finite_number(odd)
