"""The arguments and the steps of ``green-callbacks whatif``."""

import argparse
from pathlib import Path
from typing import Final

from green_callbacks.cli.arguments import count
from green_callbacks.cli.printing import say

_NOTHING_MEASURED: Final = 1
"""Exit status for a run without measured energy."""

_DESCRIPTION: Final = """\
Compares a finished run with the same run in other places, years and facilities. The energy of the computers stays the
same, and the carbon intensity and the PUE change. A figure with a scope other than the run's own, such as combustion
without the rest of the life cycle, is marked."""


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the sub-command to the command's parser.

    Args:
        subparsers: The parser's sub-commands.
    """
    parser = subparsers.add_parser(
        "whatif",
        help="compute the emissions of a run in other places, years and facilities",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("ledger", type=Path, metavar="LEDGER", help="ledger of a run")
    parser.add_argument(
        "--zone",
        dest="zones",
        nargs="+",
        action="extend",
        default=[],
        metavar="Z",
        help="places to compare with instead of the default places, such as DE, US-CA or aws:eu-north-1",
    )
    parser.add_argument("--year", type=count, metavar="Y", help="year of all figures, by default the year of the run")
    parser.add_argument(
        "--plot", type=Path, metavar="FILE.png", help="picture to draw as well, which needs the extra 'plot'"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Compare a run with itself elsewhere.

    Args:
        arguments: ``ledger``, ``zones``, ``year`` and ``plot``.

    Returns:
        0, or 1 if nothing was measured in the run.

    Raises:
        LedgerError: The ledger cannot be read.
        ConfigurationError: A place or its year is in no table, or the picture cannot be drawn.
    """
    from green_callbacks.cli.runs import read_run
    from green_callbacks.cli.whatif import comparison as _comparison
    from green_callbacks.cli.whatif.other_places import places, spent, years

    read = read_run(arguments.ledger)
    energy = spent(read)
    if energy is None:
        say(f"Nothing was measured in run {read.run_id}, so its emissions elsewhere are not known.")
        return _NOTHING_MEASURED
    there, missing = places(energy.intensity, arguments.zones, arguments.year)
    then = [] if arguments.year else years(energy.intensity)
    if arguments.plot:
        from green_callbacks.cli.output_files import refuse_ledgers
        from green_callbacks.cli.whatif.comparison_plot import plot

        refuse_ledgers(arguments.plot, [read])
        plot(arguments.plot, read.run_id, energy, there)
    blocks = [_comparison.overview(read, energy, there), _comparison.comparison(energy, there)]
    if then:
        blocks.append(f"In other years\n\n{_comparison.comparison(energy, then)}")
    say("\n\n".join([*blocks, _comparison.notes(energy, [*there, *then], missing)]))
    return 0
