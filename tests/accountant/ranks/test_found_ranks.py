"""Processes that find one another, played by threads."""

import threading

import pytest
from support.found_ranks import on_group
from support.runs import WATTS, scripted

from green_callbacks import CarbonBudget, MarginalGain, read_ledger
from green_callbacks.accountant.ranks import joining, store_ranks
from green_callbacks.clock import ScriptedClock
from green_callbacks.sources import ScriptedSource

HOST_WATTS = 100.0
EPOCH_SECONDS = 10.0


@pytest.fixture(autouse=True)
def hurried(monkeypatch):
    """Nobody waits long, and no launcher has started this process."""
    monkeypatch.setattr(joining, "MEETING_SECONDS", 0.5)
    monkeypatch.setattr(joining, "SECOND_MEETING_SECONDS", 0.3)
    monkeypatch.setattr(store_ranks, "LEADER_SECONDS", 0.5)
    monkeypatch.setattr(store_ranks, "FOLLOWER_SECONDS", 5.0)
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "SLURM_PROCID", "SLURM_STEP_ID"):
        monkeypatch.delenv(name, raising=False)


def accountant_of(rank, **options):
    """Every rank sees the host, and a GPU of its own."""
    clock = ScriptedClock()
    sources = [
        ScriptedSource(HOST_WATTS, name="cpu:package-0", component="cpu", clock=clock),
        ScriptedSource(WATTS * (rank + 1), name=f"gpu:{rank}", clock=clock),
    ]
    return scripted(clock, sources=sources, **options)


def warnings_of(caplog):
    return [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]


def test_every_rank_of_a_group_accounts_for_one_run(monkeypatch, tmp_path, caplog):
    def stop_at_two(history, _):
        return "Two are enough." if history.finished_epochs == 2 else None

    def body(rank, group):
        accountant, clock = accountant_of(rank, ledger="run.jsonl", policies=[stop_at_two])
        with accountant:
            for _ in accountant.epochs(9):
                clock.advance(EPOCH_SECONDS)
        return accountant.close(), accountant.stop_reason, len(accountant.history)

    (run, reason, _), (_, other_reason, kept) = on_group(monkeypatch, 2, body)

    assert (run.epochs, reason, other_reason) == (2, "Two are enough.", "Rank 0 decided to stop.")
    assert kept == 0
    seconds = 2 * EPOCH_SECONDS
    joules = {name: device.joules for name, device in run.devices.items()}
    assert joules == {
        "cpu:package-0": HOST_WATTS * seconds,
        "gpu:0": WATTS * seconds,
        "gpu:1": 2 * WATTS * seconds,
    }
    (ledger,) = tmp_path.rglob("*.jsonl")
    assert read_ledger(ledger).history.energy_joules == run.energy_joules
    assert [text for text in warnings_of(caplog) if "Stopping" not in text] == []


def test_rank_0_that_uses_it_alone_goes_on_alone_and_says_so(monkeypatch, caplog):
    def body(rank, group):
        if rank:
            return None
        accountant, clock = accountant_of(rank)
        with accountant:
            for _ in accountant.epochs(2):
                clock.advance(EPOCH_SECONDS)
        return accountant.close()

    run, _ = on_group(monkeypatch, 2, body)

    assert run.epochs == 2
    assert run.energy_joules == (HOST_WATTS + WATTS) * 2 * EPOCH_SECONDS
    (said,) = warnings_of(caplog)
    assert said.startswith("1 of the 2 processes of torch.distributed did not start an accountant within 0.5 s")


def test_rank_0_that_alone_ends_epochs_keeps_its_records(monkeypatch, caplog):
    def body(rank, group):
        accountant, clock = accountant_of(rank)
        accountant.start()
        for epoch in range(2) if rank == 0 else ():
            accountant.begin_epoch(epoch)
            clock.advance(EPOCH_SECONDS)
            accountant.end_epoch()
        return accountant.close() if rank == 0 else accountant

    run, _still_there = on_group(monkeypatch, 2, body)

    assert run.epochs == 2
    assert {name: device.joules for name, device in run.devices.items()} == {
        "cpu:package-0": HOST_WATTS * 2 * EPOCH_SECONDS,
        "gpu:0": WATTS * 2 * EPOCH_SECONDS,
        "gpu:1": None,
    }
    assert any(said.startswith("Rank 1 did not come within 0.5 s. From now on") for said in warnings_of(caplog))


def test_a_warning_that_no_longer_holds_is_withdrawn_and_a_later_parting_is_said(monkeypatch, caplog):
    barrier = threading.Barrier(2, timeout=60)

    def body(rank, group):
        accountant, clock = accountant_of(rank)
        if rank == 0:
            barrier.wait()  # loads data while the other rank waits in vain
        accountant.start()
        if rank:
            barrier.wait()
        for epoch in range(2):
            accountant.begin_epoch(epoch)
            clock.advance(EPOCH_SECONDS)
            if rank and epoch:
                accountant.close(together=False)
                return None
            accountant.end_epoch()
        return accountant.close()

    run, _ = on_group(monkeypatch, 2, body)

    said = warnings_of(caplog)
    assert any(text.startswith("All processes of torch.distributed have started") for text in said)
    assert not any("did not start an accountant" in notice for notice in run.notices)
    (parting,) = [notice for notice in run.notices if notice.startswith("Rank 1 has left the common run")]
    assert parting in said


@pytest.mark.parametrize("has_all", [0, 1])
@pytest.mark.parametrize(
    "options",
    [
        {"policies": [CarbonBudget("1 MWh")]},
        {"policies": [CarbonBudget("1 MWh", landing=0.1)]},
        {"policies": [MarginalGain("val_acc", landing=0.1)]},
        {"decide_every": 2},
        {"policies": [CarbonBudget("1 MWh")], "decide_every": "1 s"},
    ],
)
def test_options_on_one_rank_alone_part_no_ranks(monkeypatch, caplog, options, has_all):
    def body(rank, group):
        accountant, clock = accountant_of(rank, **(options if rank == has_all else {}))
        with accountant:
            for _ in accountant.epochs(2):
                for _ in accountant.steps(range(4)):
                    clock.advance(EPOCH_SECONDS / 4)
        return accountant.close()

    run, _ = on_group(monkeypatch, 2, body)

    assert run.epochs == 2
    assert run.energy_joules == (HOST_WATTS + 3 * WATTS) * 2 * EPOCH_SECONDS
    said = [text for text in warnings_of(caplog) if "are not asked" in text or "order" in text]
    unused = "Rank 0 decides for all ranks and has no policies, so the policies of rank 1 are not asked."
    assert [text[: len(unused)] for text in said] == ([unused] if has_all and "policies" in options else [])


def test_a_rank_that_fails_holds_up_no_other(monkeypatch, caplog):
    def body(rank, group):
        accountant, clock = accountant_of(rank)
        try:
            with accountant:
                for epoch in accountant.epochs(3):
                    clock.advance(EPOCH_SECONDS)
                    if rank and epoch == 1:
                        raise ValueError  # noqa: TRY301  the loop of a user
        except ValueError:
            return None
        return accountant.close()

    run, _ = on_group(monkeypatch, 2, body)

    assert run.epochs == 3
    assert run.devices["gpu:1"].joules == 2 * WATTS * EPOCH_SECONDS
    assert run.devices["gpu:0"].joules == WATTS * 3 * EPOCH_SECONDS
    assert any(said.startswith("Rank 1 has left the common run") for said in warnings_of(caplog))


def test_a_rank_that_calls_otherwise_is_told_at_once(monkeypatch, caplog):
    def body(rank, group):
        accountant, clock = accountant_of(rank)
        accountant.start()
        if rank == 0:
            accountant.begin_epoch(0)
            clock.advance(EPOCH_SECONDS)
            accountant.end_epoch()
        return accountant.close()

    run, _ = on_group(monkeypatch, 2, body)

    assert run.epochs == 1
    assert any("never inside `if rank == 0:`" in said for said in warnings_of(caplog))


def test_a_group_that_comes_before_the_first_epoch_counts_from_the_start(monkeypatch, tmp_path, caplog):
    turn = threading.Lock()

    def body(rank, group):
        accountant, clock = accountant_of(rank)
        with turn:  # threads share the environment
            for name, value in {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2}.items():
                monkeypatch.setenv(name, str(value))
            accountant.start()
        assert accountant.ledger is None
        clock.advance(3.0)
        group.join(rank)
        for _ in accountant.epochs(1):
            clock.advance(EPOCH_SECONDS)
        return accountant.close()

    run, _ = on_group(monkeypatch, 2, body, joins=False)

    seconds = 3.0 + EPOCH_SECONDS
    joules = {name: device.joules for name, device in run.devices.items()}
    assert joules == {"cpu:package-0": HOST_WATTS * seconds, "gpu:0": WATTS * seconds, "gpu:1": 2 * WATTS * seconds}
    assert run.epochs == 1
    assert warnings_of(caplog) == []


def test_a_launched_process_that_is_closed_before_its_first_epoch_keeps_its_account(monkeypatch, tmp_path):
    for name, value in {"RANK": "1", "LOCAL_RANK": "1", "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    accountant, clock = accountant_of(1, ledger=None)
    with accountant:
        clock.advance(5.0)

    run = accountant.close()
    assert {name: device.joules for name, device in run.devices.items()} == {"gpu:1": 2 * WATTS * 5}
    assert read_ledger(run.ledger).history.energy_joules == run.energy_joules


def test_a_launched_process_misses_no_source_that_another_counts(monkeypatch):
    for name, value in {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    accountant, clock = accountant_of(1)
    with accountant:
        for _ in accountant.epochs(2):
            clock.advance(EPOCH_SECONDS)

    (notice,) = accountant.close().notices
    assert notice.startswith("torchrun started 2 processes")


def test_switched_off_nobody_is_looked_for(monkeypatch):
    monkeypatch.setenv("GREEN_CALLBACKS_DISABLE", "1")

    def body(rank, group):
        accountant, _ = accountant_of(rank)
        if rank:
            return None
        with accountant:
            return list(accountant.epochs(2))

    assert on_group(monkeypatch, 2, body)[0] == [0, 1]
