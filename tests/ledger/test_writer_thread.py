"""Lines come into the file in order, once, and whatever the disk does: nobody waits for it but the writer's thread."""

import logging
import os
import threading
import time

import pytest
from conftest import our_threads
from support.disk import largest_file

from green_callbacks.call_threads import Threads
from green_callbacks.ledger import appended_file as append_module
from green_callbacks.ledger import writer_thread as writer_module
from green_callbacks.ledger.writer_thread import LedgerWriter

LONG_SECONDS = 30.0


def begin(offset, records):
    """A head; after a loss, with all records so far."""
    return b"".join([b"head\n", *(b"%d\n" % number for number in range(records or 0))])


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.jsonl"


@pytest.fixture
def new_writer(path):
    writers = []

    def new(first=0, predecessor=None):
        writers.append(LedgerWriter(path, begin, first, Threads(), predecessor))
        return writers[-1]

    yield new
    for writer in writers:
        writer.close(LONG_SECONDS)


@pytest.fixture
def writer(new_writer):
    return new_writer()


def write(writer, number):
    done = writer.submit(lambda _: b"%d\n" % number, number)
    writer.wake()
    return done


def wait(done):
    assert done.acquire(timeout=LONG_SECONDS)


def numbers(path):
    head, *rest = path.read_bytes().splitlines()
    assert head == b"head"
    return list(map(int, rest))


def test_nothing_is_started_and_no_file_made_before_the_first_line(writer, path):
    assert writer.close(LONG_SECONDS)
    assert not path.exists()


def test_lines_are_written_in_order_with_the_place_where_they_begin(writer, path):
    offsets = []

    def line(offset):
        offsets.append(offset)
        return b"x" * len(offsets) + b"\n"

    for _ in range(100):
        writer.submit(line)
        writer.wake()
    assert writer.close(LONG_SECONDS)
    head, *rest = path.read_bytes().splitlines(keepends=True)
    assert rest == [b"x" * length + b"\n" for length in range(1, 101)]
    ends = [len(head) + sum(map(len, rest[:place])) for place in range(100)]
    assert offsets[-100:] == ends, "lines are made anew where the file begins"


def test_a_record_that_is_submitted_twice_is_written_once(writer, path):
    for number in range(50):
        write(writer, number)
        write(writer, number)
        write(writer, max(0, number - 1))
    assert writer.close(LONG_SECONDS)
    assert numbers(path) == list(range(50))


def test_many_threads_may_submit(writer, path):
    def submit(start):
        for number in range(start, start + 50):
            writer.submit(lambda _, number=number: b"%d\n" % number)
            writer.wake()

    threads = [threading.Thread(target=submit, args=(start,)) for start in range(0, 400, 50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert writer.close(LONG_SECONDS)
    found = numbers(path)
    assert sorted(found) == list(range(400))
    for start in range(0, 400, 50):
        own = [number for number in found if start <= number < start + 50]
        assert own == sorted(own)


def test_what_a_full_disk_does_not_take_is_written_once_there_is_room(writer, path, monkeypatch, caplog):
    monkeypatch.setattr(writer_module, "RETRY_SECONDS", 0.01)
    wait(write(writer, 0))
    with largest_file(path.stat().st_size + 1):
        for number in range(1, 5):
            wait(write(writer, number))
        assert numbers(path) == [0], "none of it, rather than a torn line"
    deadline = time.monotonic() + LONG_SECONDS
    while numbers(path) != list(range(5)):
        assert time.monotonic() < deadline, "it is tried again by itself"
        time.sleep(0.005)
    (said,) = caplog.records
    assert said.levelno == logging.WARNING
    assert "cannot be written" in said.message


def test_a_full_disk_at_the_beginning_costs_no_line(writer, path, caplog):
    with largest_file(0):
        for number in range(3):
            wait(write(writer, number))
    wait(write(writer, 3))
    assert numbers(path) == [0, 1, 2, 3]
    assert len(caplog.records) == 1


@pytest.mark.parametrize("loss", ["cut", "removed"])
def test_a_file_that_is_lost_on_a_full_disk_is_written_anew_once_there_is_room(writer, path, loss):
    for number in range(3):
        wait(write(writer, number))
    path.unlink() if loss == "removed" else path.write_bytes(b"")
    with largest_file(1):
        wait(write(writer, 3))
        wait(write(writer, 4))
    wait(write(writer, 5))
    assert numbers(path) == list(range(6))


def test_a_line_that_cannot_be_made_costs_no_other_and_is_logged(writer, path, caplog):
    wait(write(writer, 0))
    writer.submit(lambda _: 1 / 0)
    writer.wake()
    wait(write(writer, 1))
    assert numbers(path) == [0, 1]
    assert [record.message for record in caplog.records] == [
        "A line of the ledger cannot be encoded. The ledger goes on without it. Report this error."
    ]


class HangingWrite:
    """Writes that do not return before they are let go."""

    def __init__(self, monkeypatch):
        self.entered, self.gate, self.is_hanging = threading.Event(), threading.Event(), True
        append = append_module.AppendedFile.append

        def hanging(file, data):
            if self.is_hanging:
                self.entered.set()
                self.gate.wait(LONG_SECONDS)
            append(file, data)

        monkeypatch.setattr(append_module.AppendedFile, "append", hanging)


@pytest.fixture
def disk(monkeypatch):
    disk = HangingWrite(monkeypatch)
    yield disk
    disk.gate.set()


def test_submitting_waits_for_no_disk_that_hangs_and_it_is_told_for_how_long(writer, path, disk):
    assert writer.stuck_seconds == 0
    done = write(writer, 0)
    assert disk.entered.wait(LONG_SECONDS)
    for number in range(1, 100):
        write(writer, number)
    assert not done.acquire(timeout=0.02)
    assert writer.stuck_seconds >= 0.02
    disk.gate.set()
    wait(done)
    assert writer.close(LONG_SECONDS)
    assert writer.stuck_seconds == 0
    assert numbers(path) == list(range(100))


def test_closing_gives_up_after_its_time_and_the_lines_still_come(writer, path, disk):
    write(writer, 0)
    assert disk.entered.wait(LONG_SECONDS)
    began = time.monotonic()
    assert not writer.close(0.05)
    assert time.monotonic() - began < LONG_SECONDS / 2
    disk.gate.set()
    writer.join()
    assert numbers(path) == [0]
    assert writer.close(LONG_SECONDS)


def test_a_line_that_comes_while_the_thread_ends_is_written(writer, path, monkeypatch):
    wait(write(writer, 0))
    close, made, woken = writer._file.close, threading.Event(), threading.Event()
    asked = []

    def add_a_line():
        asked.append(writer.submit(lambda _: b"1\n", 1))
        made.set()
        writer.wake()
        woken.set()

    def close_late():
        monkeypatch.setattr(writer._file, "close", close)
        threading.Thread(target=add_a_line).start()
        assert made.wait(LONG_SECONDS)
        woken.wait(0.2)
        close()

    monkeypatch.setattr(writer._file, "close", close_late)
    writer.close(0.0)
    assert made.wait(LONG_SECONDS)
    wait(asked[0])
    assert numbers(path) == [0, 1]


def test_threads_that_nobody_waits_for_end_by_themselves(path, disk):
    writer = LedgerWriter(path, begin, 0, Threads())
    write(writer, 0)
    assert disk.entered.wait(LONG_SECONDS)
    assert not writer.close(0.0)
    disk.gate.set()
    deadline = time.monotonic() + LONG_SECONDS
    while our_threads():
        assert time.monotonic() < deadline
        time.sleep(0.001)
    assert numbers(path) == [0]


def test_a_successor_waits_for_the_end_of_a_writer_that_hangs_and_says_that_it_is_stuck(new_writer, path, disk):
    first = new_writer()
    for number in range(3):
        write(first, number)
    assert disk.entered.wait(LONG_SECONDS)
    assert not first.close(0.0)
    second = new_writer(first=3, predecessor=first)
    disk.is_hanging = False
    done = write(second, 3)
    assert not done.acquire(timeout=0.05), "the first one's lines are not written yet"
    assert second.stuck_seconds > 0
    disk.gate.set()
    wait(done)
    assert path.read_bytes().splitlines() == [b"head", b"0", b"1", b"2", b"head", b"3"]
    assert second.stuck_seconds == 0


@pytest.mark.parametrize("loss", ["cut", "removed", "replaced"])
def test_a_successor_writes_all_anew_where_the_file_was_lost_in_between(new_writer, path, loss, caplog):
    first = new_writer()
    for number in range(3):
        write(first, number)
    assert first.close(LONG_SECONDS)
    other = path.with_name("other")
    other.write_bytes(b"another's file, which is longer than ours was\n")
    {
        "cut": lambda: path.write_bytes(path.read_bytes()[:7]),
        "removed": path.unlink,
        "replaced": lambda: other.replace(path),
    }[loss]()
    second = new_writer(first=3, predecessor=first)
    wait(write(second, 3))
    assert numbers(second.path) == [0, 1, 2, 3]
    assert (second.path != path) == (loss != "removed")
    assert len(caplog.records) == 1


def test_where_no_thread_can_be_started_lines_are_written_by_whoever_submits_them(writer, path, monkeypatch, caplog):
    def refuse(thread):
        message = "can't start new thread"
        raise RuntimeError(message)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    for number in range(3):
        assert write(writer, number).acquire(timeout=0)
        assert numbers(path) == list(range(number + 1))
    assert writer.close(0.0)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_a_slow_sync_delays_no_line(writer, path, monkeypatch):
    entered, gate = threading.Event(), threading.Event()
    fsync = os.fsync

    def slow(descriptor):
        entered.set()
        gate.wait(LONG_SECONDS)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", slow)
    wait(write(writer, 0))
    assert entered.wait(LONG_SECONDS)
    for number in range(1, 100):
        wait(write(writer, number))
    assert numbers(path) == list(range(100))
    assert not writer.close(0.05), "it is written, and not synced"
    gate.set()
    assert writer.close(LONG_SECONDS)


def test_nothing_of_ours_is_open_after_the_end(writer, path):
    wait(write(writer, 0))
    before = len(os.listdir("/proc/self/fd")) if os.path.exists("/proc/self/fd") else 0  # noqa: PTH110, PTH208
    assert writer.close(LONG_SECONDS)
    after = len(os.listdir("/proc/self/fd")) if before else -1  # noqa: PTH208
    assert after < before or not before
