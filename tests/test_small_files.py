import os
from pathlib import Path

import pytest

from green_callbacks.small_files import LIST_BYTES, read_beginning, read_or_empty


def test_a_file_is_read_up_to_its_bound(tmp_path: Path):
    file = tmp_path / "long"
    file.write_bytes(b"x" * 200_000)
    assert len(read_beginning(file)) == 4_096
    assert len(read_beginning(file, LIST_BYTES)) == LIST_BYTES
    file.write_bytes(b"short\n")
    assert (read_beginning(file), read_or_empty(file), read_or_empty(file, LIST_BYTES)) == (
        b"short\n",
        "short",
        "short",
    )


@pytest.mark.skipif(not Path("/proc/cpuinfo").exists(), reason="procfs is a matter of Linux")
def test_a_long_file_of_procfs_is_put_together():
    whole = Path("/proc/kallsyms") if Path("/proc/kallsyms").exists() else Path("/proc/cpuinfo")
    assert len(read_beginning(whole, LIST_BYTES)) == min(LIST_BYTES, len(whole.read_bytes()))


def test_what_is_no_file_is_an_error_or_an_empty_text(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/zero")
    for name in ("pipe", "link", "missing", "."):
        with pytest.raises(OSError, match=r"regular|No such"):
            read_beginning(tmp_path / name)
        assert read_or_empty(tmp_path / name) == ""
    assert read_or_empty(Path("null\0byte")) == ""
