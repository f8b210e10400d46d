"""A machine's time zone speaks of a country, or of none."""

from pathlib import Path
from zoneinfo import available_timezones

import pytest

from green_callbacks.carbon.tables import read_table
from green_callbacks.carbon.time_zone import country_of_time_zone


@pytest.mark.parametrize(
    ("name", "country"),
    [
        ("Europe/Berlin", "DE"),
        (":Europe/Paris", "FR"),
        ("/usr/share/zoneinfo/Asia/Tokyo", "JP"),
        ("posix/America/New_York", "US"),
        ("US/Pacific", "US"),
        ("Asia/Calcutta", "IN"),
        ("Europe/Oslo", "NO"),
        ("Africa/Windhoek", "NA"),
        ("PRC", "CN"),
    ],
)
def test_the_variable(name: str, country: str, tmp_path: Path):
    assert country_of_time_zone({"TZ": name}, tmp_path) == (country, country_name(name))


def country_name(name: str) -> str:
    return name.removeprefix(":").removeprefix("/usr/share/zoneinfo/").removeprefix("posix/")


@pytest.mark.parametrize("name", ["UTC", "Etc/UTC", "GMT", "Etc/GMT+5", "Zulu", "CET", "EST5EDT", "<+03>-3", "x/y"])
def test_an_hour_is_no_place(name: str, tmp_path: Path):
    assert country_of_time_zone({"TZ": name}, tmp_path) is None


def test_the_file(tmp_path: Path):
    (tmp_path / "timezone").write_text("Europe/Warsaw\n", encoding="utf-8")
    assert country_of_time_zone({}, tmp_path) == ("PL", "Europe/Warsaw")


@pytest.mark.parametrize(
    "target", ["/usr/share/zoneinfo/Europe/Rome", "../usr/share/zoneinfo/Europe/Rome", "/etc/zoneinfo/Europe/Rome"]
)
def test_the_link(target: str, tmp_path: Path):
    (tmp_path / "localtime").symlink_to(target)
    assert country_of_time_zone({}, tmp_path) == ("IT", "Europe/Rome")


def test_a_link_is_not_followed_to_another_country(tmp_path: Path):
    database = tmp_path / "zoneinfo" / "Europe"
    database.mkdir(parents=True)
    (database / "Berlin").touch()
    (database / "Oslo").symlink_to("Berlin")
    (tmp_path / "localtime").symlink_to(database / "Oslo")
    assert country_of_time_zone({}, tmp_path) == ("NO", "Europe/Oslo")


def test_the_first_that_names_a_place_counts(tmp_path: Path):
    (tmp_path / "timezone").write_text("Etc/UTC\n", encoding="utf-8")
    (tmp_path / "localtime").symlink_to("/usr/share/zoneinfo/Europe/Madrid")
    assert country_of_time_zone({"TZ": "UTC"}, tmp_path) == ("ES", "Europe/Madrid")
    assert country_of_time_zone({"TZ": "Europe/London"}, tmp_path) == ("GB", "Europe/London")


def test_a_machine_that_says_nothing(tmp_path: Path):
    assert country_of_time_zone({}, tmp_path) is None
    assert country_of_time_zone({}, tmp_path / "missing") is None


def test_files_that_cannot_be_read_say_nothing(tmp_path: Path):
    (tmp_path / "timezone").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "localtime").write_bytes(b"TZif2")
    assert country_of_time_zone({}, tmp_path) is None


def test_a_time_zone_stands_for_one_country():
    names = [name for row in read_table("time_zones.csv") for name in row["time_zones"].split()]
    assert len(names) == len(set(names)) > 500


def test_the_machines_own_database_holds_few_places_that_the_table_does_not():
    places = {name for name in available_timezones() if "/" in name and not name.startswith(("Etc/", "SystemV/"))}
    names = {name for row in read_table("time_zones.csv") for name in row["time_zones"].split()}
    assert len(places - names) <= 10
