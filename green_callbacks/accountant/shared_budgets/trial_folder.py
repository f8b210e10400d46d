"""Whether a shared budget lies where no other trial of a search finds it."""

import os
from collections.abc import Mapping
from typing import Final

STARTED_IN: Final = "TUNE_ORIG_WORKING_DIR"
"""Variable in which Ray Tune keeps the folder of a worker. The working folder of a trial is another, and temporary."""

PRIVATE: Final = (
    "%s lies in the working folder of this trial of Ray Tune, where no other trial finds it. So this trial shares its "
    "budget with none. Name an absolute folder, or pass the options to trial_accountant() of green_callbacks.ray."
)


def is_private(place: str, environ: Mapping[str, str] = os.environ) -> bool:
    """Return whether a folder or file lies in the working folder of a trial of Ray Tune.

    Args:
        place: The folder of the project, or the file of its registry.
        environ: Environment variables. Defaults to ``os.environ``.
    """
    started = environ.get(STARTED_IN)
    here = os.path.realpath(os.curdir)
    if not started or os.path.realpath(started) == here:
        return False
    return os.path.realpath(place).startswith(os.path.join(here, ""))  # noqa: PTH118  a prefix of folders, with its end
