import threading

import pytest
from support.runs import KG_PER_JOULE, WATTS, ListSink, scripted, train
from support.strategies import comparable
from support.thread_ranks import ThreadRanks, on_ranks

from green_callbacks import CarbonBudget, EnergyAccountant, read_ledger
from green_callbacks.accountant import OneRank
from green_callbacks.accountant.energy import device_slots
from green_callbacks.accountant.energy.device_slots import DeviceSlots
from green_callbacks.accountant.energy.lap_vectors import DeviceSlot, Lap, LapVectors
from green_callbacks.accountant.ranks import host
from green_callbacks.accountant.ranks.host import Host
from green_callbacks.clock import ScriptedClock
from green_callbacks.errors import BudgetSpentError
from green_callbacks.records import DeviceEnergy, DeviceInfo
from green_callbacks.sources import ScriptedSource

HOST_WATTS = 100.0


def accountant_of(rank, **options):
    """Every rank sees the host, and a GPU of its own."""
    clock = ScriptedClock()
    sources = [
        ScriptedSource(HOST_WATTS, name="cpu:package-0", component="cpu", clock=clock),
        ScriptedSource(WATTS * (rank + 1), name=f"gpu:{rank}", clock=clock),
    ]
    return scripted(clock, sources=sources, **options)


def test_each_gpu_counts_once_and_the_host_once():
    def body(ranks):
        accountant, clock = accountant_of(ranks.rank)
        accountant.start(ranks=ranks)
        clock.advance(1)
        records = train(accountant, clock, range(2))
        return records, accountant.close(), list(accountant.history)

    (records, run, history), (others, _, nothing) = on_ranks(2, body)
    expected = {"cpu:package-0": HOST_WATTS * 10, "gpu:0": WATTS * 10, "gpu:1": 2 * WATTS * 10}
    for record in records:
        assert {name: device.joules for name, device in record.devices.items()} == expected
        assert record.phases["train"].joules == sum(expected.values())
    assert [record.energy_joules for record in others] == [record.energy_joules for record in records]
    assert [record.epoch for record in history] == [None, 0, 1]
    assert run.energy_joules == (HOST_WATTS + 3 * WATTS) * 21
    assert nothing == []


def test_a_gpu_that_two_ranks_share_counts_once():
    def body(ranks):
        accountant, clock = scripted()
        accountant.start(ranks=ranks)
        return train(accountant, clock, [0])[0], accountant.close()

    (record, run), _ = on_ranks(2, body)
    assert record.energy_joules == run.energy_joules == WATTS * 10


@pytest.mark.parametrize("names", [("alpha", "beta"), ("node", "node")])
def test_hosts_are_told_apart_also_by_the_same_name(names, monkeypatch):
    here = threading.local()
    monkeypatch.setattr(
        device_slots, "this_host", lambda: Host(f"{here.rank}0000000-boot", names[here.rank]), raising=True
    )

    def body(ranks):
        here.rank = ranks.rank
        accountant, clock = scripted(name="gpu:0")
        accountant.start(ranks=ranks)
        return train(accountant, clock, [0])[0], accountant.close()

    (record, _), _ = on_ranks(2, body)
    assert record.energy_joules == WATTS * 20
    assert len(record.devices) == 2
    assert all(name.endswith("/gpu:0") and name.startswith(names) for name in record.devices)


def test_a_host_without_a_boot_id_is_known_by_its_name(monkeypatch):
    monkeypatch.setattr(host, "boot_id", lambda: "")
    slots = DeviceSlots(OneRank(), {"gpu:0": ("gpu", ())})
    assert slots.owned == {"gpu:0"}
    assert OneRank().gather("x") == ["x"]
    assert OneRank().sum([1.0, 2.0]) == [1.0, 2.0]


def test_containers_whose_machine_has_no_id_are_said(monkeypatch, caplog):
    here = threading.local()
    monkeypatch.setattr(device_slots, "this_host", lambda: Host(f"pod-{here.rank}", f"pod-{here.rank}"))

    def body(ranks):
        here.rank = ranks.rank
        accountant, clock = scripted(name="cpu:0")
        accountant.start(ranks=ranks)
        train(accountant, clock, [0])
        return accountant.close()

    run, _ = on_ranks(2, body)
    assert sorted(run.devices) == ["pod-0/cpu:0", "pod-1/cpu:0"]
    assert len([text for text in run.notices if text.startswith("The system does not tell the id")]) == 1


def test_ranks_may_see_different_numbers_of_devices():
    def body(ranks):
        clock = ScriptedClock()
        count = 1 + 2 * ranks.rank
        power = {f"gpu:{ranks.rank}.{number}": WATTS for number in range(count)}
        accountant, _ = scripted(clock, sources=[ScriptedSource(power, clock=clock)])
        accountant.start(ranks=ranks)
        return train(accountant, clock, [0])[0], accountant.close()

    (record, _), _ = on_ranks(2, body)
    assert record.energy_joules == WATTS * 40


def test_samples_are_those_of_all_ranks_or_unknown():
    def body(ranks):
        accountant, clock = accountant_of(ranks.rank)
        accountant.start(ranks=ranks)
        accountant.begin_epoch(0)
        accountant.observe(samples=10 + ranks.rank)
        clock.advance(1)
        known = accountant.end_epoch()
        accountant.begin_epoch(1)
        accountant.observe(samples=10 if ranks.rank else None)
        unknown = accountant.end_epoch()
        accountant.close()
        return known.samples, unknown.samples

    assert on_ranks(2, body)[0] == (21, None)


def test_what_no_rank_measured_is_none_not_zero():
    def body(ranks):
        clock = ScriptedClock()
        source = ScriptedSource(name=f"gpu:{ranks.rank}", lost_seconds=[(0, 1e9)], clock=clock)
        accountant, _ = scripted(clock, sources=[source])
        accountant.start(ranks=ranks)
        return train(accountant, clock, [0])[0], accountant.close()

    (record, run), _ = on_ranks(2, body)
    assert record.energy_joules is None
    assert record.phases["train"].joules is None
    assert all(device.gap_seconds == 10.0 for device in record.devices.values())
    assert run.energy_joules is None


def test_labels_and_bounds_of_the_other_ranks_arrive():
    def body(ranks):
        clock = ScriptedClock()
        source = ScriptedSource(
            WATTS, name=f"gpu:{ranks.rank}", method="modelled", tolerance=0.25, reset_seconds=[10.5], clock=clock
        )
        accountant, _ = scripted(clock, sources=[source])
        accountant.start(ranks=ranks)
        clock.advance(1)
        record = train(accountant, clock, [0])[0]
        return record, accountant.close()

    (record, _), _ = on_ranks(2, body)
    one, other = record.devices["gpu:0"], record.devices["gpu:1"]
    assert comparable(record).count("reset") == 2
    assert (one.joules, one.low_joules, one.high_joules, one.method, one.tolerance) == (
        other.joules,
        other.low_joules,
        other.high_joules,
        other.method,
        other.tolerance,
    )
    assert other.method == "modelled"
    assert other.low_joules == pytest.approx(0.75 * other.joules)


def test_there_is_one_decision_on_rank_0s_metrics():
    def stop_at_ninety(history, _):
        values = history.metric("val_acc").values
        return "Good enough." if values and values[-1] >= 0.9 else None

    def body(ranks):
        accountant, clock = accountant_of(ranks.rank, policies=[stop_at_ninety])
        seen = []
        with accountant.start(ranks=ranks):
            for epoch in accountant.epochs(5):
                clock.advance(1)
                accountant.observe({"val_acc": (0.5, 0.7, 0.9)[epoch] if ranks.rank == 0 else 0.99})
                seen.append(epoch)
        return seen, accountant.stop_reason

    (first, reason), (second, other_reason) = on_ranks(2, body)
    assert first == second == [0, 1, 2]
    assert (reason, other_reason) == ("Good enough.", "Rank 0 decided to stop.")


def test_rank_0_alone_has_sinks_and_ledger(tmp_path):
    def body(ranks):
        sink = ListSink()
        accountant, clock = accountant_of(ranks.rank, ledger="run.jsonl", sinks=[sink])
        barrier_of = accountant.start(ranks=ranks)
        train(barrier_of, clock, range(2))
        run = accountant.close()
        return sink.records, list(accountant.history), run.ledger

    (records, history, ledger), (nothing, empty, none) = on_ranks(2, body)
    assert len(records) == len(history) == 2
    assert nothing == empty == []
    assert (ledger.name, none) == ("run.jsonl", None)
    assert list(read_ledger(tmp_path / "run.jsonl").history) == history


def test_only_rank_0_guesses_the_place(caplog):
    def body(ranks):
        accountant, clock = accountant_of(ranks.rank, carbon_intensity=None)
        accountant.start(ranks=ranks)
        record = train(accountant, clock, [0])[0]
        accountant.close()
        return record.intensity

    first, second = on_ranks(2, body)
    assert first == second
    assert len([r for r in caplog.records if "No location was given" in r.message]) == 1


def test_a_spent_budget_is_refused_on_all_ranks():
    def body(ranks):
        accountant, clock = accountant_of(ranks.rank, policies=[CarbonBudget("1 g", hard=False)])
        accountant.start(ranks=ranks)
        clock.advance(100)
        train(accountant, clock, [0])
        accountant.close()
        accountant.start(ranks=ranks)
        with pytest.raises(BudgetSpentError) as refused:
            accountant.begin_epoch(1)
        return str(refused.value), accountant.is_live

    (reason, live), (other, other_live) = on_ranks(2, body)
    remedy = " So no epoch begins. To train on, pass a larger budget."
    assert "are spent" in reason
    assert reason.endswith(remedy)
    assert other == "Rank 0 found its carbon budget spent." + remedy
    assert (live, other_live) == (False, False)


def test_after_an_exception_on_one_rank_nobody_waits_for_it():
    def body(ranks):
        accountant, clock = accountant_of(ranks.rank)
        accountant.start(ranks=ranks)
        train(accountant, clock, [0])
        accountant.begin_epoch(1)
        clock.advance(5)
        run = accountant.close(together=False)
        return run, list(accountant.history)

    (run, history), _ = on_ranks(2, body)
    last = history[-1]
    assert (last.epoch, last.complete) == (1, False)
    assert {name: device.joules for name, device in last.devices.items()} == {
        "cpu:package-0": HOST_WATTS * 5,
        "gpu:0": WATTS * 5,
        "gpu:1": None,
    }
    assert last.devices["gpu:1"].gap_seconds == 5
    assert run.emissions_kg == pytest.approx(((HOST_WATTS + 3 * WATTS) * 10 + (HOST_WATTS + WATTS) * 5) * KG_PER_JOULE)


def test_what_another_rank_used_between_two_epochs_is_not_lost():
    def body(ranks):
        accountant, clock = accountant_of(ranks.rank)
        accountant.start(ranks=ranks)
        train(accountant, clock, [0])
        clock.advance(0.0 if ranks.rank == 0 else 2.0)  # saves a checkpoint
        train(accountant, clock, [1])
        return accountant.close()

    run, _ = on_ranks(2, body)
    assert run.devices["gpu:1"].joules == 2 * WATTS * 22


def test_accountants_of_threads_do_not_disturb_one_another():
    assert isinstance(on_ranks(3, lambda ranks: ranks.sum([ranks.rank])), list)
    assert ThreadRanks(0, 1, threading.Barrier(1), {}).sum([1.0]) == [1.0]
    assert EnergyAccountant(sources=[]).close().epochs == 0


def test_what_becomes_known_of_a_device_of_another_rank_while_the_run_goes_on_stands_in_the_record():
    slot = DeviceSlot("gpu:0", "gpu:0", 0, "gpu", ("shared",), DeviceInfo())
    there = DeviceEnergy(5.0, "gpu", "counter", 1.0, 4.0, 6.0, 0.5, 0.05, ("shared", "counter_frozen", "reset"))
    vectors, lap = LapVectors([slot], 0), Lap(1.0, {"gpu:0": there}, {}, None, [])
    here = vectors.lap(lap, vectors.of(lap)).devices["gpu:0"]
    assert here == there._replace(flags=("shared", "reset", "counter_frozen"))
