"""The arguments and the steps of ``green-callbacks summary``."""

import argparse
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

from green_callbacks.cli.arguments import add_ledgers, count
from green_callbacks.cli.printing import complain, say, say_data
from green_callbacks.cli.summary.since import since
from green_callbacks.errors import ConfigurationError

if TYPE_CHECKING:
    from green_callbacks.cli.summary.rows import Row
    from green_callbacks.ledger.project_totals import ProjectRun

_TEXT: Final = "text"
_JSON: Final = "json"
_CSV: Final = "csv"

_DESCRIPTION: Final = """\
Writes the summary of a run, with the reason of its end, its totals, a table of its epochs, and ways to make it cheaper.
Writes several runs as a table, with their sums as the first lines. The table shows the runs with the most emissions,
and JSON and CSV hold all of them. The summary of a run that was killed or is still running ends with its last record.
Energy that several runs hold counts once. JSON of a single run also holds its findings.
Most findings need an NVIDIA GPU and five minutes of training."""


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
    parser.add_argument("--top", type=count, metavar="N", help="number of rows, with the most emissions first")
    parser.add_argument(
        "--group-by", metavar="NAME", help="sum runs by a label, or by host, zone, day, month or project (its folder)"
    )
    parser.add_argument(
        "--since", type=since, metavar="TIME", help="count runs that ended since a date, or an age such as 7d or 12h"
    )
    parser.add_argument(
        "--format", choices=(_TEXT, _JSON, _CSV), default=_TEXT, help="text, json or csv. Defaults to text"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the summary of the runs in ledgers.

    Args:
        arguments: ``ledgers``, ``monitor``, ``mode``, ``top``, ``group_by``, ``since`` and ``format``.

    Returns:
        0.

    Raises:
        LedgerError: A ledger cannot be read.
        ConfigurationError: The metric's name does not tell whether it improves upwards or downwards, no run has the
            label or ended since the time, or an option belongs to another format.
    """
    from green_callbacks.cli.summary.looking import complain_of, index_for, look
    from green_callbacks.cli.summary.rows import rows_of

    if arguments.top is not None and arguments.format != _TEXT:
        msg = f"--top is only for --format {_TEXT}, because --format {arguments.format} holds all runs."
        raise ConfigurationError(msg)
    options = (arguments.group_by, arguments.since, arguments.top)
    is_plain = arguments.format == _TEXT and all(option is None for option in options)
    is_file = len(arguments.ledgers) == 1 and not arguments.ledgers[0].is_dir()
    if is_plain and is_file:
        _say_one(arguments)
        return 0
    index = index_for(arguments.ledgers)
    read = look(arguments.ledgers, index)
    if is_plain and len(read.runs) == 1:
        _say_one(arguments)
        return 0
    complain_of(read)
    chosen = read.runs if arguments.since is None else _ended_since(read.runs, arguments.since)
    rows, overlaps = rows_of(chosen, index, arguments.monitor, arguments.mode)
    _say_many(rows, overlaps, arguments)
    return 0


def _say_one(arguments: argparse.Namespace) -> None:
    from green_callbacks.cli.runs import read_runs, single
    from green_callbacks.cli.summary.sums import alone

    one = single(read_runs(arguments.ledgers))
    say(alone(one, one.metric(arguments.monitor, arguments.mode)))


def _say_many(rows: Sequence["Row"], overlaps: Sequence[str], arguments: argparse.Namespace) -> None:
    from green_callbacks.cli.summary.data import csv_text, json_text
    from green_callbacks.cli.summary.groups import grouped
    from green_callbacks.cli.summary.heading import heading
    from green_callbacks.cli.summary.rows import sums_of
    from green_callbacks.cli.summary.searches import lines_of_searches
    from green_callbacks.cli.summary.table import NOTE, remarks, table_of_groups, table_of_runs

    by, said = arguments.group_by, remarks(rows, overlaps)
    groups = None if by is None else grouped(rows, by, arguments.ledgers)
    if arguments.format == _JSON:
        say_data(json_text(rows, said, groups, by))
    elif arguments.format == _CSV:
        say_data(csv_text(rows, groups, by))
        for each in said:
            complain(each)
    else:
        top = arguments.top
        table = table_of_runs(rows, top) if groups is None else table_of_groups(groups, by, top)
        searches = lines_of_searches(rows)
        say("\n".join([heading(sums_of(rows), arguments.since), "", table, "", *said, NOTE, *searches]))


def _ended_since(runs: Sequence["ProjectRun"], begin: datetime) -> list["ProjectRun"]:
    """Return the runs that ended since a time. Runs without a record have no time, and are left out."""
    facts = [(run, run.entry.closing.facts) for run in runs]
    chosen = [run for run, each in facts if each is not None and each.ended_at is not None and each.ended_at >= begin]
    timeless = sum(each is None or each.ended_at is None for _, each in facts)
    if timeless:
        runs_have = "run has" if timeless == 1 else "runs have"
        complain(f"{timeless:,} {runs_have} no record and so no time. --since leaves them out.")
    if not chosen:
        msg = f"No run has ended since {begin:%Y-%m-%d %H:%M}. Name an earlier time with --since."
        raise ConfigurationError(msg)
    return chosen
