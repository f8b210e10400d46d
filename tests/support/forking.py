"""Forks of a test's process."""

import os
import warnings


def forked():
    """Fork. Libraries of the process may have threads, of which later versions of Python warn."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()
