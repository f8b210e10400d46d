"""The command ``green-callbacks``, which examines machines and finished runs.

Every sub-command has a module with ``register(subparsers)`` and ``run(arguments) -> int``. It imports other rooms only
when it runs. All output goes through :mod:`green_callbacks.cli.printing`.
"""

import argparse
import sys
from collections.abc import Sequence
from typing import Final, NoReturn

from green_callbacks._version import __version__
from green_callbacks.cli import export, report
from green_callbacks.cli.compare import command as compare
from green_callbacks.cli.doctor import command as doctor
from green_callbacks.cli.printing import complain, flush, prepare
from green_callbacks.cli.project import command as project
from green_callbacks.cli.replay import command as replay
from green_callbacks.cli.run import command as run
from green_callbacks.cli.summary import command as summary
from green_callbacks.cli.whatif import command as whatif
from green_callbacks.errors import GreenCallbacksError
from green_callbacks.text import for_terminal

__all__ = ["main"]

_CUT_SHORT: Final = 1
"""Exit status if the reader of the output has gone, such as ``head``."""

_MISUSED: Final = 2
"""Exit status of a command that cannot do its task. Argparse has the same."""

_INTERRUPTED: Final = 130
"""Exit status after Ctrl-C. Shells add 128 to the number of the signal."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: Arguments after the command's name. Defaults to the arguments of the process.

    Returns:
        Exit status. 0 is success, and 2 comes with a sentence on standard error. ``doctor`` returns 1 if no energy can
        be measured, ``whatif`` if no energy was measured,
        and ``compare`` the status of its gate. Ctrl-C returns 130.

    Raises:
        SystemExit: ``--help``, ``--version``, or wrong arguments (status 2).

    Example:
        >>> main(["summary", "no-such-ledger.jsonl"])
        2
    """
    prepare()
    try:
        return _run(argv)
    except BrokenPipeError:  # the reader has seen enough
        return _CUT_SHORT
    except KeyboardInterrupt:
        complain("Interrupted.")
        return _INTERRUPTED
    except GreenCallbacksError as error:
        complain(error)
    except OSError as error:
        complain(f"The operating system refuses this ({error}). Check the named files and folders.")
    except MemoryError:
        complain("The memory is not large enough. Name fewer or smaller ledgers.")
    # A command ends with a sentence even on a bug of this package. Python's development mode shows the traceback.
    except Exception as fault:
        if sys.flags.dev_mode:
            raise
        where = "python -X dev -m green_callbacks.cli"
        complain(
            f"This is a bug in green-callbacks ({type(fault).__name__}: {fault}). Please report it with the output of "
            f"{where}."
        )
    return _MISUSED


def _run(argv: Sequence[str] | None) -> int:
    try:
        own, command = run.split(sys.argv[1:] if argv is None else argv)
        arguments = _parser().parse_args(own)
    except SystemExit:
        flush()  # a pipe that is closed must not fail at exit
        raise
    arguments.command = command
    return int(arguments.run(arguments))


class _Parser(argparse.ArgumentParser):
    """Reports wrong arguments on one line, and escapes them."""

    def error(self, message: str) -> NoReturn:
        super().error(for_terminal(message))


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="green-callbacks",
        description="Measure commands, report what this machine can measure, and compare and export finished runs.",
    )
    parser.add_argument("--version", action="version", version=f"green-callbacks {__version__}")
    subparsers = parser.add_subparsers(title="sub-commands", metavar="COMMAND", required=True)
    for command in (run, doctor, summary, project, replay, compare, whatif, report, export):
        command.register(subparsers)
    return parser
