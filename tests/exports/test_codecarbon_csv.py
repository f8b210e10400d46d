import csv
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from support.scripted_run import GERMANY, device, finished, record

from green_callbacks.exports import COLUMNS, codecarbon_csv
from green_callbacks.records import History

KWH = 3_600_000.0


def rows(*histories, **options):
    text = codecarbon_csv([(finished(history), history) for history in histories], **options)
    return list(csv.DictReader(text.splitlines()))


def in_zone(zone, **fields):
    [row] = rows(History([record(0, intensity=replace(GERMANY, zone=zone, **fields))]))
    return row


def test_a_run_is_a_row_with_all_columns():
    [row] = rows(History([record(0), record(1)]))

    assert tuple(row) == COLUMNS
    assert len(COLUMNS) == 38
    assert row["timestamp"] == "2026-03-01T00:00:30"
    assert (row["run_id"], row["project_name"], row["tracking_mode"]) == ("run-1", "green_callbacks", "machine")
    assert (row["pue"], row["gpu_count"], row["duration"]) == ("1.25", "1", "20.0")
    assert float(row["emissions"]) == pytest.approx(8000 / KWH * 1.25 * 0.36)
    assert float(row["emissions_rate"]) == pytest.approx(float(row["emissions"]) / 20)


def test_energy_and_power_are_the_facilitys_as_in_codecarbon():
    [row] = rows(History([record(0, pue=1.0), record(1, pue=2.0)]))

    assert float(row["gpu_energy"]) == pytest.approx(3000 / KWH * 3)
    assert float(row["cpu_energy"]) == pytest.approx(1000 / KWH * 3)
    assert float(row["energy_consumed"]) == pytest.approx(4000 / KWH * 3)
    assert float(row["gpu_power"]) == pytest.approx(3000 * 3 / 20)


def test_what_is_not_known_is_empty_and_not_zero():
    [row] = rows(History([record(0, cpu_joules=None)]))
    for column in ("cpu_energy", "ram_energy", "cpu_power", "ram_power", "water_consumed", "wue", "os", "cpu_model"):
        assert row[column] == ""

    [nothing] = rows(History())
    for column in ("timestamp", "emissions", "emissions_rate", "energy_consumed", "gpu_energy", "gpu_power", "pue"):
        assert nothing[column] == ""


def test_memory_and_other_parts_are_in_their_columns():
    parts = {"dram:0": device(KWH, "dram"), "platform:0": device(KWH, "platform")}
    [row] = rows(History([record(0, devices=parts, pue=1.0)]))

    assert float(row["ram_energy"]) == pytest.approx(1)
    assert float(row["energy_consumed"]) == pytest.approx(2)


@pytest.mark.parametrize(
    ("zone", "country", "letters", "region"),
    [
        ("DE", "Germany", "DEU", "not known"),
        ("NA", "Namibia", "NAM", "not known"),
        ("US-CA", "United States", "USA", "California"),
        ("EU", "European Union (27)", "not known", "not known"),
        ("our cellar", "not known", "not known", "not known"),
        (None, "not known", "not known", "not known"),
    ],
)
def test_places_have_three_letters_or_say_that_they_are_not_known(zone, country, letters, region):
    row = in_zone(zone)
    assert (row["country_name"], row["country_iso_code"], row["region"]) == (country, letters, region)
    assert (row["on_cloud"], row["cloud_provider"], row["cloud_region"]) == ("N", "", "")


@pytest.mark.parametrize(
    ("zone", "letters", "region"),
    [("aws:eu-north-1", "SWE", "Stockholm"), ("gcp:us-central1", "USA", "Iowa"), ("azure:westindia", "IND", "Mumbai")],
)
def test_a_cloud_region_is_one(zone, letters, region):
    row = in_zone(zone)
    assert (row["country_iso_code"], row["region"], row["on_cloud"]) == (letters, region, "Y")
    assert f"{row['cloud_provider']}:{row['cloud_region']}" == zone


FORMULAS = ["=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "=cmd|' /C calc'!A0", " =1"]


@pytest.mark.parametrize("formula", FORMULAS)
def test_no_text_is_a_formula(formula):
    history = History([record(0)])
    text = codecarbon_csv([(replace(finished(history), run_id=formula), history)], project=formula)
    [row] = csv.DictReader(text.splitlines())
    assert row["run_id"].startswith("'")
    assert row["project_name"].startswith("'")


def test_a_name_with_breaks_of_lines_stays_in_its_cell():
    history = History([record(0)])
    run_id = 'a\rb\nc\x1b[1m\u2028,"d"\udcff'
    text = codecarbon_csv([(replace(finished(history), run_id=run_id), history)])
    text.encode()
    head, row, end = text.split("\n")
    assert (len(head.split(",")), end) == (38, "")
    assert next(csv.DictReader([head, row]))["run_id"] == r'a\rb\nc\x1b[1m\u2028,"d"\udcff'


def test_runs_are_rows_of_one_project():
    history = History([record(0)])
    assert [row["project_name"] for row in rows(history, history, project='a "b", c')] == ['a "b", c'] * 2


def test_an_end_beyond_all_calendars_is_not_known():
    [row] = rows(History([record(0, started_at=datetime(9999, 12, 31, tzinfo=UTC), seconds=10.0**6)]))
    assert (row["timestamp"], row["duration"]) == ("", "1000000.0")
