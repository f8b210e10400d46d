"""The one run that a sub-command is about."""

from pathlib import Path

from green_callbacks.cli.runs import LedgerRun, read_runs
from green_callbacks.errors import ConfigurationError


def read_run(path: Path) -> LedgerRun:
    """Read one ledger.

    Args:
        path: A file, or a folder that holds one.

    Returns:
        The run.

    Raises:
        LedgerError: The file is missing or is not a ledger, or the folder holds none.
        ConfigurationError: The folder holds several.
    """
    return single(read_runs([path]))


def single(runs: list[LedgerRun]) -> LedgerRun:
    """Return the only run.

    Args:
        runs: What ledgers hold.

    Raises:
        ConfigurationError: There are several.
    """
    if len(runs) > 1:
        msg = f"These are {len(runs)} runs, and only one can be taken at a time: name one ledger."
        raise ConfigurationError(msg)
    return runs[0]
