"""Runs that share a budget through the files of their project."""

import threading
from contextlib import nullcontext

import pytest
from support.runs import scripted, train
from support.waiting import until

from green_callbacks import CarbonBudget, replay
from green_callbacks.accountant.shared_budgets.link import LINKS
from green_callbacks.errors import BudgetSpentError, ConfigurationError
from green_callbacks.ledger import read_ledger
from green_callbacks.registry import RegistryUnavailableError, RunState
from green_callbacks.registry.files.registry import FilesRegistry
from green_callbacks.registry.opening import open_registry

AWAY = RegistryUnavailableError("Nobody listens.")
EPOCH_KG = 3000 / 3.6e6  # 10 s at 300 W and 1000 gCO2e/kWh


@pytest.fixture
def logs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path / "logs"


def started(logs, budget_kg, **options):
    accountant, clock = scripted(
        ledger=None, policies=[CarbonBudget(budget_kg, project=str(logs), **options.pop("budget", {}))], **options
    )
    accountant.start(folder=logs)
    return accountant, clock


def settled(accountant):
    """Wait until the registry has answered everything."""
    for account in list(accountant._run.shared._accounts):
        assert until(lambda account=account: not account.is_waiting)


def registered(logs):
    return {run.run_id: run for run in open_registry(None, str(logs), "emissions_kg").runs()}


def test_two_runs_that_take_turns_keep_the_budget_together(logs):
    runs = [started(logs, 6.5 * EPOCH_KG, name=f"scripted:{at}") for at in range(2)]
    epochs, going = [0, 0], {0, 1}
    while going:
        for at in sorted(going):
            accountant, clock = runs[at]
            accountant.begin_epoch(epochs[at])
            clock.advance(10.0)
            accountant.end_epoch()
            settled(accountant)
            epochs[at] += 1
            if accountant.stop_reason:
                going.discard(at)
    for accountant, _ in runs:
        accountant.close()
    assert sum(epochs) == 6
    states = registered(logs).values()
    assert sum(run.spent for run in states) == pytest.approx(6 * EPOCH_KG)
    assert {(run.state, run.held) for run in states} == {(RunState.ENDED, 0.0)}


def test_what_others_hold_refuses_a_later_run(logs):
    first, clock = started(logs, 3 * EPOCH_KG)
    train(first, clock, [0])
    settled(first)  # one epoch spent, one under way and one ahead
    second, _ = started(logs, 3 * EPOCH_KG, name="scripted:1")
    with pytest.raises(BudgetSpentError, match="Other runs hold"):
        second.begin_epoch(0)
    first.close()


def test_a_replay_decides_like_the_run(logs):
    first, clock = started(logs, 9 * EPOCH_KG)
    train(first, clock, range(4))
    first.close()
    second, clock = started(logs, 9 * EPOCH_KG)
    for _ in second.epochs(20):
        clock.advance(10.0)
    second.close()
    contents = read_ledger(second.ledger)
    assert len(contents.history.epoch_rows) == 5
    policy = CarbonBudget(9 * EPOCH_KG, project=str(logs))
    found = replay(contents.history, policy, contents.plan, plans=contents.plans)
    assert found.record.epoch == 4
    assert replay(contents.history, policy) is None


def test_a_resumed_run_counts_once(logs):
    first, clock = started(logs, 1.0)
    train(first, clock, range(2))
    first.close()
    again, clock = scripted(ledger=first.ledger, policies=[CarbonBudget(1.0, project=str(logs))])
    again.start(folder=logs)
    train(again, clock, [2])
    again.close()
    (run,) = registered(logs).values()
    assert (run.run_id, run.spent) == (first.run_id, pytest.approx(3 * EPOCH_KG))


def test_no_call_of_the_loop_waits_for_a_registry(logs, monkeypatch):
    released, claim = threading.Event(), FilesRegistry.claim
    monkeypatch.setattr(FilesRegistry, "claim", lambda *args: released.wait(60) and claim(*args))
    monkeypatch.setattr("green_callbacks.accountant.shared_budgets.shared_budgets._FILES_SECONDS", 0.0)
    accountant, clock = started(logs, 1.0)
    train(accountant, clock, range(3))  # would hang here
    accountant.close()
    released.set()
    assert until(lambda: registered(logs) and registered(logs)[accountant.run_id].state is RunState.ENDED)
    assert registered(logs)[accountant.run_id].spent == pytest.approx(3 * EPOCH_KG)


def test_a_registry_that_was_away_is_told_everything(logs, monkeypatch):
    claim, is_away = FilesRegistry.claim, threading.Event()

    def failing(*args):
        if is_away.is_set():
            raise AWAY
        return claim(*args)

    monkeypatch.setattr(FilesRegistry, "claim", failing)
    monkeypatch.setattr("green_callbacks.accountant.shared_budgets.link._MOST_RETRY_SECONDS", 0.01)
    accountant, clock = started(logs, 1.0)
    train(accountant, clock, [0])
    settled(accountant)
    is_away.set()
    train(accountant, clock, [1, 2])
    (account,) = accountant._run.shared._accounts
    assert until(lambda: account.is_away)
    is_away.clear()
    assert until(lambda: not account.is_waiting)
    (said,) = accountant.close().notices
    assert "It is back, and knows the spending of this run." in said
    assert registered(logs)[accountant.run_id].spent == pytest.approx(3 * EPOCH_KG)


def test_a_registry_that_cannot_be_opened_costs_no_training(logs, monkeypatch):
    monkeypatch.setattr("green_callbacks.accountant.shared_budgets.link._MOST_RETRY_SECONDS", 0.01)
    file = logs.parent / "file"
    file.write_text("no folder")
    accountant, clock = scripted(ledger=None, policies=[CarbonBudget(1.0, project=str(file / "project"))])
    accountant.start(folder=logs)
    train(accountant, clock, range(2))
    (said,) = accountant.close().notices
    assert "is away" in said
    assert accountant.history.finished_epochs == 2
    file.unlink()
    assert until(lambda: registered(file / "project"))


def test_two_budgets_of_two_projects_are_kept_apart(logs):
    other = logs.parent / "other"
    first, clock = started(logs, 1.0)
    train(first, clock, range(3))
    first.close()
    policies = [CarbonBudget(1.0, project=str(logs)), CarbonBudget(1.0, project=str(other)), CarbonBudget(1.0)]
    accountant, clock = scripted(ledger=None, policies=policies)
    accountant.start(folder=other)
    (record,) = train(accountant, clock, [0])
    accountant.close()
    left = [verdict.values["green/budget_left_kg"] for verdict in record.verdicts[:3]]
    assert left == pytest.approx([1 - 4 * EPOCH_KG, 1 - EPOCH_KG, 1 - EPOCH_KG])


def test_a_limit_that_was_set_counts_for_a_run_that_goes_on(logs):
    accountant, clock = started(logs, 1.0)
    train(accountant, clock, [0])
    open_registry(None, str(logs), "emissions_kg").set_limit(2.5 * EPOCH_KG)
    train(accountant, clock, [1])
    settled(accountant)
    train(accountant, clock, [2])
    assert "of the budget of 2.08 g" in accountant.stop_reason
    accountant.close()


def test_the_thread_ends_with_the_run(logs):
    accountant, clock = started(logs, 1.0)
    train(accountant, clock, [0])
    accountant.close()
    links = [link for link in LINKS._links.values() if link._is_running]
    for link in links:
        assert until(lambda link=link: not link._is_running)


def test_a_working_folder_that_changes_leaves_the_budget_where_it_was(tmp_path, monkeypatch):
    (tmp_path / "run [1]" / "inner").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "run [1]")
    accountant, clock = scripted(ledger="logs/run.jsonl", policies=[CarbonBudget(1.0, project="logs")])
    monkeypatch.chdir("inner")
    accountant.start()
    train(accountant, clock, [0])
    accountant.close()
    assert registered(tmp_path / "run [1]" / "logs").keys() == {accountant.run_id}
    assert not list((tmp_path / "run [1]" / "inner").iterdir())


def test_a_project_that_two_budgets_of_a_run_spell_differently_counts_once(logs, caplog):
    policies = [CarbonBudget(3.0, project=str(logs)), CarbonBudget(2.5 * EPOCH_KG, project="logs", hard=False)]
    accountant, clock = scripted(ledger=None, policies=policies)
    accountant.start(folder=logs)
    epochs = len([clock.advance(10.0) for _ in accountant.epochs(9)])
    left = [each.project for each in accountant._run.board.plan.shared]
    accountant.close()
    assert epochs == 3
    assert left == [str(logs), "logs"]
    assert registered(logs)[accountant.run_id].spent == pytest.approx(3 * EPOCH_KG)
    assert "Another process" not in caplog.text


def test_a_project_that_is_no_folder_is_refused_before_the_first_epoch(logs):
    accountant, _ = scripted(ledger=False, policies=[CarbonBudget(1.0, project="s3://bucket/logs")])
    with pytest.raises(ConfigurationError, match="is no folder of this machine"):
        accountant.start()


def test_no_run_begins_an_epoch_for_which_too_little_is_left(logs):
    for left in (2.5, 0.5):
        accountant, clock = started(logs, 3.5 * EPOCH_KG)
        with pytest.raises(BudgetSpentError) if left < 1 else nullcontext():
            train(accountant, clock, range(3))
        accountant.close()
    assert sum(run.spent for run in registered(logs).values()) == pytest.approx(3 * EPOCH_KG)


def test_a_stop_because_others_hold_the_rest_is_no_overspending(logs, caplog):
    first, clock = started(logs, 5 * EPOCH_KG)
    train(first, clock, [0])
    settled(first)  # one epoch spent, one under way and one ahead
    second, clock = started(logs, 5 * EPOCH_KG, name="scripted:1")
    train(second, clock, [0])
    settled(second)
    train(second, clock, [1])
    assert second.stop_reason
    second.close()
    first.close()
    assert "does not ask inside an epoch" not in caplog.text


def test_a_late_answer_that_everything_is_spent_stops_the_open_epoch(logs, monkeypatch):
    first, clock = started(logs, 2 * EPOCH_KG)
    for _ in first.epochs(5):
        clock.advance(10.0)
    first.close()
    released, claim = threading.Event(), FilesRegistry.claim
    monkeypatch.setattr(FilesRegistry, "claim", lambda *args: released.wait(60) and claim(*args))
    monkeypatch.setattr("green_callbacks.accountant.shared_budgets.shared_budgets._FILES_SECONDS", 0.0)
    second, _ = started(logs, 2 * EPOCH_KG)  # on a clock that stands still, so that no check is due by time
    batches = 0
    for _ in second.epochs(1):
        for batches in second.steps(range(1000)):
            if batches == 3:
                released.set()
                assert until(second._run.epochs.budget_checks.is_overdue)
    second.close()
    assert batches == 3


def test_a_driver_that_ends_its_thread_is_an_outage(logs, monkeypatch):
    claim, left = FilesRegistry.claim, [SystemExit(3)]

    def leaving(*args):
        if left:
            raise left.pop()
        return claim(*args)

    monkeypatch.setattr(FilesRegistry, "claim", leaving)
    monkeypatch.setattr("green_callbacks.accountant.shared_budgets.link._MOST_RETRY_SECONDS", 0.01)
    accountant, clock = started(logs, 1.0)
    train(accountant, clock, range(2))
    settled(accountant)
    accountant.close()
    assert registered(logs)[accountant.run_id].spent == pytest.approx(2 * EPOCH_KG)
