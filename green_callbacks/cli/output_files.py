"""Files that a sub-command is told to write."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from green_callbacks.errors import ConfigurationError

__all__ = ["refuse_ledgers", "write_whole"]


class _HasPath(Protocol):
    @property
    def path(self) -> Path:
        """The ledger of a run."""
        ...


def refuse_ledgers(output: Path, runs: Iterable[_HasPath]) -> None:
    """Refuse to write over a ledger, whatever links lead to it.

    Args:
        output: The file to write.
        runs: The runs that were read.

    Raises:
        ConfigurationError: It is the ledger of one of them.
    """
    if any(_is_same(output, each.path) for each in runs):
        msg = f"{output} is the ledger itself, from which all else can be made again. Name another file."
        raise ConfigurationError(msg)


def write_whole(output: Path, content: bytes) -> None:
    """Write a file.

    Args:
        output: The file; its folder must be there. A pipe that nobody reads is not waited for.
        content: What to write.

    Raises:
        ConfigurationError: It cannot be written.
    """
    waits_for_nobody = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | waits_for_nobody, 0o666)
        with os.fdopen(descriptor, "wb") as file:
            if hasattr(os, "O_NONBLOCK"):
                os.set_blocking(descriptor, True)
            file.write(content)
    except (OSError, ValueError) as error:  # ValueError: a name with a zero byte
        reason = getattr(error, "strerror", None) or error
        msg = f"{output} cannot be written ({reason}). Name a file in a folder that is there."
        raise ConfigurationError(msg) from error


def _is_same(output: Path, ledger: Path) -> bool:
    try:
        return output.samefile(ledger)
    except (OSError, ValueError):  # it is not there, or cannot be looked at; writing it says why
        return False
