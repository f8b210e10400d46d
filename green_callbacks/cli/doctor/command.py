"""The arguments and the steps of ``green-callbacks doctor``."""

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
"""Exit status if the energy of a device is measured."""

_ONLY_MODELLED: Final = 1
"""Exit status if all energy is modelled or not known."""

_DESCRIPTION: Final = """\
Reports the energy that this machine can measure, the energy that it cannot, and the commands that would change that.
Then it measures for a moment. It changes nothing and does not use the network.

The exit status is 0 if the energy of at least one device is measured, and 1 if all energy is modelled or not known. The
last line reports a GPU that cannot be measured ("misses_gpu" in JSON)."""


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the sub-command to the command's parser.

    Args:
        subparsers: The parser's sub-commands.
    """
    parser = subparsers.add_parser(
        "doctor",
        help="report what this machine can measure, and how it could measure more",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", action="store_true", help="write JSON, for programs and bug reports")
    parser.add_argument(
        "--seconds", type=_positive, default=1.0, metavar="S", help="length of the measurement in s, by default 1"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Examine the machine and print the report.

    Args:
        arguments: ``json`` and ``seconds``.

    Returns:
        0 if the energy of a device is measured, or else 1.
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
    """Convert any value to a type that every reader of JSON knows."""
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
    if not 0 < seconds <= 3600:  # noqa: PLR2004  # an examination does not take an hour
        msg = f"{text} s is not more than 0 s and at most an hour"
        raise argparse.ArgumentTypeError(msg)
    return seconds
