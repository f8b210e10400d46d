"""The arguments that several sub-commands share.

The command imports this module at every start, so it imports nothing large.
"""

import argparse
from pathlib import Path
from typing import Final

_LARGEST: Final = 10**9
"""Largest number that is accepted. No plan has more epochs, and no table has later years."""


LEDGER_HELP: Final = "ledger of a run, or a folder with ledgers"
"""Help of the argument ``LEDGER``."""


def count(text: str) -> int:
    """Read a number for argparse.

    Args:
        text: Text of the argument.

    Returns:
        The number.

    Raises:
        ArgumentTypeError: The text is no whole number from 1 to a thousand million.

    Example:
        >>> count("100")
        100
    """
    try:
        number = int(text)
    except ValueError:
        number = 0
    if not 1 <= number <= _LARGEST:
        msg = f"{text[:40]!r} is not a whole number of at least 1"
        raise argparse.ArgumentTypeError(msg)
    return number


def add_ledgers(parser: argparse.ArgumentParser) -> None:
    """Add ``LEDGER …``, ``--monitor`` and ``--mode``.

    Args:
        parser: Parser of the sub-command.
    """
    parser.add_argument("ledgers", nargs="+", type=Path, metavar="LEDGER", help=LEDGER_HELP)
    parser.add_argument("--monitor", metavar="METRIC", help="metric that measures quality, such as val_acc")
    parser.add_argument(
        "--mode",
        choices=("max", "min"),
        help="whether the metric improves upwards or downwards",
    )
