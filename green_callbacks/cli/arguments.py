"""The arguments of every sub-command over ledgers."""

import argparse
from pathlib import Path
from typing import Final

_LARGEST: Final = 10**9
"""Nobody plans more epochs, and no table has later years."""


def count(text: str) -> int:
    """Read a number of something, for argparse.

    Args:
        text: What was given.

    Returns:
        The number.

    Raises:
        ArgumentTypeError: It is no whole number from 1 to a thousand million.
    """
    try:
        number = int(text)
    except ValueError:
        number = 0
    if not 1 <= number <= _LARGEST:
        msg = f"{text[:40]!r}: write a whole number, at least 1"
        raise argparse.ArgumentTypeError(msg)
    return number


def add_ledgers(parser: argparse.ArgumentParser) -> None:
    """Add ``LEDGER …``, ``--monitor`` and ``--mode``.

    Args:
        parser: The sub-command's parser.
    """
    parser.add_argument("ledgers", nargs="+", type=Path, metavar="LEDGER", help="a run's ledger, or a folder of them")
    parser.add_argument("--monitor", metavar="METRIC", help="the metric that stands for quality, e.g. val_acc")
    parser.add_argument("--mode", choices=("max", "min"), help="which way it improves, if its name does not tell")
