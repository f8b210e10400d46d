"""The command ``green-callbacks``: what a machine can measure, what runs cost, where a rule would have stopped them.

Every sub-command is a file of its own with ``register(subparsers)`` and ``run(arguments) -> int``. What it needs is
imported when it runs. All that is printed goes through :mod:`green_callbacks.cli.printing`.
"""

import argparse
import sys
from collections.abc import Sequence
from typing import Final, NoReturn

from green_callbacks._version import __version__
from green_callbacks.cli import export
from green_callbacks.cli.doctor import command as doctor
from green_callbacks.cli.printing import complain, flush, prepare
from green_callbacks.cli.replay import command as replay
from green_callbacks.cli.summary import command as summary
from green_callbacks.cli.whatif import command as whatif
from green_callbacks.errors import GreenCallbacksError
from green_callbacks.text import for_terminal

__all__ = ["main"]

_CUT_SHORT: Final = 1
_MISUSED: Final = 2
"""Exit status of a command that cannot do what it was asked; that of argparse too."""

_INTERRUPTED: Final = 130
"""Exit status after Ctrl-C, as shells count it: 128 and the number of SIGINT."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: Arguments after the command's name; those of the process unless given.

    Returns:
        Exit status: 0 if all went well, 2 with a sentence on standard error if it could not be done; ``doctor`` returns
        1 where nothing can be measured, ``whatif`` where nothing was. After Ctrl-C 130.

    Raises:
        SystemExit: ``--help``, ``--version``, or arguments that cannot be understood (status 2).
    """
    prepare()
    try:
        return _run(argv)
    except BrokenPipeError:  # whoever read it has seen enough
        return _CUT_SHORT
    except KeyboardInterrupt:
        complain("Interrupted.")
        return _INTERRUPTED
    except GreenCallbacksError as error:
        complain(error)
    except OSError as error:
        complain(f"The operating system refuses ({error}). Check the files and folders that were named.")
    except MemoryError:
        complain("There is not enough memory for that. Name fewer or smaller ledgers.")
    # A command ends with a sentence, whatever is in a file. Nothing is hidden: Python's development mode shows it.
    except Exception as fault:
        if sys.flags.dev_mode:
            raise
        where = "python -X dev -m green_callbacks.cli shows where"
        complain(f"This is a fault of green-callbacks ({type(fault).__name__}: {fault}). Please report it; {where}.")
    return _MISUSED


def _run(argv: Sequence[str] | None) -> int:
    try:
        arguments = _parser().parse_args(argv)
    except SystemExit:
        flush()  # a pipe that is closed must not fail at exit
        raise
    return int(arguments.run(arguments))


class _Parser(argparse.ArgumentParser):
    """Says on one line what is wrong with arguments, whatever is in them."""

    def error(self, message: str) -> NoReturn:
        super().error(for_terminal(message))


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="green-callbacks", description="What training runs cost the climate, and when to stop them.")
    parser.add_argument("--version", action="version", version=f"green-callbacks {__version__}")
    subparsers = parser.add_subparsers(title="sub-commands", metavar="COMMAND", required=True)
    for command in (doctor, summary, replay, whatif, export):
        command.register(subparsers)
    return parser
