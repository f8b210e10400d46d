"""The index of totals: the same sums as without it, and no ledger is read twice."""

import json
import os
import random
import shutil
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from support import hostile
from support.many_runs import MadeRun, grow, make_runs, write_run
from support.sensors import as_nobody
from support.written import writing

from green_callbacks.ledger import Head, Lines, closing_of, ledgers_of, read_closing
from green_callbacks.ledger.index import LedgerEntry, LedgerIndex, UnreadLedger, entry_of, index_file, ledger_index
from green_callbacks.ledger.project_totals import closings_of, runs_of
from green_callbacks.records import History

DAY_NS = 86_400 * 10**9
WHOLE = b"".join(hostile.whole_ledger())


def tomorrow():
    """A time at which everything that was just written has settled."""
    return time.time_ns() + DAY_NS


def index_of(folder, **options):
    return LedgerIndex(folder, **{"now_ns": tomorrow, **options})


def look(folder, index=None):
    return closings_of(ledgers_of(folder), index=index_of(folder) if index is None else index)


def file_of(folder):
    return folder / ".green-callbacks" / "totals.jsonl"


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch, tmp_path_factory):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(autouse=True)
def _always_worth(monkeypatch):
    monkeypatch.setattr(ledger_index, "_WORTH_BYTES", 1)


@pytest.fixture
def reads(monkeypatch):
    """The ledgers that were read, by their names."""
    read = []

    def counted(name, real):
        def call(path, *arguments):
            read.append((name, Path(path).name))
            return real(path, *arguments)

        return call

    for module in (ledger_index, "green_callbacks.ledger.index.ledger_entry"):
        name = module if isinstance(module, str) else module.__name__
        for function in ("closed_entry", "summed_entry"):
            real = getattr(__import__(name, fromlist=["x"]), function)
            monkeypatch.setattr(f"{name}.{function}", counted(function, real))
    return read


@pytest.fixture
def open_folder():
    """A folder of ledgers that anybody may read, which the folders of pytest are not."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, "logs")
        make_runs(folder, 8, 4, has_events=False, killed=0.3, distinct=8)
        folder.parent.chmod(0o755)
        yield folder


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "logs"
    make_runs(folder, 8, 4, has_events=False, killed=0.3, distinct=8)
    return folder


def test_the_second_look_reads_no_ledger(folder, reads):
    first = look(folder)
    assert {kind for kind, _ in reads} == {"closed_entry", "summed_entry"}
    reads.clear()
    assert look(folder) == first == look(folder, LedgerIndex())
    assert {name for kind, name in reads if kind == "closed_entry"} == {path.name for path in ledgers_of(folder)}
    reads.clear()
    look(folder)
    assert reads == []


def test_only_what_has_changed_is_read_again(folder, reads):
    look(folder)
    reads.clear()
    changed = ledgers_of(folder)[0]
    changed.write_bytes(changed.read_bytes()[:-200])
    assert look(folder) == look(folder, LedgerIndex())
    assert ("closed_entry", changed.name) == reads[0]
    assert reads[1] == ("summed_entry", changed.name)


def test_a_renamed_folder_keeps_its_index(folder, reads):
    before = look(folder)
    folder.rename(folder.with_name("archive"))
    reads.clear()
    after = look(folder.with_name("archive"))
    assert reads == []
    assert after.closings == before.closings
    assert after.damaged == [said.replace("/logs/", "/archive/") for said in before.damaged]


def test_a_relative_name_finds_the_same_index(folder, reads, monkeypatch):
    before = look(folder)
    monkeypatch.chdir(folder.parent)
    reads.clear()
    assert look(Path("logs")).closings == before.closings
    assert look(Path("logs/../logs")).closings == before.closings
    assert reads == []


def test_a_working_folder_that_is_gone_costs_only_the_index(folder, monkeypatch):
    gone = folder.parent / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert look(folder, index_of("logs")).closings == look(folder).closings


def test_a_ledger_that_has_just_changed_is_not_trusted(folder, reads):
    closings_of(ledgers_of(folder), index=LedgerIndex(folder))  # with the clock of the system
    reads.clear()
    look(folder)
    assert reads


def test_a_ledger_that_changes_while_it_is_read_is_not_kept(folder, monkeypatch):
    real = ledger_index.closed_entry

    def changing(path):
        entry = real(path)
        path.write_bytes(path.read_bytes() + b"\n")
        return entry

    monkeypatch.setattr(ledger_index, "closed_entry", changing)
    look(folder)
    monkeypatch.setattr(ledger_index, "closed_entry", real)
    assert look(folder) == look(folder, LedgerIndex())


def test_a_file_of_the_same_size_and_time_but_of_other_content_is_read(folder, reads):
    look(folder)
    path = next(each for each in ledgers_of(folder) if entry_of(each).is_closed)
    status = path.stat()
    path.write_bytes(path.read_bytes().replace(b'"kg":0.0', b'"kg":0.1'))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    reads.clear()
    look(folder)
    assert ("closed_entry", path.name) in reads


DAMAGES = {
    "empty": lambda data: b"",
    "cut": lambda data: data[: len(data) // 2],
    "zeros": lambda data: b"\0" * len(data),
    "another field": lambda data: data.replace(b'"kg":', b'"kq":'),
    "another number": lambda data: data.replace(b'"kg":0.', b'"kg":9.'),
    "brackets": lambda data: b"[" * 100_000,
    "one line": lambda data: data.replace(b"\n", b""),
    "later version": lambda data: data.replace(b'"version":1', b'"version":9'),
    "noise": lambda data: data + os.urandom(5_000),
    "other order": lambda data: data.splitlines(keepends=True)[0] + b"\n".join(reversed(data.splitlines()[1:])),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=list(DAMAGES))
def test_a_damaged_index_costs_only_time(folder, damage):
    whole = look(folder)
    file_of(folder).write_bytes(damage(file_of(folder).read_bytes()))
    assert look(folder) == whole
    assert look(folder) == whole


def test_lines_of_the_right_sum_but_of_wrong_types_are_read_again(folder, reads):
    whole = look(folder)
    entries = index_file.read_index(file_of(folder))
    wrong = [b"null", b"[]", b"{}", b'{"closing":3}', b"[" * 5_000, b'{"unread":7}', b'{"closing":{},"head":{}}']
    for chance, key in enumerate(entries):
        entries[key] = wrong[chance % len(wrong)]
    entries |= {b"[[1]]": b"{}", b"nonsense": b"{}", b'[["\\u0000",1,2,3,4]]': b"{}"}
    assert index_file.write_index(file_of(folder), entries)
    reads.clear()
    assert look(folder) == whole
    assert reads
    assert len(index_file.read_index(file_of(folder))) == len(ledgers_of(folder)) - len(unsettled(folder))


def unsettled(folder):
    """Ledgers without a name never stand in an index."""
    return [path for path in ledgers_of(folder) if isinstance(e := entry_of(path), LedgerEntry) and not e.run_id]


@pytest.mark.parametrize(
    "make", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to("/dev/zero")], ids=["folder", "pipe", "link"]
)
def test_something_else_in_the_place_of_the_index_is_left_alone_or_replaced(folder, make):
    file_of(folder).parent.mkdir()
    make(file_of(folder))
    assert look(folder) == look(folder, LedgerIndex())


def test_what_a_killed_writer_left_is_removed_after_an_hour(folder):
    file_of(folder).parent.mkdir()
    old, young = (file_of(folder).with_name(f"totals.jsonl.{name}.unfinished") for name in ("old", "young"))
    for each in (old, young):
        each.write_bytes(b"half")
    os.utime(old, (0, 0))
    look(folder)
    assert (old.exists(), young.exists()) == (False, True)


def test_a_few_ledgers_make_no_index(folder, monkeypatch):
    monkeypatch.undo()
    closings_of(ledgers_of(folder)[:3], index=index_of(folder))
    assert not file_of(folder).parent.exists()


def test_a_folder_that_cannot_be_written_has_its_index_in_the_cache(open_folder, monkeypatch, reads):
    cache = open_folder.parent / "home"
    cache.mkdir()
    cache.chmod(0o777)
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache / "deep"))
    with as_nobody():
        before = look(open_folder)
        assert reads
        reads.clear()
        assert look(open_folder) == before
    assert reads == []
    assert not file_of(open_folder).exists()
    assert len(list((cache / "deep" / "green-callbacks").iterdir())) == 1


def test_without_any_place_every_look_reads(open_folder, monkeypatch, reads):
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA", "HOME", "USERPROFILE"):
        monkeypatch.delenv(name, raising=False)
    with as_nobody():
        before = look(open_folder)
        reads.clear()
        assert look(open_folder) == before
    assert reads


def test_another_choice_of_ledgers_keeps_the_rest_of_the_index(folder, reads):
    look(folder)
    some = ledgers_of(folder)[:2]
    some[0].write_bytes(some[0].read_bytes()[:-100])
    closings_of(some, index=index_of(folder))
    reads.clear()
    look(folder)
    assert reads == []


def test_ledgers_that_are_gone_leave_the_index(folder):
    look(folder)
    shutil.rmtree(folder / "search")
    left = ledgers_of(folder)
    left[0].write_bytes(left[0].read_bytes()[:-100])
    look(folder)
    assert len(index_file.read_index(file_of(folder))) == len(left)


def test_two_writers_at_once_leave_a_whole_index(folder):
    whole = look(folder, LedgerIndex())
    looks = [threading.Thread(target=lambda: [look(folder) for _ in range(5)]) for _ in range(4)]
    for each in looks:
        each.start()
    for each in looks:
        each.join()
    assert look(folder) == whole
    assert sorted(each.name for each in file_of(folder).parent.iterdir()) == [".gitignore", "totals.jsonl"]


def test_a_growing_ledger_is_read_on(tmp_path, monkeypatch):
    write_run(MadeRun(0, 30, is_killed=True), tmp_path, has_events=False)
    (path,) = ledgers_of(tmp_path)
    index, taken = LedgerIndex(tmp_path), []
    real = ledger_index.FollowedLedger._read

    def reading(self, **options):
        before = 0 if self._reading is None else self._reading.offset
        real(self, **options)
        taken.append(path.stat().st_size - before)

    monkeypatch.setattr(ledger_index.FollowedLedger, "_read", reading)
    for _ in range(4):
        grow(path)
        assert look(tmp_path, index) == look(tmp_path, LedgerIndex())
    assert taken[0] > 10_000  # every second reading is that of the look without an index
    assert taken[-2] < 4_000


def test_copies_that_differ_are_united_once(tmp_path, reads, monkeypatch):
    write_run(MadeRun(0, 9, is_killed=False), tmp_path, has_events=False)
    (path,) = ledgers_of(tmp_path)
    (tmp_path / "copy.jsonl").write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:5]))
    first = look(tmp_path)
    assert len(first.closings) == len(first.copies) == 1
    monkeypatch.setattr("green_callbacks.ledger.project_totals.read_quietly", None)
    reads.clear()
    assert look(tmp_path) == first
    assert reads == []


def test_a_copy_that_vanishes_meanwhile_is_said(tmp_path, monkeypatch):
    write_run(MadeRun(0, 9, is_killed=False), tmp_path, has_events=False)
    (path,) = ledgers_of(tmp_path)
    copy = tmp_path / "copy.jsonl"
    copy.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:5]))
    found = ledgers_of(tmp_path)
    index = index_of(tmp_path)
    looked = list(index.entries(found))
    monkeypatch.setattr(index, "entries", lambda paths: looked)
    copy.unlink()
    read = runs_of(found, index=index)
    assert read.runs[0].entry == entry_of(path)
    assert "cannot be read" in read.unread[0]


def test_unreadable_ledgers_are_said_each_time_and_read_once(tmp_path, reads):
    (tmp_path / "old.jsonl").write_bytes(WHOLE.replace(b'"schema":2', b'"schema":1', 1))
    first = look(tmp_path)
    assert len(first.unread) == 1
    reads.clear()
    assert look(tmp_path) == first
    assert reads == []


def test_a_ledger_that_may_not_be_read_now_is_asked_again(open_folder):
    path = ledgers_of(open_folder)[0]
    path.chmod(0)
    open_folder.chmod(0o777)
    with as_nobody():
        without = look(open_folder)
    path.chmod(0o644)
    assert len(without.unread) == 1
    assert len(look(open_folder).closings) == len(without.closings) + 1


def test_a_name_that_no_text_can_hold_is_indexed(tmp_path, reads):
    os.fsencode(tmp_path / "a\udcff.jsonl")
    Path(tmp_path, "a\udcff.jsonl").write_bytes(WHOLE)
    first = look(tmp_path)
    reads.clear()
    assert look(tmp_path) == first
    assert reads == []


def test_an_entry_tells_the_labels_and_the_best_value_of_a_run(tmp_path):
    with writing(tmp_path / "a.jsonl", labels={"team": "vision"}, host="node01", monitor="val_acc") as run:
        for epoch, value in enumerate((0.5, 0.91234567, 0.7)):
            run.write(hostile.record(epoch, epoch)._replace(metrics={"val_acc": value}))
        run.ledger.end(None)
    by_line = entry_of(tmp_path / "a.jsonl")
    lines = (tmp_path / "a.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "b.jsonl").write_bytes(b"".join(lines[:-1]))
    by_records = entry_of(tmp_path / "b.jsonl")
    for entry in (by_line, by_records):
        assert (entry.head.labels, entry.head.host, entry.best) == ({"team": "vision"}, "node01", 0.912346)
    assert by_line.closing == by_records.closing
    assert (by_line.is_closed, by_records.is_closed) == (True, False)


@pytest.mark.parametrize("seed", range(12))
def test_whatever_happens_the_sums_equal_those_without_an_index(tmp_path, seed):
    chance = random.Random(seed)
    folder = tmp_path / "logs"
    make_runs(folder, 6, 3, has_events=False, killed=0.4, distinct=6)
    for number, (_, data) in enumerate(hostile.hostile_ledgers(8, seed)):
        (folder / f"hostile-{number}.jsonl").write_bytes(data)
    long_lived = index_of(folder)
    for step in range(12):
        paths = ledgers_of(folder)
        path = chance.choice(paths)
        happening = chance.choice((_cut, _copy, _remove, _move, _touch, _rewrite, _mutate, _spoil))
        happening(chance, path, folder)
        index = long_lived if chance.random() < 0.5 else index_of(folder)
        found = ledgers_of(folder)
        assert runs_of(found, index=index) == runs_of(found), (step, happening.__name__)


def _cut(chance, path, folder):
    data = path.read_bytes()
    path.write_bytes(data[: chance.randrange(len(data) + 1)])


def _copy(chance, path, folder):
    with suppress(shutil.SameFileError):
        shutil.copy2(path, folder / f"copy-{chance.randrange(5)}.jsonl")


def _remove(chance, path, folder):
    if len(ledgers_of(folder)) > 2:
        path.unlink()


def _move(chance, path, folder):
    path.rename(folder / f"moved-{chance.randrange(5)}.jsonl")


def _touch(chance, path, folder):
    os.utime(path, (chance.randrange(10**9), chance.randrange(2 * 10**9)))


def _rewrite(chance, path, folder):
    other = chance.choice(ledgers_of(folder))
    data, status = other.read_bytes(), path.stat()
    path.write_bytes(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def _mutate(chance, path, folder):
    ((_, data),) = hostile.hostile_ledgers(1, chance.randrange(10**6))
    path.write_bytes(data)


def _spoil(chance, path, folder):
    if file_of(folder).exists():
        data = bytearray(file_of(folder).read_bytes())
        for _ in range(20):
            data[chance.randrange(len(data))] = chance.randrange(256)
        file_of(folder).write_bytes(data)


def test_what_cannot_be_read_is_no_entry(tmp_path):
    assert isinstance(index_of(tmp_path).entry(tmp_path / "none.jsonl"), UnreadLedger)
    assert json.loads(index_file.HEADER)["version"] == 2


@pytest.mark.parametrize("now", [time.time_ns, tomorrow], ids=["young", "old"])
def test_a_closing_line_of_an_earlier_version_gives_the_same_as_its_records(tmp_path, now):
    lines, history = Lines(), History()
    data = [lines.head(Head(run_id="old", version="0.1.0"))]
    for epoch in range(3):
        each = hostile.record(epoch, epoch)
        history.append(each)
        data.append(lines.record(each))
    closing = closing_of("old", history, monitor=None, mode="max")
    old = replace(closing, facts=None, head_offset=0)
    path = tmp_path / "old.jsonl"
    path.write_bytes(b"".join([*data, lines.end(None, old, sum(map(len, data)))]))
    assert read_closing(path).facts is None
    found = closings_of([path], index=LedgerIndex(tmp_path, now_ns=now))
    assert found == closings_of([path])
    assert found.closings[0].facts == closing.facts


def test_a_look_that_is_interrupted_keeps_what_it_has_read(folder, reads, monkeypatch):
    paths = ledgers_of(folder)

    def interrupted():
        yield from paths[:5]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        closings_of(interrupted(), index=index_of(folder))
    reads.clear()
    look(folder)
    assert {name for _, name in reads} == {path.name for path in paths[5:]}
