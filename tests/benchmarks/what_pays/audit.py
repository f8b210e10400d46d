"""What ``green-callbacks compare`` says of a trick, from the ledgers of its runs."""

import contextlib
import io
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from what_pays.names import AUDITED, LOW
from what_pays.plans import Group

from green_callbacks.cli import main

QUALITY: Final = "val_acc=0.6"
"""The quality to reach. By choice: all runs of all three methods reach it."""


KEPT: Final = Path(__file__).with_name("audit.txt")
"""What the commands printed when the results were made."""


def audit(folder: Path) -> str:
    """Compare a trick with training for less, at equal quality and at equal energy.

    Args:
        folder: The folder of all ledgers.

    Returns:
        The commands, and what they print.
    """
    trick, *references = (_runs(folder, method) for method in AUDITED)
    commands = [
        *((trick, "--against", reference, "--reach", QUALITY) for reference in references),
        (trick, "--against", references[0], "--reference", references[1], "--at-equal-energy"),
    ]
    return "\n".join(f"$ green-callbacks compare {shlex.join(words)}\n{_printed(words)}" for words in commands)


def _printed(words: Sequence[str]) -> str:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        main(["compare", *words])
    return printed.getvalue()


def _runs(folder: Path, method: str) -> str:
    return str(Group("mnist1d", LOW, method, 0).ledger(folder, 0).parent)
