"""What holds for any place and any number."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from green_callbacks.carbon import ConstantIntensity, cleanest_comparable, lookup, resolve_intensity, resolve_pue
from green_callbacks.carbon.tables import Zone, tables
from green_callbacks.errors import ConfigurationError, UnknownZoneError
from green_callbacks.units import described

NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)
CODES = st.sampled_from([*tables().zones, *tables().regions])
ZONES = st.sampled_from(list(tables().zones.values()))


@given(CODES, st.data())
def test_case_and_punctuation_do_not_matter(code: str, data: st.DataObject):
    separator = data.draw(st.sampled_from(["-", "_", " ", ""]))
    typed = "".join(data.draw(st.sampled_from([letter.upper(), letter.lower()])) for letter in code)
    assert lookup(typed.replace("-", separator)) == lookup(code)


@given(CODES)
def test_what_is_answered_can_be_asked_again(code: str):
    here = lookup(code)
    assert here.zone is not None
    assert lookup(here.zone, year=here.year).g_per_kwh == here.g_per_kwh


@given(ZONES, st.data())
def test_a_figure_lies_in_its_range_in_any_year(zone: Zone, data: st.DataObject):
    here = lookup(zone.code, year=data.draw(st.sampled_from(list(zone.figures))))
    if here.low_g_per_kwh is not None and here.high_g_per_kwh is not None:
        assert 0 < here.low_g_per_kwh <= here.g_per_kwh <= here.high_g_per_kwh < 1500


@given(CODES)
def test_the_cleanest_is_not_dirtier(code: str):
    here = lookup(code)
    there = cleanest_comparable(here)
    if there is not None:
        regions = tables().regions
        hosts = {region.zone for region in regions.values()} | {region.country for region in regions.values()}
        assert there.g_per_kwh <= here.g_per_kwh or code not in hosts
        assert cleanest_comparable(there) == there


@settings(deadline=None)  # looking for the nearest of a thousand names takes a while on a busy machine
@given(st.text(max_size=30))
def test_any_text_is_a_place_or_refused(text: str):
    try:
        here = lookup(text)
    except UnknownZoneError as error:
        assert described(text) in str(error)  # noqa: PT017  either outcome is right
    else:
        assert here.zone in {*tables().zones, *tables().regions}


@given(st.floats())
def test_a_number_comes_back_or_is_refused(number: float):
    if 0 <= number < 1500:
        assert ConstantIntensity.given(number).at(NOON).g_per_kwh == number
    else:
        with pytest.raises(ConfigurationError):
            ConstantIntensity.given(number)


@given(st.floats())
def test_a_pue_comes_back_or_is_refused(pue: float):
    if 1 <= pue <= 3:
        assert resolve_pue(pue, None, {}).value == pue
    else:
        with pytest.raises(ConfigurationError):
            resolve_pue(pue, None, {})


@given(st.dictionaries(st.sampled_from(["TZ", "SLURM_JOB_ID", "HOME"]), st.text(max_size=20)))
def test_no_environment_gives_a_clean_country_without_saying_that_it_is_a_guess(environ: dict[str, str]):
    here = resolve_intensity(environ=environ, etc=Path("/nonexistent")).at(NOON)
    assert "guessed" in here.flags
    assert here.high_g_per_kwh is not None
    assert here.high_g_per_kwh >= 600
