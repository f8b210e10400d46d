"""Each record of a run reaches the disk, not only the cache of the system."""

import os
import threading

import pytest
from support.scripted_run import record
from support.written import LONG_SECONDS, writing

from green_callbacks.ledger import disk_sync


@pytest.fixture
def synced(monkeypatch):
    """Note the size of the file at each sync."""
    sizes, grown = [], threading.Condition()
    fsync = os.fsync

    def counted(descriptor):
        fsync(descriptor)
        with grown:
            sizes.append(os.fstat(descriptor).st_size)
            grown.notify_all()

    def reaches(size):
        with grown:
            return grown.wait_for(lambda: sizes and sizes[-1] >= size, LONG_SECONDS)

    monkeypatch.setattr(os, "fsync", counted)
    return reaches


def test_every_record_is_synced_while_the_run_goes_on(tmp_path, synced):
    path = tmp_path / "run.jsonl"
    with writing(path) as run:
        for epoch in range(3):
            run.write(record(epoch))
            run.ledger.settle()
            assert synced(path.stat().st_size), f"record {epoch} was never synced"


def test_syncs_keep_their_distance_so_that_a_record_is_synced_within_a_second():
    assert 0.1 <= disk_sync.SYNC_SECONDS <= 0.5
