"""All output of the command, made safe for a terminal, a pipe or a file."""

import os
import sys
from contextlib import suppress
from io import TextIOWrapper
from typing import TextIO

from green_callbacks.errors import ConfigurationError
from green_callbacks.text import for_terminal

__all__ = ["complain", "flush", "prepare", "remark", "say", "say_data"]


def prepare() -> None:
    """Let a terminal with a small character set show question marks for other characters.

    Example:
        >>> prepare()
    """
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def say(text: str) -> None:
    """Print lines on standard output.

    Args:
        text: The lines. Invisible characters are escaped.

    Raises:
        ConfigurationError: There is no standard output, or it cannot be written.
        BrokenPipeError: The reader has gone.

    Example:
        >>> say("0.5 kWh")
        0.5 kWh
    """
    _print(for_terminal(text, keeps_lines=True, limit=None))


def say_data(text: str) -> None:
    """Print text for another program. It is in UTF-8 unless a terminal shows it, as a file would be.

    Args:
        text: Lines of a format that escapes its own texts.

    Raises:
        ConfigurationError: There is no standard output, or it cannot be written.
        BrokenPipeError: The reader has gone.

    Example:
        >>> say_data("run,kwh")
        run,kwh
    """
    if isinstance(sys.stdout, TextIOWrapper) and not sys.stdout.isatty():
        sys.stdout.reconfigure(encoding="utf-8")
    say(text)


def complain(text: object) -> None:
    """Print one line on standard error. Without standard error, print nothing.

    Args:
        text: The line. Invisible characters are escaped.

    Example:
        >>> complain("The ledger is empty.")
    """
    if sys.stderr is not None:  # print() would take standard output in its place
        with suppress(OSError, ValueError):  # closed, so nobody can read it
            print(f"green-callbacks: {for_terminal(text)}", file=sys.stderr, flush=True)


def remark(text: str) -> None:
    """Print lines on standard error. Without standard error, print nothing.

    Args:
        text: The lines. Invisible characters are escaped.

    Example:
        >>> remark("0.5 kWh")
    """
    if sys.stderr is not None:
        with suppress(OSError, ValueError):
            print(for_terminal(text, keeps_lines=True, limit=None), file=sys.stderr, flush=True)


def flush() -> None:
    """Write out the output of argparse.

    Raises:
        ConfigurationError: Standard output cannot be written.
        BrokenPipeError: The reader has gone.

    Example:
        >>> flush()
    """
    if sys.stdout is not None:
        _written(sys.stdout, "")


def _print(text: str) -> None:
    if sys.stdout is None:
        msg = "Standard output is closed. Redirect it, for example with >/dev/null."
        raise ConfigurationError(msg)
    _written(sys.stdout, f"{text}\n")


def _written(stream: TextIO, text: str) -> None:
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        _give_up(stream)
        raise
    except (OSError, ValueError) as error:  # a full disk or a closed stream
        _give_up(stream)
        msg = f"Standard output cannot be written ({error}). Free the disk, or redirect the output."
        raise ConfigurationError(msg) from error


def _give_up(stream: TextIO) -> None:
    """Discard the rest of the buffer, because Python writes it at exit and must not fail there."""
    with suppress(OSError, ValueError):  # a stream without a file has no buffer to discard
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
