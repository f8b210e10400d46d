"""``green-callbacks summary``: what runs came to."""

import argparse
from typing import Final

from green_callbacks.cli.arguments import add_ledgers
from green_callbacks.cli.printing import say

_DESCRIPTION: Final = """\
Of one ledger, writes the summary of its run: why it ended, what it came to, a table of its epochs, and what would have
made it cheaper. Of several, writes them side by side, with their sum. A run that was killed, or still goes on, is
summed up to its last record."""


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the sub-command to the command's parser.

    Args:
        subparsers: Where sub-commands are added.
    """
    parser = subparsers.add_parser(
        "summary",
        help="what a run came to, or several side by side",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_ledgers(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Sum up the runs of ledgers.

    Args:
        arguments: ``ledgers``, ``monitor`` and ``mode``.

    Returns:
        0.

    Raises:
        LedgerError: A ledger cannot be read.
        ConfigurationError: The metric's name does not tell which way it improves.
    """
    from green_callbacks.cli.runs import read_runs
    from green_callbacks.cli.summary.sums import alone, side_by_side

    runs = [(run, run.metric(arguments.monitor, arguments.mode)) for run in read_runs(arguments.ledgers)]
    say(alone(*runs[0]) if len(runs) == 1 else side_by_side(runs))
    return 0
