"""``green-callbacks doctor``: what this machine can measure, what it cannot, and what would change that."""

import argparse
import os
import re
from collections.abc import Mapping
from math import isfinite
from typing import TYPE_CHECKING, Any, Final

from green_callbacks.cli.printing import say, say_data

if TYPE_CHECKING:
    from green_callbacks.cli.doctor.examination import Report

_MEASURED: Final = 0
_ONLY_MODELLED: Final = 1
_DESCRIPTION: Final = """\
Says in plain words what this machine can measure, what it cannot, and the command that would change that; then
measures for a moment. Changes nothing, and asks nothing of the network.

Exit status: 0 if the energy of at least one device is measured, 1 if all of it is modelled or unknown. A GPU that
cannot be measured is said last (and is "misses_gpu" in JSON)."""


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the sub-command to the command's parser.

    Args:
        subparsers: Where sub-commands are added.
    """
    parser = subparsers.add_parser(
        "doctor",
        help="what this machine can measure, and what would let it measure more",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", action="store_true", help="write JSON, for programs and bug reports")
    parser.add_argument(
        "--seconds", type=_positive, default=1.0, metavar="S", help="how long to measure, in s (1 unless given)"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Examine the machine, and say what was found.

    Args:
        arguments: ``json`` and ``seconds``.

    Returns:
        0 if something is measured, 1 if not.
    """
    from green_callbacks.cli.doctor.examination import examine

    report = examine(arguments.seconds)
    if arguments.json:
        say_data(_as_json(report))
    else:
        say(report.as_text())
    return _MEASURED if report.measures else _ONLY_MODELLED


def _as_json(report: "Report") -> str:
    import json

    document: dict[str, Any] = report.as_document()
    return json.dumps(_plain(document), indent=2, allow_nan=False)


def _plain(value: object) -> Any:  # noqa: ANN401  any of JSON's types
    """Make any value one that JSON knows, in any program that reads it."""
    if isinstance(value, Mapping):
        return {_encodable(str(name)): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(each) for each in value]
    if isinstance(value, float):
        return value if isfinite(value) else None
    return value if value is None or isinstance(value, int) else _encodable(str(value))


def _encodable(text: str) -> str:
    """Write out lone surrogates, which strict readers of JSON refuse, and write ``~`` for the home folder.

    People paste this report into public places, and the home folder contains the name of the user.
    """
    home = os.path.expanduser("~")  # noqa: PTH111  Path.home() raises where there is none
    if len(home) > 1:
        text = re.sub(rf"{re.escape(home)}(?![\w.-])", "~", text)
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _positive(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds <= 3600:  # noqa: PLR2004  # an hour is no examination any more
        msg = f"{text} s: measure for more than 0 s and at most an hour"
        raise argparse.ArgumentTypeError(msg)
    return seconds
