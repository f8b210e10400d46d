import logging
import os
from datetime import UTC, datetime

import pytest
from support.runs import scripted, train

from green_callbacks import CarbonBudget
from green_callbacks.accountant.notices import Notices
from green_callbacks.accountant.setup.resume import RunState
from green_callbacks.accountant.shared_budgets.ledger_entries import ledger_entries
from green_callbacks.errors import BudgetSpentError
from green_callbacks.ledger import Head, Lines, read_ledger
from green_callbacks.ledger.project_ledgers import ledgers_of
from green_callbacks.records import DeviceEnergy, EpochRecord, History, Intensity

EPOCH_KG = 3000 / 3.6e6  # 10 s at 300 W and 1000 gCO2e/kWh


@pytest.fixture
def logs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path / "logs"


def run(folder, epochs=1, **options):
    """A whole run in a log folder; its ledger."""
    accountant, clock = scripted(ledger=None, **options)
    accountant.start(folder=folder)
    train(accountant, clock, range(epochs))
    return accountant.close().ledger


def spent(project, ledger=None, *, quantity="emissions_kg", run_id="x", notices=None):
    """What the ledgers of a project tell a run."""
    state = RunState(run_id=run_id, ledger=ledger, notices=notices or Notices())
    return sum(entry.spent for entry in ledger_entries(str(project), quantity, state))


def test_every_run_of_a_log_folder_counts(logs):
    for version, epochs in (("version_0", 1), ("version_1", 2)):
        run(logs / version, epochs)
    (own,) = (logs / "version_1" / "green-callbacks").iterdir()
    assert spent("logs", own) == pytest.approx(EPOCH_KG)
    assert spent("logs") == pytest.approx(3 * EPOCH_KG)
    assert spent(logs, quantity="facility_kwh") == pytest.approx(3 * EPOCH_KG)


def written(folder, name):
    """The ledger of a process of its own, and its only record: a minute on a GPU."""
    folder.mkdir(exist_ok=True)
    lines = Lines()
    record = EpochRecord(
        epoch=0,
        started_at=datetime(2026, 5, 1, tzinfo=UTC),
        duration_seconds=60.0,
        devices={"gpu:0": DeviceEnergy(18_000.0, "gpu", "counter", 60.0)},
        intensity=Intensity(g_per_kwh=1000.0, source="test", found_by="argument"),
        pue=1.0,
    )
    head = Head(run_id=name, version="1", host="node01", process=f"process of {name}")
    path = folder / f"{name}.jsonl"
    path.write_bytes(lines.head(head) + lines.record(record))
    return path, record


def test_what_another_run_measured_together_with_this_one_counts_in_part(logs):
    written(logs, "other")
    ledger, record = written(logs, "own")
    entries = ledger_entries("logs", "emissions_kg", RunState(run_id="own", ledger=ledger, history=History([record])))
    assert {entry.run_id: entry.spent for entry in entries} == {"other": pytest.approx(0.0025)}


def test_a_pattern_chooses_runs(logs, caplog):
    run(logs / "resnet_a")
    run(logs / "vit")
    assert spent("logs/resnet*/**/*.jsonl") == pytest.approx(EPOCH_KG)
    assert caplog.messages == []


def test_other_files_of_a_log_folder_are_no_ledgers(logs, caplog):
    run(logs)
    (logs / "data").mkdir()
    (logs / "data" / "texts.jsonl").write_text('{"text": 1}\n')
    assert spent("logs") == pytest.approx(EPOCH_KG)
    assert caplog.messages == []


def test_runs_share_a_budget(logs):
    policies = [CarbonBudget("3.5 Wh", project="logs")]  # 4.2 epochs
    accountant, clock = scripted(ledger=None, policies=policies)
    assert len(read_ledger(run(logs, 3, policies=policies)).history.epoch_rows) == 3
    accountant.start(folder=logs)
    train(accountant, clock, [0])
    assert "of the budget of 3.50 Wh for logs are left" in accountant.stop_reason
    accountant.close()
    run(logs)
    with pytest.raises(BudgetSpentError, match=r"of the budget of 3\.50 Wh for logs are spent"):
        run(logs, policies=policies)


def test_a_run_that_goes_on_is_not_its_own_predecessor(logs):
    policies = [CarbonBudget("3 Wh", project="logs")]
    ledger = run(logs, 2, policies=policies)
    accountant, clock = scripted(ledger=ledger, policies=policies)
    accountant.start(folder=logs)
    (record,) = train(accountant, clock, [2])
    assert record.verdicts[0].values["green/budget_left_kwh"] == pytest.approx(0.003 - 3 * EPOCH_KG)
    accountant.close()


def test_a_killed_run_counts(logs):
    ledger = run(logs, 2)
    head, devices, record, *_ = ledger.read_bytes().splitlines(keepends=True)
    heartbeat = record.replace(b'"type":"record"', b'"type":"heartbeat"')
    ledger.write_bytes(head + devices + record + heartbeat)
    assert spent("logs") == pytest.approx(2 * EPOCH_KG)


def test_ledgers_that_cannot_be_read_are_one_warning(logs, caplog):
    run(logs)
    for name in ("20250101T000000-aaaaaa", "20250101T000000-bbbbbb"):
        (logs / f"{name}.jsonl").write_text("no ledger\n")
    assert spent("logs") == pytest.approx(EPOCH_KG)
    (said,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert said.message.startswith("2 of the project's ledgers cannot be read and do not count.")


def test_a_project_that_does_not_exist_yet_has_spent_nothing(logs, caplog):
    assert ledgers_of("logs") == []
    assert spent("logs") == 0.0
    assert caplog.messages == []


def test_data_sets_among_the_logs_are_passed_over_unread_and_without_a_word(logs, caplog):
    folder = run(logs).parent
    for path in (logs / "huge.jsonl", folder / "huge.jsonl"):
        with path.open("wb") as file:
            file.write(b'{"text": "once upon a time"}\n')
            file.truncate(5 << 30)  # without a line break: who reads on needs all the memory there is
    (folder / "train.jsonl").write_text('{"text": 1}\n' * 1_000)
    (folder / "packed.jsonl").write_bytes(b"\x1f\x8b\x08\x00" + bytes(range(256)))
    (folder / "empty.jsonl").touch()
    os.mkfifo(folder / "pipe.jsonl")
    assert spent("logs") == pytest.approx(EPOCH_KG)
    assert caplog.messages == []


def test_a_copy_of_a_ledger_is_not_spent_twice(logs):
    ledger = run(logs)
    (logs / "backup").mkdir()
    (logs / "backup" / ledger.name).write_bytes(ledger.read_bytes())
    (logs / "cut.jsonl").write_bytes(b"".join(ledger.read_bytes().splitlines(keepends=True)[:-2]))
    notices = Notices()
    assert spent("logs", notices=notices) == pytest.approx(EPOCH_KG)
    (said,) = notices.texts
    assert "3 files hold the run" in said


def test_a_copy_of_its_own_ledger_is_not_spent_before_a_run(logs):
    policies = [CarbonBudget("3 Wh", project="logs")]
    ledger = run(logs, 2, policies=policies)
    (logs / "backup.jsonl").write_bytes(ledger.read_bytes())
    accountant, clock = scripted(ledger=ledger, policies=policies)
    accountant.start(folder=logs)
    (record,) = train(accountant, clock, [2])
    assert record.verdicts[0].values["green/budget_left_kwh"] == pytest.approx(0.003 - 3 * EPOCH_KG)
    accountant.close()


def test_a_ledger_of_any_name_and_depth_counts(logs, caplog):
    ledger = run(logs)
    (logs / "20250101-000000").mkdir()
    ledger.rename(logs / "20250101-000000" / "ledger.jsonl")  # as in the example with Keras
    own = logs / "20250102-000000" / "ledger.jsonl"
    assert spent("logs", own) == pytest.approx(EPOCH_KG)
    assert caplog.messages == []


def test_of_a_run_around_others_only_the_energy_outside_them_is_entered(logs, monkeypatch):
    around = run(logs, 5)
    monkeypatch.setenv("GREEN_CALLBACKS_PARENT", read_ledger(around).run_id)
    inside = run(logs, 2)
    assert read_ledger(inside).head.parent == read_ledger(around).run_id
    assert spent("logs") == pytest.approx(5 * EPOCH_KG)
    own = RunState.from_ledger(inside)  # the run inside goes on, and counts its own energy itself
    entries = ledger_entries("logs", "emissions_kg", own)
    assert sum(entry.spent for entry in entries) == pytest.approx(3 * EPOCH_KG)
