"""What the environment and the configuration say is refused where an accountant is made, in every process alike."""

import pytest
from support.runs import scripted
from support.thread_ranks import on_ranks

from green_callbacks import EnergyAccountant
from green_callbacks.errors import ConfigurationError, UnknownZoneError

QUIET = {"sinks": [], "ledger": False, "sources": []}


@pytest.fixture(autouse=True)
def plain(monkeypatch, tmp_path):
    """Nothing is said but by the test."""
    for name in ("LOCATION", "INTENSITY", "PUE", "DISABLE"):
        monkeypatch.delenv(f"GREEN_CALLBACKS_{name}", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


@pytest.fixture
def configured(tmp_path):
    def write(content):
        (tmp_path / "green_callbacks").mkdir()
        (tmp_path / "green_callbacks" / "config.toml").write_bytes(content)

    return write


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        (
            "INTENSITY",
            "56,3",
            r"with a decimal point, as in 56\.3, not a comma. The value comes from GREEN_CALLBACKS_INTENSITY",
        ),
        ("INTENSITY", "1500", "from 0 to 1500"),
        ("INTENSITY", "380 g/kWh", "'380 g/kWh' is no number"),
        ("INTENSITY", "nan", "not finite"),
        ("INTENSITY", "\udcff\udcfe", "is no number"),
        ("PUE", "1,2", r"GREEN_CALLBACKS_PUE is .* as in 1\.2, not a comma"),
        ("PUE", "120%", "GREEN_CALLBACKS_PUE is"),
        ("PUE", "0.9", "from 1 to 3, not '0.9'"),
        ("LOCATION", "Germny", r"Did you mean .*Germany.* The value comes from GREEN_CALLBACKS_LOCATION"),
        ("LOCATION", "\udcff", "Unknown location"),
        ("DISABLE", "maybe", "GREEN_CALLBACKS_DISABLE is 'maybe'. Write 1 for yes, or 0 for no"),
        ("DISABLE", "2", "Write 1 for yes, or 0 for no"),
    ],
)
def test_a_wrong_variable_is_refused_at_construction(name, value, said, monkeypatch):
    monkeypatch.setenv(f"GREEN_CALLBACKS_{name}", value)
    with pytest.raises(ConfigurationError, match=said):
        EnergyAccountant(**QUIET)


@pytest.mark.parametrize("name", ["LOCATION", "INTENSITY", "PUE", "DISABLE"])
def test_a_blank_variable_says_nothing(name, monkeypatch):
    monkeypatch.setenv(f"GREEN_CALLBACKS_{name}", " \n")
    with EnergyAccountant(**QUIET) as accountant:
        assert accountant.is_live


@pytest.mark.parametrize(("value", "is_live"), [("1", 0), ("TRUE", 0), (" yes ", 0), ("on", 0), ("0", 1), ("No", 1)])
def test_disabling_is_read_in_any_case_and_with_blanks(value, is_live, monkeypatch):
    monkeypatch.setenv("GREEN_CALLBACKS_DISABLE", value)
    accountant, clock = scripted()
    with accountant:
        accountant.begin_epoch(0)
        clock.advance(10.0)
        assert (accountant.end_epoch().energy_joules is not None) == bool(is_live)


def test_an_argument_goes_before_a_wrong_variable(monkeypatch):
    monkeypatch.setenv("GREEN_CALLBACKS_LOCATION", "Germny")
    monkeypatch.setenv("GREEN_CALLBACKS_PUE", "1,2")
    EnergyAccountant(location="DE", pue=1.2, **QUIET)


def test_a_misspelt_variable_is_said_with_the_nearest(monkeypatch, caplog):
    monkeypatch.setenv("GREEN_CALLBACKS_LOCATON", "DE")
    monkeypatch.setenv("GREEN_CALLBACKS_XYZZY", "1")
    run = EnergyAccountant(**QUIET).close()
    assert "GREEN_CALLBACKS_LOCATON is unknown to this version. Did you mean GREEN_CALLBACKS_LOCATION?" in caplog.text
    assert len(run.notices) == 2


@pytest.mark.parametrize("name", ["GREEN_CALLBACK_LOCATION", "green_callbacks_location", "GREENCALLBACKS_LOCATION"])
def test_a_variable_that_does_not_quite_begin_as_ours_is_said(name, monkeypatch, caplog):
    monkeypatch.setenv(name, "DE")
    monkeypatch.setenv("GREENHOUSE_LOCATION", "Kew")
    run = EnergyAccountant(**QUIET).close()
    assert f"{name} is unknown to this version. Did you mean GREEN_CALLBACKS_LOCATION?" in caplog.text
    assert len(run.notices) == 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"pue = 1,2\n", "it is not TOML"),
        (b"location = DE\n", "it is not TOML"),
        (b'pue = "1.2"\n', "pue is a number, not '1.2'"),
        (b"pue = 9\n", "from 1 to 3"),
        (b"location = 49\n", "location is a text, not 49"),
        (b'location = "Germny"\n', r"Did you mean .*Germany.* The value comes from .*config\.toml"),
        (b"carbon_intensity = -3\n", r"from 0 to 1500, not -3. The value comes from .*config\.toml"),
        (b"carbon_intensity = [380]\n", "carbon_intensity is a number"),
        (b'place = "DE"\n', "'place' is none of location, carbon_intensity, pue"),
        ('location = "Türkei"\n'.encode("latin-1"), "not in UTF-8"),
        ('location = "DE"\n'.encode("utf-16"), "not in UTF-8"),
    ],
)
def test_a_wrong_configuration_is_refused_at_construction(content, said, configured):
    configured(content)
    with pytest.raises(ConfigurationError, match=said):
        EnergyAccountant(**QUIET)


def test_a_configuration_with_a_byte_order_mark_is_read(configured):
    configured(b'\xef\xbb\xbflocation = "FR"\r\npue = 1.3\r\n')
    with EnergyAccountant(**QUIET) as accountant:
        accountant.begin_epoch(0)
        record = accountant.end_epoch()
    assert (record.intensity.zone, record.pue) == ("FR", 1.3)


def test_a_configuration_that_is_a_folder_is_refused(tmp_path):
    (tmp_path / "green_callbacks" / "config.toml").mkdir(parents=True)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        EnergyAccountant(**QUIET)


def test_every_rank_refuses_alike(monkeypatch):
    monkeypatch.setenv("GREEN_CALLBACKS_LOCATION", "Germny")

    def refused(_):
        with pytest.raises(UnknownZoneError):
            EnergyAccountant(**QUIET)
        return True

    assert on_ranks(2, refused) == [True, True]
