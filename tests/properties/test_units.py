from hypothesis import given
from hypothesis import strategies as st

from green_callbacks.text.amounts import format_energy, format_mass
from green_callbacks.units import grams_to_kg, joules_to_kwh, kg_to_grams, kwh_to_joules, parse_amount

AMOUNTS = st.floats(1e-9, 1e9)
MASS_UNITS = ["mg", "g", "kg", "t"]
ENERGY_UNITS = ["J", "kJ", "MJ", "GJ", "Wh", "kWh", "MWh"]


def near(a, b, relative=1e-12):
    return abs(a - b) <= relative * abs(b)


@given(AMOUNTS)
def test_conversions_come_back(amount):
    assert near(kwh_to_joules(joules_to_kwh(amount)), amount)
    assert near(kg_to_grams(grams_to_kg(amount)), amount)


@given(AMOUNTS, st.sampled_from(MASS_UNITS + ENERGY_UNITS), st.sampled_from(["", " ", "\t"]))
def test_any_number_with_any_unit_is_read(amount, unit, space):
    one, parsed = parse_amount(f"1 {unit}"), parse_amount(f"{amount!r}{space}{unit}")
    assert parsed.quantity == one.quantity
    assert near(parsed.value, amount * one.value)


@given(AMOUNTS)
def test_what_is_written_is_read_back_to_three_digits(amount):
    # Half of a unit in the third digit; below the smallest unit it is written to two decimals of that.
    mass, energy = parse_amount(format_mass(amount)), parse_amount(format_energy(amount))
    assert abs(mass.value - amount) <= max(0.0051 * amount, 0.0051e-6)
    assert abs(energy.value - amount) <= max(0.0051 * amount, 0.0051 / 3.6e6)
    assert (mass.quantity, energy.quantity) == ("emissions_kg", "facility_kwh")
