"""``green-callbacks report``, which writes the page of many runs as one file."""

import argparse
from pathlib import Path
from typing import Final

from green_callbacks.cli.printing import complain, say

_DESCRIPTION: Final = """\
Writes a page that compares all runs in folders. It shows the best quality for the carbon, emissions per epoch, a table
of all runs, the same runs at other places, and where a rule would have stopped them. The tab Carbon of TensorBoard
shows the same page. The file needs no server and no network, so it can be mailed and archived."""

_DEFAULT_RULE: Final = "marginal-gain"
_KILOBYTE: Final = 1_000
"""Bytes in a kilobyte."""


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the sub-command to the command's parser.

    Args:
        subparsers: The parser's sub-commands.
    """
    parser = subparsers.add_parser(
        "report",
        help="write a page that compares runs, as one HTML file",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="folder with ledgers, such as logs")
    parser.add_argument("-o", "--output", required=True, type=Path, metavar="FILE", help="HTML file to write")
    parser.add_argument(
        "--rule",
        action="append",
        default=[],
        metavar="RULE",
        help="rule to replay, as for replay, can be repeated. Defaults to marginal-gain",
    )
    parser.add_argument(
        "--group-by", metavar="NAME", help="show groups of runs with bands, by a label of the runs or by folder"
    )
    parser.add_argument("--title", metavar="TEXT", help="title of the page. Defaults to the folders and the date")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write a report.

    Args:
        arguments: ``folders``, ``output``, ``rule``, ``group_by`` and ``title``.

    Returns:
        0.

    Raises:
        LedgerError: No folder holds a readable ledger.
        ConfigurationError: A rule cannot be read, no run has the label, the output is a ledger, or the output cannot be
            written.
    """
    from green_callbacks.analysis.replays.rule_text import Rule
    from green_callbacks.cli.output_files import refuse_ledgers, replace_whole
    from green_callbacks.page.report import report_html
    from green_callbacks.page.report_folders import ReportFolders

    rules = arguments.rule or [_DEFAULT_RULE]
    for rule in rules:
        Rule.parse(rule)  # an impossible rule is refused before ledgers are read
    found = ReportFolders(arguments.folders)
    refuse_ledgers(arguments.output, found.ledgers)
    groups = "" if arguments.group_by is None else found.groups(arguments.group_by)
    data = found.data(rules)
    title = arguments.title or _title(arguments.folders, data["runs"]["written_at"])
    content = report_html(data, title=title, groups=groups).encode()
    replace_whole(arguments.output, content)
    for sentence in data["runs"]["said"]:
        complain(sentence)
    count = len(data["runs"]["runs"])
    runs = "1 run" if count == 1 else f"{count:,} runs"
    say(f"Wrote {runs} into {arguments.output} ({len(content) / _KILOBYTE:,.0f} kB). Open the file in a browser.")
    return 0


def _title(folders: list[Path], written_at: str) -> str:
    return f"Carbon of {', '.join(folder.resolve().name or str(folder) for folder in folders)}, {written_at[:10]}"
