import os
from pathlib import Path

import pytest

from green_callbacks.errors import ConfigurationError
from green_callbacks.ledger import ledgers_of
from green_callbacks.registry import Claim, open_registry
from green_callbacks.registry.files.budget_folder import HIDDEN_FOLDER, budget_folder, project_folder

CLAIM = Claim(run_id="a", session="1", spent=1.0, under_way=0.0, wanted=0.0, limit=2.0)


def test_all_ways_to_name_a_folder_lead_to_one_place(tmp_path, monkeypatch):
    logs = tmp_path / "logs"
    logs.mkdir()
    (tmp_path / "link").symlink_to(logs)
    monkeypatch.setenv("HOME", str(tmp_path))
    ways = ["logs", "logs/", "./logs", logs, str(logs), "link", "~/logs", "logs/../logs"]
    assert {budget_folder(way, "emissions_kg") for way in ways} == {logs / HIDDEN_FOLDER / "budget-kg"}


def test_the_place_is_the_same_before_and_after_the_folder_is_made(tmp_path):
    before = budget_folder("new/logs", "facility_kwh")
    Path("new/logs").mkdir(parents=True)
    assert budget_folder("new/logs", "facility_kwh") == before == tmp_path / "new/logs" / HIDDEN_FOLDER / "budget-kwh"


def test_a_pattern_has_a_budget_of_its_own_in_its_last_fixed_folder(tmp_path):
    one = budget_folder("logs/resnet*/**/*.jsonl", "emissions_kg")
    other = budget_folder("logs/vit*/**/*.jsonl", "emissions_kg")
    folder = budget_folder("logs", "emissions_kg")
    assert {each.parent for each in (one, other, folder)} == {tmp_path / "logs" / HIDDEN_FOLDER}
    assert len({one, other, folder}) == 3


def test_the_budget_of_a_pattern_does_not_depend_on_where_it_is_mounted(tmp_path):
    names = {budget_folder(tmp_path / mount / "logs/*.jsonl", "emissions_kg").name for mount in ("a", "b")}
    assert len(names) == 1


def test_a_pattern_without_a_fixed_folder_lies_in_the_working_folder(tmp_path):
    assert budget_folder("*/run.jsonl", "emissions_kg").parent == tmp_path / HIDDEN_FOLDER
    assert project_folder("*/run.jsonl") == tmp_path


def test_a_folder_with_a_wildcard_in_its_name_is_a_folder(tmp_path):
    (tmp_path / "logs[1]").mkdir()
    assert budget_folder("logs[1]", "emissions_kg") == tmp_path / "logs[1]" / HIDDEN_FOLDER / "budget-kg"


def test_a_folder_with_a_wildcard_in_its_name_holds_new_projects(tmp_path):
    (tmp_path / "run[1]").mkdir()
    assert budget_folder("run[1]/logs", "emissions_kg") == tmp_path / "run[1]/logs" / HIDDEN_FOLDER / "budget-kg"
    assert project_folder(tmp_path / "run[1]/logs/*.jsonl") == tmp_path / "run[1]/logs"


@pytest.mark.parametrize("is_there", [True, False])
def test_the_budget_of_one_file_lies_beside_it(tmp_path, is_there):
    if is_there:
        Path("run.jsonl").write_text("{}\n")
    folder = budget_folder("run.jsonl", "emissions_kg")
    assert folder.parent == tmp_path / HIDDEN_FOLDER
    assert folder.name.startswith("budget-kg-")


def test_a_name_that_is_no_text_still_has_a_place():
    name = os.fsdecode(b"l\xf6gs/*.jsonl")
    assert budget_folder(name, "emissions_kg").name.startswith("budget-kg-")


def test_searches_for_ledgers_skip_the_budget(tmp_path):
    registry = open_registry(None, str(tmp_path), "emissions_kg")
    registry.claim(CLAIM)
    registry.set_limit(1.0)
    assert (tmp_path / HIDDEN_FOLDER).is_dir()
    assert ledgers_of(tmp_path) == []
    assert ledgers_of(f"{tmp_path}/**/*") == []


def test_projects_in_one_another_have_budgets_of_their_own(tmp_path):
    inner = open_registry(None, str(tmp_path / "logs/resnet"), "emissions_kg")
    outer = open_registry(None, str(tmp_path / "logs"), "emissions_kg")
    inner.claim(CLAIM)
    assert outer.runs() == []
    outer.claim(CLAIM)
    assert len(inner.runs()) == len(outer.runs()) == 1


def test_a_url_is_no_folder():
    with pytest.raises(ConfigurationError, match="no folder of this machine"):
        open_registry(None, "s3://bucket/logs", "emissions_kg")
    with pytest.raises(ConfigurationError, match="no folder of this machine"):
        budget_folder("gs://bucket/*/run.jsonl", "emissions_kg")
