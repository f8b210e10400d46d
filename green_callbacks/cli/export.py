"""``green-callbacks export``: runs in the formats that others read."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Final

from green_callbacks.cli.printing import complain, say, say_data
from green_callbacks.errors import ConfigurationError

if TYPE_CHECKING:
    from green_callbacks.cli.runs import LedgerRun

_MODEL_CARD: Final = "model-card"
_CODECARBON: Final = "codecarbon-csv"
_METHODS: Final = "methods"
_ONLY_FOR: Final = {"card": _MODEL_CARD, "training_type": _MODEL_CARD, "hardware": _MODEL_CARD, "project": _CODECARBON}
_DESCRIPTION: Final = """\
Writes runs that are over in a format that others read:
  model-card       co2_eq_emissions, the metadata of a Hugging Face model card; with --card into the card itself
  codecarbon-csv   CodeCarbon's emissions.csv, one row a run
  methods          a paragraph for a paper, in Markdown"""


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the sub-command to the command's parser.

    Args:
        subparsers: Where sub-commands are added.
    """
    parser = subparsers.add_parser(
        "export",
        help="a run as a model card's metadata, as CodeCarbon's CSV, as a paragraph for a paper",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("ledgers", nargs="+", type=Path, metavar="LEDGER", help="a run's ledger, or a folder of them")
    parser.add_argument("--format", required=True, choices=(_MODEL_CARD, _CODECARBON, _METHODS))
    target = parser.add_mutually_exclusive_group()
    target.add_argument("--output", type=Path, metavar="FILE", help="write it there; on the terminal unless given")
    target.add_argument(
        "--card", type=Path, metavar="README.md", help="the card to write into; takes the extra 'export'"
    )
    parser.add_argument("--training-type", choices=("pre-training", "fine-tuning"), help="for the model card")
    parser.add_argument("--hardware", metavar="TEXT", help='for the model card, e.g. "2 x NVIDIA H100"')
    parser.add_argument("--project", metavar="NAME", help="for CodeCarbon's dashboard; green_callbacks unless given")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Export the runs of ledgers.

    Args:
        arguments: ``ledgers``, ``format``, ``output``, ``card``, ``training_type``, ``hardware`` and ``project``.

    Returns:
        0.

    Raises:
        LedgerError: A ledger cannot be read.
        ConfigurationError: An option is of another format, there are several runs where one is wanted, nothing was
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
            complain(f"The run {each.run_id} was killed, or still goes on. It is taken up to its last record.")
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


def _text(runs: list["LedgerRun"], arguments: argparse.Namespace) -> str:
    """Return what to write; with a card, write it and return what was done."""
    from green_callbacks import exports
    from green_callbacks.cli.single_run import single

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
