"""The folder in which the ledger of a run lies, unless the script names the file."""

import os
from pathlib import Path

from green_callbacks.accountant.notices import Notices
from green_callbacks.accountant.setup.options import Settings


def ledger_folder(settings: Settings, usual: Path, notices: Notices) -> Path:
    """Return the folder that variables or files name if it can be written, or else the usual folder.

    A folder that an administrator named must not cost everybody their ledgers.

    Args:
        settings: The checked options, with the folder that variables or files name.
        usual: The folder otherwise.
        notices: Receives the warning.
    """
    wanted = settings.ledger_folder
    if wanted is None or settings.ledger is not None:  # nothing is created for a run without a ledger
        return usual
    try:
        wanted.mkdir(parents=True, exist_ok=True)
        reason = "it is not writable" if not os.access(wanted, os.W_OK | os.X_OK) else ""
    except OSError as failure:
        reason = failure.strerror or str(failure)
    if not reason:
        return wanted
    notices.say(
        "ledger folder",
        "The ledger folder %s cannot be used (%s). The ledger goes to %s. `green-callbacks doctor` names the file or "
        "variable to correct.",
        wanted,
        reason,
        usual,
    )
    return usual
