"""Which process this is."""

import os

_own = os.getpid()


def process_id() -> int:
    """Return the id of this process, at every edge and so without a call of the system; a forked child has its own."""
    return _own


def _renew() -> None:
    global _own  # noqa: PLW0603  there is but one process
    _own = os.getpid()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)
