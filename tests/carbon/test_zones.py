"""The carbon intensity of a place is found by any name that people type, with all that is needed to judge it."""

import subprocess
import sys

import pytest

from green_callbacks.carbon import lookup
from green_callbacks.carbon.tables import tables
from green_callbacks.errors import ConfigurationError, UnknownZoneError


def test_germany_in_full():
    germany = lookup("DE")
    assert germany.g_per_kwh == 329.7
    assert (germany.low_g_per_kwh, germany.high_g_per_kwh) == (329.7, 419.7)  # 2021 to 2025
    assert (germany.zone, germany.name, germany.year) == ("DE", "Germany", 2025)
    assert (germany.scope, germany.basis) == ("lifecycle", "generation")
    assert "Ember" in germany.source
    assert "Our World in Data" in germany.source
    assert germany.licence == "CC BY 4.0"
    assert germany.found_by == "argument"
    assert germany.flags == ()


@pytest.mark.parametrize(
    ("typed", "zone"),
    [
        ("de", "DE"),
        ("DEU", "DE"),
        ("germany", "DE"),
        (" Deutschland ", "DE"),
        ("UK", "GB"),
        ("USA", "US"),
        ("U.S.", "US"),
        ("United States of America", "US"),
        ("Türkiye", "TR"),
        ("turkey", "TR"),
        ("Côte d'Ivoire", "CI"),
        ("South Korea", "KR"),
        ("Czech Republic", "CZ"),
        ("Viet Nam", "VN"),
        ("EU27", "EU"),
        ("eu-27", "EU"),
        ("European Union", "EU"),
        ("world", "WORLD"),
        ("california", "US-CA"),
        ("us_ca", "US-CA"),
        ("Washington", "US-WA"),
        ("Washington, D.C.", "US-DC"),
        ("Georgia", "GE"),
        ("Georgia, US", "US-GA"),
        ("Inner Mongolia", "CN-NM"),
        ("SE3", "SE-SE3"),
        ("no-no1", "NO-NO1"),
        ("AWS:EU-North-1", "aws:eu-north-1"),
        ("GCP:europe-west1", "gcp:europe-west1"),
        ("azure:West Europe", "azure:westeurope"),
    ],
)
def test_what_people_type(typed: str, zone: str):
    assert lookup(typed).zone == zone


def test_namibia_is_not_missing():
    assert lookup("NA") == lookup("NAM") == lookup("Namibia")
    assert lookup("NA").name == "Namibia"


@pytest.mark.parametrize("code", {**tables().zones, **tables().regions})
def test_every_zone_and_region_resolves(code: str):
    place = lookup(code)
    assert place.zone == code
    assert place.name
    assert place.source
    assert place.licence
    assert 0 < place.g_per_kwh < 1500
    assert place.scope in {"lifecycle", "direct"}
    assert place.basis in {"generation", "consumption"}
    assert ("direct only" in place.flags) == (place.scope == "direct")
    if place.low_g_per_kwh is not None and place.high_g_per_kwh is not None:
        assert 0 < place.low_g_per_kwh <= place.g_per_kwh <= place.high_g_per_kwh < 1500
    else:
        assert code == "EH"  # one figure, of 2009


def test_a_country_is_counted_over_the_life_cycle():
    countries = [zone for zone in tables().zones.values() if "-" not in zone.code and ":" not in zone.code]
    assert len(countries) > 200
    assert {zone.source.scope for zone in countries} == {"lifecycle"}


def test_a_state_is_marked_as_direct_only():
    california = lookup("US-CA")
    assert (california.g_per_kwh, california.year) == (179.1, 2023)
    assert (california.scope, california.flags) == ("direct", ("direct only",))


def test_a_province_counts_carbon_dioxide_only():
    assert lookup("CN-YN").flags == ("direct only", "CO2 only")


def test_a_single_year_takes_its_range_from_the_country_in_proportion():
    state, country = lookup("US-CA"), lookup("US", year=2023)
    years = [lookup("US", year=year).g_per_kwh for year in range(2021, 2026)]
    assert state.low_g_per_kwh == pytest.approx(179.1 * min(years) / country.g_per_kwh, abs=0.01)
    assert state.high_g_per_kwh == pytest.approx(179.1 * max(years) / country.g_per_kwh, abs=0.01)


def test_the_range_of_an_early_year_comes_from_the_first_five():
    years = [lookup("PL", year=year).g_per_kwh for year in range(2015, 2020)]
    early = lookup("PL", year=2015)
    assert (early.low_g_per_kwh, early.high_g_per_kwh) == (min(years), max(years))


def test_the_world_carries_the_range_of_its_countries():
    world = lookup("WORLD")
    assert (world.g_per_kwh, world.year) == (458.3, 2025)
    codes = [code for code in tables().zones if len(code) == 2 and code not in {"EU", "EH"}]
    below = sum(lookup(code).g_per_kwh < (world.low_g_per_kwh or 0) for code in codes)
    above = sum(lookup(code).g_per_kwh > (world.high_g_per_kwh or 0) for code in codes)
    assert below / len(codes) == pytest.approx(0.05, abs=0.01)
    assert above / len(codes) == pytest.approx(0.05, abs=0.01)


def test_a_region_of_aws_or_azure_has_the_figure_of_its_place():
    frankfurt, germany = lookup("aws:eu-central-1"), lookup("DE")
    assert frankfurt.name == "Frankfurt (DE)"
    assert (frankfurt.g_per_kwh, frankfurt.low_g_per_kwh) == (germany.g_per_kwh, germany.low_g_per_kwh)
    assert lookup("azure:westus2").g_per_kwh == lookup("US-WA").g_per_kwh
    assert lookup("aws:eu-north-1").g_per_kwh == lookup("SE-SE3").g_per_kwh


def test_a_region_of_google_cloud_has_googles_own_figure():
    belgium = lookup("gcp:europe-west1")
    assert (belgium.g_per_kwh, belgium.year, belgium.scope) == (126.43, 2025, "direct")
    assert "Google" in belgium.source
    assert belgium.name == "Belgium"


def test_turin_is_not_taken_for_belgium():
    assert lookup("gcp:europe-west12").name == "Turin"


def test_googles_figures_of_the_year_before_can_be_asked_for():
    assert lookup("gcp:europe-west1", year=2024).g_per_kwh == 103.37
    with pytest.raises(ConfigurationError, match="Choose one of 2025"):
        lookup("gcp:asia-southeast3", year=2024)  # which was not there yet


def test_all_regions_of_google_have_a_figure_of_2025():
    regions = [code for code in tables().zones if code.startswith("gcp:")]
    assert len(regions) == 47
    assert {lookup(code).year for code in regions} == {2025}


def test_the_range_of_a_region_holds_its_own_years_and_its_countrys_range():
    warsaw = lookup("gcp:europe-central2")
    before = lookup("gcp:europe-central2", year=2024).g_per_kwh
    assert warsaw.low_g_per_kwh <= warsaw.g_per_kwh < before <= warsaw.high_g_per_kwh
    iowa, country = lookup("gcp:us-central1"), lookup("US")
    assert iowa.high_g_per_kwh >= iowa.g_per_kwh * country.high_g_per_kwh / country.g_per_kwh - 0.01


@pytest.mark.parametrize("year", ["2024", True, 2024.0, [2024]])
def test_a_year_is_a_whole_number(year):
    with pytest.raises(ConfigurationError, match="year must be a whole number such as 2025, not"):
        lookup("DE", year=year)


def test_another_year():
    assert lookup("DE", year=2022).g_per_kwh == 419.7
    assert lookup("aws:eu-central-1", year=2022).year == 2022


def test_a_year_without_a_figure_names_those_with_one():
    with pytest.raises(ConfigurationError, match=r"Germany \(DE\) in 1999. Choose one of 2015, .*2025"):
        lookup("DE", year=1999)


def test_an_old_figure_says_so():
    sahara = lookup("Western Sahara")
    assert (sahara.year, sahara.flags) == (2009, ("old",))
    assert (sahara.low_g_per_kwh, sahara.high_g_per_kwh) == (None, None)
    assert lookup("UA").flags == ()  # 2022
    assert lookup("EH", year=2009).flags == ()  # as asked


@pytest.mark.parametrize(
    ("typed", "nearest"),
    [
        ("Germnay", "DE (Germany)"),
        ("aws:eu-nort-1", "aws:eu-north-1 (Stockholm)"),
        ("europe-west1", "gcp:europe-west1 (Belgium)"),
        ("Swedn", "SE (Sweden)"),
        ("Califronia", "US-CA (California)"),
    ],
)
def test_a_wrong_name_gets_the_nearest(typed: str, nearest: str):
    with pytest.raises(UnknownZoneError) as caught:
        lookup(typed)
    assert nearest in str(caught.value)
    assert "carbon_intensity" in str(caught.value)


@pytest.mark.parametrize("typed", ["", "  ", "?!", "日本"])
def test_what_resembles_nothing_is_refused_as_well(typed: str):
    with pytest.raises(UnknownZoneError, match="Unknown location"):
        lookup(typed)


@pytest.mark.parametrize("thing", [None, 49, ("aws", "eu-north-1x"), 1.5])
def test_what_is_no_text_is_refused_in_the_same_words(thing: object):
    with pytest.raises(UnknownZoneError, match="Unknown location"):
        lookup(thing)  # type: ignore[arg-type]


def test_a_country_whose_figures_are_zero_has_none():
    with pytest.raises(UnknownZoneError):
        lookup("CF")


def test_no_table_is_read_at_import():
    script = (
        "import sys, builtins, io\n"
        "opened = []\n"
        "sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == 'open' else None)\n"
        "import green_callbacks.carbon as carbon\n"
        "before = [name for name in opened if name.endswith('.csv')]\n"
        "carbon.lookup('DE'), carbon.lookup('FR')\n"
        "after = [name for name in opened if name.endswith('zones.csv')]\n"
        "print(len(before), len(after))\n"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["0", "1"]
