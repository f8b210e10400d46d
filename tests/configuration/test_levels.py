"""Who wins where variables, the file of the user and the files of the site say different things."""

import logging
import os
import re
from pathlib import Path

import pytest
from support.thread_ranks import on_ranks

from green_callbacks import CarbonBudget, EnergyAccountant
from green_callbacks.accountant.setup.options import Settings
from green_callbacks.carbon import resolve_intensity, resolve_pue
from green_callbacks.configuration import Configuration, read_configuration
from green_callbacks.errors import ConfigurationError, UnitError

QUIET = {"sinks": [], "ledger": False, "sources": []}


@pytest.fixture
def write(tmp_path: Path):
    """Write the file of the user or of the site."""
    places = {
        "user": tmp_path / "xdg_config_home/green_callbacks/config.toml",
        "xdg": tmp_path / "xdg_config_dirs/green_callbacks/config.toml",
        "site": tmp_path / "etc/green_callbacks/config.toml",
        "other": tmp_path / "other.toml",
    }

    def write(**contents: str) -> dict[str, Path]:
        for who, content in contents.items():
            places[who].parent.mkdir(parents=True, exist_ok=True)
            places[who].write_text(content)
        return places

    return write


def values(key: str, found: Configuration) -> list[object]:
    return [setting.value for setting in found.all(key)]


def test_each_key_comes_from_the_first_that_says_it(write, monkeypatch):
    places = write(
        user="pue = 1.2\n",
        xdg='pue = 1.3\nledger_folder = "/xdg"\n',
        site='pue = 1.4\nledger_folder = "/site"\nlocation = "FR"\n',
    )
    monkeypatch.setenv("GREEN_CALLBACKS_PUE", "1.1")
    found = read_configuration()
    assert values("pue", found) == ["1.1", 1.2, 1.3, 1.4]
    assert [setting.kind for setting in found.all("pue")] == ["variable", "user", "site", "site"]
    assert found.first("ledger_folder").value == "/xdg"
    assert found.files == (places["user"], places["xdg"], places["site"])
    run = EnergyAccountant(**QUIET)
    with run:
        run.begin_epoch(0)
        record = run.end_epoch()
    assert (record.pue, record.intensity.zone, record.intensity.found_by) == (1.1, "FR", "configuration")


def test_an_option_wins_over_all(write, monkeypatch):
    write(user='location = "DE"\npue = 1.3')
    monkeypatch.setenv("GREEN_CALLBACKS_LOCATION", "PL")
    with EnergyAccountant(location="FR", pue=1.5, **QUIET) as run:
        run.begin_epoch(0)
        record = run.end_epoch()
    assert (record.pue, record.intensity.zone) == (1.5, "FR")


def test_a_place_and_a_number_come_from_one_file(write):
    """The number of the site's contract says nothing about the place that the user names."""
    write(user='location = "FR"', site='carbon_intensity = 35\nlocation = "DE"')
    here = resolve_intensity().intensity
    assert (here.zone, here.g_per_kwh > 35) == ("FR", True)
    lost = {(each.setting.key, each.setting.value, each.by.value) for each in read_configuration().shadowed}
    assert lost == {("carbon_intensity", 35, "FR"), ("location", "DE", "FR")}


def test_labels_are_merged_name_by_name(write, monkeypatch):
    write(user='[labels]\nteam = "vision"\nwho = "ann"', site='[labels]\nteam = "none yet"\ncluster = "north"')
    monkeypatch.setenv("GREEN_CALLBACKS_LABELS", "who=bob, env = prod ,")
    assert read_configuration().labels == {"cluster": "north", "team": "vision", "who": "bob", "env": "prod"}
    run = EnergyAccountant(labels={"env": "test", "seed": 3}, **QUIET)
    assert run._settings.labels == {"cluster": "north", "team": "vision", "who": "bob", "env": "test", "seed": "3"}


def test_labels_reach_the_head_of_the_ledger(write, tmp_path):
    write(site='[labels]\ncluster = "north"')
    with EnergyAccountant(sources=[], sinks=[], location="FR", ledger=tmp_path / "run.jsonl", labels={"a": "b"}):
        pass
    assert '"labels":{"cluster":"north","a":"b"}' in (tmp_path / "run.jsonl").read_text()


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        (
            "LABELS",
            "vision",
            "GREEN_CALLBACKS_LABELS holds 'vision'. Write names and texts, as in team=vision",
        ),
        ("LABELS", "=vision", "Write names and texts"),
        ("LABELS", "team=vision;env=prod", "Write names and texts"),
        ("LABELS", "a=1,a=2", "holds two labels 'a'"),
        ("LABELS", "a=" + "x" * 201, "at most 200 characters"),
        ("LABELS", ",".join(f"l{n}=1" for n in range(51)), "at most 50 texts"),
        ("BUDGET", "500", r"Cannot read '500' as an amount.* The value comes from GREEN_CALLBACKS_BUDGET"),
        ("BUDGET", "0,5 kg", "with a decimal point"),
        ("BUDGET", "0 g", "A budget must be above 0"),
        ("BUDGET", "-5 g", "A budget must be above 0"),
        ("BUDGET", "1e999 kg", "finite"),
        ("PROJECT", "s3://bucket/runs", "Name a folder on this machine"),
        ("LEDGER_FOLDER", "https://example.org", "Name a folder on this machine"),
        (
            "CONFIG",
            "/nowhere/config.toml",
            "names '/nowhere/config.toml', which this user cannot find",
        ),
    ],
)
def test_a_wrong_variable_is_refused_where_an_accountant_is_made(variable, value, said, monkeypatch):
    monkeypatch.setenv(f"GREEN_CALLBACKS_{variable}", value)
    with pytest.raises(ConfigurationError, match=said):
        EnergyAccountant(**QUIET)
    monkeypatch.setenv("GREEN_CALLBACKS_DISABLE", "1")
    EnergyAccountant(**QUIET)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('budget = "five"', r"Cannot read 'five' as an amount.* The value comes from budget in .*config\.toml"),
        ("budget = 500", "budget is a text, not 500"),
        ('budget = ""', "Cannot read '' as an amount"),
        ('project = "runs"', "a path that depends on the working folder. Write the full path"),
        ('project = "runs"', "The name of a project in a database belongs into GREEN_CALLBACKS_PROJECT."),
        ('project = " "', "Name a folder on this machine"),
        ("ledger_folder = 3", "ledger_folder is a text, not 3"),
        ('labels = "team"', r"labels in .*config\.toml takes texts by name, .* 'team' is no mapping"),
        ("[labels]\nteam = 3.5", "3.5 is no text"),
        (f"pue = {'9' * 5000}", "it is not TOML"),
        ('server = "https://example.org"', "'server' is none of location, carbon_intensity, pue, labels, budget"),
        ('registry = "budget.db"', "is no URL of a database"),
        ("[[pue]]", "pue is a number"),
        ("labels", "it is not TOML"),
    ],
)
class TestFaults:
    def test_in_the_users_file_are_refused(self, content, said, write):
        write(user=content)
        with pytest.raises(ConfigurationError, match=said):
            EnergyAccountant(**QUIET)

    def test_in_the_sites_file_are_said_once_and_ignored(self, content, said, write, caplog):
        write(site=f"{content}\n[zzz]\nx = 1\n" if content != "labels" else content, xdg="pue = 1.3")
        run = EnergyAccountant(**QUIET)
        assert run._settings.pue.value == 1.3
        EnergyAccountant(**QUIET)
        assert len(re.findall(said, caplog.text)) == 1
        assert "The site's setting is ignored. Tell whoever keeps that file." in caplog.text
        assert any("is ignored" in notice for notice in run.close().notices)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('location = "Atlantis"', "Unknown location .* The value comes from .*xdg_config_dirs"),
        ("carbon_intensity = -3", "from 0 to 1500"),
        ("pue = 9", r"pue in .*xdg_config_dirs/green_callbacks/config\.toml is .* from 1 to 3"),
    ],
)
def test_a_value_of_the_site_that_cannot_be_is_ignored_and_the_next_counts(content, said, write, caplog):
    write(xdg=content, site='location = "FR"\npue = 1.4')
    run = EnergyAccountant(**QUIET)
    with run:
        run.begin_epoch(0)
        record = run.end_epoch()
    assert (record.intensity.zone, record.pue) == ("FR", 1.4)
    assert re.search(said, caplog.text)
    assert caplog.text.count("is ignored") == 1


def test_a_named_file_stands_in_for_the_users(write, monkeypatch):
    places = write(user="pue = 1.2", other="pue = 1.3", site='location = "FR"')
    for name, pue in ((str(places["other"]), 1.3), ("none", None), (os.devnull, None), (" ", 1.2)):
        monkeypatch.setenv("GREEN_CALLBACKS_CONFIG", name)
        found = read_configuration()
        assert (values("pue", found), values("location", found)) == ([pue] if pue else [], ["FR"])


def test_a_link_to_nowhere_is_said(tmp_path):
    link = tmp_path / "xdg_config_home/green_callbacks/config.toml"
    link.parent.mkdir(parents=True)
    link.symlink_to(tmp_path / "moved.toml")
    with pytest.raises(ConfigurationError, match="because it cannot be read"):
        read_configuration()


def test_a_folder_is_no_file(tmp_path, monkeypatch):
    monkeypatch.setenv("GREEN_CALLBACKS_CONFIG", str(tmp_path))
    with pytest.raises(ConfigurationError, match="it is no regular file"):
        read_configuration()


def test_one_file_under_two_names_is_read_once(write, tmp_path, monkeypatch):
    write(site="pue = 1.3")
    monkeypatch.setenv("XDG_CONFIG_DIRS", f"relative:{tmp_path / 'etc'}:{tmp_path / 'etc'}")
    assert values("pue", read_configuration()) == [1.3]


def test_too_many_labels_of_the_site_end_no_training(write, caplog):
    table = "[labels]\n" + "\n".join(f"{{}}{number} = 'x'" for number in range(40))
    write(user=table.replace("{}", "mine"), site=table.replace("{}", "theirs"))
    run = EnergyAccountant(**QUIET)
    assert len(run._settings.labels) == 40
    assert "makes more than 50 labels" in caplog.text


class TestBudget:
    def test_it_is_added_and_said_at_the_start_with_its_origin(self, write, caplog, tmp_path):
        places = write(user='budget = "500 g"', site=f'project = "{tmp_path}"')
        own = CarbonBudget("1 kWh", project="elsewhere")
        run = EnergyAccountant(sources=[], sinks=[], location="FR", policies=[own])
        assert caplog.text.count("comes from") == 0
        run.start()
        run.close()
        run.start()
        run.close()
        assert run._settings.policies == (own, CarbonBudget("500 g", project=str(tmp_path)))
        said = (
            f"The budget of 500 g for {tmp_path} comes from {places['user']} and {places['site']}, not from the script."
        )
        assert caplog.text.count(said) == 1
        assert "GREEN_CALLBACKS_BUDGET=none" in caplog.text
        assert '{"kg":0.5,' in run.ledger.read_text().splitlines()[0]

    @pytest.mark.parametrize("own", [CarbonBudget("1 kWh"), CarbonBudget("1 kg")])
    def test_a_budget_of_the_script_for_the_same_project_wins(self, own, write, caplog):
        caplog.set_level(logging.INFO)
        write(user='budget = "500 g"')
        run = EnergyAccountant(policies=[own], **QUIET)
        assert run._settings.policies == (own,)
        assert "of the script counts, and the budget of 500 g does not." in caplog.text

    def test_the_same_project_may_be_written_in_two_ways(self, write, tmp_path, monkeypatch):
        (tmp_path / "runs").mkdir()
        (tmp_path / "link").symlink_to(tmp_path / "runs")
        monkeypatch.setenv("GREEN_CALLBACKS_BUDGET", "500 g")
        monkeypatch.setenv("GREEN_CALLBACKS_PROJECT", "runs")
        own = CarbonBudget("1 kg", project=tmp_path / "link")
        assert EnergyAccountant(policies=[own], **QUIET)._settings.policies == (own,)

    def test_an_empty_list_of_policies_means_none_at_all(self, write):
        write(site='budget = "500 g"')
        assert EnergyAccountant(policies=[], **QUIET)._settings.policies == ()
        assert EnergyAccountant(policies=None, **QUIET)._settings.policies == (CarbonBudget("500 g"),)

    def test_none_undoes_it(self, write, monkeypatch):
        write(site='budget = "500 g"\nproject = "/runs"')
        assert EnergyAccountant(**QUIET)._settings.policies == (CarbonBudget("500 g", project="/runs"),)
        write(user='project = "None"')
        assert EnergyAccountant(**QUIET)._settings.policies == (CarbonBudget("500 g"),)
        monkeypatch.setenv("GREEN_CALLBACKS_BUDGET", "none")
        assert EnergyAccountant(**QUIET)._settings.policies == ()

    def test_a_project_without_a_budget_is_said_if_a_variable_names_it(self, monkeypatch, caplog):
        monkeypatch.setenv("GREEN_CALLBACKS_PROJECT", "/runs")
        EnergyAccountant(**QUIET)
        assert "GREEN_CALLBACKS_PROJECT has no effect, because no variable or file gives a budget." in caplog.text

    def test_a_refused_amount_has_the_right_class(self, monkeypatch):
        monkeypatch.setenv("GREEN_CALLBACKS_BUDGET", "500 lb")
        with pytest.raises(UnitError, match="GREEN_CALLBACKS_BUDGET"):
            EnergyAccountant(**QUIET)

    def test_disabled_there_is_none(self, write, monkeypatch):
        write(site='budget = "500 g"')
        monkeypatch.setenv("GREEN_CALLBACKS_DISABLE", "1")
        assert EnergyAccountant(**QUIET)._settings.policies == ()


@pytest.mark.parametrize("on_rank_0", ["500 mg", "2 Wh", "none"])
def test_the_budget_of_rank_0_holds_on_every_rank(on_rank_0):
    """Other hosts may have other files, and ranks with and without a budget would wait for each other for ever."""
    amounts = [on_rank_0, "1 kg" if on_rank_0 == "none" else "none", "3 kg"]

    def settings_of(ranks):
        settings = Settings.check(QUIET, {"GREEN_CALLBACKS_BUDGET": amounts[ranks.rank]})
        return settings.agreed(ranks)

    amounts_agreed = [[each.amount for each in settings.policies] for settings in on_ranks(3, settings_of)]
    expected = [] if on_rank_0 == "none" else [pytest.approx(CarbonBudget(on_rank_0).amount.value, rel=1e-12)]
    assert [[amount.value for amount in each] for each in amounts_agreed] == [expected] * 3
    assert len({amount.quantity for each in amounts_agreed for amount in each}) <= 1


def test_ledgers_lie_in_the_folder_that_is_said(write, tmp_path):
    write(site=f'ledger_folder = "{tmp_path}/all"')
    with EnergyAccountant(sources=[], sinks=[], location="FR") as run:
        assert run.ledger.parent == tmp_path / "all"
    with EnergyAccountant(sources=[], sinks=[], location="FR", ledger="own.jsonl") as run:
        assert run.ledger == tmp_path / "own.jsonl"


def test_a_folder_of_ledgers_that_cannot_be_used_costs_no_ledger(write, tmp_path, caplog):
    (tmp_path / "file").touch()
    write(site=f'ledger_folder = "{tmp_path}/file/all"')
    with EnergyAccountant(sources=[], sinks=[], location="FR") as run:
        assert run.ledger.parent == tmp_path / "green-callbacks"
    assert run.ledger.exists()
    assert caplog.text.count("cannot be used (Not a directory). The ledger goes to") == 1


def test_a_pue_of_the_site_names_its_file(write):
    places = write(site="pue = 1.25")
    assert resolve_pue().source == f"configuration ({places['site']})"
