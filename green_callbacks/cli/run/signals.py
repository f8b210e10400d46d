"""The signals that arrive while a command is measured. They are held back, and taken one by one."""

import os
import signal
from collections.abc import Iterable
from types import TracebackType
from typing import Final, NamedTuple, Self

_NAMES: Final = (
    "SIGINT",
    "SIGTERM",
    "SIGHUP",
    "SIGQUIT",
    "SIGTSTP",
    "SIGTTIN",
    "SIGTTOU",
    "SIGCONT",
    "SIGUSR1",
    "SIGUSR2",
    "SIGALRM",
    "SIGCHLD",
)
_ENDING: Final = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT")
"""Signals that end a command before it has begun."""
_FROM_TERMINAL: Final = ("SIGINT", "SIGQUIT", "SIGTSTP", "SIGTTIN", "SIGTTOU")
"""Signals that a terminal sends to all processes of its job."""
_FROM_KERNEL: Final = 0x80
"""Code of a signal that the kernel sent, not a process (``SI_KERNEL`` in ``siginfo.h`` of Linux)."""


class Arrival(NamedTuple):
    """A signal that has arrived.

    Attributes:
        number: The signal.
        is_from_terminal: Whether a terminal sent it, so that the command has it too.
        sender: Id of the process that sent it. 0 if unknown.
    """

    number: signal.Signals
    is_from_terminal: bool = False
    sender: int = 0


class Signals:
    """Holds back the signals of this process, in this thread and in all threads that it starts.

    A signal that this process ignores, such as SIGHUP after ``nohup``, stays ignored.

    Attributes:
        before: The signals that were held back before.
    """

    def __init__(self) -> None:
        self.before: Iterable[int] = ()
        self._held: frozenset[signal.Signals] = frozenset()

    def __enter__(self) -> Self:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # a parent may ignore it, and then no child has a status
        known = [signal.Signals[name] for name in _NAMES if name in signal.Signals.__members__]
        self._held = frozenset(each for each in known if signal.getsignal(each) != signal.SIG_IGN)
        self.before = signal.pthread_sigmask(signal.SIG_BLOCK, self._held)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Drop signals that came too late, and restore all."""
        for each in signal.sigpending() & self._held:
            handler = signal.signal(each, signal.SIG_IGN)
            signal.signal(each, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, self.before)

    @property
    def held(self) -> frozenset[signal.Signals]:
        """The signals that are held back."""
        return self._held

    def drop(self, number: int) -> None:
        """Forget a signal that has arrived again.

        Args:
            number: The signal.
        """
        if number in signal.sigpending():
            signal.sigwait({number})

    def ending(self) -> signal.Signals | None:
        """Return a signal that has arrived and would end this process. None if there is none."""
        pending = signal.sigpending() & self._held
        return next((each for each in pending if each.name in _ENDING), None)

    def next(self) -> Arrival:
        """Wait for a signal."""
        if hasattr(signal, "sigwaitinfo"):
            info = signal.sigwaitinfo(self._held)
            return Arrival(signal.Signals(info.si_signo), info.si_code == _FROM_KERNEL, info.si_pid)
        number = signal.Signals(signal.sigwait(self._held))  # macOS does not tell the sender
        return Arrival(number, number.name in _FROM_TERMINAL and _is_in_foreground())


def die_by(number: int) -> None:
    """End this process by a signal, as the command has ended, so that a shell sees the same.

    It returns if the signal cannot end this process, such as the first process of a container.

    Args:
        number: The signal.
    """
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))  # the command has one
    if number not in {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
    os.kill(os.getpid(), number)


def _is_in_foreground() -> bool:
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)
