"""The arguments and the steps of ``green-callbacks run``."""

import argparse
import os
import re
import time
from collections.abc import Sequence
from typing import Any, Final

from green_callbacks.cli.printing import complain, remark
from green_callbacks.errors import ConfigurationError

_DESCRIPTION: Final = """\
Runs a command and measures it as one record, with all processes that it starts. GPUs and processors count as for a
training, which are the GPUs in CUDA_VISIBLE_DEVICES, and the processors that the job may use, whoever keeps them busy.
A script inside the command that measures itself is counted once. Streams, signals and the exit status are those of the
command. The summary follows on standard error. There is no budget here, because a command cannot be stopped between two
epochs. A callback or a loop can."""

_USAGE: Final = "green-callbacks run [options] -- COMMAND [ARGUMENT ...]"
_FLAGS: Final = frozenset({"--help", "--quiet"})
"""Long options without a value."""
_SHORT_FLAGS: Final = re.compile("-[hq]+")
"""Short options, which have no value and may be written together."""
_MISUSED: Final = 2
"""Exit status of wrong arguments, as of argparse."""
_SIGNAL: Final = 128
"""Exit status that shells add to the number of a signal."""
_SUBREAPER: Final = 36
"""Number of ``PR_SET_CHILD_SUBREAPER`` (``prctl.h`` of Linux)."""
_LABEL_WIDTH: Final = 11
"""Width of the column of labels, in characters."""
_LONGEST_NAME: Final = 200
"""Longest name of a command in its label, in characters. An accountant takes no longer label."""


def split(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return our own arguments, and the command with its arguments. ``--`` between them may be left out.

    Args:
        argv: All arguments after the name of the program.

    Example:
        >>> split(["run", "--location", "DE", "--", "python", "train.py", "--quiet"])
        (['run', '--location', 'DE'], ['python', 'train.py', '--quiet'])
        >>> split(["summary", "runs", "--"])
        (['summary', 'runs', '--'], [])
    """
    own = list(argv)
    if own[:1] != ["run"]:
        return own, []
    at = 1
    while at < len(own) and own[at].startswith("-") and own[at] != "--":
        at += 1 if own[at] in _FLAGS or "=" in own[at] or _SHORT_FLAGS.fullmatch(own[at]) else 2
    return own[:at], own[at + 1 if own[at : at + 1] == ["--"] else at :]


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the sub-command to the command's parser.

    Args:
        subparsers: The parser's sub-commands.
    """
    parser = subparsers.add_parser(
        "run",
        help="measure any command, with all processes that it starts",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage=_USAGE,
        allow_abbrev=False,
    )
    parser.add_argument("--location", metavar="ZONE", help="place of this machine, such as DE or gcp:europe-west1")
    parser.add_argument("--intensity", type=float, metavar="G", help="carbon intensity, in gCO2e/kWh")
    parser.add_argument("--pue", type=float, metavar="RATIO", help="power usage effectiveness of the facility, 1 to 3")
    parser.add_argument(
        "--label", action="append", default=[], type=_label, metavar="NAME=TEXT", help="label, can be repeated"
    )
    parser.add_argument("--ledger", metavar="FILE", help="file of the run. Defaults to a new file in green-callbacks/")
    parser.add_argument("-q", "--quiet", action="store_true", help="write no summary. Warnings are written")
    parser.set_defaults(run=run, command=[])


def _label(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        msg = f"{text[:40]!r} is no label such as team=vision"
        raise argparse.ArgumentTypeError(msg)
    return name, value


def run(arguments: argparse.Namespace) -> int:
    """Run a command and measure it.

    Args:
        arguments: ``command``, and the options.

    Returns:
        Exit status of the command. 126 if it cannot be executed, 127 if it does not exist. If a signal ended the
        command, the same signal ends this process.

    Raises:
        ConfigurationError: An option cannot work, so the command is not started.
        LedgerError: The named ledger is no ledger.
    """
    if not arguments.command:
        complain(f"No command is given. Write it after the options, as in {_USAGE}.")
        return _MISUSED
    if not hasattr(os, "posix_spawn"):
        msg = "green-callbacks run needs Linux or macOS. Measure with measure() or an EnergyAccountant in Python."
        raise ConfigurationError(msg)
    from green_callbacks.cli.run.signals import die_by

    status, number = _measured(arguments)
    if number:
        die_by(number)
        return _SIGNAL + number  # the first process of a container does not die by signals
    return status


def _measured(arguments: argparse.Namespace) -> tuple[int, int]:
    """Return the exit status of the command, and the signal that ended it or 0."""
    from green_callbacks.cli.run.child import CannotStartError, Child, find
    from green_callbacks.cli.run.measured import HeldMessages, Measured
    from green_callbacks.cli.run.signals import Signals

    command = arguments.command
    with Signals() as signals, HeldMessages() as held:  # first, because all threads must hold back signals
        try:
            path = find(command[0])
            measured = Measured(_options(arguments), held)
            measured.start()
            if (arrived := signals.ending()) is not None:
                measured.close()
                return 0, int(arrived)
            _adopt_orphans()
            try:
                child = Child.start(path, command, measured.environment(os.environ), signals)
            except CannotStartError:
                measured.close()
                raise
            status = child.wait(time.monotonic)
        except CannotStartError as reason:
            complain(f"{command[0]} cannot be run, because {reason}.")
            return reason.status, 0
        _end(measured, held, f"{os.path.basename(command[0])} {_ending(status)}", is_quiet=arguments.quiet)  # noqa: PTH119
    return (0, os.WTERMSIG(status)) if os.WIFSIGNALED(status) else (os.WEXITSTATUS(status), 0)


def _options(arguments: argparse.Namespace) -> dict[str, Any]:
    options = {
        "location": arguments.location,
        "carbon_intensity": arguments.intensity,
        "pue": arguments.pue,
        "ledger": arguments.ledger,
        "labels": {"command": os.path.basename(arguments.command[0])[:_LONGEST_NAME], **dict(arguments.label)},  # noqa: PTH119
    }
    return {name: value for name, value in options.items() if value is not None}


def _end(measured: Any, held: Any, ending: str, *, is_quiet: bool) -> None:  # noqa: ANN401  imported late
    from green_callbacks.records.coverage import what_counts, who_else
    from green_callbacks.summary import totals_in_words
    from green_callbacks.text.layout import labeled
    from green_callbacks.text.wording import duration

    measured.note_left()
    totals = measured.close()
    for text in held.texts:
        complain(text)
    if totals is None or is_quiet:
        return
    left_out, others = what_counts(totals.devices), who_else(totals.devices)
    ledger = str(totals.ledger) if totals.ledger is not None and os.path.lexists(totals.ledger) else None
    lines = {"Left out": left_out, **totals_in_words(totals), "Shared": others, "Ledger": ledger}
    blocks = [labeled(label, text, label_width=_LABEL_WIDTH) for label, text in lines.items() if text]
    remark("\n".join([f"green-callbacks: {ending} after {duration(totals.duration_seconds)}.", *blocks]))


def _ending(status: int) -> str:
    if os.WIFSIGNALED(status):
        return f"was ended by signal {os.WTERMSIG(status)}"
    return f"ended with status {os.WEXITSTATUS(status)}"


def _adopt_orphans() -> None:
    """Let the system hand processes to this process that outlive their parents, so that they stay in its family."""
    import ctypes
    import sys
    from contextlib import suppress

    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # without it, such processes are not found at the end
            ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)
