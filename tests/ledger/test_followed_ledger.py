"""A ledger that is followed piece by piece is overviewed as if it were read at once, to the last bit."""

import os
import random
import time
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import hostile, strategies
from support.random_history import RandomRun
from support.scripted_run import GERMANY, record

from green_callbacks.errors import LedgerError
from green_callbacks.ledger import FollowedLedger, Head, Lines, closing_of, followed_ledger, quick_overview, read_ledger
from green_callbacks.ledger.closing_points import curve, thinned_curve
from green_callbacks.ledger.followed_ledger import KEPT_SECONDS
from green_callbacks.ledger.overview import overview_of
from green_callbacks.ledger.reader import read_quietly
from green_callbacks.records import EpochRecord, History, Landing, Plan

HEAD = Head(run_id="run-1", version="1.0", monitor="val_acc", plan=Plan(epochs=9))
TOTALS = {"front": (), "curve": (), "head_offset": None}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.jsonl"


def at_once(path):
    """The overview or the problem of a file that is read at once. Errors of others pass."""
    try:
        contents, remark = read_quietly(path)
    except LedgerError as reason:
        return None, str(reason)
    overview = overview_of(path, contents, remark)
    again = closing_of(
        contents.run_id,
        contents.history,
        monitor=contents.monitor,
        mode=contents.mode,
        stop_reason=contents.stop_reason,
    )
    assert replace(overview.closing, **TOTALS) == replace(again, **TOTALS)
    return overview, None


def assert_as_at_once(followed, path):
    """Compare what was followed with the whole file, once the file rests."""
    for _ in range(2):  # once for what has grown, and once more for a line that nobody finishes
        followed.refresh()
    assert not followed.refresh()
    if followed.overview is not None and followed.overview.is_quick:
        return
    assert repr((followed.overview, followed.problem)) == repr(at_once(path))  # as text, because NaN differs from NaN


def grow(path, data):
    with path.open("ab") as file:
        file.write(data)


def follow(path, data, cuts):
    """Let a file grow to each cut, look each time, and compare it at rest at the end of every piece and of the file."""
    path.write_bytes(b"")
    followed = FollowedLedger(path)
    for begin, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
        grow(path, data[begin:end])
        followed.refresh()
        assert (followed.overview is None) == (followed.problem is not None)
    assert_as_at_once(followed, path)
    return followed


def session(records, *, head=HEAD, ends=False, heartbeat=None, offset=0, history=None):
    """The lines of one process."""
    lines = Lines()
    data = [lines.head(head), *map(lines.record, records)]
    if heartbeat is not None:
        data.append(lines.heartbeat(heartbeat))
    if ends:
        closing = closing_of("run-1", History([*(history or ()), *records]), monitor="val_acc", mode="max")
        data.append(lines.end("Enough.", closing, offset + sum(map(len, data))))
    return b"".join(data)


def rows(epochs, first=0, **fields):
    for epoch in range(first, first + epochs):
        yield record(None, gpu_joules=1000 / 7 + epoch, **fields)
        yield record(epoch, gpu_joules=1000 / 3 + epoch, metrics={"val_acc": 1 - 1 / (epoch + 2)}, **fields)


def of_random_run(seed, length=60):
    """The lines of a random run, with rewinds as a resumed run writes them."""
    run, lines = RandomRun(seed), Lines()
    data, held = [lines.head(HEAD)], 0
    rewind = run.history.rewind

    def remembered(epoch, step=None):
        data.append(lines.rewind(epoch, step))
        rewind(epoch, step)

    run.history.rewind = remembered
    for _ in range(length):
        run.go_on()
        data.extend(lines.record(each) for each in run.history[held:])
        held = len(run.history)
    return b"".join(data)


def plain(epochs=5):
    return session(list(rows(epochs)))


LANDING = replace(HEAD.plan, landing=Landing(first_step=20, steps=10, epoch=1, last_epoch=2, reason="why"))
NAN = [record(0, metrics={"val_acc": float("nan"), "val_loss": float("inf")}), *rows(2, 1)]
LIVE = [
    record(epoch, metrics={"val_acc": epoch / 9}, intensity=replace(GERMANY, g_per_kwh=300.0 + epoch))
    for epoch in range(5)
]
LEDGERS = {
    "closed": session(list(rows(3)), ends=True),
    "killed": plain(),
    "heartbeat": session(list(rows(3)), heartbeat=record(None, gpu_joules=17.0)),
    "heartbeat and resumed": session(list(rows(3)), heartbeat=record(None, gpu_joules=17.0)) + session(rows(2, 3)),
    "heartbeat and its record": session(list(rows(3)), heartbeat=record(3)) + Lines().record(record(3)),
    "closed and resumed": session(list(rows(3)), ends=True) + session(rows(2, 3)),
    "repeated epochs": plain(4) + Lines().rewind(2, None) + session(rows(4, 2)),
    "landing": plain(2) + Lines().plan(LANDING) + session([]),
    "metrics without a number": session(NAN),
    "live intensity": session(LIVE),
    "changed PUE": session([*rows(2), *rows(2, 2, pue=1.5)]),
    "outside rows only": session([record(None), record(None)]),
    "nothing measured": session([record(0, gpu_joules=None, cpu_joules=None)]),
    "head only": session([]),
    "empty": b"",
    "torn head": session([])[:30],
    "torn": plain()[:-40],
    "no last line break": plain()[:-1],
    "damaged line": plain().replace(b'"seconds":10.0', b'"seconds":1e99', 1),
    "line too long": plain(2) + b"x" * 1_100_000 + b"\n" + plain(2),
    "no ledger": b"id,value\n1,2\n",
    "later schema": plain().replace(b'"schema":2', b'"schema":3'),
    "everything": b"".join(hostile.whole_ledger()),
}


@pytest.mark.parametrize("kind", LEDGERS)
def test_following_in_pieces_equals_reading_at_once(path, kind):
    data = LEDGERS[kind]
    chance = random.Random(kind)
    for pieces in (0, 1, 2, 5, 30):
        follow(path, data, sorted(chance.randrange(len(data) + 1) for _ in range(pieces)))


@pytest.mark.parametrize("kind", ["heartbeat and resumed", "repeated epochs", "everything", "torn"])
def test_every_piece_equals_reading_at_once(path, kind):
    data = LEDGERS[kind]
    path.write_bytes(b"")
    followed = FollowedLedger(path)
    for end in range(0, len(data), 97):
        grow(path, data[max(0, end - 97) : end])
        assert_as_at_once(followed, path)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 10**6), st.lists(st.floats(0, 1), max_size=8))
def test_following_a_random_run_equals_reading_at_once(tmp_path_factory, seed, cuts):
    path = tmp_path_factory.mktemp("random") / "run.jsonl"
    data = of_random_run(seed)
    follow(path, data, sorted(int(cut * len(data)) for cut in cuts))
    assert read_ledger(path).history.finished_epochs >= 0


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(strategies.records(), max_size=6), st.booleans(), st.booleans(), st.lists(st.floats(0, 1), max_size=5))
def test_following_whatever_records_equals_reading_at_once(tmp_path_factory, records, ends, is_heartbeat, cuts):
    path = tmp_path_factory.mktemp("records") / "run.jsonl"
    beat = records[-1]._replace(epoch=None) if is_heartbeat and records else None
    data = session(records, ends=ends and beat is None, heartbeat=beat)
    follow(path, data, sorted(int(cut * len(data)) for cut in cuts))
    quick = quick_overview(path)
    if quick is not None:
        whole, _ = at_once(path)
        assert replace(quick.closing, **TOTALS) == replace(whole.closing, **TOTALS)
        assert (quick.intensity, quick.pue, quick.methods) == (whole.intensity, whole.pue, whole.methods)


def test_a_hostile_ledger_is_followed_as_it_is_read(path):
    for number, (_, data) in enumerate(hostile.hostile_ledgers(150, seed=15)):
        chance = random.Random(number)
        follow(path, data, sorted(chance.randrange(len(data) + 1) for _ in range(3)))


def test_a_closed_run_is_never_read_in_full(path, monkeypatch):
    path.write_bytes(LEDGERS["closed"])
    monkeypatch.setattr("green_callbacks.ledger.followed_ledger.bounded_lines", None)
    followed = FollowedLedger(path)
    assert followed.refresh()
    assert followed.overview.is_quick
    assert not followed.refresh()


class Counted:
    """Counts the lines that are read."""

    def __init__(self, monkeypatch):
        self.lines, read = 0, followed_ledger.bounded_lines

        def counted(*args, **options):
            for line in read(*args, **options):
                self.lines += 1
                yield line

        monkeypatch.setattr(followed_ledger, "bounded_lines", counted)

    def taken(self):
        lines, self.lines = self.lines, 0
        return lines


def test_records_are_kept_only_while_a_ledger_grows(path, monkeypatch):
    counted, seconds = Counted(monkeypatch), [0.0]
    lines = Lines()
    path.write_bytes(lines.head(HEAD) + b"".join(map(lines.record, rows(10))))
    followed = FollowedLedger(path, lambda: seconds[0])
    assert followed.refresh()
    assert (counted.taken(), followed.keeps_records) == (22, False)
    grow(path, lines.record(record(10)))
    assert followed.refresh()
    assert (counted.taken(), followed.keeps_records) == (23, True)
    grow(path, lines.record(record(11)))
    assert followed.refresh()
    assert (counted.taken(), followed.keeps_records) == (1, True)
    seconds[0] = KEPT_SECONDS + 1.0
    assert not followed.refresh()
    assert (counted.taken(), followed.keeps_records) == (0, False)
    grow(path, lines.record(record(12)))
    followed.refresh()
    assert (counted.taken(), followed.overview.closing.epochs) == (25, 13)
    followed.drop_records()
    assert not followed.keeps_records
    assert not followed.refresh()


def test_all_ledgers_together_keep_a_bounded_number_of_records(tmp_path, monkeypatch):
    monkeypatch.setattr(followed_ledger, "_SHARED", followed_ledger.KeptRecords(20))
    followed = [growing(tmp_path / f"{number}.jsonl", epochs) for number, epochs in enumerate([3, 3, 3, 4])]
    assert [each.kept_rows for each in followed] == [0, 6, 6, 8]
    grow(followed[1].path, Lines().notice("key", "text"))
    followed[1].refresh()
    first = followed.pop(0)
    grow(first.path, session(list(rows(1))))
    first.refresh()
    assert [each.kept_rows for each in (first, *followed)] == [8, 6, 0, 0]
    del followed[0]
    long = growing(tmp_path / "long.jsonl", 50)
    assert (long.kept_rows, first.kept_rows) == (100, 0), "the last that grew is kept whatever its length"


def test_a_run_that_ends_while_it_is_followed_drops_its_records(path):
    data, end = LEDGERS["closed"], LEDGERS["closed"].rindex(b'{"type":"end"')
    followed = follow(path, data, [end - 400, end - 200])
    assert followed.overview.is_closed
    assert not followed.keeps_records


def test_a_heartbeat_is_not_counted_twice(path):
    lines = Lines()
    path.write_bytes(lines.head(HEAD) + lines.record(record(0)))
    followed = FollowedLedger(path)
    joules = []
    for data in (b"", lines.heartbeat(record(None)), lines.heartbeat(record(1)), lines.record(record(1))):
        grow(path, data)
        followed.refresh()
        joules.append(followed.overview.closing.energy_joules)
    assert joules == [4000.0, 8000.0, 8000.0, 8000.0]


def test_a_torn_line_waits_for_its_rest(path):
    lines = Lines()
    path.write_bytes(lines.head(HEAD) + lines.record(record(0)))
    followed = FollowedLedger(path)
    followed.refresh()
    second, third = lines.record(record(1)), lines.record(record(2))
    grow(path, second[:-1])
    followed.refresh()
    grow(path, second[-1:] + third[:20])
    followed.refresh()
    assert (followed.overview.closing.rows, followed.overview.remark) == (2, None)
    grow(path, third[20:])
    followed.refresh()
    assert (followed.overview.closing.rows, followed.overview.remark) == (3, None)
    grow(path, third[:20])
    followed.refresh()
    assert followed.overview.remark is None
    assert followed.refresh(), "the file rests"
    assert followed.overview.remark.startswith("1 line of")
    assert not followed.refresh()


def growing(path, epochs=3):
    """A followed ledger that keeps its records."""
    lines = Lines()
    path.write_bytes(lines.head(HEAD))
    followed = FollowedLedger(path)
    followed.refresh()
    grow(path, b"".join(map(lines.record, rows(epochs))))
    followed.refresh()
    return followed


def test_a_file_that_shrank_is_read_again(path):
    followed = growing(path)
    path.write_bytes(session(list(rows(1))))
    assert followed.refresh()
    assert followed.overview.closing.epochs == 1


def test_a_file_that_was_replaced_is_read_again(path):
    followed = growing(path)
    other = path.with_suffix(".new")
    other.write_bytes(session(list(rows(9))))
    other.replace(path)
    assert followed.refresh()
    assert_as_at_once(followed, path)
    assert followed.overview.closing.epochs == 9


def test_a_file_that_was_written_again_in_place_is_read_again(path):
    followed = growing(path)
    with path.open("r+b") as file:
        file.truncate()
        file.write(session(list(rows(9, pue=1.5))))
    assert followed.refresh()
    assert_as_at_once(followed, path)
    assert followed.overview.closing.epochs == 9


def test_a_file_of_the_same_length_and_another_time_is_read_again(path):
    followed = growing(path)
    data = path.read_bytes()
    path.write_bytes(data.replace(b'"seconds":10.0', b'"seconds":20.0'))
    os.utime(path, ns=(1, 1))
    assert followed.refresh()
    assert followed.overview.closing.duration_seconds == 120.0


def test_a_file_of_the_same_length_and_time_is_read_again(path):
    followed = growing(path)
    data, status = path.read_bytes(), path.stat()
    time.sleep(0.02)  # the clock of a file system ticks every 4 to 10 ms
    path.write_bytes(data.replace(b'"seconds":10.0', b'"seconds":20.0'))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert followed.refresh()
    assert followed.overview.closing.duration_seconds == 120.0


def test_a_file_that_comes_and_goes_is_followed(path):
    followed = FollowedLedger(path)
    assert followed.refresh()
    assert "cannot be read" in followed.problem
    assert not followed.refresh()
    path.write_bytes(plain(2))
    assert followed.refresh()
    assert (followed.problem, followed.overview.closing.epochs) == (None, 2)
    path.unlink()
    assert followed.refresh()
    assert followed.overview is None
    assert "cannot be read" in followed.problem
    path.mkdir()
    followed.refresh()
    assert "folder" in followed.problem


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_may_be_read_again_is_read(path):
    path.write_bytes(plain(2))
    path.chmod(0)
    followed = FollowedLedger(path)
    followed.refresh()
    assert followed.overview is None
    path.chmod(0o600)
    assert followed.refresh()
    assert followed.overview is not None


def test_a_file_that_becomes_no_ledger_is_a_problem(path):
    followed = growing(path)
    path.write_bytes(b"id,value\n" * 1_000)
    assert followed.refresh()
    assert "is not a ledger" in followed.problem
    assert not followed.refresh()


def test_an_earlier_overview_does_not_change_with_later_lines(path):
    followed = growing(path)
    before = followed.overview
    said = repr(before)
    grow(path, Lines().notice("key", "text") + Lines().rewind(0, None) + session([EpochRecord.scripted(epoch=7)]))
    assert followed.refresh()
    assert followed.overview is not before
    assert followed.overview.notices == {"key": "text"}
    assert repr(before) == said


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("most", [1, 3, 100])
def test_a_curve_that_is_thinned_at_once_is_the_thinned_curve(seed, most):
    run = RandomRun(seed)
    for _ in range(80):
        run.go_on()
    whole = list(curve(run.history, "val_acc"))
    assert list(curve(run.history, "val_acc", most)) == thinned_curve(whole, most)
