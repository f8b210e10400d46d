"""The account of a command, which never keeps the command from running."""

import logging
import os
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Self

from green_callbacks.cli.run.gpu_use import GpuUse
from green_callbacks.errors import GreenCallbacksError
from green_callbacks.text import for_terminal

if TYPE_CHECKING:
    from green_callbacks.accountant import EnergyAccountant
    from green_callbacks.records import RunRecord

_MOST_SAID: Final = 50
"""Largest number of messages that are kept until the command has ended. A run keeps as many."""
_MOST_NAMED: Final = 5
"""Largest number of processes that one sentence names."""
_LAST_SECONDS: Final = 0.1
"""Time in s in which the last processes of a command may end after it, by experiment."""
_NAME_LENGTH: Final = 40
"""Longest name of a process in a sentence, in characters."""


class HeldMessages(logging.Handler):
    """Keeps the warnings of this package until the command has ended, because the terminal belongs to the command.

    Example:
        >>> with HeldMessages() as held:
        ...     logging.getLogger("green_callbacks").warning("The place is a guess.")
        >>> held.texts
        ['The place is a guess.']
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._texts: deque[str] = deque(maxlen=_MOST_SAID)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a message."""
        self._texts.append(record.getMessage())

    def say(self, text: str) -> None:
        """Keep a sentence of the command itself.

        Args:
            text: The sentence.
        """
        self._texts.append(text)

    @property
    def texts(self) -> list[str]:
        """The messages, each once."""
        return list(dict.fromkeys(self._texts))

    def __enter__(self) -> Self:
        self._logger = logging.getLogger("green_callbacks")
        self._did_propagate, self._logger.propagate = self._logger.propagate, False
        self._logger.addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._logger.removeHandler(self)
        self._logger.propagate = self._did_propagate


class Measured:
    """The account of one command.

    Args:
        options: Options of the accountant that the user gave.
        held: Receives what keeps it from measuring.

    Raises:
        ConfigurationError: An option cannot work. A wrong environment is only reported.
        LedgerError: The named ledger is no ledger.
    """

    def __init__(self, options: Mapping[str, Any], held: HeldMessages) -> None:
        self._held = held
        self._accountant: EnergyAccountant | None = None
        self._gpu_use = GpuUse()
        try:
            self._accountant = _accountant(options)
        except GreenCallbacksError as reason:
            if _is_possible():
                raise
            held.say(f"The command is not measured. {reason}")
        # Measuring must not keep a command from running.
        except Exception as fault:  # noqa: BLE001
            self._fail(fault)

    def start(self) -> None:
        """Begin to measure."""
        if self._accountant is None:
            return
        try:
            self._say_budget()
            self._accountant.start()
            self._gpu_use.start()
        # Measuring must not keep a command from running.
        except Exception as fault:  # noqa: BLE001
            self._fail(fault)

    def _say_budget(self) -> None:
        """Say that a budget of variables or files cannot end a command."""
        from green_callbacks.configuration import read_configuration

        budget = read_configuration(os.environ).first("budget")
        if budget is not None and budget.value and self._accountant is not None:
            self._accountant.warn(
                "budget",
                "The budget of %s from %s cannot end a command, so it is not kept here. Keep it in the script with a "
                "callback or a loop of this package.",
                budget.value,
                budget.origin,
            )

    def environment(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Return the environment of the command, which names the run around it.

        Args:
            environ: Environment variables of this process.
        """
        from green_callbacks.accountant.setup.parent_run import with_parent
        from green_callbacks.configuration import DISABLE_VARIABLE, is_set

        is_measured = self._accountant is not None and not is_set(DISABLE_VARIABLE, environ)
        return with_parent(self._accountant.run_id, environ) if self._accountant and is_measured else dict(environ)

    def note_left(self) -> None:
        """Report the processes of the command that go on after its end."""
        if self._accountant is None or not _descendants():
            return
        time.sleep(_LAST_SECONDS)
        left = _descendants()
        if not left:
            return
        some = ", ".join(left[:_MOST_NAMED]) + (", ..." if len(left) > _MOST_NAMED else "")
        what = "A process of the command goes on" if len(left) == 1 else f"{len(left)} processes of the command go on"
        self._accountant.warn(
            "left", "%s (%s), so energy after its end is not measured. Wait for all of them in the command.", what, some
        )

    def close(self) -> "RunRecord | None":
        """End the account. Return the totals, or None if nothing was measured."""
        self._gpu_use.stop()
        if self._accountant is None:
            return None
        try:
            run = self._accountant.close()
        # The command has its own exit status, which must not be lost.
        except Exception as fault:  # noqa: BLE001
            self._fail(fault)
            return None
        remark = self._gpu_use.remark(run.devices)
        if remark is not None:
            self._held.say(remark)
        return run

    def _fail(self, fault: Exception) -> None:
        self._accountant = None
        self._held.say(
            f"The command is not measured, because of a fault of this package ({type(fault).__name__}: {fault}). "
            "Please report it."
        )


def _accountant(options: Mapping[str, Any]) -> "EnergyAccountant":
    from green_callbacks.accountant import EnergyAccountant

    return EnergyAccountant(**options, policies=[], sinks=[])  # nothing here can stop a command


def _is_possible() -> bool:
    """Return whether an account without any option is possible, so that one of the options is wrong."""
    try:
        _accountant({})
    except GreenCallbacksError:
        return False
    return True


def _descendants() -> list[str]:
    """Return names and ids of the processes that this process has started or adopted, and that go on."""
    from green_callbacks.sources.job.operating_system import system_errors

    found = []
    with suppress(*system_errors()):
        import psutil

        for process in psutil.Process().children(recursive=True):
            with suppress(psutil.Error):
                if process.status() != psutil.STATUS_ZOMBIE:
                    found.append(f"{for_terminal(process.name(), limit=_NAME_LENGTH)} {process.pid}")
    return found
