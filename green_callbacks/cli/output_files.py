"""The files that sub-commands write."""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from green_callbacks.errors import ConfigurationError

__all__ = ["refuse_ledgers", "replace_whole", "write_whole"]


class _HasPath(Protocol):
    @property
    def path(self) -> Path:
        """Ledger of a run."""
        ...


def refuse_ledgers(output: Path, runs: Iterable[_HasPath]) -> None:
    """Refuse to overwrite a ledger, even through links.

    Args:
        output: File to write.
        runs: Runs that were read.

    Raises:
        ConfigurationError: The file is the ledger of a run.

    Example:
        >>> refuse_ledgers(Path("picture.png"), runs=[])
    """
    if any(_is_same(output, each.path) for each in runs):
        msg = f"{output} is the ledger of a run, which must not be overwritten. Name another file."
        raise ConfigurationError(msg)


def write_whole(output: Path, content: bytes) -> None:
    """Write a file.

    Args:
        output: The file. Its folder must exist. A pipe without a reader is an error, because waiting might never end.
        content: Content of the file.

    Raises:
        ConfigurationError: The file cannot be written.

    Example:
        >>> from tempfile import mkdtemp
        >>> output = Path(mkdtemp(), "summary.txt")
        >>> write_whole(output, b"0.5 kWh")
        >>> output.read_bytes()
        b'0.5 kWh'
    """
    waits_for_nobody = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | waits_for_nobody, 0o666)
        with os.fdopen(descriptor, "wb") as file:
            if hasattr(os, "O_NONBLOCK"):
                os.set_blocking(descriptor, True)
            file.write(content)
    except (OSError, ValueError) as error:  # ValueError: a name with a zero byte
        raise _not_written(output, error) from error


def replace_whole(output: Path, content: bytes) -> None:
    """Write a file in one step, so that a reader sees either the old file or the new file.

    Pipes, devices and links are written in place.

    Args:
        output: The file. Its folder must exist.
        content: Content of the file.

    Raises:
        ConfigurationError: The file cannot be written.

    Example:
        >>> from tempfile import mkdtemp
        >>> output = Path(mkdtemp(), "report.html")
        >>> replace_whole(output, b"<!DOCTYPE html>")
        >>> output.read_bytes()
        b'<!DOCTYPE html>'
    """
    if output.is_symlink() or (output.exists() and not output.is_file()) or not os.access(output.parent, os.W_OK):
        write_whole(output, content)
        return
    unfinished = output.with_name(f".green-callbacks-{os.getpid()}.unfinished")
    try:
        write_whole(unfinished, content)
        if output.exists():
            shutil.copymode(output, unfinished)
        unfinished.replace(output)
    except OSError as error:
        raise _not_written(output, error) from error
    except ConfigurationError as error:
        raise _not_written(output, error.__cause__) from error
    finally:
        unfinished.unlink(missing_ok=True)


def _not_written(output: Path, error: object) -> ConfigurationError:
    reason = getattr(error, "strerror", None) or error
    msg = f"{output} cannot be written ({reason}). Name a file in an existing folder."
    return ConfigurationError(msg)


def _is_same(output: Path, ledger: Path) -> bool:
    try:
        return output.samefile(ledger)
    except (OSError, ValueError):  # it does not exist or cannot be read, and writing it will report why
        return False
