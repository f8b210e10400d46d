"""What can happen to a budget in files: folders that vanish, damaged files, wrong clocks, thousands of runs."""

import copy
import errno
import json
import logging
import os
import pickle
import shutil
import stat
import threading
import time
from pathlib import Path

import pytest
from support.disk import largest_file
from support.registry_contract import LIMIT, by_name, spent_and_held, told

from green_callbacks.registry import DEAD_SECONDS, Entry, RegistryUnavailableError, RunState
from green_callbacks.registry.files import asking, folder_files, folding
from green_callbacks.registry.files.registry import FilesRegistry


@pytest.fixture
def project(tmp_path):
    return tmp_path / "logs"


@pytest.fixture
def registry(project):
    return FilesRegistry(project, "emissions_kg")


@pytest.fixture
def always_folds(monkeypatch):
    monkeypatch.setattr(folding, "FEWEST_FILES", 3)
    monkeypatch.setattr(folding, "_CHANCE", 1.0)


def runs_folder(registry):
    return registry.folder / "runs"


def kept_folder(registry):
    return registry.folder / "kept"


def single(registry, name="a"):
    (path,) = runs_folder(registry).glob(f"{name}-*.json")
    return path


def age(path, seconds):
    then = time.time() - seconds
    os.utime(path, (then, then))


# The folder


def test_looking_makes_nothing(registry, project):
    assert registry.runs() == []
    assert registry.set_limit_now() is None
    registry.set_limit(None)
    registry.enter([])
    assert registry.settle_dead() == []
    assert not project.exists()


def test_the_folder_is_made_with_its_parents(tmp_path):
    registry = FilesRegistry(tmp_path / "not/yet/there", "emissions_kg")
    registry.claim(told(spent=1.0))
    assert by_name(registry)["a"].spent == 1.0


def test_git_ignores_the_budget(registry, project):
    registry.claim(told())
    assert (project / ".green-callbacks/.gitignore").read_text() == "*\n"


def test_whoever_may_write_the_project_may_write_its_budget(project, registry):
    project.mkdir()
    project.chmod(0o775 | stat.S_ISGID)
    previous = os.umask(0o077)
    try:
        registry.claim(told())
    finally:
        os.umask(previous)
    assert stat.S_IMODE(runs_folder(registry).stat().st_mode) == 0o775 | stat.S_ISGID
    assert stat.S_IMODE(single(registry).stat().st_mode) == 0o664


def test_a_hidden_folder_that_others_made_for_themselves_is_shared_too(project, registry):
    (project / ".green-callbacks").mkdir(parents=True, mode=0o700)
    project.chmod(0o775)
    registry.claim(told())
    assert stat.S_IMODE((project / ".green-callbacks").stat().st_mode) == 0o775
    assert stat.S_IMODE(kept_folder(registry).stat().st_mode) == 0o775


def test_a_folder_that_is_a_file_makes_the_registry_unavailable(tmp_path):
    (tmp_path / "file").write_text("a file")
    registry = FilesRegistry(tmp_path / "file/logs", "emissions_kg")
    calls = (lambda: registry.claim(told()), lambda: registry.set_limit(1.0), lambda: registry.enter([Entry("b", 1)]))
    for call in calls:
        with pytest.raises(
            RegistryUnavailableError, match=r"logs.*cannot be used \((File exists|Not a directory)\)\. Free the disk"
        ):
            call()
    (tmp_path / "file").unlink()
    assert registry.claim(told(spent=1.0)).limit == LIMIT


def test_a_full_disk_makes_the_registry_unavailable_and_loses_nothing(registry):
    registry.claim(told(spent=1.0, under_way=0.5))
    with largest_file(10), pytest.raises(RegistryUnavailableError, match="File too large"):
        registry.claim(told(spent=2.0))
    assert by_name(registry)["a"].spent == 1.0
    registry.claim(told(spent=2.0))
    assert by_name(registry)["a"].spent == 2.0


def test_a_folder_that_cannot_be_written_can_be_read(registry, monkeypatch):
    registry.claim(told(spent=1.0))

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("green_callbacks.registry.files.registry.file_system_time", refuse)
    monkeypatch.setattr("green_callbacks.registry.files.registry.write_file", refuse)
    with pytest.raises(RegistryUnavailableError, match=r"\(Permission denied\)"):
        registry.claim(told(spent=2.0))
    assert by_name(registry)["a"].spent == 1.0


def test_a_folder_that_somebody_removes_is_written_again(registry, project, caplog):
    other = FilesRegistry(project, "emissions_kg")
    other.claim(told("other", 2.0))
    other.claim(told("ended", 3.0, is_ended=True))
    other.enter([Entry("old", 1.0)])
    registry.claim(told(spent=1.0))
    shutil.rmtree(project)
    standing = registry.claim(told(spent=1.5))
    assert "has removed the folder" in caplog.text
    assert len(caplog.records) == 1
    assert standing.others_spent == 6.0
    assert {name: run.spent for name, run in by_name(FilesRegistry(project, "emissions_kg")).items()} == {
        "a": 1.5,
        "ended": 3.0,
        "old": 1.0,
        "other": 2.0,
    }
    other.claim(told("other", 2.5))
    assert by_name(registry)["other"].spent == 2.5


def test_a_registry_copies_and_pickles(registry):
    registry.claim(told(spent=1.0))
    for each in (copy.deepcopy(registry), pickle.loads(pickle.dumps(registry))):
        each.claim(told(spent=2.0))
        assert repr(each) == f"FilesRegistry({str(registry.folder)!r})"
    assert by_name(registry)["a"].spent == 2.0


# Files from elsewhere


def session_of(registry):
    return json.loads(single(registry).read_text())


DAMAGED = {
    "empty": b"",
    "torn": b'{"schema": 1, "sess',
    "no document": b"[1, 2]",
    "no schema": b"{}",
    "a later schema": b'{"schema": 2, "sessions": []}',
    "deep": b"[" * 100_000,
    "no text": b"\xff\xfe\x00",
    "no list": b'{"schema": 1, "sessions": 3}',
    "an odd session": b'{"schema": 1, "sessions": [{"run_id": "x"}]}',
    "an odd entry": b'{"schema": 1, "entries": [["x", NaN, "", "", false]]}',
    "an odd flag": b'{"schema": 1, "entries": [["x", 1.0, "", "", 1]]}',
    "an odd end": b'{"schema": 1, "ended": [["x", "y"]]}',
    "a short entry": b'{"schema": 1, "entries": [["x", 1.0]]}',
    "an odd mark": b'{"schema": 1, "dead": [["x", "y", -1]]}',
}


@pytest.mark.parametrize("data", DAMAGED.values(), ids=DAMAGED.keys())
@pytest.mark.parametrize("folder", ["runs", "kept"])
def test_a_damaged_file_is_said_once_and_the_others_count(registry, caplog, data, folder):
    registry.claim(told(spent=1.0))
    (registry.folder / folder / "damaged.json").write_bytes(data)
    for _ in range(3):
        assert registry.claim(told("b", 0.5)).others_spent == 1.0
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "damaged.json of a shared budget does not count" in record.getMessage()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("spent", -1.0),
        ("spent", "1"),
        ("spent", True),
        ("spent", 1e300),
        ("held", 1.0),
        ("run_id", ""),
        ("run_id", 3),
        ("session", "s" * 2000),
        ("order", 1.5),
        ("number", -1),
        ("offset", 1e300),
        ("is_asking", 1),
        ("epoch_cost", -1.0),
        ("host", None),
        ("ledger", "x" * 5000),
        ("told_at", "now"),
    ],
)
def test_a_session_of_odd_values_does_not_count(registry, caplog, name, value):
    registry.claim(told(spent=1.0))
    document = session_of(registry)
    document["sessions"][0] |= {"run_id": "b", name: value}
    (runs_folder(registry) / "odd.json").write_text(json.dumps(document))
    assert registry.claim(told(spent=1.0)).others_spent == 0.0
    assert len(caplog.records) == 1


def test_a_damaged_limit_is_said_and_the_script_decides(registry, caplog):
    registry.set_limit(1.0)
    (registry.folder / "limit.json").write_text('{"schema": 1, "limit": "all"}')
    assert registry.claim(told()).limit == LIMIT
    assert "limit.json of a shared budget does not count" in caplog.text


def test_pipes_folders_and_links_to_nowhere_stop_nobody(registry, caplog):
    registry.claim(told(spent=1.0))
    os.mkfifo(runs_folder(registry) / "pipe.json")
    (runs_folder(registry) / "itself.json").symlink_to("itself.json")
    (runs_folder(registry) / "folder.json").mkdir()
    (runs_folder(registry) / "link.json").symlink_to("nowhere")
    os.mkfifo(kept_folder(registry) / "pipe.json")
    assert registry.claim(told("b")).others_spent == 1.0
    assert len(caplog.records) == 3


def test_a_huge_file_is_not_read(registry, caplog):
    registry.claim(told(spent=1.0))
    with (runs_folder(registry) / "huge.json").open("wb") as file:
        file.truncate(2**40)
    assert registry.claim(told("b")).others_spent == 1.0
    assert "too large" in caplog.text


def test_unfinished_files_do_not_count(registry):
    registry.claim(told(spent=1.0))
    shutil.copy(single(registry), runs_folder(registry) / "b-unfinished.json.tmp")
    assert list(by_name(registry)) == ["a"]


def test_a_copied_file_counts_once(registry):
    registry.claim(told(spent=1.0, under_way=0.5))
    shutil.copy(single(registry), runs_folder(registry) / "copy.json")
    registry.claim(told(spent=2.0, under_way=0.5))
    assert spent_and_held(registry) == 2.5


def test_a_file_that_nfs_has_replaced_is_opened_again(registry, monkeypatch):
    registry.claim(told(spent=1.0))
    read, failures = folder_files._read_once, [OSError(errno.ESTALE, "Stale file handle")] * 2

    def stale(path, known):
        if failures:
            raise failures.pop()
        return read(path, known)

    monkeypatch.setattr(folder_files, "_read_once", stale)
    assert registry.claim(told("b")).others_spent == 1.0
    failures += [OSError(errno.ESTALE, "Stale file handle")] * 10
    with pytest.raises(RegistryUnavailableError, match="Stale file handle"):
        registry.claim(told("b"))


def test_a_disk_that_fails_makes_the_registry_unavailable(registry, monkeypatch):
    registry.claim(told(spent=1.0))

    def fail(*_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(folder_files, "_read_once", fail)
    for call in (registry.runs, registry.set_limit_now, lambda: registry.claim(told("b"))):
        with pytest.raises(RegistryUnavailableError, match="Input/output error"):
            call()


def test_a_file_of_another_user_that_may_not_be_read_is_said(registry, monkeypatch, caplog):
    registry.claim(told("theirs", 1.0))
    read = folder_files._read_once

    def refuse(path, known):
        if path.name.startswith("theirs"):
            raise PermissionError(errno.EACCES, "Permission denied")
        return read(path, known)

    monkeypatch.setattr(folder_files, "_read_once", refuse)
    for _ in range(2):
        assert registry.claim(told("b")).others_spent == 0.0
    (record,) = caplog.records
    assert "(Permission denied)" in record.getMessage()


# Clocks


def test_the_clock_of_the_machine_does_not_matter(registry, project, monkeypatch):
    registry.claim(told(spent=1.0, under_way=0.5))
    monkeypatch.setattr("time.time", lambda: 0.0)
    monkeypatch.setattr("green_callbacks.registry.files.registry.time", lambda: 1e12)
    other = FilesRegistry(project, "emissions_kg")
    assert other.claim(told("b")).others_held == 0.5
    assert by_name(other)["a"].state is RunState.LIVE


def test_a_claim_from_the_future_is_no_fault(registry):
    registry.claim(told(spent=1.0, under_way=0.5))
    age(single(registry), -3600)
    run = by_name(registry)["a"]
    assert (run.state, run.silent_seconds) == (RunState.LIVE, 0.0)


# Thousands of runs


def opened(monkeypatch):
    """Count the files that are opened for reading."""
    names = []
    read = folder_files._read_once

    def counted(path, known):
        names.append(path.name)
        return read(path, known)

    monkeypatch.setattr(folder_files, "_read_once", counted)
    return names


def test_ended_runs_cost_a_claim_nothing(registry, project, monkeypatch):
    monkeypatch.setattr(folding, "FEWEST_FILES", 20)
    for at in range(100):
        registry.claim(told(f"run{at}", 0.001, is_ended=True))
    assert len(list(runs_folder(registry).glob("*.json"))) < 90, "a claim folds with a chance of 1 in 8"
    monkeypatch.setattr(folding, "_CHANCE", -1.0)
    reader = FilesRegistry(project, "emissions_kg")
    assert reader.claim(told("late")).others_spent == pytest.approx(0.1)
    names = opened(monkeypatch)
    assert reader.claim(told("late", wanted=1.0)).others_spent == pytest.approx(0.1)
    assert len(names) <= 3, "its own file and the limit"


def test_live_runs_are_opened_every_time(registry, project, monkeypatch):
    registry.claim(told("live", 1.0))
    registry.claim(told("late"))
    names = opened(monkeypatch)
    registry.claim(told("late"))
    assert any(name.startswith("live-") for name in names)


@pytest.mark.usefixtures("always_folds")
def test_folded_runs_keep_their_totals_and_their_states(registry, project, monkeypatch):
    monkeypatch.setattr(folding, "FEWEST_FILES", 1)
    for name in "abc":
        registry.claim(told(name, 1.0, 0.5))
        registry.claim(told(name, 1.0, is_ended=True))
    registry.claim(told("dead", 1.0, 0.5, epoch_cost=0.5))
    age(single(registry, "dead"), 11 * DEAD_SECONDS)
    registry.claim(told("live", 1.0, 0.5))
    assert [path.name[:4] for path in runs_folder(registry).glob("*.json")] == ["live"]
    for each in (registry, FilesRegistry(project, "emissions_kg")):
        runs = by_name(each)
        runs.pop("late", None)
        assert [run.state.value for run in runs.values()] == ["ended"] * 3 + ["dead", "live"]
        assert [run.spent for run in runs.values()] == [1.0, 1.0, 1.0, 1.5, 1.0]
        assert runs["dead"].settled == 0.5
        assert runs["dead"].silent_seconds == pytest.approx(11 * DEAD_SECONDS, abs=60)
        assert each.claim(told("late")).epoch_cost == 0.5


@pytest.mark.usefixtures("always_folds")
def test_a_folded_run_may_go_on_in_its_session_and_in_another(registry, project):
    for name in "abc":
        registry.claim(told(name, 1.0, is_ended=True))
    assert list(runs_folder(registry).glob("*.json")) == []
    registry.claim(told("a", 1.5, 0.25))
    FilesRegistry(project, "emissions_kg").claim(told("b", 1.5, 0.25))
    FilesRegistry(project, "emissions_kg").claim(told("c", 0.5, 0.25, session="2"))
    for each in (registry, FilesRegistry(project, "emissions_kg")):
        assert [(run.spent, run.held) for run in each.runs()] == [(1.5, 0.25), (1.5, 0.25), (1.0, 0.25)]


@pytest.mark.usefixtures("always_folds")
def test_what_a_run_tells_while_it_is_folded_is_not_lost(registry, project, monkeypatch):
    other = FilesRegistry(project, "emissions_kg")
    for name in "ab":
        other.claim(told(name, 1.0, is_ended=True))
    write = folding.write_kept

    def interrupted(*arguments):
        monkeypatch.setattr(folding, "FEWEST_FILES", 100)
        path = write(*arguments)
        other.claim(told("a", 3.0, is_ended=True))
        return path

    monkeypatch.setattr(folding, "write_kept", interrupted)
    registry.claim(told("c", 1.0, is_ended=True))
    for each in (registry, other, FilesRegistry(project, "emissions_kg")):
        assert [run.spent for run in each.runs()] == [3.0, 1.0, 1.0]


@pytest.mark.usefixtures("always_folds")
def test_two_that_fold_at_once_lose_nothing(registry, project, monkeypatch):
    others = [FilesRegistry(project, "emissions_kg") for _ in range(2)]
    write = folding.write_kept

    def both(*arguments):
        monkeypatch.setattr(folding, "write_kept", write)
        path = write(*arguments)
        others[1].claim(told("d", 1.0, is_ended=True))
        return path

    for name in "ab":
        others[0].claim(told(name, 1.0, is_ended=True))
    monkeypatch.setattr(folding, "write_kept", both)
    registry.claim(told("c", 1.0, is_ended=True))
    assert len(list(kept_folder(registry).glob("folded-*.json"))) == 2
    for each in (registry, *others, FilesRegistry(project, "emissions_kg")):
        assert [run.spent for run in each.runs()] == [1.0] * 4


@pytest.mark.usefixtures("always_folds")
def test_a_crash_while_folding_loses_nothing_and_counts_nothing_twice(registry, project, monkeypatch):
    monkeypatch.setattr(folding, "_remove", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    for name in "abc":
        registry.claim(told(name, 1.0, is_ended=True))
    assert len(list(runs_folder(registry).glob("*.json"))) == 3
    assert len(list(kept_folder(registry).glob("folded-*.json"))) == 1
    assert spent_and_held(FilesRegistry(project, "emissions_kg")) == 3.0


def test_many_totals_are_entered_in_several_files(registry, project):
    registry.enter(Entry(f"old{at}", 0.001, "x" * 5000) for at in range(2500))
    assert len(list(kept_folder(registry).iterdir())) == 3
    assert FilesRegistry(project, "emissions_kg").claim(told()).others_spent == pytest.approx(2.5)
    registry.enter(Entry(f"old{at}", 0.001) for at in range(2500))
    assert len(list(kept_folder(registry).iterdir())) == 3


def test_many_processes_that_enter_the_same_at_once_make_one_file(registry, project):
    others = [FilesRegistry(project, "emissions_kg") for _ in range(3)]
    barrier = threading.Barrier(3)

    def enter(other):
        entries = [Entry(f"old{at}", 0.5) for at in range(100)]
        known = other._known

        def together():
            found = known()
            barrier.wait()
            return found

        other._known = together
        other.enter(entries)

    threads = [threading.Thread(target=enter, args=(each,)) for each in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(list(kept_folder(registry).iterdir())) == 1
    assert spent_and_held(registry) == 50.0


def test_a_dead_run_whose_ledger_is_closed_has_ended(registry, project):
    registry.claim(told("a", 1.0, 0.5))
    registry.claim(told("b", 1.0, 0.5))
    registry.claim(told("live", 1.0, 0.5))
    for name in "ab":
        age(single(registry, name), 2 * DEAD_SECONDS)
    registry.enter([Entry("a", 1.25, is_closed=True), Entry("b", 1.25), Entry("live", 2.0, is_closed=True)])
    for each in (registry, FilesRegistry(project, "emissions_kg")):
        runs = by_name(each)
        assert [(run.state.value, run.spent, run.settled) for run in runs.values()] == [
            ("ended", 1.25, 0.0),
            ("dead", 1.5, 0.5),
            ("live", 1.0, 0.0),
        ]
    assert [run.run_id for run in registry.settle_dead()] == ["b"]
    registry.claim(told("a", 1.25, 0.5, session="2"))
    assert (by_name(registry)["a"].spent, by_name(registry)["a"].held) == (1.25, 0.5)


@pytest.mark.usefixtures("always_folds")
def test_a_folded_dead_run_whose_ledger_is_closed_has_ended(registry, project):
    registry.claim(told("a", 1.0, 0.5))
    age(single(registry, "a"), 11 * DEAD_SECONDS)
    for name in "bc":
        registry.claim(told(name, 0.0, is_ended=True))
    assert spent_and_held(registry) == 1.5
    registry.enter([Entry("a", 1.0, is_closed=True)])
    for each in (registry, FilesRegistry(project, "emissions_kg")):
        assert each.claim(told("late")).others_spent == 1.0
        assert by_name(each)["a"].state is RunState.ENDED


# Asking at the same moment


def another_asks(registry, project, name, wanted):
    """Leave the question of a run unanswered, as a process does that is killed or waits."""
    other = FilesRegistry(project, "emissions_kg")
    other.claim(told(name))
    path = single(registry, name)
    document = json.loads(path.read_text())
    document["sessions"][0] |= {"wanted": wanted, "is_asking": True, "number": 100}
    path.write_text(json.dumps(document))


@pytest.mark.parametrize("name", ["a", "z"])
def test_a_question_that_nobody_answers_does_not_stop_others_for_long(registry, project, monkeypatch, name):
    monkeypatch.setattr(asking, "CONTENTION_SECONDS", 0.05)
    registry.claim(told("m"))
    another_asks(registry, project, name, LIMIT)
    standing = registry.claim(told("m", wanted=1.0))
    assert not standing.is_granted
    assert by_name(registry)["m"].held == 0.0


def test_a_question_that_fits_beside_another_is_granted_at_once(registry, project):
    another_asks(registry, project, "a", LIMIT / 2)
    assert registry.claim(told("m", wanted=LIMIT / 2)).is_granted


def test_what_is_truly_not_left_is_denied_at_once(registry, project, monkeypatch):
    monkeypatch.setattr(asking, "sleep", None)
    registry.claim(told("a", LIMIT))
    another_asks(registry, project, "b", 1.0)
    assert not registry.claim(told("m", wanted=1.0)).is_granted


def test_a_killed_writer_leaves_no_file_that_hinders_its_next_session(registry, project):
    registry.claim(told(spent=1.0))
    Path(f"{single(registry)}.tmp").write_text("{")
    registry.claim(told(spent=2.0))
    assert by_name(registry)["a"].spent == 2.0


def test_two_processes_that_go_on_with_one_run_are_said_once(registry, project, caplog):
    other = FilesRegistry(project, "emissions_kg")
    registry.claim(told(spent=1.0))
    other.claim(told(spent=1.0, session="2", host="node2"))
    assert caplog.records == []
    for spent in (2.0, 3.0):
        registry.claim(told(spent=spent))
        other.claim(told(spent=spent, session="2", host="node2"))
    (record,) = caplog.records
    assert "Another process goes on with the run a on node2" in record.getMessage()
    assert by_name(registry)["a"].spent == 5.0


def test_a_crowd_of_runs_keeps_its_budget_and_uses_it(project):
    """The next epoch is always held one ahead. Some runs die silently."""
    limit, spent = 40.0, []

    def train(name, *, dies):
        registry = FilesRegistry(project, "emissions_kg")
        total = 0.0
        standing = registry.claim(told(name, 0.0, 0.0, 1.0, limit=limit))
        for epoch in range(10):
            if not standing.is_granted:
                break
            standing = registry.claim(told(name, total, 1.0, 1.0, limit=limit))
            total += 1.0
            if dies and epoch == 2:
                spent.append(total)
                return
        registry.claim(told(name, total, is_ended=True, limit=limit))
        spent.append(total)

    threads = [threading.Thread(target=train, args=(f"run{at}",), kwargs={"dies": at < 2}) for at in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counted = spent_and_held(FilesRegistry(project, "emissions_kg"))
    assert sum(spent) <= limit
    assert 0.95 * limit <= counted <= limit * (1 + 1e-9)
    assert counted >= sum(spent)
