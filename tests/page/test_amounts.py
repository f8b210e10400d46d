"""The server writes amounts as the script of the page does."""

import pytest
from support import carbon_page

from green_callbacks.page.amounts import energy_text, mass_text, share_text


@pytest.mark.parametrize("value", [1e-9, 0.9995e-3, 0.012345, 0.9996, 1.0, 25.0, 999.6, 1234.5, 5e7, 1e12])
def test_masses_and_energies_are_those_of_the_page(value):
    assert mass_text(value) == carbon_page.mass(value)
    assert energy_text(value) == carbon_page.energy(value)


def test_nothing_is_none_of_the_unit_and_the_unknown_is_a_dash():
    assert (mass_text(0.0), energy_text(0.0), share_text(0.0)) == ("0 g", "0 kWh", "0 %")
    assert {mass_text(None), energy_text(None), share_text(None)} == {carbon_page.UNKNOWN}
