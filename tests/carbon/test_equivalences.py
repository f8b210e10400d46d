"""A mass of CO2e compares to something, with its source and year."""

import pytest

from green_callbacks.carbon import equivalences, equivalent_km


def test_kilometers_of_a_car():
    car = equivalent_km(24.4)
    assert (car.amount, car.unit) == (pytest.approx(100.0), "km")
    assert car.year == 2024
    assert "EPA" in car.source


def test_every_equivalence_names_its_source():
    for same in equivalences(1.0):
        assert same.amount > 0
        assert same.source
        assert same.note
        assert 2015 <= same.year <= 2030


def test_nothing_compares_to_nothing():
    assert all(same.amount == 0 for same in equivalences(0.0))
