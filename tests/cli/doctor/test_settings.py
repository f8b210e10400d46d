"""What the doctor says of files and variables that hold settings, and of the variable that switches monitoring on."""

import json
from importlib import metadata

import pytest

from green_callbacks.cli import main
from green_callbacks.cli.doctor.account import account
from green_callbacks.cli.doctor.switch import switch


@pytest.fixture
def examined(tmp_path):
    """Write the files of user and site, and examine the account."""

    def examined(user=None, site=None, **variables):
        for folder, content in (("user", user), ("etc", site)):
            if content is not None:
                (tmp_path / folder / "green_callbacks").mkdir(parents=True, exist_ok=True)
                (tmp_path / folder / "green_callbacks" / "config.toml").write_text(content)
        environ = {f"GREEN_CALLBACKS_{name}": value for name, value in variables.items()}
        return account({"XDG_CONFIG_HOME": str(tmp_path / "user"), **environ}, tmp_path, tmp_path / "etc")

    return examined


def about(findings, topic):
    return [finding for finding in findings if finding.topic == topic]


def test_without_files_there_is_nothing_to_say(examined):
    assert about(examined(), "Configuration") == []


def test_each_file_is_named_with_what_it_says(examined, tmp_path):
    found = examined(user='pue = 1.2\n[labels]\nteam = "vision"', site='location = "FR"')
    texts = [finding.text for finding in about(found, "Configuration")]
    assert texts == [
        f"{tmp_path}/user/green_callbacks/config.toml says pue = 1.2, labels team = 'vision'.",
        f"{tmp_path}/etc/green_callbacks/config.toml says location = 'FR'.",
    ]
    assert [(finding.state, finding.details["kind"]) for finding in about(found, "Configuration")] == [
        ("known", "user"),
        ("known", "site"),
    ]
    assert about(found, "Configuration")[0].details["says"] == {"pue": 1.2, "labels": {"team": "vision"}}
    assert "France" in about(found, "Location")[0].text
    assert "user/green_callbacks/config.toml" in about(found, "PUE")[0].text


def test_a_value_without_effect_is_pointed_out(examined, tmp_path):
    found = examined(
        user='[labels]\nteam = "a"', site='pue = 1.3\nlocation = "DE"\n[labels]\nteam = "b"', PUE="1.1", INTENSITY="35"
    )
    shadowed = [finding for finding in about(found, "Configuration") if finding.state == "attention"]
    site, user = (f"{tmp_path}/{name}/green_callbacks/config.toml" for name in ("etc", "user"))
    assert {finding.text for finding in shadowed} == {
        f"pue = 1.3 of {site} has no effect, because GREEN_CALLBACKS_PUE says pue = '1.1'.",
        f"location = 'DE' of {site} has no effect, because GREEN_CALLBACKS_INTENSITY says carbon_intensity = '35'.",
        f"labels.team = 'b' of {site} has no effect, because {user} says labels.team = 'a'.",
    }
    assert {finding.details["key"] for finding in shadowed} == {"pue", "location", "labels.team"}


def test_faults_of_the_site_are_pointed_out_and_nothing_is_refused(examined):
    found = examined(site='server = "x"\nlocation = "Atlantis"\npue = 9\nbudget = "1 kg"')
    texts = [finding.text for finding in about(found, "Configuration") if finding.state == "attention"]
    assert [any(word in text for text in texts) for word in ("'server'", "'Atlantis'", "from 1 to 3")] == [True] * 3
    assert len(texts) == 3
    assert about(found, "Budget")[0].text.startswith("The budget of 1.00 kg comes from ")


@pytest.mark.parametrize(
    ("user", "variables"), [("pue = ", {}), ("zzz = 1", {}), (None, {"LABELS": "x"}), (None, {"CONFIG": "/nowhere"})]
)
def test_what_a_run_would_refuse_is_said_once(examined, user, variables):
    found = examined(user=user, **variables)
    (refused,) = about(found, "Configuration")
    assert (refused.state, refused.details) == ("attention", {"is_refused": True})
    assert refused.text.endswith("No run starts until then.")
    assert about(found, "Location") == []


def test_the_folder_of_ledgers_is_named_with_its_origin(examined, tmp_path):
    (found,) = about(examined(LEDGER_FOLDER=str(tmp_path / "all")), "Ledger")
    assert found.text == f"{tmp_path}/all/<run id>.jsonl, by GREEN_CALLBACKS_LEDGER_FOLDER."


def test_all_of_it_is_in_the_json(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("GREEN_CALLBACKS_PUE", "1.1")
    (tmp_path / "xdg_config_home/green_callbacks").mkdir(parents=True)
    (tmp_path / "xdg_config_home/green_callbacks/config.toml").write_text("pue = 1.2")
    main(["doctor", "--json", "--seconds", "0.01"])
    found = json.loads(capsys.readouterr().out)["findings"]
    assert [each["state"] for each in found if each["topic"] == "Configuration"] == ["known", "attention"]


class TestSwitch:
    @pytest.fixture
    def installed(self, monkeypatch):
        def installed(*names, registered=True):
            def version(name):
                if name not in names:
                    raise metadata.PackageNotFoundError(name)
                return "1.0"

            value = "green_callbacks.callbacks_factory:for_lightning"
            points = [metadata.EntryPoint("green_callbacks", value, "any")] if registered else []
            monkeypatch.setattr(metadata, "version", version)
            monkeypatch.setattr(metadata, "entry_points", lambda group: points)

        return installed

    @pytest.mark.parametrize("value", ["", "0", "maybe"])
    def test_nothing_is_said_unless_it_is_on(self, value, installed):
        installed("lightning")
        assert switch({"GREEN_CALLBACKS": value}) == []

    def test_it_reaches_lightning(self, installed):
        installed("lightning", "pytorch-lightning")
        assert [(each.state, each.details["distribution"]) for each in switch({"GREEN_CALLBACKS": "1"})] == [
            ("known", "lightning"),
            ("known", "pytorch-lightning"),
        ]

    def test_an_installation_that_registers_nothing_comes_with_the_remedy(self, installed):
        installed("lightning", registered=False)
        (found,) = switch({"GREEN_CALLBACKS": "1"})
        assert (found.state, "--force-reinstall" in found.command) == ("attention", True)

    def test_other_frameworks_are_said_to_be_out_of_reach(self, installed):
        installed("keras", "transformers")
        nothing, others = switch({"GREEN_CALLBACKS": "1"})
        assert nothing.text == "GREEN_CALLBACKS has no effect here, because Lightning is not installed."
        assert others.text.startswith("Keras and Transformers cannot load a callback that the script does not name.")

    def test_a_value_that_cannot_be_is_the_finding_of_the_variable(self, examined, tmp_path):
        (found,) = about(account({"GREEN_CALLBACKS": "maybe"}, tmp_path, tmp_path), "Environment")
        assert (found.state, found.text) == ("attention", "GREEN_CALLBACKS is 'maybe'. Write 1 for yes, or 0 for no.")


def test_no_line_of_the_doctor_holds_the_password_of_a_registry(monkeypatch, capsys, tmp_path):
    url = "postgresql+psycopg://ada:secret@db/budgets"
    monkeypatch.setenv("GREEN_CALLBACKS_REGISTRY", url)
    file = tmp_path / "config.toml"
    file.write_text(f'registry = "{url}"\n')
    monkeypatch.setenv("GREEN_CALLBACKS_CONFIG", str(file))
    for arguments in (["doctor", "--seconds", "0.01"], ["doctor", "--json", "--seconds", "0.01"]):
        main(arguments)
        said = capsys.readouterr().out
        assert "ada:***@db/budgets" in said
        assert "secret" not in said
