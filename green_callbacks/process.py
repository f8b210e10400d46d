"""Which process this is."""

import os

_own = os.getpid()


def process_id() -> int:
    """Return the process id from a cache that is refreshed after a fork, because every edge asks for it."""
    return _own


def _renew() -> None:
    global _own  # noqa: PLW0603  there is but one process
    _own = os.getpid()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)
