"""A witness of the signals that reach the whole process group of a command."""

import os
import shutil
import signal
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from green_callbacks.small_files import read_or_empty

_PROGRAM: Final = "cat"
"""A program that does nothing until its input ends, which also happens when this process is killed."""
_PENDING: Final = "ShdPnd:"
_PROC: Final = "/proc/{}/status"
_HEXADECIMAL: Final = 16
"""Base of the numbers in which Linux tells pending signals (``proc(5)``)."""
_PATIENCE_SECONDS: Final = 0.02
"""Longest time in s in which a sender reaches all processes of a group, by experiment."""
_AFTER_SECONDS: Final = 0.005
"""Time in s in which this process has the signal too, once the witness has it, by experiment."""
_INTERVAL_SECONDS: Final = 0.001
"""Interval in s between two looks. A look takes 0.03 ms, by experiment."""


class Witness:
    """A process of the group that takes no signal, so that the system tells which signals it was sent.

    A sender such as ``timeout``, Slurm or systemd reaches all processes, and the command must not get such a signal
    twice. Without Linux or the program ``cat``, nothing is known.

    Args:
        held: Signals that it does not take.
        environ: Environment variables. Defaults to ``os.environ``.
    """

    def __init__(self, held: Collection[int], environ: Mapping[str, str] = os.environ) -> None:
        self._held = held
        self._environ = environ
        self._pid = 0
        self._input = -1

    def start(self) -> None:
        """Start the process, where this is possible."""
        path = shutil.which(_PROGRAM, path=self._environ.get("PATH"))
        if path is None or not os.path.exists(_PROC.format(os.getpid())):  # noqa: PTH110  no path is kept
            return
        with suppress(OSError):  # no more processes or files, so nothing is known
            output, self._input = os.pipe()
            try:
                actions = [(os.POSIX_SPAWN_DUP2, output, 0)]
                quiet = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_WRONLY, 0) for number in (1, 2)]
                self._pid = os.posix_spawn(
                    path, [_PROGRAM], self._environ, file_actions=[*actions, *quiet], setsigmask=self._held
                )
            finally:
                os.close(output)

    def saw(self, number: int) -> bool:
        """Return whether a signal that has just arrived was sent to the whole group.

        Args:
            number: The signal.
        """
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while self._pid and not self._is_pending(number):
            if time.monotonic() >= deadline:
                return False
            time.sleep(_INTERVAL_SECONDS)
        if not self._pid:
            return False
        time.sleep(_AFTER_SECONDS)
        self.stop()
        self.start()
        return True

    def forget(self, pid: int) -> None:
        """Note that a process has ended.

        Args:
            pid: Its id, which may be of another process.
        """
        if pid == self._pid:
            self._pid = 0

    def stop(self) -> None:
        """End the process."""
        if self._pid:
            with suppress(OSError):
                os.kill(self._pid, signal.SIGKILL)
                os.waitpid(self._pid, 0)
        if self._input >= 0:
            os.close(self._input)
        self._pid, self._input = 0, -1

    def _is_pending(self, number: int) -> bool:
        lines = read_or_empty(Path(_PROC.format(self._pid))).splitlines()
        pending = next((line.split()[1] for line in lines if line.startswith(_PENDING)), "0")
        return bool(int(pending, _HEXADECIMAL) >> (number - 1) & 1)
