"""The arguments and the steps of ``green-callbacks project``."""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from green_callbacks.cli.arguments import count
from green_callbacks.cli.printing import complain, say, say_data

if TYPE_CHECKING:
    from green_callbacks.cli.project.places import Place
    from green_callbacks.registry import RegisteredRun
    from green_callbacks.units import Quantity

_DESCRIPTION: Final = """\
Shows what the runs of a project have spent of their shared budget and hold, what is left, and which runs are dead. Runs
that a registry does not know are shown by their ledgers. A device that several runs measure at the same time counts
once, so a run may stand here with less than in its own summary."""

_TOP: Final = 10
"""Number of runs in the table by default, so that everything fits on one screen."""
_NONE: Final = "none"
_DEAD: Final = 180.0
"""Time in s without a claim from which on a run counts as dead by default, as in the registry."""


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the sub-command to the command's parser.

    Args:
        subparsers: The parser's sub-commands.
    """
    parser = subparsers.add_parser(
        "project",
        help="show or set the budget that the runs of a project share",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "place",
        nargs="?",
        metavar="FOLDER|URL",
        help="folder or pattern of the project, or URL of the registry. Defaults to the configured project",
    )
    _add_options(parser)
    parser.set_defaults(run=run)


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--project", metavar="NAME", help="project in the registry, as the scripts name it")
    parser.add_argument(
        "--set-budget",
        metavar="AMOUNT",
        help="budget for all runs from now on, such as '3 kg' or '2 kWh'. 'none' lets the scripts decide again",
    )
    parser.add_argument(
        "--settle-dead", action="store_true", help="count as spent what silent runs hold, without waiting for a run"
    )
    parser.add_argument(
        "--silent",
        type=_seconds,
        metavar="SECONDS",
        help=f"with --settle-dead, silence from which on a run is dead. Defaults to {_DEAD:.0f}",
    )
    parser.add_argument("--top", type=count, metavar="N", help=f"number of runs in the table. Defaults to {_TOP}")
    parser.add_argument("--json", action="store_true", help="print JSON with all runs, or with the first --top runs")


def run(arguments: argparse.Namespace) -> int:
    """Show a shared budget, after the changes that were asked for.

    Args:
        arguments: ``place``, ``project``, ``set_budget``, ``settle_dead``, ``silent``, ``top`` and ``json``.

    Returns:
        0.

    Raises:
        ConfigurationError: There is no such project, or an option cannot work.
        RegistryError: The registry does not answer.
    """
    from green_callbacks.cli.project.accounts import accounts_of
    from green_callbacks.cli.project.json_text import as_json
    from green_callbacks.cli.project.places import found_place, telling
    from green_callbacks.cli.project.wording import as_text, settled_sentence

    _refuse_combinations(arguments)
    place = found_place(arguments.place, arguments.project)
    with telling():
        if arguments.set_budget is not None:
            place = _with_budget(place, arguments.set_budget)
        if arguments.settle_dead:
            seconds = arguments.silent or _DEAD
            for quantity, settled in _settle(place, seconds):
                complain(settled_sentence(settled, quantity, seconds))
        accounts = accounts_of(place)
    if arguments.json:
        say_data(as_json(place, accounts, arguments.top))
    else:
        say(as_text(place, accounts, arguments.top or _TOP))
    return 0


def _refuse_combinations(arguments: argparse.Namespace) -> None:
    from green_callbacks.errors import ConfigurationError

    if arguments.silent is not None and not arguments.settle_dead:
        msg = "--silent says which runs --settle-dead settles. Add --settle-dead."
        raise ConfigurationError(msg)


def _with_budget(place: "Place", text: str) -> "Place":
    """Set the budget, and return the project with it."""
    from green_callbacks.errors import ConfigurationError
    from green_callbacks.units import parse_amount

    if text.strip().lower() == _NONE:
        for _, registry in place.budgets():
            registry.set_limit(None)
        return place
    amount = parse_amount(text)
    if amount.value <= 0:
        msg = f"A budget of {text.strip()} would end every run. Give an amount above 0."
        raise ConfigurationError(msg)
    place.opened(amount.quantity).set_limit(amount.value)
    return place.including(amount.quantity)


def _settle(place: "Place", seconds: float) -> "list[tuple[Quantity, Sequence[RegisteredRun]]]":
    return [(quantity, registry.settle_dead(seconds)) for quantity, registry in place.budgets()]


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds < float("inf"):
        msg = f"{text[:40]!r} is no time in seconds above 0"
        raise argparse.ArgumentTypeError(msg)
    return seconds
