"""The command that is measured, as a child process in the process group of this process.

Both are in one process group, so that a terminal treats them as one job. It sends its signals to both. A signal that
another process sends to this process alone is passed on. A witness in the group tells such a signal from others.
"""

import errno
import os
import shutil
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final

from green_callbacks.cli.run.signals import Arrival, Signals
from green_callbacks.cli.run.witness import Witness
from green_callbacks.sources.job.process_family import ProcessFamily

NOT_FOUND: Final = 127
"""Exit status of a command that does not exist, as in shells."""

NOT_EXECUTABLE: Final = 126
"""Exit status of a command that cannot be executed, as in shells."""

_SHELL: Final = "/bin/sh"
_NOWHERE: Final = frozenset({errno.ENOENT, errno.ENOTDIR})
_PASSED_ON: Final = frozenset(
    {
        signal.SIGINT,
        signal.SIGTERM,
        signal.SIGHUP,
        signal.SIGQUIT,
        signal.SIGTSTP,
        signal.SIGCONT,
        signal.SIGUSR1,
        signal.SIGUSR2,
        signal.SIGALRM,
    }
    if hasattr(signal, "SIGUSR1")
    else ()
)
_STOPPING: Final = frozenset({signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU} if hasattr(signal, "SIGTSTP") else ())
_STOP_SECONDS: Final = 1.0
"""Longest time in s between the signal of Ctrl-Z and the stop of the command that follows it, by experiment."""


class CannotStartError(Exception):
    """The command cannot be started.

    Attributes:
        status: Exit status, as in shells.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def find(command: str, environ: Mapping[str, str] = os.environ) -> str:
    """Return the path of a command.

    Args:
        command: Its name or path.
        environ: Environment variables. Defaults to ``os.environ``.

    Raises:
        CannotStartError: There is no such command, or it cannot be executed.
    """
    path = shutil.which(command, path=environ.get("PATH"))
    if path is not None:
        return path
    has_folder = os.path.dirname(command) != ""  # noqa: PTH120  the name may be no path at all
    places = [""] if has_folder else os.get_exec_path(dict(environ))
    if any(os.path.lexists(os.path.join(place, command)) for place in places) and command:  # noqa: PTH118
        raise CannotStartError(NOT_EXECUTABLE, "it is not an executable file")
    raise CannotStartError(NOT_FOUND, "there is no such file" if has_folder else "it is in no folder of PATH")


class Child:
    """A command that has been started.

    Args:
        pid: Id of its process.
        signals: The signals that this process receives.
        witness: Tells which signals the whole group was sent.
    """

    def __init__(self, pid: int, signals: Signals, witness: Witness) -> None:
        self.pid = pid
        self._signals = signals
        self._witness = witness
        self._stop_until = 0.0
        self._is_stopped = False

    @classmethod
    def start(cls, path: str, command: Sequence[str], environ: Mapping[str, str], signals: Signals) -> "Child":
        """Start a command with the standard streams and all inherited files of this process.

        Args:
            path: Path of the program.
            command: Its name and its arguments.
            environ: Its environment variables.
            signals: The signals that this process receives.

        Raises:
            CannotStartError: The system refuses to start it.
        """
        witness = Witness(signals.held)
        witness.start()  # first, because a signal may arrive as soon as the command runs
        try:
            return cls(cls._started(path, command, environ, signals), signals, witness)
        except CannotStartError:
            witness.stop()
            raise

    @staticmethod
    def _started(path: str, command: Sequence[str], environ: Mapping[str, str], signals: Signals) -> int:
        """Start a command. Return the id of its process."""
        try:
            try:
                return _spawn(path, command, environ, signals)
            except OSError as reason:
                if reason.errno != errno.ENOEXEC:
                    raise
                return _spawn(_SHELL, [_SHELL, path, *command[1:]], environ, signals)  # a script without its first line
        except OSError as reason:
            status = NOT_FOUND if reason.errno in _NOWHERE else NOT_EXECUTABLE
            raise CannotStartError(status, os.strerror(reason.errno or 0)) from reason
        except ValueError as reason:  # a zero byte
            raise CannotStartError(NOT_EXECUTABLE, str(reason)) from reason

    def wait(self, now: Callable[[], float]) -> int:
        """Wait until the command ends, and treat signals meanwhile.

        Args:
            now: Returns the monotonic time in s.

        Returns:
            Its status, as :func:`os.waitpid` tells it.
        """
        status = self._ended()
        while status is None:
            arrival = self._signals.next()
            if arrival.number == signal.SIGCHLD:
                status = self._ended()
            else:
                self._treat(arrival, now())
            if self._is_stopped and now() < self._stop_until:
                self._stop_with_it()
        self._witness.stop()
        return status

    def _treat(self, arrival: Arrival, now: float) -> None:
        if arrival.number in _STOPPING:
            self._stop_until = now + _STOP_SECONDS
        if arrival.number not in _PASSED_ON:
            return
        if self._witness.saw(arrival.number):
            self._signals.drop(arrival.number)  # a sender such as timeout signals its child and then the group
        elif not arrival.is_from_terminal and not self._is_ours(arrival.sender):
            with suppress(OSError):  # it has just ended, or became the process of another user
                os.kill(self.pid, arrival.number)

    def _is_ours(self, sender: int) -> bool:
        """Return whether the sender belongs to the command, which reached its own group with it."""
        return sender > 0 and sender != os.getpid() and bool(ProcessFamily().among([sender]))

    def _stop_with_it(self) -> None:
        """Stop as the command did after Ctrl-Z, so that the shell takes the terminal. ``fg`` continues both."""
        self._stop_until = 0.0
        os.kill(os.getpid(), signal.SIGSTOP)

    def _ended(self) -> int | None:
        """Return the status of the command if it has ended. Wait for orphans too, which this process has adopted."""
        found = None
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED | os.WCONTINUED)
            except ChildProcessError:
                return found if found is not None else None
            if pid == 0:
                return found
            self._witness.forget(pid)
            if pid == self.pid:
                if os.WIFEXITED(status) or os.WIFSIGNALED(status):
                    found = status
                else:
                    self._is_stopped = os.WIFSTOPPED(status)


def _spawn(path: str, command: Sequence[str], environ: Mapping[str, str], signals: Signals) -> int:
    ignored_by_python = [getattr(signal, name) for name in ("SIGPIPE", "SIGXFSZ") if hasattr(signal, name)]
    return os.posix_spawn(path, list(command), environ, setsigmask=signals.before, setsigdef=ignored_by_python)
