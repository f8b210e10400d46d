"""``green-callbacks replay``: where a rule would have stopped runs that are over."""

import argparse
from dataclasses import replace
from typing import Final

from green_callbacks.cli.arguments import add_ledgers, count
from green_callbacks.cli.printing import say

_DESCRIPTION: Final = """\
Shows finished runs to a rule, record by record: where it would have stopped them, what that would have saved, and what
it would have cost of the metric. What follows the last epoch of a run (a final test) is not counted as saved.

A rule is written with its options behind it:
  budget="500 g"                              CarbonBudget: an amount in g, kg, kWh, MJ, ...; also ,hard=false
  marginal-gain:val_acc                       MarginalGain on a metric
  marginal-gain:val_acc,min_gain_per_kg=0.05,acceptable=0.9
                                              ... with any of its options
Several are compared. Without any it is marginal-gain on the first validation metric of each run."""


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the sub-command to the command's parser.

    Args:
        subparsers: Where sub-commands are added.
    """
    parser = subparsers.add_parser(
        "replay",
        help="where a rule would have stopped finished runs, what it would have saved and lost",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_ledgers(parser)
    parser.add_argument(
        "--policy", action="append", default=[], metavar="RULE", help="a rule, as above; may be given again"
    )
    parser.add_argument(
        "--epochs",
        type=count,
        metavar="N",
        help="how many epochs were planned, as a rule waits for a share of them; what the ledger knows unless given",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Replay the runs of ledgers.

    Args:
        arguments: ``ledgers``, ``monitor``, ``mode``, ``policy`` and ``epochs``.

    Returns:
        0, wherever the rules would have stopped.

    Raises:
        LedgerError: A ledger cannot be read.
        ConfigurationError: A rule cannot be read, or does not suit a run.
    """
    from green_callbacks.cli.replay.outcomes import in_words, replayed, side_by_side
    from green_callbacks.cli.replay.rule_text import Rule
    from green_callbacks.cli.runs import read_runs
    from green_callbacks.records import Plan

    rules = [Rule.parse(text) for text in arguments.policy or ["marginal-gain"]]
    plan = Plan(epochs=arguments.epochs) if arguments.epochs else None
    outcomes = [
        replayed(
            run,
            rule,
            plan or replace(run.contents.plan, spent_before_kg=0.0, spent_before_kwh=0.0),
            run.metric(arguments.monitor, arguments.mode),
        )
        for run in read_runs(arguments.ledgers)
        for rule in rules
    ]
    say(in_words(outcomes[0]) if len(outcomes) == 1 else side_by_side(outcomes))
    return 0
