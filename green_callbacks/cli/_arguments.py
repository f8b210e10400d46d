"""The arguments of every sub-command over ledgers."""

import argparse
from pathlib import Path


def add_ledgers(parser: argparse.ArgumentParser) -> None:
    """Add ``LEDGER …``, ``--monitor`` and ``--mode``.

    Args:
        parser: The sub-command's parser.
    """
    parser.add_argument("ledgers", nargs="+", type=Path, metavar="LEDGER", help="a run's ledger, or a folder of them")
    parser.add_argument("--monitor", metavar="METRIC", help="the metric that stands for quality, e.g. val_acc")
    parser.add_argument("--mode", choices=("max", "min"), help="which way it improves, if its name does not tell")
