"""What is written is synced within a second, and nobody waits for it but who closes."""

import logging
import os
import threading
import time

import pytest

from green_callbacks.call_threads import Threads
from green_callbacks.ledger import disk_sync as sync_module
from green_callbacks.ledger.disk_sync import Syncer

LONG_SECONDS = 30.0


class Disk:
    """Counts syncs, and lets them wait or fail."""

    def __init__(self, monkeypatch):
        self.synced, self.came = [], threading.Semaphore(0)
        self.gate, self.failure = threading.Event(), None
        self.gate.set()
        monkeypatch.setattr(os, "fsync", self.fsync)

    def fsync(self, descriptor):
        self.synced.append(os.fstat(descriptor).st_size)
        self.came.release()
        self.gate.wait(LONG_SECONDS)
        if self.failure is not None:
            raise self.failure


@pytest.fixture
def disk(monkeypatch):
    disk = Disk(monkeypatch)
    yield disk
    disk.gate.set()


@pytest.fixture
def file(tmp_path):
    with (tmp_path / "run.jsonl").open("wb", buffering=0) as file:
        yield file


@pytest.fixture
def syncer(tmp_path, disk):
    syncer = Syncer(tmp_path / "run.jsonl", Threads())
    yield syncer
    disk.gate.set()
    assert syncer.close(LONG_SECONDS)


def write(syncer, file):
    file.write(b"line\n")
    syncer.mark(file.fileno())


def test_the_first_write_is_synced_at_once(syncer, file, disk):
    write(syncer, file)
    assert disk.came.acquire(timeout=LONG_SECONDS)


def test_many_writes_share_a_sync_and_the_last_is_covered(syncer, file, disk):
    for _ in range(1000):
        write(syncer, file)
    assert syncer.close(LONG_SECONDS)
    assert disk.synced[-1] == 5000
    assert len(disk.synced) < 100


def test_marking_waits_for_no_slow_sync(syncer, file, disk):
    disk.gate.clear()
    write(syncer, file)
    assert disk.came.acquire(timeout=LONG_SECONDS)
    for _ in range(100):
        write(syncer, file)
    assert disk.synced == [5]
    disk.gate.set()


def test_closing_gives_up_on_a_sync_that_hangs_and_says_so(syncer, file, disk):
    disk.gate.clear()
    write(syncer, file)
    assert disk.came.acquire(timeout=LONG_SECONDS)
    write(syncer, file)
    assert not syncer.close(0.02)
    disk.gate.set()
    assert syncer.close(LONG_SECONDS)
    assert disk.synced == [5, 10]


def test_closing_does_not_wait_for_the_next_round(syncer, file, disk, monkeypatch):
    monkeypatch.setattr(sync_module, "SYNC_SECONDS", LONG_SECONDS)
    write(syncer, file)
    assert disk.came.acquire(timeout=LONG_SECONDS)
    began = time.monotonic()
    assert syncer.close(LONG_SECONDS)
    assert time.monotonic() - began < LONG_SECONDS / 2


def test_what_is_written_after_a_close_is_synced_too(syncer, file, disk):
    write(syncer, file)
    assert syncer.close(LONG_SECONDS)
    write(syncer, file)
    assert syncer.close(LONG_SECONDS)
    assert disk.synced == [5, 10]


def test_a_file_that_is_closed_meanwhile_is_synced_all_the_same(tmp_path, syncer, disk):
    with (tmp_path / "other").open("wb", buffering=0) as other:
        disk.gate.clear()
        write(syncer, other)
        assert disk.came.acquire(timeout=LONG_SECONDS)
        write(syncer, other)
    disk.gate.set()
    assert syncer.close(LONG_SECONDS)
    assert disk.synced == [5, 10]


def test_a_sync_that_fails_is_one_warning(syncer, file, disk, caplog):
    disk.failure = OSError(5, "Input/output error")
    for _ in range(3):
        write(syncer, file)
        assert syncer.close(LONG_SECONDS)
    (said,) = caplog.records
    assert said.levelno == logging.WARNING
    assert "cannot be synced ([Errno 5] Input/output error)" in said.message


def test_where_no_thread_can_be_started_it_is_synced_at_once(syncer, file, disk, monkeypatch):
    def refuse(thread):
        message = "can't start new thread"
        raise RuntimeError(message)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    for _ in range(3):
        write(syncer, file)
    assert disk.synced == [5, 10, 15]


def test_no_descriptor_is_left_open(syncer, file):
    folder = "/proc/self/fd"
    if not os.path.exists(folder):  # noqa: PTH110
        pytest.skip("no list of descriptors here")
    before = len(os.listdir(folder))  # noqa: PTH208
    for _ in range(20):
        write(syncer, file)
        assert syncer.close(LONG_SECONDS)
    assert len(os.listdir(folder)) == before  # noqa: PTH208
