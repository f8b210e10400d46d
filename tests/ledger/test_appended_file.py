"""A file to which lines are appended: whole or not at all, and never over what others have put there."""

import os
import shutil

import pytest
from support.disk import largest_file
from support.sensors import as_nobody

from green_callbacks.ledger.appended_file import AppendedFile


@pytest.fixture
def path(tmp_path):
    return tmp_path / "logs" / "run.jsonl"


@pytest.fixture
def written():
    return []


@pytest.fixture
def file(path, written):
    file = AppendedFile(path, written.append)
    yield file
    file.close()


def lost(file, path, change):
    """Write two lines, let something happen to the file, and write all of it anew if it is lost."""
    file.append(b"one\n")
    file.append(b"two\n")
    change()
    if file.is_lost(at_once=True):
        assert file.open(anew=True) == 0
        file.append(b"one\ntwo\n")
    file.append(b"three\n")
    assert file.path.read_bytes() == b"one\ntwo\nthree\n"
    assert not file.is_lost(at_once=True)


def test_lines_are_appended_and_told_to_be_written(file, path, written):
    file.append(b"one\n")
    assert file.end == 4
    file.append(b"two\n")
    assert path.read_bytes() == b"one\ntwo\n"
    assert (file.end, len(written)) == (8, 2)


def test_what_is_there_already_is_kept(file, path):
    path.parent.mkdir()
    path.write_bytes(b"earlier\n")
    assert file.open(anew=False) == 8
    file.append(b"one\n")
    assert path.read_bytes() == b"earlier\none\n"


def test_a_line_begins_anew_after_one_that_was_cut(file, path):
    path.parent.mkdir()
    path.write_bytes(b"torn")
    file.append(b"one\n")
    with path.open("ab") as other:
        other.write(b"torn by another process")
    file.append(b"two\n")
    assert path.read_bytes() == b"torn\none\ntorn by another process\ntwo\n"


def test_a_line_that_does_not_fit_leaves_nothing_of_it(file, path):
    file.append(b"one\n")
    with largest_file(6), pytest.raises(OSError, match="File too large"):
        file.append(b"two is long\n")
    assert path.read_bytes() == b"one\n"
    file.append(b"two\n")
    assert path.read_bytes() == b"one\ntwo\n"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is always full")  # noqa: PTH110
def test_the_reason_is_that_of_the_write(tmp_path, written):
    (tmp_path / "full").symlink_to("/dev/full")
    file = AppendedFile(tmp_path / "full", written.append)
    with pytest.raises(OSError, match="No space left"):
        file.append(b"one\n")
    file.close()
    assert written == []


def test_lines_of_another_process_are_no_loss(file, path):
    def change():
        with path.open("ab") as other:
            other.write(b"another's\n")

    file.append(b"one\n")
    change()
    assert not file.is_lost(at_once=True)
    file.append(b"two\n")
    assert path.read_bytes() == b"one\nanother's\ntwo\n"


@pytest.mark.parametrize("size", [0, 1, 4, 7])
def test_a_file_that_is_cut_short_is_written_anew_in_its_place_and_said_once(file, path, size, caplog):
    lost(file, path, lambda: os.truncate(path, size))
    assert file.path == path
    os.truncate(path, 0)
    assert file.is_lost(at_once=True)
    file.open(anew=True)
    (said,) = caplog.records
    assert said.message == (
        f"The ledger {path} was removed, replaced or cut short during its run. "
        f"All its records are written again to {path}. Leave the file in place until the run ends."
    )


@pytest.mark.parametrize("what", ["file", "folder"])
def test_a_file_that_is_removed_is_written_anew_in_its_place(file, path, what, caplog):
    lost(file, path, path.unlink if what == "file" else lambda: shutil.rmtree(path.parent))
    assert file.path == path
    assert len(caplog.records) == 1


def _folder(path):
    path.unlink()
    path.mkdir()


def _file(path):
    path.unlink()
    path.write_bytes(b"somebody's notes\n")


def _renamed(path):
    path.with_name("notes").write_bytes(b"x")
    path.with_name("notes").replace(path)


def _dangling(path):
    path.unlink()
    path.symlink_to("nowhere/at/all")


def _loop(path):
    path.unlink()
    path.symlink_to(path.name)


@pytest.mark.parametrize("change", [_folder, _file, _renamed, _dangling, _loop])
def test_what_others_put_in_its_place_is_left_alone_and_all_is_written_beside_it(file, path, change, caplog):
    path.with_name("run-2.jsonl").parent.mkdir()
    path.with_name("run-2.jsonl").write_bytes(b"another run\n")
    lost(file, path, lambda: change(path))
    assert file.path == path.with_name("run-3.jsonl")
    assert path.with_name("run-2.jsonl").read_bytes() == b"another run\n"
    assert f"written again to {file.path}" in caplog.text
    if path.is_file():
        assert path.read_bytes() in {b"somebody's notes\n", b"x"}


def test_an_empty_file_in_its_place_is_taken(file, path):
    def change():
        path.unlink()
        path.touch()

    lost(file, path, change)
    assert file.path == path


def test_a_file_that_is_moved_away_keeps_what_it_had(file, path):
    lost(file, path, lambda: path.rename(path.with_name("moved")))
    assert path.with_name("moved").read_bytes() == b"one\ntwo\n"


def test_a_folder_that_became_a_file_is_said_by_writing(file, path):
    file.append(b"one\n")
    shutil.rmtree(path.parent)
    path.parent.write_bytes(b"in the way")
    assert file.is_lost(at_once=True)
    with pytest.raises(OSError, match=r"File exists|Not a directory"):
        file.open(anew=True)
    path.parent.unlink()
    file.open(anew=True)
    file.append(b"one\n")
    assert path.read_bytes() == b"one\n"


def test_a_folder_that_may_not_be_looked_into_is_no_loss(file, path):
    file.append(b"one\n")
    path.parent.chmod(0o000)
    with as_nobody():
        assert not file.is_lost(at_once=True)
        file.append(b"two\n")
    path.parent.chmod(0o755)
    assert path.read_bytes() == b"one\ntwo\n"


def test_one_that_follows_another_notices_what_happened_in_between(path, written):
    first, second = AppendedFile(path, written.append), AppendedFile(path, written.append)
    first.append(b"one\n")
    first.close()
    second.follow(first)
    assert not second.is_lost(at_once=True)
    os.truncate(path, 2)
    assert second.is_lost(at_once=True)
    second.close()


def test_closing_twice_is_closing_once_and_a_line_opens_it_again(file, path):
    file.append(b"one\n")
    file.close()
    file.close()
    assert not file.is_lost(at_once=True)
    file.append(b"two\n")
    assert path.read_bytes() == b"one\ntwo\n"


def test_another_that_appends_to_the_file_at_the_same_time_is_said_once(file, path, written, caplog):
    other = AppendedFile(path, written.append)
    file.append(b"one\n")
    other.append(b"two\n")
    assert not file.has_others
    for _ in range(2):
        file.append(b"three\n")
        other.append(b"four\n")
    other.close()
    assert file.has_others
    assert other.has_others
    assert [each.getMessage().split(" at the")[0] for each in caplog.records] == [
        f"Another run writes to the ledger {path}"
    ] * 2
    assert path.read_bytes() == b"one\ntwo\n" + b"three\nfour\n" * 2


def test_one_that_goes_on_with_the_file_later_is_no_other(file, path, written, caplog):
    file.append(b"one\n")
    file.close()
    for line in (b"two\n", b"three\n"):
        with_more = AppendedFile(path, written.append)
        with_more.append(line)
        with_more.append(line)
        with_more.close()
    assert not caplog.records
