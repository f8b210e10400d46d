"""The runs of a folder are read by one thread, and followed while they come, grow, change and go."""

import threading
import time
from pathlib import Path

import pytest
from support.runs import scripted, train

from green_callbacks.ledger import Head, Lines
from green_callbacks.page import collection
from green_callbacks.page.collection import Collection
from green_callbacks.records import EpochRecord, History

WAIT = 30.0


class Ticks:
    """A clock that a test moves."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def closed_run(path: Path, epochs: int = 3) -> Path:
    accountant, clock = scripted(ledger=path)
    with accountant:
        train(accountant, clock, range(epochs), metrics=lambda epoch: {"val_acc": 0.5 + epoch / 100})
    return path


def open_run(path: Path, epochs: int = 3, run_id: str = "open") -> Path:
    """A ledger without an end line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = Lines()
    content = lines.head(Head(run_id=run_id, version="0.1.0"))
    for epoch in range(epochs):
        content += lines.record(record(epoch))
    path.write_bytes(content)
    return path


def record(epoch: int) -> EpochRecord:
    return EpochRecord.scripted(epoch=epoch, emissions_kg=0.1, metrics={"val_acc": 0.5})


def test_closed_and_open_runs_are_read(tmp_path):
    closed_run(tmp_path / "a/green-callbacks/a.jsonl")
    open_run(tmp_path / "b/b.jsonl")
    snapshot = Collection(tmp_path).read_all()
    assert (snapshot.read, snapshot.of, snapshot.said) == (2, 2, ())
    assert {run.found.relative: run.overview.is_closed for run in snapshot.runs} == {
        "a/green-callbacks/a.jsonl": True,
        "b/b.jsonl": False,
    }
    assert all(run.overview.closing.epochs == 3 for run in snapshot.runs)


def test_nothing_runs_before_the_first_request_and_nothing_after_the_last(tmp_path):
    closed_run(tmp_path / "a.jsonl")
    before = threading.active_count()
    runs = Collection(tmp_path)
    assert threading.active_count() == before
    assert runs.look(WAIT).read == 1
    deadline = time.monotonic() + WAIT
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() == before


def test_the_newest_run_comes_first(tmp_path):
    import os

    for number, name in enumerate(("old", "new", "middle")):
        path = open_run(tmp_path / f"{name}.jsonl", run_id=name)
        os.utime(path, (1000 + {"old": 0, "middle": 1, "new": 2}[name], 1000 + {"old": 0, "middle": 1, "new": 2}[name]))
        del number
    assert [run.run_id for run in Collection(tmp_path).read_all().runs] == ["new", "middle", "old"]


def test_a_grown_a_replaced_a_shrunk_a_new_and_a_vanished_ledger_are_noticed(tmp_path):
    grown, replaced, shrunk, gone = (
        open_run(tmp_path / f"{name}.jsonl", run_id=name) for name in ("grown", "replaced", "shrunk", "gone")
    )
    runs = Collection(tmp_path)
    before = runs.read_all()
    open_run(grown, 5, "grown")
    other = open_run(tmp_path / "other", 7, "replaced")
    other.rename(replaced)
    open_run(shrunk, 1, "shrunk")
    gone.unlink()
    open_run(tmp_path / "new.jsonl", 2, "new")
    after = runs.read_all()
    assert after.version != before.version
    assert {run.run_id: run.overview.closing.epochs for run in after.runs} == {
        "grown": 5, "replaced": 7, "shrunk": 1, "new": 2,
    }  # fmt: skip


def test_a_torn_last_line_waits_for_its_end(tmp_path):
    path = open_run(tmp_path / "a.jsonl", 3)
    whole = path.read_bytes()
    path.write_bytes(whole[:-40])
    runs = Collection(tmp_path)
    (run,) = runs.read_all().runs
    assert run.overview.closing.epochs == 2
    with path.open("ab") as file:
        file.write(whole[-40:])
    (run,) = runs.read_all().runs
    assert run.overview.closing.epochs == 3


def test_nothing_is_read_twice(tmp_path, monkeypatch):
    closed_run(tmp_path / "a.jsonl")
    open_run(tmp_path / "b.jsonl")
    runs = Collection(tmp_path)
    first = runs.read_all()
    for name in ("quick_overview", "FollowedLedger"):
        monkeypatch.setattr(collection, name, lambda path: pytest.fail(f"{path} was read again"))
    second = runs.read_all()
    assert second.version == first.version
    assert list(map(id, second.runs)) == list(map(id, first.runs))


@pytest.mark.parametrize(
    "content",
    [
        b'{"type":"run","schema":99,"run_id":"later"}\n',
        b'{"type":"run","schema":1,"run_id":\n',
        b'{"type":"run","schema":1}\n' + b"\0" * 1000,
    ],
    ids=["later", "torn", "zeros"],
)
def test_an_unreadable_ledger_is_said_and_hides_no_other(tmp_path, content):
    open_run(tmp_path / "good.jsonl", run_id="good")
    (tmp_path / "bad.jsonl").write_bytes(content)
    snapshot = Collection(tmp_path).read_all()
    assert snapshot.read == snapshot.of == 2
    assert "good" in [run.run_id for run in snapshot.runs]
    assert len(snapshot.runs) == 2 or "bad.jsonl" in " ".join(snapshot.said)


def test_many_unreadable_ledgers_are_counted(tmp_path):
    for number in range(5):
        (tmp_path / f"{number}.jsonl").write_bytes(b'{"type":"run","schema":99,"run_id":"later"}\n')
    snapshot = Collection(tmp_path).read_all()
    assert not snapshot.runs
    assert len(snapshot.said) == 3
    assert snapshot.said[-1] == "3 other ledgers cannot be read either."


def test_a_fault_of_ours_hides_one_run_only(tmp_path, monkeypatch, caplog):
    open_run(tmp_path / "a.jsonl", run_id="a")
    bad = closed_run(tmp_path / "b.jsonl")
    real = collection.quick_overview

    def quick_overview(path):
        if path == bad:
            msg = "boom"
            raise ArithmeticError(msg)
        return real(path)

    monkeypatch.setattr(collection, "quick_overview", quick_overview)
    snapshot = Collection(tmp_path).read_all()
    assert [run.run_id for run in snapshot.runs] == ["a"]
    assert "fault of this package (ArithmeticError)" in snapshot.said[0]
    assert len(caplog.records) == 1


def test_a_hanging_disk_holds_up_no_request_and_is_said(tmp_path, monkeypatch):
    closed_run(tmp_path / "a.jsonl")
    stuck = open_run(tmp_path / "b.jsonl")
    gate, ticks = threading.Event(), Ticks()
    real = collection.FollowedLedger

    class Hanging(real):
        def refresh(self):
            gate.wait(WAIT)
            return super().refresh()

    monkeypatch.setattr(collection, "FollowedLedger", Hanging)
    runs = Collection(tmp_path, ticks)
    begun = time.monotonic()
    snapshot = runs.look(0.5)
    assert time.monotonic() - begun < 5.0
    assert (snapshot.read, snapshot.of) == (1, 2)
    ticks.now += 12.0
    (sentence,) = runs.look(0.1).said
    assert str(stuck) in sentence
    assert "has been read for 12 s" in sentence
    gate.set()
    assert runs.look(WAIT).said == ()
    assert runs.look(WAIT).read == 2


def test_searches_are_at_least_a_second_apart(tmp_path):
    ticks = Ticks()
    runs = Collection(tmp_path, ticks)
    assert runs.look(WAIT).of == 0
    open_run(tmp_path / "a.jsonl")
    assert runs.look(WAIT).of == 0
    ticks.now += 1.0
    assert runs.look(WAIT).read == 1


def test_looking_for_any_ledger_reads_no_records(tmp_path, monkeypatch):
    monkeypatch.setattr(collection.FollowedLedger, "refresh", lambda ledger: pytest.fail(f"{ledger} was read"))
    ticks = Ticks()
    runs = Collection(tmp_path, ticks)
    assert not runs.holds_any(WAIT)
    assert runs.is_empty
    path = open_run(tmp_path / "a.jsonl")
    ticks.now += 1.0
    assert runs.holds_any(WAIT)
    path.unlink()
    assert runs.holds_any(WAIT)


def test_without_threads_the_request_does_the_work(tmp_path, monkeypatch):
    closed_run(tmp_path / "a.jsonl")

    def start(_self):
        msg = "can't start new thread"
        raise RuntimeError(msg)

    monkeypatch.setattr(threading.Thread, "start", start)
    assert Collection(tmp_path).look(0.0).read == 1


def test_many_requests_at_once_read_each_ledger_once(tmp_path, monkeypatch):
    for number in range(20):
        open_run(tmp_path / f"{number}.jsonl", run_id=f"run-{number}")
    opened, real = [], collection.FollowedLedger

    def followed(path):
        opened.append(path)
        return real(path)

    monkeypatch.setattr(collection, "FollowedLedger", followed)
    runs = Collection(tmp_path)
    snapshots = []
    threads = [threading.Thread(target=lambda: snapshots.append(runs.look(WAIT))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT)
    assert [snapshot.read for snapshot in snapshots] == [20] * 8
    assert len(opened) == 20


def test_a_run_is_found_by_its_key_alone(tmp_path):
    open_run(tmp_path / "a.jsonl")
    runs = Collection(tmp_path)
    (run,) = runs.read_all().runs
    assert runs.find(run.found.key) is run
    assert runs.find("../a.jsonl") is None


def test_the_totals_are_those_of_the_records(tmp_path):
    open_run(tmp_path / "a.jsonl", 4)
    (run,) = Collection(tmp_path).read_all().runs
    assert run.overview.closing.emissions_kg == History([record(epoch) for epoch in range(4)]).emissions_kg


def test_before_the_first_search_ends_not_all_is_read(tmp_path, monkeypatch):
    gate = threading.Event()
    real = collection.LedgerFinder.find

    def find(finder, on_found):
        gate.wait(WAIT)
        return real(finder, on_found)

    monkeypatch.setattr(collection.LedgerFinder, "find", find)
    runs = Collection(tmp_path)
    begun = time.monotonic()
    snapshot = runs.look(0.1)
    assert not runs.holds_any(0.1)
    assert time.monotonic() - begun < 5.0
    assert snapshot.read < snapshot.of
    assert not snapshot.is_searched
    gate.set()
    assert runs.look(WAIT).of == 0


def test_a_torn_last_line_counts_as_damaged_once_the_file_rests(tmp_path):
    path = open_run(tmp_path / "a.jsonl", 4)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-2]))
    runs = Collection(tmp_path)
    runs.read_all()
    with path.open("ab") as file:
        file.write(lines[-2] + lines[-1][:-40])
    (run,) = runs.read_all().runs
    assert (run.overview.closing.epochs, run.overview.remark) == (3, None)
    (run,) = runs.read_all().runs
    assert run.overview.closing.epochs == 3
    assert "1 line" in run.overview.remark


def test_searches_that_take_long_are_further_apart(tmp_path, monkeypatch):
    ticks, searches = Ticks(), []
    real = collection.LedgerFinder.find

    def find(finder, on_found):
        searches.append(ticks.now)
        ticks.now += 4.0
        return real(finder, on_found)

    monkeypatch.setattr(collection.LedgerFinder, "find", find)
    runs = Collection(tmp_path, ticks)
    for _ in range(14):
        runs.look(WAIT)
        ticks.now += 1.0
    assert len(searches) == 2
