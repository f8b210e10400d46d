"""The arguments of ``green-callbacks compare`` for a comparison at the same spending."""

import argparse
from pathlib import Path


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the arguments to the sub-command's parser.

    Args:
        parser: The parser of the sub-command.
    """
    _add_amounts(parser)
    parser.add_argument(
        "--reference",
        nargs="+",
        action="append",
        default=[],
        metavar="RUNS",
        help="runs of the same training by fewer epochs, which a method must beat at the same energy, can be repeated",
    )
    parser.add_argument(
        "--monitor", metavar="METRIC", help="metric that measures quality. Defaults to that of --reach or of the runs"
    )
    parser.add_argument(
        "--value",
        choices=("best", "last"),
        default="best",
        help="whether a run counts with its best value until then, or with its last. Defaults to best",
    )
    parser.add_argument(
        "--plot",
        type=Path,
        metavar="FILE.png",
        help="picture of quality against energy to draw as well, with bands, which needs the extra 'plot'",
    )


def _add_amounts(parser: argparse.ArgumentParser) -> None:
    amounts = parser.add_mutually_exclusive_group()
    amounts.add_argument(
        "--at",
        metavar="AMOUNT",
        help="compare the quality for the same energy of the computers, or the same emissions, such as '0.5 kWh'",
    )
    amounts.add_argument(
        "--at-equal-energy", action="store_true", help="the same at the smallest median energy of a group"
    )


def is_asked(arguments: argparse.Namespace) -> bool:
    """Whether the arguments ask for a comparison at the same spending, or for its picture.

    Args:
        arguments: ``at``, ``at_equal_energy``, ``reference`` and ``plot``.
    """
    return bool(arguments.at or arguments.at_equal_energy or arguments.reference or arguments.plot)
