"""``green-callbacks whatif``: what a run would have emitted elsewhere."""

import argparse
from pathlib import Path
from typing import Final

from green_callbacks.cli.arguments import count
from green_callbacks.cli.printing import say

_NOTHING_MEASURED: Final = 1
_DESCRIPTION: Final = """\
Puts a run that is over into other places, other years and facilities of other efficiency: the same energy of the
computers, at their carbon intensity and PUE. Figures that count combustion only stand beside those that count the life
cycle where there is nothing better, and are marked."""


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the sub-command to the command's parser.

    Args:
        subparsers: Where sub-commands are added.
    """
    parser = subparsers.add_parser(
        "whatif",
        help="what a run would have emitted in other places, years and facilities",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("ledger", type=Path, metavar="LEDGER", help="a run's ledger")
    parser.add_argument(
        "--zone",
        dest="zones",
        nargs="+",
        action="extend",
        default=[],
        metavar="Z",
        help="places in place of the usual ones: DE, US-CA, aws:eu-north-1, ...",
    )
    parser.add_argument("--year", type=count, metavar="Y", help="year of their figures; that of the run unless given")
    parser.add_argument("--plot", type=Path, metavar="FILE.png", help="also draw it; takes the extra 'plot'")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Compare a run with itself elsewhere.

    Args:
        arguments: ``ledger``, ``zones``, ``year`` and ``plot``.

    Returns:
        0; 1 if nothing was measured in the run.

    Raises:
        LedgerError: The ledger cannot be read.
        ConfigurationError: A place or its year is in no table, or the picture cannot be drawn.
    """
    from green_callbacks.cli.single_run import read_run
    from green_callbacks.cli.whatif import comparison as _comparison
    from green_callbacks.cli.whatif.other_places import places, spent, years

    read = read_run(arguments.ledger)
    energy = spent(read)
    if energy is None:
        say(f"Run {read.run_id}: nothing was measured, so that what it would have emitted elsewhere is not known.")
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
