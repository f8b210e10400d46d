"""How runs of other processes are found, and what is taken for theirs."""

import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.runs import scripted, train
from support.scripted_run import device, record

from green_callbacks.accountant.notices import Notices
from green_callbacks.accountant.presence import live_places, other_runs
from green_callbacks.accountant.presence.live_file import LiveFolder, LiveRunFile, budget_name
from green_callbacks.accountant.presence.live_places import live_folder_of_project, live_folder_of_user
from green_callbacks.accountant.presence.presence import Presence
from green_callbacks.accountant.setup.parent_run import ParentRun
from green_callbacks.ledger import Head, Lines, read_ledger
from green_callbacks.ledger.overlaps.hosts import Device, Place

NODE = Place("node01", "1a@100")
GPU, CPU = "gpu:0", "cpu:0"
NOW = time.time()


@pytest.fixture
def other(tmp_path):
    """A process that lives while the test runs."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.communicate(None if process.poll() is not None else b"\n")


def holder(pid, run_id="other"):
    here = ParentRun.here(run_id)
    import psutil

    return ParentRun(run_id, here.machine, here.process_ids, pid, psutil.Process(pid).create_time()).encode()


def live_run(child, run_id="other", **fields):
    usual = {"devices": frozenset([Device(NODE, GPU)]), "began": NOW - 50.0, "process": f"process-{run_id}"}
    return LiveRunFile(**{"run_id": run_id, "holder": holder(child.pid, run_id), **usual, **fields})


def presence(devices=(GPU, CPU), notices=None, head=None, **options):
    head = head or {}
    usual = {"run_id": "own", "version": "1", "host": "node01", "hosts": {"node01": "1a@100"}, "process": "mine"}
    return Presence(Head(**{**usual, **head}), devices, NOW - 100.0, notices or Notices(), **options)


def row(began, ended, **devices):
    devices = devices or {GPU: device(800.0), CPU: device(200.0, "cpu", "modelled")}
    when = datetime.fromtimestamp(NOW, UTC)
    return record(0, devices=devices, started_at=when + timedelta(seconds=began), seconds=ended - began)


def flags(present, each):
    found = present.flagged(each.devices, each.started_at.timestamp(), each.duration_seconds)
    return {name: "shared" in energy.flags for name, energy in found.items()}


def test_a_run_alone_shares_nothing():
    present = presence()
    present.look()
    each = row(-40, -20)
    assert present.flagged(each.devices, NOW, 1.0) is each.devices
    assert present.share_of(each) == 1.0
    present.leave()
    present.look()
    assert present.look_seconds is None
    assert not list(Path(os.environ["XDG_RUNTIME_DIR"]).rglob("*.json"))


def test_a_run_of_another_process_shares_its_devices_while_it_lives(other, caplog, monkeypatch):
    notices = Notices()
    present = presence(notices=notices, projects=["logs"])
    Path("logs").mkdir()
    folder = LiveFolder(live_folder_of_project("logs"))
    assert folder.show(live_run(other))
    present.look()
    present.look()
    assert flags(present, row(-40, -20)) == {GPU: True, CPU: False}
    assert flags(present, row(-90, -60)) == {GPU: False, CPU: False}
    assert present.share_of(row(-40, -20)) == pytest.approx(0.6)
    assert present.share_of(row(-60, -40)) == pytest.approx((200 + 800 * 0.75) / 1000)
    assert present.share_of(row(-90, -60)) == pytest.approx(1.0)
    assert folder.show(live_run(other, "old", began=NOW - 500))
    present.look()
    assert present.share_of(row(-300, -200)) == pytest.approx(0.6)  # of an earlier process of this run
    folder.remove(live_run(other, "old").name)
    (said,) = notices.texts
    assert "measures gpu:0, and so does run other in another process" in said
    assert len(caplog.records) == 1

    other.kill()
    other.wait()
    monkeypatch.setattr(other_runs, "_ASK_SECONDS", 0.0)
    present.look()
    assert not list(folder.path.glob("other*"))
    assert present.share_of(row(-40, -20)) == pytest.approx((200 + 800 / 3) / 1000)
    later = row(10_000, 10_010)
    assert (present.share_of(later), flags(present, later)[GPU]) == (1.0, False)


def test_only_runs_of_the_project_count_in_a_share(other):
    present = presence(projects=["logs"])
    Path("logs").mkdir()
    user = LiveFolder(live_folder_of_user())
    user.show(live_run(other))
    present.look()
    assert flags(present, row(-40, -20))[GPU]
    assert present.share_of(row(-40, -20)) == 1.0
    user.show(live_run(other, "third", ledger=str(Path("logs", "deep", "third.jsonl").absolute())))
    present.look()
    assert present.share_of(row(-40, -20)) == pytest.approx(0.6)


def test_runs_with_one_budget_in_a_database_count_in_a_share_wherever_their_ledgers_lie(other):
    url = "postgresql+psycopg://ada:secret@db/budgets"
    present = presence(projects=["resnet"], budgets=[budget_name(url, "resnet")])
    folder = LiveFolder(live_folder_of_user())
    strangers = [budget_name(url, "vision"), budget_name("sqlite:////data/budgets.db", "resnet")]
    folder.show(live_run(other, budgets=tuple(strangers), ledger="/elsewhere/other.jsonl"))
    present.look()
    assert flags(present, row(-40, -20))[GPU]
    assert present.share_of(row(-40, -20)) == 1.0

    same = budget_name("postgresql+psycopg://ada:other@db/budgets", "resnet")
    folder.show(live_run(other, "same", budgets=(same,), ledger="/elsewhere/same.jsonl"))
    present.look()
    assert present.share_of(row(-40, -20)) == pytest.approx(0.6)


@pytest.mark.parametrize(
    "fields",
    [
        {"run_id": "own"},
        {"process": "mine"},
        {"parents": ("own",)},
        {"run_id": "outer"},
        {"devices": frozenset([Device(NODE, "gpu:1")])},
        {"devices": frozenset([Device(Place("node02", "2b@7"), GPU)])},
    ],
)
def test_what_shares_no_device_is_no_company(other, fields):
    present = presence(head={"parent": "outer"})
    LiveFolder(live_folder_of_user()).show(live_run(other, **fields))
    present.look()
    assert flags(present, row(-40, -20)) == {GPU: False, CPU: False}


def test_a_device_of_which_the_run_counts_its_own_share_is_not_shared(other):
    present = presence(projects=["."])
    LiveFolder(live_folder_of_project(".")).show(live_run(other))
    present.look()
    each = row(-40, -20, **{GPU: device(500.0, method="modelled", flags=("sm_share",))})
    assert flags(present, each) == {GPU: False}
    assert present.share_of(each) == 1.0


def test_a_run_that_cannot_be_looked_up_lives_as_long_as_it_renews_its_file(other):
    present = presence(projects=["."])
    folder = LiveFolder(live_folder_of_project("."))
    foreign = live_run(other, holder="other/another-machine/7/1/1")
    folder.show(foreign)
    present.look()
    assert present.share_of(row(-40, -20)) == pytest.approx(0.6)
    path = folder.path / foreign.name
    os.utime(path, (NOW - 600, NOW - 600))
    present.look()
    assert present.share_of(row(-40, -20)) == 1.0
    assert path.exists()


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'"x"', b"[" * 100_000, b"\xff\xfe", b"x" * 2**21, b'{"run_id":"../x"}', b'{"run_id":1}'],
)
def test_a_file_that_is_none_of_ours_is_passed_over(other, content):
    present = presence(projects=["."])
    folder = LiveFolder(live_folder_of_project("."))
    folder.show(live_run(other))
    (folder.path / "bad.json").write_bytes(content)
    (folder.path / "loop.json").symlink_to(folder.path / "loop.json")
    (folder.path / "folder.json").mkdir()
    os.mkfifo(folder.path / "pipe.json")
    present.look()
    assert present.share_of(row(-40, -20)) == pytest.approx(0.6)


@pytest.mark.parametrize("field", LiveRunFile._fields)
@pytest.mark.parametrize("value", [None, -1, [], {}, True, [["a"]], "x" * 10_000])
def test_a_file_with_values_that_cannot_be_is_refused(other, field, value):
    fields = json.loads(live_run(other).encode()) | {field: value}
    if (field, value) in (("devices", []), ("parents", []), ("budgets", [])):
        return
    with pytest.raises(ValueError):  # noqa: PT011  of whatever check
        LiveRunFile.decode(json.dumps(fields))


def test_a_file_comes_back_as_it_was_written(other):
    run = live_run(other, parents=("a", "b"), ledger="/logs/a.jsonl", budgets=(budget_name("sqlite:///b.db", "logs"),))
    assert LiveRunFile.decode(run.encode().decode()) == run


def test_a_missing_folder_of_a_project_is_not_made_and_costs_nothing():
    present = presence(projects=["not-there/**"])
    present.look()
    assert not Path("not-there").exists()
    Path("not-there").mkdir()
    present.look()
    assert list(Path("not-there").rglob("own-mine.json"))
    present.leave()
    assert not list(Path("not-there").rglob("*.json"))


def test_the_folder_of_the_user_is_private_and_never_of_others(tmp_path, monkeypatch):
    monkeypatch.setattr(live_places.tempfile, "gettempdir", lambda: str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    own = tmp_path / "tmp" / f"green-callbacks-{os.getuid()}"
    assert live_folder_of_user({}) == own / "live"
    assert own.stat().st_mode & 0o777 == 0o700
    own.chmod(0o777)
    assert live_folder_of_user({}) is None
    (own / "live").rmdir()
    own.rmdir()
    (tmp_path / "elsewhere").mkdir()
    own.symlink_to(tmp_path / "elsewhere")
    assert live_folder_of_user({}) is None
    assert live_folder_of_user({"XDG_RUNTIME_DIR": str(tmp_path)}) == tmp_path / "green-callbacks" / "live"
    assert live_folder_of_user({"XDG_RUNTIME_DIR": "/not/there"}) is None


def test_a_share_takes_few_microseconds(other):
    present = presence(projects=["."])
    folder = LiveFolder(live_folder_of_project("."))
    for number in range(8):
        folder.show(live_run(other, f"other-{number}"))
    present.look()
    each, began = row(-40, -20), time.perf_counter()
    for _ in range(100):
        present.share_of(each)
    assert (time.perf_counter() - began) / 100 < 1e-3
    assert present.share_of(each) == pytest.approx((200 + 800 / 9) / 1000)


def test_a_resumed_run_still_tells_on_which_machines_it_ran_before(tmp_path):
    path = tmp_path / "run.jsonl"
    lines = Lines()
    head = lines.head(Head(run_id="own", version="1", host="node07", hosts={"node07": "1a@1"}))
    path.write_bytes(head + lines.record(row(-40, -20)))
    accountant, clock = scripted(ledger=path)
    accountant.start()
    train(accountant, clock, [1])
    accountant.close()
    head = read_ledger(path).head
    assert head.hosts["node07"] == "1a@1"
    assert list(head.hosts) == [head.host, "node07"]


def test_a_working_folder_that_is_gone_and_no_folder_for_temporary_files_cost_nothing(tmp_path, monkeypatch):
    def none():
        raise FileNotFoundError

    monkeypatch.setattr(live_places.tempfile, "gettempdir", none)
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    present = presence(projects=["logs"], ledger=Path("a.jsonl"))
    present.look()
    assert present.share_of(row(-40, -20)) == 1.0
    present.leave()
    monkeypatch.chdir(tmp_path)


def test_a_project_is_where_it_was_at_the_start(tmp_path, monkeypatch):
    Path("logs").mkdir()
    Path("elsewhere").mkdir()
    present = presence(projects=["logs"])
    monkeypatch.chdir("elsewhere")
    present.look()
    assert list((tmp_path / "logs").rglob("own-mine.json"))
