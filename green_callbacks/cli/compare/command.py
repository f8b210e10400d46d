"""The arguments and the steps of ``green-callbacks compare``."""

import argparse
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from green_callbacks.cli.compare.same_amount_options import add_options, is_asked
from green_callbacks.cli.printing import remark, say, say_data
from green_callbacks.errors import ConfigurationError

if TYPE_CHECKING:
    from green_callbacks.analysis.comparing.equal_quality.comparison import Comparison
    from green_callbacks.analysis.comparing.same_amount import SameAmount
    from green_callbacks.cli.compare.gate import Gate
    from green_callbacks.cli.compare.groups import NamedGroup

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
in it. Runs that never reach it are never left out of a mean in silence. Needs the extra 'compare'.

With --at or --at-equal-energy it compares the quality for the same energy. Runs named with --reference are the same
training by fewer epochs, which a method must beat. A run that spent less than the amount does not count."""

_EPILOG: Final = """\
examples:
  green-callbacks compare runs/new --against runs/old --reach val_acc=0.92
  green-callbacks compare runs method=new --against method=old --reach val_loss=0.3
  green-callbacks compare runs/branch --against runs/main --reach val_acc=0.92 --gate "+5 %"
  green-callbacks compare runs/trick --against runs/full --reference runs/fewer --monitor val_acc --plot curves.png

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
    parser.add_argument("--reach", metavar="METRIC=VALUE", help="the quality, such as val_acc=0.92")
    parser.add_argument("--mode", choices=("max", "min"), help="whether the metric improves upwards or downwards")
    parser.add_argument(
        "--of",
        choices=("energy", "emissions", "time"),
        default="energy",
        help="what is compared first, and what the gate is about. Defaults to energy",
    )
    _add_gate(parser)
    add_options(parser)
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
    """Compare groups of runs.

    Args:
        arguments: ``first``, ``against``, ``reach``, ``mode``, ``of``, ``gate``, ``undecided``, ``format``, and those
            of :func:`green_callbacks.cli.compare.same_amount_options.add_options`.

    Returns:
        0, or the status of the gate.

    Raises:
        LedgerError: A ledger cannot be read.
        ConfigurationError: An argument cannot be read, a side is missing, or SciPy is.
    """
    from green_callbacks.analysis.comparing import metric_of_groups
    from green_callbacks.analysis.comparing.equal_quality.ratio import scipy_stats
    from green_callbacks.cli.compare.gate import decide, parse_gate
    from green_callbacks.cli.compare.groups import read_groups
    from green_callbacks.cli.compare.same_amount_steps import same_amount

    limit = None if arguments.gate is None else parse_gate(arguments.gate)
    name = _metric_name(arguments)
    scipy_stats()  # before ledgers are read, which may take long
    groups = read_groups(arguments.first, _others(arguments), arguments.reference, name)
    metric = metric_of_groups([each.group for each in groups], name, arguments.mode)
    comparison = None if arguments.reach is None else _compared(arguments, groups, limit)
    same = same_amount(arguments, groups, metric) if is_asked(arguments) else None
    gate = None if limit is None or comparison is None else decide(comparison, arguments.of, limit, arguments.undecided)
    _say(arguments, comparison, same, gate)
    return 0 if gate is None else gate.status


def _metric_name(arguments: argparse.Namespace) -> str:
    from green_callbacks.analysis.comparing.equal_quality.reaching import parse_target
    from green_callbacks.cli.compare.groups import metric_of_runs
    from green_callbacks.text import for_terminal

    named = arguments.monitor
    if arguments.reach is not None:
        reached = parse_target(arguments.reach)[0]
        if named not in (None, reached):
            msg = (
                f"--reach is about {for_terminal(reached)}, and --monitor about {for_terminal(named)}. Name one metric."
            )
            raise ConfigurationError(msg)
        return reached
    if arguments.gate is not None or not is_asked(arguments):
        msg = "The comparison needs a quality. Name it with --reach, or compare with --at-equal-energy instead."
        if is_asked(arguments):
            msg = "--gate judges what it takes to reach a quality, and none is named. Name it with --reach as well."
        raise ConfigurationError(msg)
    if named is None:
        return metric_of_runs(arguments.first, arguments.against or [], arguments.reference)
    return str(named)


def _others(arguments: argparse.Namespace) -> list[list[str]]:
    """Return the terms of the other sides. A comparison at equal quality has exactly one."""
    from green_callbacks.cli.compare.selection import selections

    if arguments.reach is not None:
        selections(arguments.first, arguments.against)  # refuses all other numbers
    return arguments.against or []


def _compared(arguments: argparse.Namespace, groups: "Sequence[NamedGroup]", limit: float | None) -> "Comparison":
    from green_callbacks.analysis.comparing import metric_of_groups
    from green_callbacks.analysis.comparing.equal_quality.comparison import SIZE, compare_groups
    from green_callbacks.analysis.comparing.equal_quality.reaching import Target, parse_target

    first, second = groups[0], groups[1]
    metric, value = parse_target(arguments.reach)
    target = Target(metric_of_groups([first.group, second.group], metric, arguments.mode), value)
    chosen_by = first.labels | second.labels
    return compare_groups(first.group, second.group, target, size=abs(limit or SIZE), chosen_by=chosen_by)


def _say(
    arguments: argparse.Namespace, comparison: "Comparison | None", same: "SameAmount | None", gate: "Gate | None"
) -> None:
    from green_callbacks.cli.compare.same_amount_data import same_amount_data
    from green_callbacks.cli.compare.same_amount_text import same_amount_text
    from green_callbacks.cli.compare.written import json_text, notes, text

    if arguments.format == _JSON:
        more = {} if same is None else {"same_amount": same_amount_data(same)}
        say_data(json_text(comparison, arguments.of, gate, more))
        return
    blocks = [] if comparison is None or gate is not None else [text(comparison, arguments.of)]
    blocks += [] if same is None else [same_amount_text(same)]
    if gate is None or comparison is None:
        say("\n\n".join(blocks))
        return
    for note in [*notes(comparison), *blocks]:
        remark(note)
    say(gate.line)
