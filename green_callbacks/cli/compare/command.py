"""The arguments and the steps of ``green-callbacks compare``."""

import argparse
import re
from typing import TYPE_CHECKING, Final

from green_callbacks.cli.printing import remark, say, say_data

if TYPE_CHECKING:
    from green_callbacks.analysis.comparing.equal_quality.comparison import Comparison

_TEXT: Final = "text"
_JSON: Final = "json"

_OTHER_NUMBERS: Final = re.compile(r"^-\d+[.,]?\d*\s*%?$")
"""What begins with a dash and is no option, such as ``-10%``."""

_DESCRIPTION: Final = """\
Compares two sides at equal quality: what did runs pay until they first reached it? A side is made of ledgers, folders
and glob patterns. LABEL=VALUE takes only the runs with that label, among the side's own paths, else those of the other
side, else the working folder. The runs of a side are its samples, such as one run for each seed. Runs that share the
label seed on both sides are compared in pairs.

Energy is that of the computers until the end of the epoch with the quality, with set-up, validation and repeated epochs
in it. Runs that never reach it are never left out of a mean in silence. Needs the extra 'compare'."""

_EPILOG: Final = """\
examples:
  green-callbacks compare runs/new --against runs/old --reach val_acc=0.92
  green-callbacks compare runs method=new --against method=old --reach val_loss=0.3
  green-callbacks compare runs/branch --against runs/main --reach val_acc=0.92 --gate "+5 %"

exit status with --gate: 0 if the first side is shown to be within the limit, 1 if it is shown to be beyond, 3 if the
runs cannot decide it. 2 is always an error."""


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the sub-command to the command's parser.

    Args:
        subparsers: The parser's sub-commands.
    """
    parser = subparsers.add_parser(
        "compare",
        help="compare what groups of runs paid to reach a quality",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser._negative_number_matcher = _OTHER_NUMBERS  # noqa: SLF001  --gate -10% would name an option
    side = "ledger of a run, a folder or glob pattern of ledgers, or LABEL=VALUE"
    parser.add_argument("first", nargs="+", metavar="RUNS", help=side)
    parser.add_argument("--against", nargs="+", action="append", metavar="RUNS", help="the other side, named alike")
    parser.add_argument("--reach", required=True, metavar="METRIC=VALUE", help="the quality, such as val_acc=0.92")
    parser.add_argument("--mode", choices=("max", "min"), help="whether the metric improves upwards or downwards")
    parser.add_argument(
        "--of",
        choices=("energy", "emissions", "time"),
        default="energy",
        help="what is compared first, and what the gate is about. Defaults to energy",
    )
    _add_gate(parser)
    parser.add_argument("--format", choices=(_TEXT, _JSON), default=_TEXT, help="text or json. Defaults to text")
    parser.set_defaults(run=run)


def _add_gate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--gate", metavar="LIMIT", help='how much more the first side may need, such as "+5 %%". Exits with 1 beyond it'
    )
    parser.add_argument(
        "--undecided",
        choices=("fail", "pass", "estimate"),
        default="fail",
        help="what the gate does if the runs cannot decide. fail exits with 3, pass with 0, and estimate judges the "
        "difference without its chance. Defaults to fail",
    )


def run(arguments: argparse.Namespace) -> int:
    """Compare two groups of runs.

    Args:
        arguments: ``first``, ``against``, ``reach``, ``mode``, ``of``, ``gate``, ``undecided`` and ``format``.

    Returns:
        0, or the status of the gate.

    Raises:
        LedgerError: A ledger cannot be read.
        ConfigurationError: An argument cannot be read, a side is missing, or SciPy is.
    """
    from green_callbacks.analysis.comparing.equal_quality.ratio import scipy_stats
    from green_callbacks.cli.compare.gate import decide, parse_gate
    from green_callbacks.cli.compare.written import json_text, notes, text

    limit = None if arguments.gate is None else parse_gate(arguments.gate)
    scipy_stats()  # before ledgers are read, which may take long
    comparison = _compared(arguments, limit)
    gate = None if limit is None else decide(comparison, arguments.of, limit, arguments.undecided)
    if arguments.format == _JSON:
        say_data(json_text(comparison, arguments.of, gate))
    elif gate is None:
        say(text(comparison, arguments.of))
    else:
        for note in notes(comparison):
            remark(note)
        say(gate.line)
    return 0 if gate is None else gate.status


def _compared(arguments: argparse.Namespace, limit: float | None) -> "Comparison":
    from green_callbacks.analysis.comparing import metric_of_groups, read_group
    from green_callbacks.analysis.comparing.equal_quality.comparison import SIZE, compare_groups
    from green_callbacks.analysis.comparing.equal_quality.reaching import Target, parse_target
    from green_callbacks.cli.compare.selection import selections

    metric, value = parse_target(arguments.reach)
    sides = selections(arguments.first, arguments.against)
    first, second = (read_group(side.name, side.paths, metric, side.labels) for side in sides)
    target = Target(metric_of_groups([first, second], metric, arguments.mode), value)
    chosen_by = {label for side in sides for label in side.labels}
    return compare_groups(first, second, target, size=abs(limit or SIZE), chosen_by=chosen_by)
