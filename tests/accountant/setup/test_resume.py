import json
import pickle

import pytest
from support.runs import WATTS, ListSink, scripted, train
from support.strategies import comparable, totals_of

from green_callbacks import CarbonBudget, MarginalGain, read_ledger
from green_callbacks.errors import BudgetSpentError, ConfigurationError, LedgerError

CURVE = [0.5, 0.7, 0.8, 0.85, 0.87, 0.875, 0.876]


def metrics(epoch):
    return {"val_acc": CURVE[epoch]}


def uninterrupted(epochs, **options):
    accountant, clock = scripted(**options)
    accountant.start()
    records = train(accountant, clock, range(epochs), between=1, metrics=metrics)
    return accountant.history, records, accountant.close()


def assert_same(history, other):
    assert [comparable(r) for r in history] == [comparable(r) for r in other]
    assert totals_of(history) == totals_of(other)


def test_a_run_resumed_from_its_state_is_as_if_it_had_never_ended():
    policies = [CarbonBudget("10 kg"), MarginalGain("val_acc")]
    history, records, _ = uninterrupted(6, policies=policies)

    first, clock = scripted(policies=policies)
    first.start()
    before = train(first, clock, range(3), between=1, metrics=metrics)
    first.close()
    state = json.loads(json.dumps(first.state_dict(), allow_nan=False))
    second, _ = scripted(clock, policies=policies)
    second.load_state_dict(state)
    assert second.run_id == first.run_id
    second.start()
    after = train(second, clock, range(3, 6), between=1, metrics=metrics)
    second.close()

    assert_same(second.history, history)
    assert [r.verdicts for r in before + after] == [r.verdicts for r in records]


def test_a_run_resumed_from_its_ledger_is_as_if_it_had_never_ended():
    policies = [CarbonBudget("10 kg"), MarginalGain("val_acc")]
    history, records, _ = uninterrupted(6, policies=policies)

    first, clock = scripted(policies=policies, ledger="run.jsonl")
    first.start()
    before = train(first, clock, range(3), between=1, metrics=metrics)
    first.close()
    second, _ = scripted(clock, policies=policies, ledger="run.jsonl")
    second.start()
    after = train(second, clock, range(3, 6), between=1, metrics=metrics)
    second.close()

    assert_same(second.history, history)
    assert_same(read_ledger("run.jsonl").history, history)
    assert [r.verdicts for r in before + after] == [r.verdicts for r in records]


def test_a_state_survives_pickling():
    history, _, _ = uninterrupted(3)
    first, clock = scripted()
    first.start()
    train(first, clock, range(3), between=1, metrics=metrics)
    first.close()
    second, _ = scripted()
    second.load_state_dict(pickle.loads(pickle.dumps(first.state_dict())))
    assert_same(second.history, history)


def test_work_done_after_the_checkpoint_counts_as_lost_once_it_is_done_again():
    first, clock = scripted(ledger="run.jsonl")
    first.start()
    train(first, clock, range(2), metrics=metrics)
    state = first.state_dict()
    train(first, clock, range(2, 5), metrics=metrics)
    first.close()

    second, clock = scripted(ledger=None)
    second.load_state_dict(state)
    assert second.history.last_epoch == 4
    second.start()
    train(second, clock, range(2, 4), metrics=metrics)
    run = second.close()
    assert [(r.epoch, r.complete) for r in second.history] == [
        (0, True),
        (1, True),
        (None, False),
        (None, False),
        (None, False),
        (2, True),
        (3, True),
    ]
    assert run.ledger == first.close().ledger
    assert run.energy_joules == WATTS * 70
    assert (run.epochs_joules, run.outside_joules) == (WATTS * 40, WATTS * 30)
    assert run.epochs == 4
    assert list(second.history.metric("val_acc").values) == CURVE[:4]
    assert_same(read_ledger("run.jsonl").history, second.history)


def test_a_run_resumed_in_the_same_process_goes_on():
    accountant, clock = scripted(ledger="run.jsonl")
    accountant.start()
    train(accountant, clock, range(2), metrics=metrics)
    state = accountant.state_dict()
    train(accountant, clock, range(2, 4), metrics=metrics)
    accountant.close()
    accountant.load_state_dict(state)
    accountant.start()
    train(accountant, clock, range(2, 4), metrics=metrics)
    run = accountant.close()
    assert run.energy_joules == WATTS * 60
    assert (run.epochs, run.outside_joules) == (4, WATTS * 20)
    assert_same(read_ledger("run.jsonl").history, accountant.history)


def test_a_ledger_that_is_gone_is_said_and_the_run_goes_on_from_the_checkpoint(caplog, tmp_path):
    first, clock = scripted(ledger="elsewhere/run.jsonl")
    first.start()
    train(first, clock, range(3), metrics=metrics)
    first.close()
    state = first.state_dict()
    (tmp_path / "elsewhere" / "run.jsonl").unlink()

    second, clock = scripted(ledger=None)
    second.load_state_dict(state)
    assert "cannot be read" in caplog.text
    assert "goes on from the checkpoint" in caplog.text
    second.start()
    train(second, clock, range(3, 5), metrics=metrics)
    run = second.close()
    assert run.energy_joules == WATTS * 50
    assert run.run_id == first.run_id
    assert run.ledger.parent == tmp_path / "green-callbacks"
    assert_same(read_ledger(run.ledger).history, second.history)


def test_a_ledger_that_lacks_what_the_checkpoint_holds_is_completed(tmp_path):
    first, clock = scripted(ledger="run.jsonl")
    first.start()
    train(first, clock, range(3), metrics=metrics)
    first.close()
    path = tmp_path / "run.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:3]) + lines[3][:40])  # killed while it wrote the third epoch

    second, clock = scripted(ledger=None)
    second.load_state_dict(first.state_dict())
    second.start()
    train(second, clock, range(3, 5), metrics=metrics)
    second.close()
    assert second.close().energy_joules == WATTS * 50
    assert_same(read_ledger(path).history, second.history)


def test_a_resumed_run_keeps_no_ledger_if_none_is_wanted(tmp_path):
    first, clock = scripted(ledger="run.jsonl")
    first.start()
    train(first, clock, [0])
    first.close()
    size = (tmp_path / "run.jsonl").stat().st_size
    second, clock = scripted(ledger=False)
    second.load_state_dict(first.state_dict())
    second.start()
    train(second, clock, [1])
    run = second.close()
    assert (run.ledger, run.energy_joules) == (None, WATTS * 20)
    assert (tmp_path / "run.jsonl").stat().st_size == size


def test_a_state_from_before_the_start_is_a_new_run():
    first, _ = scripted()
    second, clock = scripted()
    second.load_state_dict(first.state_dict())
    second.start()
    train(second, clock, [0])
    assert second.close().energy_joules == WATTS * 10
    assert second.run_id


def test_a_state_takes_the_place_of_what_the_accountant_did_before(tmp_path):
    other, clock = scripted(ledger=None)
    other.start()
    train(other, clock, range(2))
    other.close()

    accountant, clock = scripted(ledger=None)
    accountant.start()
    train(accountant, clock, [0])
    own = accountant.close().ledger
    size = own.stat().st_size
    accountant.load_state_dict(other.state_dict())
    accountant.start()
    train(accountant, clock, [2])
    run = accountant.close()
    assert (run.run_id, run.energy_joules) == (other.run_id, WATTS * 30)
    assert run.ledger == other.close().ledger
    assert own.stat().st_size == size


@pytest.mark.parametrize(("version", "remedy"), [(99, "Update"), (1, "Install that version")])
def test_a_state_of_another_version_is_refused(version, remedy):
    accountant, _ = scripted()
    state = {**accountant.state_dict(), "version": version}
    with pytest.raises(ConfigurationError, match=f"another version of green_callbacks. {remedy}"):
        accountant.load_state_dict(state)


def test_a_file_that_is_no_ledger_is_refused_at_construction(tmp_path):
    (tmp_path / "notes.txt").write_text("dear diary\n", encoding="ascii")
    with pytest.raises(LedgerError, match=r"notes\.txt is not a ledger"):
        scripted(ledger="notes.txt")
    assert (tmp_path / "notes.txt").read_text(encoding="ascii") == "dear diary\n"


@pytest.mark.parametrize("content", [b"", b'{"type":"ru', b'{"type":"run","schema":1,"run_id":"x'])
def test_a_ledger_whose_writer_was_killed_at_once_is_begun_again(tmp_path, content):
    (tmp_path / "run.jsonl").write_bytes(content)
    accountant, clock = scripted(ledger="run.jsonl")
    accountant.start()
    train(accountant, clock, [0])
    run = accountant.close()
    assert read_ledger("run.jsonl").run_id == run.run_id != ""
    assert_same(read_ledger("run.jsonl").history, accountant.history)


def test_a_stop_is_remembered_until_the_run_goes_on():
    first, clock = scripted(ledger="run.jsonl", policies=[lambda history, _: len(history) > 1])
    with first:
        done = [(epoch, clock.advance(1)) for epoch in first.epochs(10)]
    assert len(done) == 2
    second, _ = scripted(ledger="run.jsonl")
    assert second.stop_reason == first.stop_reason == second.close().stop_reason
    assert "stops the run" in second.stop_reason
    second.start()
    assert second.stop_reason is None
    second.close()


@pytest.mark.parametrize("through", ["state", "ledger"])
def test_a_spent_budget_stays_spent(through):
    budget = {"policies": [CarbonBudget("5 kWh", hard=False)], "ledger": "run.jsonl"}
    first, clock = scripted(watts=1_000_000.0, **budget)
    with first:
        assert [(epoch, clock.advance(10)) for epoch in first.epochs(10)] == [(0, None), (1, None)]
    assert "are spent" in first.stop_reason

    sink = ListSink()
    second, clock = scripted(**{**budget, "ledger": budget["ledger"] if through == "ledger" else False}, sinks=[sink])
    if through == "state":
        second.load_state_dict(first.state_dict())
    batches = []

    def again():
        batches.extend(second.epochs(10))

    with pytest.raises(BudgetSpentError, match="are spent"):
        again()
    assert batches == []
    assert not second.is_live
    assert sink.closed == 1


def test_a_budget_with_no_room_for_an_epoch_is_refused_too():
    first, clock = scripted(policies=[CarbonBudget("25 kJ")])
    with first:
        done = [(epoch, clock.advance(30)) for epoch in first.epochs(10)]
    assert len(done) == 2  # of 9 kJ each; a third would overspend
    first.start()
    with pytest.raises(BudgetSpentError, match="the next epoch would take about"):
        first.begin_epoch(2)
