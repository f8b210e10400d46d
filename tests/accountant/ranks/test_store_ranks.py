"""Rounds over a store, and meetings, when something goes wrong in them."""

import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from math import isnan, nan
from types import SimpleNamespace

import pytest
from support.found_ranks import MODULE, FakeGroup, MemoryStore

from green_callbacks import EnergyAccountant
from green_callbacks.accountant.notices import Notices
from green_callbacks.accountant.ranks import joining, store_ranks
from green_callbacks.accountant.ranks.joining import Company, company_of, joined
from green_callbacks.accountant.ranks.meeting import meet
from green_callbacks.accountant.ranks.protocol import OneRank
from green_callbacks.accountant.ranks.store import values_of, waited
from green_callbacks.accountant.ranks.store_ranks import StoreRanks
from green_callbacks.accountant.ranks.torch_group import group_of

SIZE = 3


class Said(list):
    """What the ranks have said."""

    def ranks(self, store, size=SIZE):
        return [StoreRanks(store.below("run"), rank, size, self.append) for rank in range(size)]


@pytest.fixture
def said():
    return Said()


@pytest.fixture(autouse=True)
def hurried(monkeypatch):
    monkeypatch.setattr(store_ranks, "LEADER_SECONDS", 0.3)
    monkeypatch.setattr(store_ranks, "FOLLOWER_SECONDS", 2.0)


def each(ranks, call):
    with ThreadPoolExecutor(len(ranks)) as pool:
        return list(pool.map(call, ranks))


def test_vectors_are_added_and_values_are_gathered(said):
    ranks = said.ranks(MemoryStore())

    assert each(ranks, lambda one: one.gather({"rank": one.rank})) == [[{"rank": rank} for rank in range(SIZE)]] * SIZE
    sums = each(ranks, lambda one: one.sum([0.0, float(one.rank), 0.1, nan if one.rank == 1 else 1.0]))
    for total in sums:
        assert total[:3] == [0.0, 3.0, pytest.approx(0.3)]
        assert isnan(total[3])
    assert said == []


def test_rounds_leave_nothing_behind_but_the_last_answer(said):
    store = MemoryStore()
    ranks = said.ranks(store)

    for _ in range(5):
        each(ranks, lambda one: one.sum([1.0]))

    assert list(store.values) == ["run/5"]


@pytest.mark.parametrize("absent", [0, 2])
def test_a_rank_that_does_not_come_ends_the_common_run_for_all(said, absent, monkeypatch):
    monkeypatch.setattr(store_ranks, "FOLLOWER_SECONDS", 0.5)
    ranks = said.ranks(MemoryStore())

    vectors = each([one for one in ranks if one.rank != absent], lambda one: one.sum([1.0, float(one.rank)]))

    assert vectors == [[1.0, float(one.rank)] for one in ranks if one.rank != absent]
    assert len(set(said)) == 1
    assert said[0].startswith(f"Rank {absent} did not come within")
    began = time.monotonic()
    assert ranks[absent].sum([7.0]) == [7.0]
    assert ranks[absent].gather("x") == ["x"] * SIZE
    assert time.monotonic() - began < 0.2, "who comes too late is told at once"


def test_a_rank_that_leaves_lets_nobody_wait(said):
    ranks = said.ranks(MemoryStore())
    threading.Timer(0.05, ranks[1].leave).start()

    began = time.monotonic()
    each([ranks[0], ranks[2]], lambda one: one.sum([1.0]))

    assert time.monotonic() - began < 0.29
    assert said == [said[0]] * 2
    assert said[0].startswith("Rank 1 has left the common run")
    ranks[1].leave()
    assert not any(one.is_together for one in ranks)


def test_an_interrupt_in_a_round_is_a_leave(said, monkeypatch):
    ranks = said.ranks(MemoryStore(), 2)

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(store_ranks, "waited", interrupt)
    with pytest.raises(KeyboardInterrupt):
        ranks[1].sum([1.0])
    monkeypatch.undo()

    assert ranks[0].sum([2.0]) == [2.0]
    assert said[0].startswith("Rank 1 has left")


def test_a_store_that_is_gone_ends_the_common_run(said):
    ranks = said.ranks(MemoryStore())
    ranks[1]._store.is_down = True

    assert ranks[1].sum([4.0]) == [4.0]
    assert said == ["The store of torch.distributed failed (closed)."]
    ranks[1].leave()
    ranks[2]._store.is_down = True
    ranks[2].leave()
    ranks[2].finish()


def test_rank_0_waits_until_all_have_read_the_last_answer(said):
    ranks = said.ranks(MemoryStore())
    each(ranks, lambda one: one.sum([1.0]))
    done = []

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(lambda: (ranks[0].finish(), done.append(0)))
        time.sleep(0.05)
        assert done == []
        ranks[1].finish()
        ranks[2].finish()
        first.result(5)
    assert done == [0]
    ranks[0].hurry()
    assert ranks[0].sum([3.0]) == [3.0], "it goes on alone, without a word"
    assert said == []


def test_those_who_do_not_all_come_to_a_meeting_agree_on_that():
    store = MemoryStore()
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(meet, store, rank, SIZE, "host", 0.2) for rank in (0, 2)]
        one, two = (each.result(5) for each in waiting)

    assert one == two
    assert (one.number, one.is_together, one.came) == (0, False, ((0, "host"), (2, "host")))
    with ThreadPoolExecutor(SIZE) as pool:
        every = list(pool.map(lambda rank: meet(store, rank, SIZE, "host", 5.0), range(SIZE)))
    assert [(meeting.number, meeting.is_together) for meeting in every] == [(1, True)] * SIZE


def test_two_threads_of_a_rank_come_to_two_meetings():
    store = MemoryStore()
    with ThreadPoolExecutor(4) as pool:
        meetings = list(pool.map(lambda at: meet(store, at % 2, 2, "here", 5.0), range(4)))

    assert all(meeting.is_together for meeting in meetings)
    assert sorted(meeting.number for meeting in meetings) == [0, 0, 1, 1]


def test_a_rank_that_is_interrupted_at_a_meeting_has_not_come(monkeypatch):
    store = MemoryStore()

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("green_callbacks.accountant.ranks.meeting.waited", interrupt)
    with pytest.raises(KeyboardInterrupt):
        meet(store, 0, 2, "host", 5.0)
    monkeypatch.undo()

    assert not meet(store, 1, 2, "host", 0.1).is_together


def test_older_stores_answer_one_key_at_a_time():
    store = SimpleNamespace(get=lambda key: key.encode())
    assert values_of(store, ["a", "b"]) == ["a", "b"]
    assert not waited(lambda: False, 0.01)


@pytest.mark.parametrize(
    "change",
    [
        {"is_initialized": lambda: False},
        {"get_world_size": lambda: 1},
        {"_get_default_store": lambda: None},
        {"_get_default_store": None},
        {"is_initialized": None},
    ],
)
def test_a_group_that_is_none_or_strange_is_no_group(monkeypatch, change):
    group = FakeGroup(2)
    group.join(0)
    for name, value in change.items():
        setattr(group, name, value)
    monkeypatch.setitem(sys.modules, MODULE, group)

    assert group_of() is None


def test_processes_that_an_adapter_names_are_not_looked_for(monkeypatch):
    group = FakeGroup(2)
    group.join(0)
    monkeypatch.setitem(sys.modules, MODULE, group)

    company = company_of(OneRank(), Notices())

    assert not company.is_found
    assert joined(company, Notices(), is_first=True) is None


def test_a_store_that_does_not_answer_at_the_start_is_said(monkeypatch, caplog):
    group = FakeGroup(2)
    group.join(0)
    monkeypatch.setattr(MemoryStore, "add", lambda *_: (_ for _ in ()).throw(RuntimeError("no route")))
    monkeypatch.setitem(sys.modules, MODULE, group)

    company = company_of(None, Notices())

    assert company.is_alone
    assert "could not meet (no route)" in caplog.text
    assert joined(company, Notices(), is_first=True) is None  # a store that is gone is asked no second time


def test_only_rank_0_misses_the_ledger_of_a_checkpoint(monkeypatch, caplog, tmp_path):
    with EnergyAccountant(sources=[], sinks=[], ledger=tmp_path / "run.jsonl") as accountant:
        accountant.begin_epoch(0)
    state = accountant.state_dict()
    (tmp_path / "run.jsonl").unlink()
    group = FakeGroup(2)
    monkeypatch.setitem(sys.modules, MODULE, group)
    for rank in (1, 0):
        assert "cannot be read" not in caplog.text
        group.join(rank)
        EnergyAccountant(sources=[], sinks=[]).load_state_dict(state)
    assert "cannot be read" in caplog.text


def test_late_ranks_follow_those_that_came_in_time(monkeypatch):
    meeting = joining.Meeting(0, is_together=False, came=((1, "here"), (2, "there"), (3, "here")))
    numbers = {rank: joining._part(meeting, rank, "here").number for rank in (0, 1, 3)}

    assert numbers == {0: 2, 1: 0, 3: 1}
    assert Company(ranks=OneRank()).is_alone
