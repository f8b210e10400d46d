"""The command ``green-callbacks``: what a machine can measure, what runs cost, where a rule would have stopped them.

Every sub-command is a file of its own with ``register(subparsers)`` and ``run(arguments) -> int``. This is the one
place of the package that prints. What a sub-command needs is imported when it runs.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from typing import Final

from green_callbacks._version import __version__
from green_callbacks.cli import doctor, export, replay, summary, whatif
from green_callbacks.errors import GreenCallbacksError

__all__ = ["main"]

_CUT_SHORT: Final = 1
_MISUSED: Final = 2
"""Exit status of a command that cannot do what it was asked; that of argparse too."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: Arguments after the command's name; those of the process unless given.

    Returns:
        Exit status: 0 if all went well, 2 with a sentence on standard error if it could not be done; ``doctor`` returns
        1 where nothing can be measured.

    Raises:
        SystemExit: ``--help``, ``--version``, or arguments that cannot be understood (status 2).
    """
    arguments = _parser().parse_args(argv)
    if isinstance(sys.stdout, TextIOWrapper):  # a terminal that knows no ± is no reason to fail
        sys.stdout.reconfigure(errors="replace")
    try:
        status = int(arguments.run(arguments))
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read it has seen enough; what is left must not fail at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _CUT_SHORT
    except GreenCallbacksError as error:
        print(f"green-callbacks: {error}", file=sys.stderr)
        return _MISUSED
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="green-callbacks", description="What training runs cost the climate, and when to stop them."
    )
    parser.add_argument("--version", action="version", version=f"green-callbacks {__version__}")
    subparsers = parser.add_subparsers(title="sub-commands", metavar="COMMAND", required=True)
    for command in (doctor, summary, replay, whatif, export):
        command.register(subparsers)
    return parser
