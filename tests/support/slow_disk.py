"""Disks that are slow or hang, for child processes: a library that goes before the C library's write and fsync."""

import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).with_name("slow_disk.c")
TESTS = Path(__file__).parents[1]
HANG, HANG_SYNC = "hang", "hang-sync"
"""Files in the child's folder; while they exist, writes and syncs (or syncs only) do not return."""


def build(compiler: str, folder: Path) -> Path:
    """Compile the library and return it."""
    path = folder / "slow_disk.so"
    flags = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
    subprocess.run([compiler, *flags, "-o", str(path), str(SOURCE), "-ldl"], check=True, capture_output=True, text=True)
    return path


def compiler() -> str | None:
    """Return a C compiler that can make such a disk here; None if there is none."""
    return shutil.which("cc") if sys.platform.startswith("linux") else None


@cache
def library() -> Path:
    """Return the library, compiled once in a process."""
    found = compiler()
    assert found is not None
    return build(found, Path(tempfile.mkdtemp()))


def environment(folder: Path, *, fsync_ms: float = 0.0, write_ms: float = 0.0, path: str = "*.jsonl") -> dict[str, str]:
    """Return the variables for a process whose files are on a slow disk.

    Args:
        folder: Where the files lie that make the disk hang.
        fsync_ms: What a sync takes, in ms.
        write_ms: What a write takes, in ms.
        path: Pattern of the paths that are on the disk.
    """
    return {
        "LD_PRELOAD": str(library()),
        "SLOW_DISK_PATH": path,
        "SLOW_DISK_FSYNC_MS": str(fsync_ms),
        "SLOW_DISK_WRITE_MS": str(write_ms),
        "SLOW_DISK_HANG": str(folder / HANG),
        "SLOW_DISK_HANG_SYNC": str(folder / HANG_SYNC),
    }


@contextmanager
def child(
    folder: Path, script: str, *arguments: object, environ: Mapping[str, str] | None = None, seconds: float = 60.0
) -> Iterator["subprocess.Popen[str]"]:
    """Run a script in a folder until the block ends; its output and its errors are pipes.

    Args:
        folder: Its working folder.
        script: What it does; indented as a whole or not.
        arguments: Its arguments.
        environ: Variables besides those of this process.
        seconds: When it is killed if it still runs, in s.
    """
    paths = [str(TESTS), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))} | dict(environ or {}),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        timer = threading.Timer(seconds, process.kill)
        timer.start()
        try:
            yield process
        finally:
            timer.cancel()
            process.kill()
