"""The arguments and the steps of ``green-callbacks summary``."""

import argparse
from typing import Final

from green_callbacks.cli.arguments import add_ledgers
from green_callbacks.cli.printing import say

_DESCRIPTION: Final = """\
Writes the summary of a run, with the reason of its end, its totals, a table of its epochs, and ways to make it cheaper.
Writes several runs as a table, with their sum. The summary of a run that was killed or is still running ends with its
last record."""


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the sub-command to the command's parser.

    Args:
        subparsers: The parser's sub-commands.
    """
    parser = subparsers.add_parser(
        "summary",
        help="write the summary of a run, or a table of several runs",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_ledgers(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the summary of the runs in ledgers.

    Args:
        arguments: ``ledgers``, ``monitor`` and ``mode``.

    Returns:
        0.

    Raises:
        LedgerError: A ledger cannot be read.
        ConfigurationError: The metric's name does not tell whether it improves upwards or downwards.
    """
    from green_callbacks.cli.runs import read_runs
    from green_callbacks.cli.summary.sums import alone, side_by_side

    runs = [(run, run.metric(arguments.monitor, arguments.mode)) for run in read_runs(arguments.ledgers)]
    say(alone(*runs[0]) if len(runs) == 1 else side_by_side(runs))
    return 0
