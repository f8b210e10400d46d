"""Log folders on other machines: the ledger is copied there when its run closes, and is safe here until then."""

import logging
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from green_callbacks import EnergyAccountant
from green_callbacks.accountant.setup import remote_folder as remote
from green_callbacks.accountant.setup.remote_folder import RemoteFolder, is_remote
from green_callbacks.sources import ScriptedSource

fsspec = pytest.importorskip("fsspec")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    fsspec.filesystem("memory").store.clear()


def run(url: str, accountant: EnergyAccountant, epochs: int = 1) -> RemoteFolder | None:
    """Train beside a remote folder, and close."""
    accountant.start()
    beside = RemoteFolder.beside(url, accountant)
    for epoch in range(epochs):
        accountant.begin_epoch(epoch)
        accountant.end_epoch()
    accountant.close()
    if beside:
        beside.keep()
    return beside


def accountant(**options: Any) -> EnergyAccountant:
    return EnergyAccountant(**{"sources": [ScriptedSource(300.0)], "carbon_intensity": 100.0, "sinks": [], **options})


def copies(url: str = "memory://runs") -> dict[str, bytes]:
    files = fsspec.filesystem("memory").find(f"{url.partition('://')[2]}/green-callbacks")
    return {Path(path).name: fsspec.filesystem("memory").cat_file(path) for path in files}


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("s3://bucket/logs", True),
        ("memory://runs", True),
        ("file:///tmp", False),
        ("logs", False),
        (None, False),
        (Path("a"), False),
    ],
)
def test_a_url_is_a_folder_on_another_machine(where: Any, *, expected: bool):
    assert is_remote(where) is expected


def test_the_ledger_is_copied_when_the_run_closes_and_its_place_is_said_at_the_start(caplog: pytest.LogCaptureFixture):
    account = accountant()
    run("memory://runs/", account)

    ledger = account.close().ledger
    assert ledger is not None
    assert ledger.parent == Path("green-callbacks").absolute()
    assert copies() == {ledger.name: ledger.read_bytes()}
    (said,) = warnings(caplog)
    assert str(ledger) in said
    assert "memory://runs/green-callbacks" in said
    assert account.close().notices == (said,)


def test_a_second_stretch_brings_the_copy_up_to_date(caplog: pytest.LogCaptureFixture):
    account = accountant()
    run("memory://runs", account)
    run("memory://runs", account)

    ledger = account.close().ledger
    assert copies() == {ledger.name: ledger.read_bytes()}
    assert len(warnings(caplog)) == 1


def test_a_file_of_that_name_that_is_another_is_left_alone():
    account = accountant()
    account.start()
    name = account.ledger.name
    fsspec.filesystem("memory").pipe_file(f"/runs/green-callbacks/{name}", b"something else")
    run("memory://runs", account)

    assert sorted(copies()) == [f"{name[:-6]}-2.jsonl", name]
    assert copies()[name] == b"something else"


@pytest.mark.parametrize("ledger", [False, "here.jsonl"])
def test_a_ledger_that_the_user_has_placed_is_not_copied(ledger: Any, caplog: pytest.LogCaptureFixture):
    assert run("memory://runs", accountant(ledger=ledger)) is None
    assert copies() == {}
    assert warnings(caplog) == []


@pytest.mark.parametrize("url", ["nosuch://bucket", "file://"])
def test_an_address_that_nothing_reaches_is_said_at_the_start(url: str, caplog: pytest.LogCaptureFixture):
    account = accountant()
    account.start()
    assert (RemoteFolder.beside(url, account) is not None) == (url != "file://")
    account.close()
    said = [text for text in warnings(caplog) if "It stays in" in text and "nosuch://bucket" in text]
    assert len(said) == (url != "file://")


def test_without_fsspec_the_ledger_stays_here(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "fsspec", None)
    account = accountant()
    run("memory://runs", account)
    (said,) = warnings(caplog)
    assert "It stays in" in said
    assert account.close().ledger.exists()


def test_a_copy_that_fails_is_said_and_loses_nothing(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError

    monkeypatch.setattr(fsspec.get_filesystem_class("memory"), "pipe_file", refuse)
    account = accountant()
    run("memory://runs", account)
    said = warnings(caplog)[-1]
    assert "could not be copied to memory://runs/green-callbacks (PermissionError: )" in said
    assert str(account.close().ledger) in said
    assert account.close().ledger.exists()


def test_a_copy_that_hangs_holds_the_close_no_longer_than_its_bound(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    release = threading.Event()
    monkeypatch.setattr(remote, "COPY_SECONDS", 0.2)
    monkeypatch.setattr(fsspec.get_filesystem_class("memory"), "makedirs", lambda *_, **__: release.wait(60))
    began = time.monotonic()
    run("memory://runs", accountant())
    assert time.monotonic() - began < 10.0
    assert "takes longer than" in warnings(caplog)[-1]
    release.set()
    for thread in threading.enumerate():
        if thread.name.startswith("green_callbacks"):
            thread.join(10)
