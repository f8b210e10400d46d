"""The arguments and the steps of ``green-callbacks replay``."""

import argparse
from dataclasses import replace
from typing import Final

from green_callbacks.cli.arguments import add_ledgers, count
from green_callbacks.cli.printing import say

_DESCRIPTION: Final = """\
Replays finished runs with a stopping rule, and reports where the rule would have stopped, how much energy and CO2e that
would have saved, and how much of the metric it would have lost. Energy after the last epoch, as in a final test, does
not count as saved. With a landing, it reports where the landing would begin and end. The metric at its end is not
known, because the recorded run did not land there.

A rule has its options after commas:
  budget="500 g"                              CarbonBudget with an amount in g, kg, kWh, MJ, ...
  budget="500 g",hard=false                   ... which stops after the epoch that exceeds it
  marginal-gain:val_acc                       MarginalGain on a metric
  marginal-gain:val_acc,min_gain_per_kg=0.05,acceptable=0.9
                                              ... with any of its options
  marginal-gain:val_acc,landing=0.2           ... which lets the learning rate go to zero before it stops
Several rules are compared. The default is marginal-gain on the first validation metric of each run."""


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the sub-command to the command's parser.

    Args:
        subparsers: The parser's sub-commands.
    """
    parser = subparsers.add_parser(
        "replay",
        help="report where a rule would have stopped finished runs, with the savings and the loss of quality",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_ledgers(parser)
    parser.add_argument("--policy", action="append", default=[], metavar="RULE", help="rule, as above, can be repeated")
    parser.add_argument(
        "--epochs",
        type=count,
        metavar="N",
        help="planned number of epochs, by default from the ledger, which sets the warm-up of a rule",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Replay the runs of ledgers.

    Args:
        arguments: ``ledgers``, ``monitor``, ``mode``, ``policy`` and ``epochs``.

    Returns:
        0, whether or not a rule would have stopped.

    Raises:
        LedgerError: A ledger cannot be read.
        ConfigurationError: A rule cannot be read, or does not fit a run.
    """
    from green_callbacks.analysis.replays import Rule, replayed
    from green_callbacks.cli.replay.outcomes import in_words, side_by_side
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
