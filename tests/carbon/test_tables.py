"""The tables that ship are whole, and say where they come from."""

from pathlib import Path

import pytest

from green_callbacks.carbon.tables import DATA, country_of, key, read_csv, tables


def test_key_keeps_what_tells_places_apart():
    assert key(" São-Tomé & Príncipe ") == "saotomeprincipe"
    assert key("aws:eu-north-1") == "awseunorth1"
    assert key("gcp:europe-west1") != key("gcp:europe-west12")


def test_country_of():
    assert country_of("US-CA") == "US"
    assert country_of("DE") == "DE"


def test_no_key_means_two_places():
    codes = tables().codes
    assert all(codes[key(code)] == code for code in [*tables().zones, *tables().regions])


def test_every_region_stands_in_a_zone_with_figures():
    regions = tables().regions.values()
    assert {region.code.partition(":")[0] for region in regions} == {"aws", "azure", "gcp"}
    assert all(region.zone in tables().zones and region.country in tables().zones for region in regions)


def test_all_sources_are_credited():
    credits_text = (DATA / "CREDITS.md").read_text(encoding="utf-8")
    for words in ("Ember", "Energy Institute", "Our World in Data", "CC BY 4.0", "eGRID2023", "ENTSO-E", "Apache"):
        assert words in credits_text
    for table in DATA.glob("*.csv"):
        assert table.name in credits_text or table.name == "sources.csv"


def test_the_tables_are_plain_text(tmp_path: Path):
    for table in DATA.glob("*.csv"):
        content = table.read_bytes()
        assert b"\r" not in content
        assert content.decode("utf-8").endswith("\n")
        assert read_csv(table)


def test_a_ragged_table_is_refused(tmp_path: Path):
    (tmp_path / "ragged.csv").write_text("a,b\n1\n", encoding="utf-8")
    with pytest.raises(ValueError, match="line 2 has 1 columns, and the header 2"):
        read_csv(tmp_path / "ragged.csv")
