"""What the user says once in a file holds for every run that says nothing else."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from green_callbacks.carbon import lookup, resolve_intensity, resolve_pue
from green_callbacks.configuration import Configuration, read_configuration
from green_callbacks.errors import ConfigurationError, UnknownZoneError

NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)
Environ = dict[str, str]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / ".config" / "green_callbacks").mkdir(parents=True)
    return tmp_path


def values(found: Configuration) -> dict[str, object]:
    return {setting.key: setting.value for setting in found.settings}


def write(home: Path, text: str) -> Environ:
    (home / ".config" / "green_callbacks" / "config.toml").write_text(text, encoding="utf-8")
    return {"HOME": str(home)}


def test_all_that_it_can_say(home: Path):
    found = read_configuration(
        write(
            home,
            'location = "FR"\npue = 1.2\ncarbon_intensity = 35\nbudget = "5 kg"\nproject = "/runs/*"\n'
            'ledger_folder = "~/ledgers"\n[labels]\nteam = "vision"\n',
        )
    )
    assert values(found) == {
        "location": "FR",
        "pue": 1.2,
        "carbon_intensity": 35,
        "budget": "5 kg",
        "project": "/runs/*",
        "ledger_folder": str(Path("~/ledgers").expanduser()),
        "labels": {"team": "vision"},
    }
    assert found.files == (home / ".config/green_callbacks/config.toml",)
    assert {setting.kind for setting in found.settings} == {"user"}


def test_the_folder_of_the_desktop_standard(home: Path):
    environ = write(home, 'location = "FR"')
    for each in ({"XDG_CONFIG_HOME": str(home / ".config")}, {"XDG_CONFIG_HOME": "relative", **environ}):
        assert values(read_configuration(each)) == {"location": "FR"}
    assert values(read_configuration({"USERPROFILE": str(home)})) == {"location": "FR"}


@pytest.mark.parametrize("environ", [{}, {"HOME": "/nonexistent"}, {"HOME": "/dev/null"}])
def test_no_file_says_nothing(environ: Environ):
    assert values(read_configuration(environ)) == {}


def test_an_empty_file_says_nothing(home: Path):
    assert values(read_configuration(write(home, "\n"))) == {}


def test_it_comes_after_argument_and_environment_and_before_guesses(home: Path, caplog: pytest.LogCaptureFixture):
    environ = {**write(home, 'location = "FR"\npue = 1.3'), "TZ": "Europe/Oslo", "SLURM_JOB_ID": "7"}
    here = resolve_intensity(environ=environ, etc=home).at(NOON)
    assert (here.zone, here.found_by, here.flags) == ("FR", "configuration", ())
    assert caplog.text == ""
    assert resolve_intensity("DE", None, environ).at(NOON) == lookup("DE")
    told = resolve_intensity(environ={**environ, "GREEN_CALLBACKS_LOCATION": "PL"}).at(NOON)
    assert (told.zone, told.found_by) == ("PL", "environment")
    pue = resolve_pue(None, None, environ)
    assert pue.value == 1.3
    assert "config.toml" in pue.source
    assert resolve_pue(1.1, None, environ).value == 1.1
    assert resolve_pue(None, None, {**environ, "GREEN_CALLBACKS_PUE": "1.4"}).value == 1.4


def test_a_number_beside_a_place(home: Path):
    here = resolve_intensity(environ=write(home, 'location = "FR"\ncarbon_intensity = 12.5')).at(NOON)
    assert (here.g_per_kwh, here.zone, here.found_by) == (12.5, "FR", "configuration")


def test_a_cloud_region_has_its_providers_pue(home: Path):
    assert resolve_pue(None, None, write(home, 'location = "aws:eu-north-1"')).value == 1.15


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("location = ", "not TOML"),
        ('lokation = "FR"', "'lokation' is none of location, carbon_intensity, pue"),
        ("location = 49", "location is a text, not 49"),
        ('pue = "1.2"', "pue is a number, not '1.2'"),
        ("carbon_intensity = true", "carbon_intensity is a number, not True"),
    ],
)
def test_what_cannot_be_is_refused_with_the_name_of_the_file(text: str, words: str, home: Path):
    with pytest.raises(ConfigurationError, match=words) as caught:
        read_configuration(write(home, text))
    assert "config.toml" in str(caught.value)


def test_other_bytes_are_refused(home: Path):
    environ = write(home, "")
    (home / ".config/green_callbacks/config.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match="UTF-8"):
        read_configuration(environ)


def test_values_out_of_range_are_refused(home: Path):
    with pytest.raises(ConfigurationError, match=r"pue in .*config\.toml"):
        resolve_pue(None, None, write(home, "pue = 0.5"))
    with pytest.raises(ConfigurationError, match="from 0 to 1500"):
        resolve_intensity(environ=write(home, "carbon_intensity = 1e6"))
    with pytest.raises(UnknownZoneError):
        resolve_intensity(environ=write(home, 'location = "Atlantis"'))
