"""The one place that prints, and what stands between what was found out and a terminal, a pipe or a file."""

import os
import sys
from contextlib import suppress
from io import TextIOWrapper
from typing import TextIO

from green_callbacks.errors import ConfigurationError
from green_callbacks.text import for_terminal

__all__ = ["complain", "flush", "prepare", "say", "say_data"]


def prepare() -> None:
    """Let a terminal that knows few characters show question marks in place of the others."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def say(text: str) -> None:
    """Print lines on standard output.

    Args:
        text: The lines. What cannot be seen in them is written out.

    Raises:
        ConfigurationError: There is no standard output, or it cannot be written.
        BrokenPipeError: Whoever read it has gone.
    """
    _print(for_terminal(text, keeps_lines=True, limit=None))


def say_data(text: str) -> None:
    """Print what another program reads: in UTF-8 where no terminal shows it, as a file of it would be.

    Args:
        text: Lines whose texts are safe by their format.

    Raises:
        ConfigurationError: There is no standard output, or it cannot be written.
        BrokenPipeError: Whoever read it has gone.
    """
    if isinstance(sys.stdout, TextIOWrapper) and not sys.stdout.isatty():
        sys.stdout.reconfigure(encoding="utf-8")
    say(text)


def complain(text: object) -> None:
    """Print one line on standard error; nothing where there is none.

    Args:
        text: The line; what cannot be seen in it is written out.
    """
    if sys.stderr is not None:  # print() would take standard output in its place
        with suppress(OSError, ValueError):  # closed: there is nobody to tell
            print(f"green-callbacks: {for_terminal(text)}", file=sys.stderr, flush=True)


def flush() -> None:
    """Write out what argparse has printed.

    Raises:
        ConfigurationError: Standard output cannot be written.
        BrokenPipeError: Whoever read it has gone.
    """
    if sys.stdout is not None:
        _written(sys.stdout, "")


def _print(text: str) -> None:
    if sys.stdout is None:
        msg = "There is no standard output to write to. Open one, for example with >/dev/null."
        raise ConfigurationError(msg)
    _written(sys.stdout, f"{text}\n")


def _written(stream: TextIO, text: str) -> None:
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        _give_up(stream)
        raise
    except (OSError, ValueError) as error:  # a full disk; a stream that was closed
        _give_up(stream)
        msg = f"Standard output cannot be written ({error}). Free the disk, or send it elsewhere."
        raise ConfigurationError(msg) from error


def _give_up(stream: TextIO) -> None:
    """Send what is left in the buffer to nowhere: Python writes it at exit, which must not fail."""
    with suppress(OSError, ValueError):  # a stream of no file has nothing left
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
