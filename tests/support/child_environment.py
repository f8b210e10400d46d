"""The environment of processes that a test starts."""

import os
import sys


def child_environment(**more: str) -> dict[str, str]:
    """Return the environment of this process, in which a child finds the modules that this process finds.

    Args:
        **more: Further variables.
    """
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **more}
