"""One command rebuilds the tables from their sources, and refuses what cannot be right."""

import csv
import logging
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from green_callbacks.carbon.rebuild import main, rebuild
from green_callbacks.carbon.tables import DATA, country_of, read_csv, read_table, tables
from green_callbacks.errors import ConfigurationError

COUNTRIES = "grid_intensity_country.csv"
PARTS = "grid_intensity_subnational.csv"
GOOGLE = "gcp_regions.csv"


def write(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(header)
        writer.writerows(rows)


def append(path: Path, line: str) -> None:
    path.write_text(path.read_text(encoding="utf-8") + line + "\n", encoding="utf-8")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Write sources as they are published, holding what the package's tables hold, in no order."""
    folder = tmp_path / "source"
    folder.mkdir()
    iso3 = {row["zone"]: row["iso3"] for row in read_table("names.csv")}
    rows = [(zone, year, value) for zone in tables().zones.values() for year, value in zone.figures.items()][::-1]
    write(
        folder / COUNTRIES,
        ("iso3", "name", "year", "g_per_kwh"),
        [(iso3[zone.code], zone.name, y, g) for zone, y, g in rows if zone.source.title.startswith("Ember")],
    )
    write(
        folder / PARTS,
        ("zone", "name", "year", "g_per_kwh", "scope", "basis", "source", "licence"),
        [
            (zone.code, zone.name, y, g, zone.source.scope, zone.source.basis, zone.source.title, zone.source.licence)
            for zone, y, g in rows
            if country_of(zone.code) != zone.code and ":" not in zone.code
        ],
    )
    write(
        folder / GOOGLE,
        ("region", "year", "g_per_kwh"),
        [(zone.code.removeprefix("gcp:"), y, g) for zone, y, g in rows if ":" in zone.code],
    )
    zone_names = [(row["zone"], name) for row in read_table("time_zones.csv") for name in row["time_zones"].split()]
    lines = [f"{code}\t+0000+00000\t{name}\tcomment" for code, name in zone_names]
    (folder / "zone.tab").write_text("# a comment\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return folder


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Return an empty folder to rebuild into."""
    folder = tmp_path / "target"
    folder.mkdir()
    return folder


def test_the_same_sources_give_the_same_bytes(source: Path, target: Path):
    rebuild(source, target)
    for name in ("zones.csv", "time_zones.csv"):
        assert (target / name).read_bytes() == (DATA / name).read_bytes()


def test_years_and_unit_are_said(source: Path, target: Path, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.INFO):
        rebuild(source, target)
    assert "gCO2e/kWh" in caplog.text
    assert "1 of 2009" in caplog.text
    assert "'Georgia' means GE, so US-GA is found by its code only" in caplog.text


def test_the_command(source: Path, target: Path):
    command = [sys.executable, "-m", "green_callbacks.carbon.rebuild", source, "--target", target]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "latest figures" in result.stderr
    assert (target / "zones.csv").read_bytes() == (DATA / "zones.csv").read_bytes()


def test_the_command_needs_a_folder(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        main([])
    assert "SOURCE_DIR" in capsys.readouterr().err


def test_without_the_time_zone_database_its_table_stays(source: Path, target: Path):
    (source / "zone.tab").unlink()
    main([str(source), "--target", str(target)])
    assert [path.name for path in target.iterdir()] == ["zones.csv"]


def test_former_names_of_time_zones(source: Path, target: Path):
    links = "# version\nZ Europe/Berlin 0:53 - LMT\nL Asia/Kolkata Asia/Bombay\nL Asia/Bombay Asia/Poona\n"
    (source / "tzdata.zi").write_text(links + "L Europe/Brussels CET\nL Etc/UTC UTC\n", encoding="utf-8")
    rebuild(source, target)
    text = (target / "time_zones.csv").read_text(encoding="utf-8")
    assert "IN,Asia/Bombay Asia/Calcutta Asia/Kolkata Asia/Poona\n" in text
    assert "CET" not in text
    assert "UTC" not in text


def test_zeros_are_blanks(source: Path, target: Path, caplog: pytest.LogCaptureFixture):
    append(source / COUNTRIES, "CAF,Central African Republic,2022,0.0")
    append(source / COUNTRIES, "CAF,Central African Republic,2023,0.0")
    append(source / COUNTRIES, "UKR,Ukraine,2023,0.0")
    with caplog.at_level(logging.INFO):
        rebuild(source, target)
    assert (target / "zones.csv").read_bytes() == (DATA / "zones.csv").read_bytes()
    assert "CF (Central African Republic) has no figures for [2022, 2023]" in caplog.text


def test_egrids_sum_of_the_states_is_left_out(source: Path, target: Path):
    append(source / PARTS, "US-usa,Usa,2023,349.7,direct,generation,US EPA eGRID2023 (STC2ERTA),public domain")
    rebuild(source, target)
    assert (target / "zones.csv").read_bytes() == (DATA / "zones.csv").read_bytes()


def test_a_published_figure_replaces_one_rounded_otherwise(source: Path, target: Path):
    text = (source / COUNTRIES).read_text(encoding="utf-8").replace("DEU,Germany,2025,329.7", "DEU,Germany,2025,329.6")
    (source / COUNTRIES).write_text(text, encoding="utf-8")
    rebuild(source, target)
    assert (target / "zones.csv").read_bytes() == (DATA / "zones.csv").read_bytes()


@pytest.mark.parametrize(
    ("file", "line", "fault"),
    [
        (COUNTRIES, "FRA,France,2026,1500", "FR 2026: 1500 g/kWh is not between 0 and 1500"),
        (COUNTRIES, "FRA,France,2026,-1", "FR 2026: -1 g/kWh"),
        (COUNTRIES, "FRA,France,2026,nan", "FR 2026: nan g/kWh"),
        (COUNTRIES, "NAM,Namibia,2024,48.8", "NA 2024 twice"),
        (COUNTRIES, "ZZZ,Atlantis,2025,100", "Atlantis 2025: code ''"),
        (COUNTRIES, ",Namibia,2025,48.8", "Namibia 2025: code ''"),
        (GOOGLE, "moon-west1,2024,100", "moon-west1 2024: code ''"),
        (PARTS, "US-XX,X,2023,300,direct,generation,A blog,none", "X 2023: code 'US-XX', source ''"),
        (
            PARTS,
            "US-XX,X,2023,300,lifecycle,generation,US EPA eGRID2023 (STC2ERTA),public domain",
            "X 2023: code 'US-XX', source ''",
        ),
    ],
)
def test_what_cannot_be_right_is_refused(file: str, line: str, fault: str, source: Path, target: Path):
    append(source / file, line)
    with pytest.raises(ConfigurationError) as caught:
        rebuild(source, target)
    assert fault in str(caught.value)
    assert list(target.iterdir()) == []


def test_pounds_are_noticed(source: Path, target: Path):
    rows = read_csv(source / PARTS)
    for row in rows:
        if row["zone"].startswith("US-"):
            row["g_per_kwh"] = str(float(row["g_per_kwh"]) / 0.45359237)
    write(source / PARTS, list(rows[0]), [list(row.values()) for row in rows])
    with pytest.raises(ConfigurationError, match=r"the parts of US have .* in 2023 and the country 392\.9"):
        rebuild(source, target)


@pytest.mark.parametrize(
    ("code", "fault"), [("WORLD", "no figures for the WORLD"), ("SGP", "aws:ap-southeast-1 lies in SG")]
)
def test_what_others_rely_on_must_be_there(code: str, fault: str, source: Path, target: Path):
    lines = (source / COUNTRIES).read_text(encoding="utf-8").splitlines(keepends=True)
    kept = "".join(line for line in lines if not line.startswith(code))
    (source / COUNTRIES).write_text(kept, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=fault):
        rebuild(source, target)


def test_a_missing_source_is_named(source: Path, target: Path):
    (source / GOOGLE).unlink()
    with pytest.raises(FileNotFoundError, match=GOOGLE):
        rebuild(source, target)
