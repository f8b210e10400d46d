"""``green-callbacks export``, which writes runs in formats of other tools."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Final

from green_callbacks.cli.arguments import LEDGER_HELP
from green_callbacks.cli.printing import complain, say, say_data
from green_callbacks.errors import ConfigurationError

if TYPE_CHECKING:
    from green_callbacks.analysis.ledger_run import LedgerRun

_MODEL_CARD: Final = "model-card"
_CODECARBON: Final = "codecarbon-csv"
_METHODS: Final = "methods"
_ONLY_FOR: Final = {"card": _MODEL_CARD, "training_type": _MODEL_CARD, "hardware": _MODEL_CARD, "project": _CODECARBON}
_DESCRIPTION: Final = """\
Writes finished runs in a format of another tool:
  model-card       metadata of a Hugging Face model card (co2_eq_emissions), written into the card with --card
  codecarbon-csv   CodeCarbon's emissions.csv, with one row for each run
  methods          paragraph for a paper, in Markdown"""


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the sub-command to the command's parser.

    Args:
        subparsers: The parser's sub-commands.
    """
    parser = subparsers.add_parser(
        "export",
        help="write runs as metadata of a model card, as CodeCarbon's CSV, or as a paragraph for a paper",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("ledgers", nargs="+", type=Path, metavar="LEDGER", help=LEDGER_HELP)
    parser.add_argument(
        "--format", required=True, choices=(_MODEL_CARD, _CODECARBON, _METHODS), help="format, as above"
    )
    target = parser.add_mutually_exclusive_group()
    target.add_argument("--output", type=Path, metavar="FILE", help="file to write. Defaults to the terminal")
    target.add_argument(
        "--card", type=Path, metavar="README.md", help="model card to write into, which needs the extra 'export'"
    )
    parser.add_argument(
        "--training-type", choices=("pre-training", "fine-tuning"), help="type of training, for the model card"
    )
    parser.add_argument("--hardware", metavar="TEXT", help='hardware for the model card, such as "2 x NVIDIA H100"')
    parser.add_argument(
        "--project", metavar="NAME", help="project in CodeCarbon's dashboard, by default green_callbacks"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Export the runs of ledgers.

    Args:
        arguments: ``ledgers``, ``format``, ``output``, ``card``, ``training_type``, ``hardware`` and ``project``.

    Returns:
        0.

    Raises:
        LedgerError: A ledger cannot be read.
        ConfigurationError: An option belongs to another format, a model card would need several runs, nothing was
            measured, or a file cannot be written.
    """
    from green_callbacks.cli.output_files import refuse_ledgers, write_whole
    from green_callbacks.cli.runs import read_runs

    for option, owner in _ONLY_FOR.items():
        if getattr(arguments, option) and arguments.format != owner:
            msg = f"--{option.replace('_', '-')} is only for --format {owner}."
            raise ConfigurationError(msg)
    runs = read_runs(arguments.ledgers)
    for each in runs:
        if not each.contents.is_closed:
            complain(f"The run {each.run_id} was killed or is still running. The export ends with its last record.")
    _complain_of_sums(runs)
    for target in filter(None, (arguments.output, arguments.card)):
        refuse_ledgers(target, runs)
    text = _text(runs, arguments)
    if arguments.output:
        write_whole(arguments.output, f"{text}\n".encode())
    elif arguments.card:
        say(text)
    else:
        say_data(text)
    return 0


def _complain_of_sums(runs: list["LedgerRun"]) -> None:
    """Say which energy a sum of the exported runs would count twice."""
    from green_callbacks.ledger import counted_in
    from green_callbacks.ledger.overlaps.candidates import seeming_sharers

    inside = counted_in([each.nested for each in runs])
    for each, holders in zip(runs, inside, strict=True):
        if holders:
            complain(
                f"The energy of the run {each.run_id} is also in the run {runs[holders[0]].run_id}, so a sum of both "
                "counts it twice. Export one of them."
            )
    sharers = seeming_sharers([each.measured for each, holders in zip(runs, inside, strict=True) if not holders])
    if sharers:
        complain(
            f"{sharers:,} runs measured a device that another process measured at the same time, so a sum of them "
            "counts it several times. `green-callbacks summary` counts it once."
        )


def _text(runs: list["LedgerRun"], arguments: argparse.Namespace) -> str:
    """Return the text to write. With ``--card``, write the card and return a report of it."""
    from green_callbacks import exports
    from green_callbacks.cli.runs import single

    if arguments.format == _METHODS:
        return "\n\n".join(
            exports.methods(each.totals, each.history, pue_source=each.contents.pue_source) for each in runs
        )
    if arguments.format == _CODECARBON:
        options = {"project": arguments.project} if arguments.project else {}
        return exports.codecarbon_csv([(each.totals, each.history) for each in runs], **options).rstrip("\n")
    one = single(runs)
    entry = exports.co2_eq_emissions(
        one.totals, one.history, training_type=arguments.training_type, hardware=arguments.hardware
    )
    if not arguments.card:
        return exports.front_matter(entry)
    exports.write_card(arguments.card, entry)
    return f"Wrote co2_eq_emissions of the run {one.run_id} into {arguments.card}."
