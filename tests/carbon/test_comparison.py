"""Where a job could have run is compared only with what is counted alike."""

from dataclasses import replace
from pathlib import Path

import pytest

from green_callbacks.carbon import ConstantIntensity, cleanest_comparable, lookup, resolve_intensity
from green_callbacks.carbon.tables import tables


def test_germany_against_norway():
    there = cleanest_comparable(lookup("DE"))
    assert there == lookup("NO")
    assert lookup("DE").g_per_kwh / there.g_per_kwh > 10


@pytest.mark.parametrize("code", {**tables().zones, **tables().regions})
def test_what_is_compared_counts_alike(code: str):
    here = lookup(code)
    there = cleanest_comparable(here)
    if there is None:
        assert code == "EH"  # no other figure of 2009
        return
    assert (there.scope, there.basis, there.source, there.year) == (here.scope, here.basis, here.source, here.year)
    regions = tables().regions
    assert there.zone in {place for region in regions.values() for place in (region.code, region.zone, region.country)}


def test_the_cleanest_country_without_a_cloud_is_not_advised():
    here = lookup("DE", year=2024)
    there = cleanest_comparable(here)
    assert there is not None
    assert lookup("NP", year=2024).g_per_kwh < there.g_per_kwh


def test_where_it_is_cleanest_nothing_is_cleaner():
    assert cleanest_comparable(lookup("NO")) == lookup("NO")


def test_a_state_is_compared_with_states():
    assert cleanest_comparable(lookup("aws:us-east-1")) == lookup("US-WA")


def test_googles_regions_are_compared_with_googles():
    assert cleanest_comparable(lookup("gcp:europe-west3")) == lookup("gcp:northamerica-northeast1")


def test_the_same_year_is_compared():
    assert cleanest_comparable(lookup("DE", year=2019)) == lookup("NO", year=2019)


def test_a_guess_can_be_compared(tmp_path: Path):
    world = resolve_intensity(environ={}, etc=tmp_path)
    assert isinstance(world, ConstantIntensity)
    assert cleanest_comparable(world.intensity) == lookup("NO")


def test_a_number_cannot_be_compared():
    for given in (ConstantIntensity.given(380), resolve_intensity("DE", 380, {}), resolve_intensity("here", 380, {})):
        assert isinstance(given, ConstantIntensity)
        assert cleanest_comparable(given.intensity) is None


def test_a_figure_of_another_source_cannot_be_compared():
    assert cleanest_comparable(replace(lookup("DE"), source="a provider")) is None
