"""The intensity to account with: what the user says, else a guess that says that it is one."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from green_callbacks.carbon import ConstantIntensity, lookup, resolve_intensity
from green_callbacks.errors import ConfigurationError, UnknownZoneError
from green_callbacks.records import Intensity

NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)
LOCATION, INTENSITY = "GREEN_CALLBACKS_LOCATION", "GREEN_CALLBACKS_INTENSITY"


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    """Return a machine's configuration that says nothing."""
    return tmp_path


def resolved(etc: Path, environ: dict[str, str] | None = None, **arguments: object) -> Intensity:
    return resolve_intensity(environ=environ or {}, etc=etc, **arguments).at(NOON)  # type: ignore[arg-type]


def test_an_argument_comes_first(etc: Path, caplog: pytest.LogCaptureFixture):
    assert resolved(etc, {LOCATION: "FR", INTENSITY: "12", "TZ": "Europe/Oslo"}, location="DE") == lookup("DE")
    assert caplog.text == ""


def test_the_environment_comes_second(etc: Path, caplog: pytest.LogCaptureFixture):
    here = resolved(etc, {LOCATION: " FR ", "TZ": "Europe/Oslo"})
    assert (here.zone, here.found_by, here.flags) == ("FR", "environment", ())
    assert caplog.text == ""


def test_a_number_in_the_environment(etc: Path):
    here = resolved(etc, {INTENSITY: "380"})
    assert (here.g_per_kwh, here.found_by, here.zone) == (380.0, "environment", None)


def test_a_number_beside_a_place_counts_and_the_place_is_its_label(etc: Path):
    for here in (
        resolved(etc, location="germany", carbon_intensity=12.5),
        resolved(etc, {LOCATION: "germany", INTENSITY: "12.5"}),
    ):
        assert (here.g_per_kwh, here.zone, here.name) == (12.5, "DE", "Germany")
        assert (here.scope, here.year) == (None, None)
        assert "given by the user" in here.source


def test_a_label_need_not_be_in_the_tables(etc: Path):
    assert resolved(etc, location="our roof", carbon_intensity=40).zone == "our roof"


def test_a_number_that_is_an_argument_hides_the_environment(etc: Path):
    here = resolved(etc, {LOCATION: "FR"}, carbon_intensity=40)
    assert (here.g_per_kwh, here.zone) == (40.0, None)


def test_a_provider_is_returned_as_it_is(etc: Path):
    provider = ConstantIntensity.given(40)
    assert resolve_intensity("DE", provider, {}, etc=etc) is provider


@pytest.mark.parametrize(
    ("error", "environ", "arguments"),
    [
        (UnknownZoneError, {}, {"location": "Atlantis"}),
        (UnknownZoneError, {}, {"location": ""}),
        (UnknownZoneError, {LOCATION: "Atlantis"}, {}),
        (ConfigurationError, {INTENSITY: "much"}, {}),
        (ConfigurationError, {INTENSITY: "-3"}, {}),
        (ConfigurationError, {}, {"carbon_intensity": 1e6}),
    ],
)
def test_what_cannot_be_is_refused(
    error: type[Exception], environ: dict[str, str], arguments: dict[str, object], etc: Path
):
    with pytest.raises(error):
        resolved(etc, environ, **arguments)


def test_a_time_zone_is_a_guess_with_the_range_of_the_world(etc: Path, caplog: pytest.LogCaptureFixture):
    here, world = resolved(etc, {"TZ": "Europe/Berlin"}), lookup("WORLD")
    assert (here.zone, here.g_per_kwh) == ("DE", 329.7)
    assert (here.found_by, here.flags) == ("time zone", ("guessed",))
    assert (here.low_g_per_kwh, here.high_g_per_kwh) == (world.low_g_per_kwh, world.high_g_per_kwh)
    assert len(caplog.records) == 1
    assert "Germany" in caplog.text
    assert "Europe/Berlin" in caplog.text
    assert LOCATION in caplog.text


@pytest.mark.parametrize(("time_zone", "zone"), [("Atlantic/Reykjavik", "IS"), ("Asia/Ashgabat", "TM")])
def test_a_guess_beyond_the_range_of_most_countries_is_inside_its_own(time_zone: str, zone: str, etc: Path):
    here = resolved(etc, {"TZ": time_zone})
    assert here.zone == zone
    assert here.low_g_per_kwh is not None
    assert here.high_g_per_kwh is not None
    assert here.low_g_per_kwh <= here.g_per_kwh <= here.high_g_per_kwh


@pytest.mark.parametrize("time_zone", ["UTC", "Etc/UTC", "CET", "", "Africa/Bangui", "CET-1CEST"])
def test_nowhere_is_the_average_of_the_world(time_zone: str, etc: Path, caplog: pytest.LogCaptureFixture):
    here, world = resolved(etc, {"TZ": time_zone, LOCATION: "", INTENSITY: " "}), lookup("WORLD")
    assert (here.zone, here.g_per_kwh, here.year) == ("WORLD", 458.3, 2025)
    assert (here.found_by, here.flags) == ("world average", ("guessed",))
    assert (here.low_g_per_kwh, here.high_g_per_kwh) == (world.low_g_per_kwh, world.high_g_per_kwh)
    assert len(caplog.records) == 1
    assert 'location="DE"' in caplog.text
    assert LOCATION in caplog.text


def test_this_machine_resolves():
    assert 0 < resolve_intensity().at(NOON).g_per_kwh < 1500


@pytest.mark.parametrize("location", [5, b"DE", ["DE"], True], ids=str)
def test_a_location_that_is_no_text_is_refused_in_a_sentence(location: object):
    with pytest.raises(ConfigurationError, match="location must be a text"):
        resolve_intensity(location)
